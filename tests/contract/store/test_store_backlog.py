"""What those who watch are told of a database: what is due and not done, who is at work, what is stuck. True numbers,
and cheap ones."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
from store_bench import DAY, HOUR, MINUTE, NOW, Bench, a_journey
from store_plans import explained

from engage.core.delivery import LEASE, Recorded, Status
from engage.store import advancing, daemons, dispatching, inbound, state, webhook_calls
from engage.store.daemons import DaemonSign
from engage.store.databases.database import Database
from engage.store.dispatching import Settled
from engage.store.inbound import Arrived
from engage.store.insight import backlog, symptoms
from engage.store.insight.backlog import DueRuns
from engage.store.webhook_calls import NewCall


def states(bench: Bench) -> Counter[tuple[str, str]]:
    counted: Counter[tuple[str, str]] = Counter()
    for each in backlog.backlog(bench.connection, NOW).messages:
        counted[each.status, each.channel] += each.messages
    return counted


def test_runs_that_are_due_are_counted_by_step_and_those_that_wait_are_not(bench: Bench) -> None:
    for due_at in (NOW - HOUR, NOW, NOW + HOUR):
        ref = bench.member()
        run = {"bucket": ref.bucket, "id": bench.enters(ref, a_journey()), "due_at": due_at}
        advancing.save(bench.connection, [run])
    waits = backlog.backlog(bench.connection, NOW)
    assert waits.runs == [DueRuns("winback", "hello", 2)]
    assert waits.oldest["runs"] == NOW - HOUR


def test_messages_are_counted_by_state_wherever_they_are_on_their_way(bench: Bench) -> None:
    ref = bench.member()
    bench.queues(ref, due_at=NOW + DAY)  # not yet: no backlog
    assert states(bench) == Counter()
    bench.queues(ref, due_at=NOW - HOUR)
    assert states(bench) == {("pending", ""): 1}
    assert backlog.backlog(bench.connection, NOW).oldest["messages"] == NOW - HOUR
    claimed = bench.claims_one()
    assert states(bench) == {("claimed", ""): 1}
    bench.begins_sending(claimed)
    assert [status for status, _ in states(bench)] == ["sending"]
    unknown = Recorded(Status.AMBIGUOUS)
    dispatching.record(bench.connection, [Settled(claimed, unknown, {"recorded_at": NOW})])
    assert [status for status, _ in states(bench)] == ["ambiguous"]
    assert "messages" not in backlog.backlog(bench.connection, NOW).oldest
    assert symptoms.became_ambiguous(bench.connection, NOW - HOUR) == {"sms": 1}
    assert symptoms.became_ambiguous(bench.connection, NOW + MINUTE) == {}


def test_one_that_waits_for_its_repeat_is_ambiguous_as_well(bench: Bench) -> None:
    """A step with `on_ambiguous: repeat` has it wait for some minutes."""
    bench.queues(bench.member(), repeats_left=2)
    claimed = bench.claims_one()
    bench.begins_sending(claimed)
    unknown = Recorded(Status.AMBIGUOUS)
    values = {"recorded_at": NOW, "due_at": NOW + 10 * MINUTE}
    dispatching.record(bench.connection, [Settled(claimed, unknown, values)])
    assert bench.row("delivery")["due_at"] == NOW + 10 * MINUTE
    assert symptoms.became_ambiguous(bench.connection, NOW - HOUR) == {"sms": 1}


def test_what_a_pause_holds_is_not_late(bench: Bench) -> None:
    ref = bench.member()
    bench.queues(ref, due_at=NOW - DAY, channel="sms")
    bench.queues(ref, due_at=NOW - HOUR)
    state.pause_scopes(bench.connection, ["channel:sms"], "值班", NOW)
    assert backlog.backlog(bench.connection, NOW).oldest["messages"] == NOW - HOUR
    state.pause_scopes(bench.connection, [state.ALL], "值班", NOW)
    assert "messages" not in backlog.backlog(bench.connection, NOW).oldest
    state.resume_scopes(bench.connection, ["channel:sms", state.ALL])
    assert backlog.backlog(bench.connection, NOW).oldest["messages"] == NOW - DAY


def test_calls_that_a_pause_holds_are_not_late_and_on_a_restored_database_nothing_is_but_what_came_in(
    bench: Bench,
) -> None:
    run_id = bench.enters(bench.member(), a_journey())
    (run,) = advancing.runs_by_id(bench.connection, [(bench.row("enrolment", id=run_id)["bucket"], run_id)])
    call = NewCall(run, run.step_id, "crm", "k", "{}", NOW + DAY)
    webhook_calls.queue(bench.connection, [call], NOW - DAY)
    inbound.put(bench.connection, [Arrived("wechat", "k1", "…")], NOW - HOUR)
    assert set(backlog.backlog(bench.connection, NOW).oldest) == {"runs", "calls", "inbound"}
    for scope, late in (
        ("journey:nps", {"runs", "calls", "inbound"}),
        ("journey:winback", {"runs", "inbound"}),  # members walk on in a pause, as far as they can
        (state.ALL, {"runs", "inbound"}),
        (state.RESTORED, {"inbound"}),
    ):
        state.pause_scopes(bench.connection, [scope], "值班", NOW)
        assert set(backlog.backlog(bench.connection, NOW).oldest) == late, scope
        state.resume_scopes(bench.connection, [scope])


def test_what_came_in_and_events_that_nobody_has_looked_at(bench: Bench) -> None:
    inbound.put(bench.connection, [Arrived("wechat", "k1", "…")], NOW - HOUR)
    inbound.put(bench.connection, [Arrived("wechat", "k2", "…"), Arrived("email", "k3", "…")], NOW)
    bench.happens(bench.member(), "order_paid")
    waits = backlog.backlog(bench.connection, NOW)
    assert (waits.unread, waits.fresh_events) == (3, 1)
    assert waits.oldest["inbound"] == NOW - HOUR
    assert waits.oldest["events"] == bench.now
    assert symptoms.last_came_in(bench.connection) == {"wechat": NOW, "email": NOW}
    (first, *_) = bench.rows("inbound")
    inbound.mark_unreadable(bench.connection, first["id"], "not XML", NOW)
    assert symptoms.unreadable(bench.connection) == 1


def test_a_lease_that_is_long_over_is_stuck_and_one_that_has_just_ended_is_not(bench: Bench) -> None:
    bench.queues(bench.member())
    bench.claims_one()
    assert symptoms.stuck_leases(bench.connection, NOW + LEASE, LEASE) == 0
    assert symptoms.stuck_leases(bench.connection, NOW + 3 * LEASE, LEASE) == 1


def test_daemons_are_known_until_they_say_goodbye(bench: Bench) -> None:
    daemons.put_sign(bench.connection, DaemonSign("a:1", NOW - 2 * DAY, {"version": "1"}))
    daemons.put_sign(bench.connection, DaemonSign("a:2", NOW - MINUTE, {"version": "1"}))
    daemons.put_sign(bench.connection, DaemonSign("b:1", NOW - HOUR, {"version": "1"}))
    daemons.put_sign(bench.connection, DaemonSign("b:1", NOW, {"version": "2"}))
    assert [(sign.name, sign.at, sign.said["version"]) for sign in daemons.signs(bench.connection)] == [
        ("b:1", NOW, "2"),
        ("a:2", NOW - MINUTE, "1"),
        ("a:1", NOW - 2 * DAY, "1"),
    ]
    daemons.drop_sign(bench.connection, "b:1", NOW)
    assert [sign.name for sign in daemons.signs(bench.connection)] == ["a:2"]  # the old one is forgotten with it


def test_every_count_has_a_ceiling() -> None:
    """However large a backlog is, a look at it ends."""
    for query in (backlog._UNREAD, backlog._FRESH, backlog._CALLS, backlog._DUE_RUNS, *backlog._IN_HAND):
        assert backlog.MOST in query.compile().params.values()


def test_what_waits_is_counted_up_to_the_ceiling_over_all_its_lanes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "MOST", 5)
    ref = bench.member()
    for priority in (10, 50, 90):
        for _ in range(2):
            bench.queues(ref, priority=priority)
            bench.queues(ref, priority=priority, channel="sms")
    found = backlog.backlog(bench.connection, NOW).messages
    assert {(each.status, each.channel): each.messages for each in found} == {("pending", ""): 2, ("pending", "sms"): 3}


def test_a_look_costs_what_waits_and_walks_through_no_table(bench: Bench) -> None:
    with explained(bench.connection) as plans:
        backlog.backlog(bench.connection, NOW)
        symptoms.stuck_leases(bench.connection, NOW, LEASE)
        symptoms.became_ambiguous(bench.connection, NOW)
    assert [plan for plan in plans.walked if "FROM pause" not in plan] == []  # pauses are a handful
    assert {"ix_enrolment_due", "ix_delivery_waiting", "ix_delivery_in_hand"} <= plans.indexes


def test_a_server_tells_its_own_time_and_a_file_has_none(database: Database, bench: Bench) -> None:
    at = symptoms.server_time(database, bench.connection)
    if database.is_server:
        assert at is not None
        assert abs(datetime.now(UTC) - at) < MINUTE
    else:
        assert at is None
