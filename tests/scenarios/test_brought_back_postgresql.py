"""A PostgreSQL that was brought back, by its own tools: what a daemon notices, and what it takes for the same one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from engage.clock import VirtualClock
from engage.runtime.continuity import Continuity, Witness
from engage.store import state
from engage.store.databases import migrating
from engage.store.databases.continuity import Life
from engage.store.databases.database import Database
from engage.store.insight import overview
from tests.postgresql import dump, one_more_database, recovered, restore, running_server

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


@pytest.fixture
def url(postgresql_url: str) -> Iterator[str]:
    """Of a database with the schema, on which nobody has worked yet."""
    with one_more_database(postgresql_url, "lived") as url:
        database = Database(url)
        migrating.upgrade(database)
        database.close()
        yield url


def lives(url: str, folder: Path, clock: VirtualClock) -> bool:
    """A daemon with this folder works on it for a minute. Whether it moves anything."""
    database = Database(url)
    daemon = Continuity(database, clock, Witness.of(database, folder), lambda: timedelta(minutes=10))
    for _ in range(3):
        goes_on = daemon.keep()
        clock.advance_to(clock.now() + timedelta(seconds=30))
    database.close()
    return goes_on


def test_a_daemon_that_cannot_write_beside_it_does_not_count_back_what_another_has_counted(
    url: str, tmp_path: Path
) -> None:
    clock, database = VirtualClock(NOW), Database(url)
    other = Continuity(database, clock, Witness.of(database, tmp_path), lambda: timedelta(minutes=10))

    class Unwritable(Witness):
        def write(self, life: Life) -> bool:
            return not other.keep()

    unlucky = Continuity(database, clock, Unwritable(tmp_path / "nowhere" / "life"), lambda: timedelta(minutes=10))
    for _ in range(3):
        assert unlucky.keep()
        clock.advance_to(clock.now() + timedelta(seconds=30))
        assert other.keep()
    database.close()


def why_paused(url: str) -> str | None:
    database = Database(url)
    with database.read() as connection:
        why = next((each.reason for each in overview.pauses(connection) if each.scope == state.RESTORED), None)
    database.close()
    return why


def made_empty(url: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()


def test_a_dump_that_is_restored_where_it_was_made_is_known_by_what_stands_beside_it(url: str, tmp_path: Path) -> None:
    clock = VirtualClock(NOW)
    assert lives(url, tmp_path, clock)
    dumped = dump(url)
    assert lives(url, tmp_path, clock)
    made_empty(url)
    restore(url, dumped)
    assert not lives(url, tmp_path, clock)
    assert "this machine has seen it at" in (why_paused(url) or "")


def test_a_dump_that_is_restored_into_another_database_or_server_is_known_anywhere(url: str, tmp_path: Path) -> None:
    """On a new machine nothing stands beside it."""
    clock = VirtualClock(NOW)
    assert lives(url, tmp_path, clock)
    dumped = dump(url)
    with ExitStack() as open_ones:
        beside = open_ones.enter_context(one_more_database(url, "beside"))
        elsewhere = open_ones.enter_context(running_server())
        for number, other in enumerate((beside, elsewhere)):
            restore(other, dumped)
            machine = tmp_path / str(number)
            machine.mkdir()
            assert not lives(other, machine, clock)
            assert "was on another server then" in (why_paused(other) or "")
    assert lives(url, tmp_path, clock)  # the true one goes on


def test_a_recovery_to_an_earlier_moment_is_known_with_what_stands_beside_it_and_without(
    url: str, tmp_path: Path
) -> None:
    clock = VirtualClock(NOW)
    new = tmp_path / "new"
    new.mkdir()
    assert lives(url, tmp_path, clock)
    with recovered(url) as earlier:
        assert lives(url, tmp_path, clock)
        assert not lives(earlier, tmp_path, clock)
        assert "this machine has seen it at" in (why_paused(earlier) or "")
    with recovered(url) as earlier:
        assert not lives(earlier, new, clock)
        assert "its server has begun another history since" in (why_paused(earlier) or "")


def test_a_replica_that_was_promoted_in_time_is_the_same_database(url: str, tmp_path: Path) -> None:
    """Nothing that was committed is missing: a failover needs nobody's word."""
    clock = VirtualClock(NOW)
    assert lives(url, tmp_path, clock)
    with recovered(url) as promoted:
        assert lives(promoted, tmp_path, clock)
        assert why_paused(promoted) is None
