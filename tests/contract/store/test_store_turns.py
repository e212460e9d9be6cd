"""Whose turn it is to write to a SQLite file."""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import event

from engage.errors import DatabaseUnavailable
from engage.store import state
from engage.store.databases.database import Database

PATIENCE = 10.0  # seconds; only a test that fails waits so long
NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)


def test_who_goes_first_waits_for_the_transaction_at_hand_and_for_no_other(tmp_path: Path) -> None:
    """Otherwise loops that write one batch after the other would keep callers waiting for minutes."""
    url = f"sqlite:///{tmp_path}/engage.db"
    loops, web = Database(url), Database(url, goes_first=True)
    loops.create_all()
    order: list[str] = []

    def write(database: Database, name: str) -> Callable[[], None]:
        def work() -> None:
            with database.write() as connection:
                order.append(name)
                state.put(connection, name, name, NOW)

        return work

    with loops.write() as connection:
        state.put(connection, "at hand", "at hand", NOW)
        second = threading.Thread(target=write(loops, "second"))
        second.start()
        caller = threading.Thread(target=write(web, "caller"))
        caller.start()
        _until_taken(tmp_path / "engage.db.turn")
        assert order == []
    for thread in (second, caller):
        thread.join(PATIENCE)
    assert order == ["caller", "second"]
    loops.close()
    web.close()


def test_who_goes_first_does_not_wait_behind_who_waits(tmp_path: Path) -> None:
    """Another process waits for the transaction at hand, and has all the time there is."""
    url = f"sqlite:///{tmp_path}/engage.db"
    loops, another, web = Database(url), Database(url), Database(url, goes_first=True)
    loops.create_all()
    waits = threading.Event()
    event.listen(another.engine, "checkout", lambda *_: waits.set())

    def write() -> None:
        with another.write():
            pass

    with loops.write():
        patient = threading.Thread(target=write)
        patient.start()
        assert waits.wait(PATIENCE)
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable), web.write():
            pass
        assert time.monotonic() - began < 2
    patient.join(PATIENCE)
    for database in (loops, another, web):
        database.close()


def test_the_turn_goes_on_after_a_transaction_that_failed(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/engage.db", goes_first=True)
    database.create_all()
    try:
        with database.write():
            raise KeyError("a fault of ours")
    except KeyError:
        pass
    with database.write() as connection:
        state.put(connection, "then", "then", NOW)
    database.close()


def _until_taken(path: Path) -> None:
    """Somebody stands in the turnstile."""
    until = time.monotonic() + PATIENCE
    with path.open("ab") as turnstile:
        while time.monotonic() < until:
            try:
                fcntl.flock(turnstile, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            fcntl.flock(turnstile, fcntl.LOCK_UN)
            time.sleep(0.001)
    raise AssertionError("nobody asked for a turn")
