"""Two daemons, or a daemon and an `apply`, on one PostgreSQL: what both would do is done once. (On SQLite whoever
writes is alone.)"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection, text
from store_bench import DAY, MINUTE, NOW, Bench, a_catalog

from engage.core.condition import HasTag
from engage.core.delivery import Recorded, Status
from engage.core.fact import Arrival
from engage.core.journey.model import Since
from engage.core.turn import Seen
from engage.errors import DatabaseUnavailable
from engage.store import (
    advancing,
    daemons,
    dispatching,
    enrolling,
    events,
    inbound,
    journeys,
    members,
    receiving,
    segments,
    state,
)
from engage.store.daemons import DaemonSign
from engage.store.databases import continuity
from engage.store.databases.continuity import Life
from engage.store.databases.database import Database
from engage.store.dispatching import Settled
from engage.store.events import NewEvent
from engage.store.inbound import Arrived
from engage.store.members import MemberRef
from engage.store.receiving import Told
from engage.store.segments import Crossing
from tests.postgresql import empty

CATALOG = a_catalog(vip=HasTag(("VIP",)))
CHANGED = "member_updated"
_PATIENCE = 20.0  # seconds


@pytest.fixture
def server(postgresql_tables: Database) -> Iterator[Database]:
    yield postgresql_tables
    empty(postgresql_tables)


def in_both(server: Database, do: Callable[[Connection], Any]) -> tuple[Any, Any]:
    """What each makes of it: the second begins when the first has done it and not yet committed."""

    def second() -> Any:
        with server.write() as connection:
            return do(connection)

    with ThreadPoolExecutor(1) as other, server.write() as connection:
        of_first = do(connection)
        of_second = other.submit(second)
        _until_somebody_waits(server)
        connection.commit()
        return of_first, of_second.result()


def _until_somebody_waits(server: Database) -> None:
    until = time.monotonic() + _PATIENCE
    waits = 0
    while not waits:
        assert time.monotonic() < until, "nobody waits for what another holds"
        with server.read() as connection:
            waits = connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")) or 0


def test_of_two_signs_of_life_the_second_counts_on_from_the_first(server: Database) -> None:
    def counts(connection: Connection) -> int:
        lived = continuity.life(connection, to_change=True)
        assert lived is not None
        continuity.put_life(connection, lived.onward(NOW))
        return lived.count

    with server.write() as connection:
        continuity.put_life(connection, Life("then", NOW))
    assert in_both(server, counts) == (0, 1)


def test_a_slot_is_taken_by_one_of_two(server: Database) -> None:
    assert in_both(server, lambda connection: state.take_slot(connection, "ranks", "11-23", NOW)) == (True, False)


def test_who_crosses_is_seen_by_one_of_two(server: Database) -> None:
    """Into the segment, and out of it."""
    with server.write() as connection:
        ref = Bench(connection).member(("VIP",))
    look = _looking_at(ref)
    assert in_both(server, look) == ([Crossing(ref, "vip", True)], [])
    with server.write() as connection:
        members.remove_tags(connection, {ref: ["VIP"]})
    assert in_both(server, look) == ([Crossing(ref, "vip", False)], [])


def test_what_happens_while_a_run_is_looked_at_wakes_it_from_the_sleep_it_is_put_to(server: Database) -> None:
    """ADVANCE has seen nothing yet; until it commits, the row says that the run is due as it is."""
    with server.write() as connection:
        bench = Bench(connection)
        ref = bench.member()
        run_id = bench.enters(ref)

    def wakes() -> None:
        with server.write() as enrol:
            enrolling.wake(enrol, [(ref, frozenset({"winback"}))], NOW)

    with ThreadPoolExecutor(1) as other, server.write() as advance:
        (run,) = advancing.due(advance, NOW, 10)
        woken = other.submit(wakes)
        _until_somebody_waits(server)
        asleep = {"phase": "waiting", "deadline_at": NOW + DAY, "due_at": NOW + DAY}
        advancing.save(advance, [{"bucket": ref.bucket, "id": run.id} | asleep])
        advance.commit()
        woken.result()
    with server.read() as connection:
        assert [run.id for run in advancing.due(connection, NOW, 10)] == [run_id]


def test_a_fact_told_to_both_is_recorded_by_one_of_two(server: Database) -> None:
    with server.write() as connection:
        ref = Bench(connection).member()
    told = NewEvent(ref, "order_paid", NOW, "A1", {})
    assert in_both(server, lambda connection: events.record(connection, CATALOG, [told], NOW)) == ([told], [])


def test_what_is_committed_late_is_news_to_a_run_that_went_on_before(server: Database) -> None:
    """And nobody waits for it but who tells something of the same member."""
    with server.write() as connection:
        bench = Bench(connection)
        ref, other = bench.member(), bench.member()
        run_id = bench.enters(ref)
    with server.write() as late:
        Bench(late).happens(ref, "order_paid", key="late")
        with server.write() as connection:
            connection.execute(text("SET LOCAL lock_timeout = '1ms'"))
            Bench(connection).happens(other, "order_paid", key="early")
            _reaches_a_step(connection)
        assert _seen(server, run_id) == {}
    assert _seen(server, run_id) == {run_id: Seen("order_paid", NOW)}
    with server.write() as connection:
        _reaches_a_step(connection)
    assert _seen(server, run_id) == {}


def _reaches_a_step(connection: Connection) -> None:
    """Whoever is due comes to a step, with what is on record behind them."""
    runs = advancing.due(connection, NOW, 10)
    moves = [{"bucket": run.member.bucket, "id": run.id, "step_after_event": run.last_event} for run in runs]
    advancing.save(connection, moves)


def _seen(server: Database, run_id: int) -> dict[int, Seen]:
    with server.read() as connection:
        runs = [run for run in advancing.due(connection, NOW, 10) if run.id == run_id]
        return advancing.first_seen(connection, CATALOG, ["order_paid"], Since.HERE, None, None, runs, NOW)


def test_of_one_member_the_later_number_is_committed_later(server: Database) -> None:
    with server.write() as connection:
        ref = Bench(connection).member()
    keys = iter(("first", "second"))

    def tell(connection: Connection) -> None:
        events.record(connection, CATALOG, [NewEvent(ref, "order_paid", NOW, next(keys), {})], NOW)

    in_both(server, tell)
    with server.write() as connection:
        rows = Bench(connection).rows("event")
    assert {row["dedupe_key"]: row["number"] for row in rows} == {"first": 1, "second": 2}


def test_members_are_held_in_the_order_of_their_keys_however_much_is_told_of_each(server: Database) -> None:
    """Two processes that tell of the same members wait for each other, and never both."""
    with server.write() as connection:
        bench = Bench(connection)
        first, *_, last = sorted(bench.member() for _ in range(20))
    told = [NewEvent(ref, "order_paid", NOW, key, {}) for ref, key in ((last, "a"), (first, "b"), (first, "c"))]

    def tell() -> None:
        with server.write() as connection:
            events.record(connection, CATALOG, told, NOW)

    with ThreadPoolExecutor(1) as other, server.write() as connection:
        members.hold(connection, [last])
        telling = other.submit(tell)
        _until_somebody_waits(server)
        with pytest.raises(DatabaseUnavailable):
            _without_patience(server, lambda connection: members.hold(connection, [first]))
        connection.commit()
        telling.result()


def test_a_receipt_that_is_being_laid_by_is_taken_up_by_who_waited_for_that(server: Database) -> None:
    with server.write() as connection:
        inbound.put(connection, [Arrived("aliyun_sms", "report", "{}")], NOW)
        (record,) = inbound.unread(connection, 1, bulk=False)

    def records() -> None:
        with server.write() as connection:
            inbound.take_up(connection, [("sms", "p1")])

    with ThreadPoolExecutor(1) as other, server.write() as connection:
        inbound.begin_laying_by(connection)
        inbound.lay_by(connection, [(record.id, "sms", "p1")])
        recorded = other.submit(records)
        _until_somebody_waits(server)
        connection.commit()
        recorded.result()
    with server.read() as connection:
        assert inbound.unread(connection, 1, bulk=False) == [record]


def test_a_receipt_settles_what_becomes_ambiguous_while_it_is_read(server: Database) -> None:
    """Else it would stay so for good; and be sent again, though it was delivered, where its step asks for repeats."""
    with server.write() as connection:
        bench = Bench(connection)
        bench.queues(bench.member(), repeats_left=2)
        claimed = bench.claims_one()
        bench.begins_sending(claimed)
    with server.write() as connection:
        row = receiving.deliveries_by_id(connection, [claimed.id])[claimed.id]
        with server.write() as recorder:
            unknown = Recorded(Status.AMBIGUOUS, "no answer", due_at=NOW + MINUTE)
            dispatching.record(recorder, [Settled(claimed, unknown, {})])
        receiving.note_arrivals(connection, [Told(row, Arrival.DELIVERED, NOW)])
    with server.write() as connection:
        stands = Bench(connection).row("delivery", id=claimed.id)
        assert (stands["status"], stands["arrival"]) == (Status.SENT, Arrival.DELIVERED)
        assert dispatching.claim(connection, NOW + MINUTE, 10) == []


def test_many_take_up_at_once_and_whoever_lays_by_waits_for_all_of_them(server: Database) -> None:
    with server.write() as one, server.write() as another:
        inbound.take_up(one, [("sms", "p1")])
        inbound.take_up(another, [("sms", "p2")])
        one.commit()
        with pytest.raises(DatabaseUnavailable):
            _without_patience(server, inbound.begin_laying_by)
    _without_patience(server, inbound.begin_laying_by)


def _looking_at(ref: MemberRef) -> Callable[[Connection], list[Crossing]]:
    return lambda connection: segments.refresh(connection, CATALOG, [(ref, CHANGED)], NOW)


def test_what_is_applied_is_held_by_many_and_changed_by_one_alone(server: Database) -> None:
    with server.write() as one, server.write() as other:
        journeys.hold(one)
        journeys.hold(other)
        with pytest.raises(DatabaseUnavailable):
            _without_patience(server, journeys.hold_alone)
    with server.write() as changing:
        journeys.hold_alone(changing)
        with pytest.raises(DatabaseUnavailable):
            _without_patience(server, journeys.hold)


def test_who_is_kept_out_gives_no_sign_of_life_and_takes_no_turn(server: Database) -> None:
    sign = DaemonSign("here", NOW, {})
    with daemons.kept_out(server):
        with pytest.raises(DatabaseUnavailable):
            _without_patience(server, lambda connection: daemons.put_sign(connection, sign))
        with pytest.raises(DatabaseUnavailable):
            _without_patience(server, lambda connection: state.take_turn(connection, "receive", NOW))
        with server.read() as connection:
            assert daemons.signs(connection) == []
    with server.write() as connection:
        daemons.put_sign(connection, sign)
        assert daemons.signs(connection) == [sign]


def _without_patience(server: Database, do: Callable[[Connection], None]) -> None:
    with server.write() as connection:
        connection.execute(text("SET LOCAL lock_timeout = '1ms'"))
        do(connection)
