"""What a real database complains of comes out as what it is, and the next transaction finds it again."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from store_bench import NOW, open_database

from engage.errors import DatabaseBusy, DatabaseConflict, DatabaseDamaged, DatabaseUnavailable, DiskFull, OtherTables
from engage.runtime.daemon import only_daemon
from engage.store import state
from engage.store.databases.database import Database, NoAddress
from tests.postgresql import empty


@pytest.fixture
def server(postgresql_tables: Database) -> Iterator[Database]:
    with postgresql_tables.write() as connection:
        for key in ("a", "b"):
            state.put(connection, key, 1, NOW)
    yield postgresql_tables
    empty(postgresql_tables)


def test_of_two_that_wait_for_each_other_one_is_told_so(server: Database) -> None:
    both_hold_one = Barrier(2)

    def change(first: str, second: str) -> type[Exception] | None:
        try:
            with server.write() as connection:
                state.put(connection, first, 2, NOW)
                both_hold_one.wait()
                state.put(connection, second, 2, NOW)
        except DatabaseUnavailable as error:
            return type(error)
        return None

    with ThreadPoolExecutor(2) as two:
        ends = {end.result() for end in (two.submit(change, "a", "b"), two.submit(change, "b", "a"))}
    assert ends == {None, DatabaseConflict}


def test_a_lock_that_is_not_had_in_time_is_no_conflict_and_no_outage(server: Database) -> None:
    def change_without_patience() -> None:
        with server.write() as other:
            other.execute(text("SET LOCAL lock_timeout = '1ms'"))
            state.put(other, "a", 3, NOW)

    with server.write() as one:
        state.put(one, "a", 2, NOW)
        with pytest.raises(DatabaseUnavailable) as told:
            change_without_patience()
    assert told.type is DatabaseBusy


def test_a_connection_that_is_cut_is_told_in_one_line_and_the_next_one_works(server: Database) -> None:
    def lose_the_connection() -> None:
        with server.write() as connection:
            state.put(connection, "a", 2, NOW)
            pid = connection.scalar(text("SELECT pg_backend_pid()"))
            with server.write() as another:
                another.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
            state.put(connection, "b", 2, NOW)

    with pytest.raises(DatabaseUnavailable) as told:
        lose_the_connection()
    assert "\n" not in str(told.value)
    with server.write() as connection:
        assert (state.get(connection, "a"), state.get(connection, "b")) == (1, 1)


def test_a_server_that_is_not_there_is_unavailable() -> None:
    gone = Database("postgresql://engage@127.0.0.1:1/engage")
    with pytest.raises(DatabaseUnavailable) as told, gone.read():
        pass
    assert told.type is DatabaseUnavailable
    gone.close()


def test_a_full_disk_is_said_to_be_full_and_nothing_is_lost(tmp_path: Path) -> None:
    database = open_database(tmp_path / "engage.db")
    with database.write() as connection:
        state.put(connection, "a", "kept", NOW)

    def fill_the_disk() -> None:
        with database.write() as connection:
            pages = connection.scalar(text("PRAGMA page_count"))
            connection.execute(text(f"PRAGMA max_page_count = {pages}"))
            state.put(connection, "a", "x" * 1_000_000, NOW)

    with pytest.raises(DiskFull):
        fill_the_disk()
    with database.read() as connection:
        assert state.get(connection, "a") == "kept"
    database.close()


def test_a_file_that_is_no_database_says_so_and_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "engage.db"
    file.write_text("something else altogether")
    database = Database(f"sqlite:///{file}")
    for ask in (database.read, database.write):
        with pytest.raises(DatabaseDamaged, match="put a copy in its place"), ask():
            pass
    database.close()
    assert file.read_text() == "something else altogether"


def test_a_file_that_is_damaged_in_its_midst_says_so(tmp_path: Path) -> None:
    file = tmp_path / "engage.db"
    database = open_database(file)
    with database.read() as connection:
        size = connection.scalar(text("PRAGMA page_size"))
        root = connection.scalar(text("SELECT rootpage FROM sqlite_master WHERE name = 'state'"))
    database.close()
    with file.open("r+b") as handle:
        handle.seek((root - 1) * size)
        handle.write(b"\xff" * size)
    with pytest.raises(DatabaseDamaged), database.read() as connection:
        connection.execute(text("SELECT * FROM state")).all()
    database.close()


@pytest.mark.parametrize(
    "address",
    [
        "postgresql+asyncpg://u@h/x",
        "sqlite+aiosqlite:///x.db",
        "sqlite:///x.db?timeout=abc",
        "sqlite:///x.db?mode=ro",
        "postgresql://u:p@[bad/x",
        "postgresql://u:half@half@h/x",
        "postgresql://u@h:port/x",
        "engage.db",
    ],
)
def test_what_is_no_address_is_not_taken_for_a_server_that_does_not_answer(address: str) -> None:
    with pytest.raises(NoAddress) as told:
        Database(address)
    assert "half" not in str(told.value)


@pytest.mark.parametrize("address", ["postgresql://u:p@[::1]:5432/x", "postgresql+psycopg://u@h/x?host=/run/db"])
def test_addresses_may_be_longer(address: str) -> None:
    Database(address).close()


def test_the_file_is_its_owners_alone_and_so_is_what_lies_beside_it(tmp_path: Path) -> None:
    """Whatever the umask of whoever makes it: it holds personal data."""
    before = os.umask(0o022)
    try:
        database = open_database(tmp_path / "engage.db")
        with database.write() as connection:
            state.put(connection, "a", 1, NOW)
            modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
        with only_daemon(database.file):
            modes |= {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    finally:
        os.umask(before)
    database.close()
    beside = {f"engage.db{ending}" for ending in ("", "-wal", "-shm", ".turn", ".lock")}
    assert modes == dict.fromkeys(beside, 0o600)


def test_a_mistake_of_ours_stays_as_it_is(server: Database) -> None:
    with pytest.raises(DBAPIError), server.write() as connection:
        connection.execute(text("SELECT nonsense()"))


@pytest.mark.parametrize("missing", ["SELECT 1 FROM moonlight", "SELECT moonlight FROM state"])
def test_tables_of_another_version_are_nobodys_fault_in_a_batch(database: Database, missing: str) -> None:
    """What cannot be done for that is done later: it is not set aside one by one."""
    with pytest.raises(OtherTables, match="engage db upgrade"), database.write() as connection:
        connection.execute(text(missing))


def test_a_server_that_takes_a_connection_and_says_nothing_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        database = Database(f"postgresql://engage@127.0.0.1:{port}/engage?connect_timeout=2")
        with pytest.raises(DatabaseUnavailable, match="timeout"), database.read():
            pass


def test_a_server_that_only_reads_since_a_failover_is_left_for_one_that_writes(server: Database) -> None:
    """It keeps its connections, and answers whoever asks whether it lives."""
    database = Database(server.url.render_as_string(hide_password=False))
    with database.read() as connection:
        connection.execute(text("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"))
    with pytest.raises(DatabaseUnavailable, match="read-only"), database.write() as connection:
        state.put(connection, "here", {}, NOW)
    with database.write() as connection:
        state.put(connection, "here", {}, NOW)
    database.close()
