"""Claims cost the batch, never the backlog; and processes that claim at once neither wait for each other nor take the
same."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, text
from store_bench import DAY, MINUTE, NOW, Bench
from store_plans import explained

from engage.core.delivery import LEASE
from engage.store import advancing, dispatching, lanes, tasks, webhook_calls
from engage.store.databases import dialects
from engage.store.databases.database import Database
from engage.store.lanes import Lane
from engage.store.members import MemberRef
from engage.store.tasks import NewTask
from engage.store.webhook_calls import NewCall
from tests.postgresql import empty


@pytest.fixture
def backlog(bench: Bench) -> Bench:
    """Three hundred messages of one campaign, due at the same moment, a few of another, and some on hold."""
    ref = bench.member()
    for _ in range(300):
        bench.queues(ref, priority=50)
    for _ in range(3):
        bench.queues(ref, priority=90)
        bench.queues(ref, priority=50, channel="sms")
        bench.queues(ref, priority=10, due_at=NOW + DAY)
    _as_if_large(bench)
    return bench


def _as_if_large(bench: Bench) -> None:
    """PostgreSQL sorts a few rows rather than read along an index, unless sorting is the last thing to do."""
    if bench.connection.dialect.name == "postgresql":
        bench.connection.execute(text("ANALYZE"))
        for way in ("enable_sort", "enable_incremental_sort"):
            bench.connection.execute(text(f"SET LOCAL {way} = off"))


def test_lanes_are_found_by_hops(backlog: Bench) -> None:
    with explained(backlog.connection) as plans:
        found = lanes.lanes(backlog.connection)
    assert found == [
        Lane(90, None, NOW),
        Lane(50, "sms", NOW),
        Lane(50, None, NOW),
        Lane(10, None, NOW + DAY),
    ]
    assert plans.indexes == {"ix_delivery_waiting"}
    assert "Seq Scan" not in plans.steps[0][1]


def test_a_claim_reads_along_an_index_and_sorts_nothing(backlog: Bench) -> None:
    with explained(backlog.connection) as plans:
        rows = lanes.take_due(backlog.connection, NOW, 7)
    assert [(row.priority, row.channel) for row in rows] == [(90, None)] * 3 + [(50, "sms")] * 3 + [(50, None)]
    assert plans.walked + plans.sorted == []
    assert plans.indexes <= {"ix_delivery_waiting", "ix_delivery_in_hand"}


def test_a_lane_whose_channel_is_full_is_not_looked_into(backlog: Bench) -> None:
    with explained(backlog.connection) as plans:
        rows = lanes.take_due(backlog.connection, NOW, 10, full={"sms"})
    assert {row.channel for row in rows} == {None}
    assert len([sql for sql, _ in plans.steps if "FROM delivery" in sql and "RECURSIVE" not in sql]) == 3


def test_leases_that_have_ended_are_found_without_a_look_at_the_backlog(backlog: Bench) -> None:
    assert len(backlog.claims(2)) == 2
    with explained(backlog.connection) as plans:
        assert dispatching.expire_leases(backlog.connection, NOW + LEASE) == 2
        assert dispatching.anything_due(backlog.connection, NOW)
        assert dispatching.next_due(backlog.connection, NOW) == NOW + LEASE
    assert plans.walked + plans.sorted == []


def test_runs_are_claimed_along_an_index(bench: Bench) -> None:
    ref = bench.member()
    for _ in range(50):
        bench.enters(ref)
    _as_if_large(bench)
    with explained(bench.connection) as plans:
        assert len(advancing.due(bench.connection, NOW, 10)) == 10
    assert plans.sorted == []
    assert [plan for _, plan in plans.steps if "Seq Scan" in plan] == []
    assert "ix_enrolment_due" in plans.indexes


# --- two at once ------------------------------------------------------------------------------------------------


@pytest.fixture
def server(postgresql_tables: Database) -> Iterator[Database]:
    yield postgresql_tables
    empty(postgresql_tables)


def test_what_is_beside_a_run_is_looked_up_for_those_that_were_taken(server: Database) -> None:
    """A join of all that is due would come first, where the planner expects it to leave few rows."""
    with server.write() as connection:
        bench = Bench(connection)
        bench.enters(bench.member())
        with explained(connection) as plans:
            assert len(advancing.due(connection, NOW, 10)) == 1
    assert [plan.count(" on ") for _, plan in plans.steps if "LockRows" in plan] == [1]


def everything_is_due(bench: Bench, ref: MemberRef) -> None:
    bench.queues(ref)
    (run,) = advancing.runs_by_id(bench.connection, [(ref.bucket, bench.enters(ref))])
    webhook_calls.queue(bench.connection, [NewCall(run, run.step_id, "crm", f"key-{run.id}", "{}", NOW + DAY)], NOW)
    tasks.open_all(bench.connection, [NewTask(ref, f"t{run.id}", "journey", "客服一组", "回电")], NOW)


CLAIMS: dict[str, Callable[[Connection], list[int]]] = {
    "messages": lambda c: [claimed.id for claimed in dispatching.claim(c, NOW, 5)],
    "runs": lambda c: [run.id for run in advancing.due(c, NOW, 5)],
    "notices": lambda c: [notice.id for notice in tasks.claim_notices(c, NOW, 5, MINUTE)],
    "calls": lambda c: [call.id for call in webhook_calls.claim(c, NOW, 5, [])],
}


@pytest.mark.parametrize("by_bucket", [False, True], ids=["anywhere", "by bucket"])
@pytest.mark.parametrize("what", CLAIMS)
def test_two_claims_share_what_is_due_and_wait_for_nothing(
    server: Database, monkeypatch: pytest.MonkeyPatch, what: str, by_bucket: bool
) -> None:
    monkeypatch.setattr(server.engine.dialect, dialects.SPREAD, by_bucket, raising=False)
    with server.write() as connection:
        bench = Bench(connection)
        for _ in range(8):
            everything_is_due(bench, bench.member())
    with server.write() as one, server.write() as other:
        other.execute(text("SET LOCAL lock_timeout = '1ms'"))
        taken, rest = CLAIMS[what](one), CLAIMS[what](other)
    assert (len(taken), len(rest)) == (5, 3)
    assert not set(taken) & set(rest)
