"""Every handle of a thing leads to its row, down an index: in a shop of millions as quickly as in a small one."""

from __future__ import annotations

import pytest
from store_bench import NOW, Bench, a_journey
from store_plans import explained

from engage.core.delivery import Recorded, Status
from engage.store import dispatching, inbound
from engage.store.dispatching import Settled
from engage.store.inbound import Arrived
from engage.store.insight import history, tracing
from engage.store.members import MemberRef


@pytest.fixture
def sent(bench: Bench) -> MemberRef:
    """A member with a run, a message that the provider knows as p1, the event that began it, and its raw record."""
    ref = bench.member()
    inbound.put(bench.connection, [Arrived("api", "A1", "{}")], NOW)
    bench.happens(ref, "order_paid", key="A1")
    run_id = bench.enters(ref, a_journey(), occurrence=f"event:{only(bench, 'event')}")
    bench.queues(ref, "1:hello:0", enrolment_id=run_id, step_id="hello", journey_id="winback")
    claimed = bench.claims_one()
    bench.begins_sending(claimed)
    values = {"provider_id": "p1", "called_at": NOW, "recorded_at": NOW}
    dispatching.record(bench.connection, [Settled(claimed, Recorded(Status.SENT), values)])
    bench.responds(claimed, "clicked", link="shop")
    return ref


def only(bench: Bench, table: str, **equal: str) -> int:
    """The id of the one such row."""
    return int(bench.row(table, **equal)["id"])


@pytest.mark.parametrize("kind", ["delivery", "inbound", "event", "run"])
def test_a_number_leads_to_its_row(bench: Bench, sent: MemberRef, kind: str) -> None:
    table = "enrolment" if kind == "run" else kind
    wanted = only(bench, table, **({"name": "order_paid"} if kind == "event" else {}))
    with explained(bench.connection) as plans:
        found = tracing.by_id(bench.connection, kind, wanted)
        assert tracing.by_id(bench.connection, kind, 10**9) is None
    assert found is not None
    assert found["id"] == wanted
    assert plans.walked == []


def test_names_lead_to_their_rows(bench: Bench, sent: MemberRef) -> None:
    connection, channels = bench.connection, ("wechat", "sms", "email")
    delivery_id, order_id, inbound_id = only(bench, "delivery"), only(bench, "event", name="order_paid"), 1
    with explained(connection) as plans:
        assert [row["id"] for row in tracing.deliveries_named(connection, "p1", channels)] == [delivery_id]
        assert [row["id"] for row in tracing.deliveries_named(connection, "1:hello:0", channels)] == [delivery_id]
        assert [row["id"] for row in tracing.events_named(connection, "A1")] == [order_id]
        assert [row["id"] for row in tracing.inbound_named(connection, "A1", ["api", "wechat"])] == [inbound_id]
        assert tracing.deliveries_named(connection, "nobody", channels) == []
    assert plans.walked == []


def test_what_belongs_to_a_member_is_found_among_theirs_alone(bench: Bench, sent: MemberRef) -> None:
    delivery_id, run_id = only(bench, "delivery"), only(bench, "enrolment")
    other = bench.member()
    bench.queues(other, "other")
    connection = bench.connection
    with explained(connection) as plans:
        assert [row["id"] for row in tracing.deliveries_of(connection, sent, 10)] == [delivery_id]
        assert [row["name"] for row in tracing.events_of(connection, sent, delivery_id=delivery_id)] == ["clicked"]
        assert [row["id"] for row in tracing.runs_of(connection, sent)] == [run_id]
        assert [row["what"] for row in tracing.decisions_of(connection, sent, [run_id])] == ["enter"]
        assert tracing.hops_of(connection, sent, "1:hello:0")[0]["provider_id"] == "p1"
        assert tracing.answers_to(connection, sent, run_id, delivery_id) == []
        assert tracing.tasks_keyed(connection, sent, ["inbox:1"], "address:1:") == []
        assert tracing.notices_of(connection, sent.bucket, 1) == []
    assert plans.walked == []
    assert tracing.deliveries_of(connection, other, 10)[0]["message_key"] == "other"


def test_a_story_is_read_from_the_members_own_rows(bench: Bench, sent: MemberRef) -> None:
    connection = bench.connection
    with explained(connection) as plans:
        (run,) = history.runs(connection, sent)
        history.trail(connection, sent, [run.id])
        (message,) = history.messages(connection, sent)
        responses = history.responses(connection, sent)
        history.tasks(connection, sent)
        history.consents(connection, sent)
    assert run.began_with is not None
    assert (run.began_with.name, message.provider_id) == ("order_paid", "p1")
    assert [happening.name for happening in responses[message.id]] == ["clicked"]
    assert (message.claimed_at, message.attempts) == (NOW, 1)
    assert plans.walked == []
