"""Two daemons, or a daemon and an `apply`, on one PostgreSQL: what both would do is done once. (On SQLite whoever
writes is alone.)"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection, text
from store_bench import NOW, Bench, a_catalog

from engage.core.condition import HasTag
from engage.errors import DatabaseUnavailable
from engage.store import journeys, members, segments, state
from engage.store.database import Database
from engage.store.members import MemberRef
from engage.store.segments import Crossing
from tests.postgresql import empty

CATALOG = a_catalog(vip=HasTag(("VIP",)))
CHANGED = "member_updated"


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
    waits = 0
    while not waits:
        with server.read() as connection:
            waits = connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")) or 0


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


def _without_patience(server: Database, do: Callable[[Connection], None]) -> None:
    with server.write() as connection:
        connection.execute(text("SET LOCAL lock_timeout = '1ms'"))
        do(connection)
