"""Connections to a database: opened once, and kept for whoever comes next."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import event
from store_bench import NOW, open_database
from store_plans import explained, learn_the_sizes

from engage.errors import DatabaseUnavailable, EngageError
from engage.store import members, state
from engage.store.databases.backup import back_up
from engage.store.databases.database import Database

_IS_KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from engage.store.databases import backup
from engage.store.databases.database import Database
backup._mark = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # all of it is copied, and not yet marked as a copy
backup.back_up(Database(f"sqlite:///{sys.argv[1]}"), Path(sys.argv[2]), datetime.now(UTC))
"""
_LOOKS = "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute('SELECT value FROM state').fetchone())"


def test_as_many_connections_are_kept_as_there_are_loops(tmp_path: Path) -> None:
    """They all look at once, every second: what is not kept would be opened anew each time."""
    database, opened = Database(f"sqlite:///{tmp_path}/engage.db"), []
    event.listen(database.engine, "connect", lambda connection, record: opened.append(connection))
    for _ in range(3):
        with ExitStack() as looks:
            for _ in range(10):
                looks.enter_context(database.read())
    database.close()
    assert len(opened) == 10


def test_another_process_that_comes_and_goes_takes_no_log_from_under_us(tmp_path: Path) -> None:
    """The last to close a SQLite database removes its log. Whoever is still here must not look gone, however many
    connections were opened since the first."""

    def seen_by_another() -> str:
        command = [sys.executable, "-c", _LOOKS, str(tmp_path / "engage.db")]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    database = open_database(tmp_path / "engage.db")
    with database.read(), database.read(), database.read():
        pass
    seen = []
    for count in range(3):
        with database.write() as connection:
            state.put(connection, "looks", count, NOW)
        seen.append(seen_by_another())
    database.close()
    assert seen == ["0", "1", "2"]


def test_a_file_that_is_moved_or_replaced_is_used_no_more_and_none_is_made_in_its_place(tmp_path: Path) -> None:
    """One connection would go on with the old file, and the next one with the new."""
    path, aside = tmp_path / "engage.db", tmp_path / "aside.db"
    database = open_database(path)
    with database.write() as connection:
        state.put(connection, "looks", 1, NOW)

    def is_refused() -> None:
        for use in (database.read, database.write):
            with pytest.raises(DatabaseUnavailable, match="moved or replaced"), use():
                pass

    path.rename(aside)
    is_refused()
    assert not path.exists()
    shutil.copyfile(aside, path)
    is_refused()
    aside.replace(path)  # it is back
    with database.read() as connection:
        assert state.get(connection, "looks") == 1
    database.close()


def test_who_has_callers_waits_for_nobody_for_long(database: Database) -> None:
    """What cannot be stored within three seconds is to be sent again; WeChat has gone after five."""
    callers = Database(database.url, goes_first=True)
    with database.write() as connection:
        state.put(connection, "written", 1, NOW)
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable), callers.write() as other:
            state.put(other, "written", 2, NOW)
        assert time.monotonic() - began < 2
    callers.close()


def test_a_backup_that_is_killed_leaves_nothing_that_looks_like_one(tmp_path: Path) -> None:
    database = open_database(tmp_path / "engage.db")
    command = [sys.executable, "-c", _IS_KILLED, str(tmp_path / "engage.db"), str(tmp_path / "copy.db")]
    assert subprocess.run(command).returncode == -signal.SIGKILL
    assert not (tmp_path / "copy.db").exists()
    back_up(database, tmp_path / "copy.db", NOW)
    with pytest.raises(EngageError, match="overwrites nothing"):
        back_up(database, tmp_path / "copy.db", NOW)
    database.close()
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600


def test_a_few_members_of_twenty_thousand_are_looked_up_one_by_one(postgresql_tables: Database) -> None:
    """PostgreSQL's own price of a lookup has the whole table read for them, with each batch."""
    with postgresql_tables.write() as connection:
        newcomers = [(f"m{number}", "Asia/Shanghai") for number in range(20_000)]
        refs = members.create_all(connection, datetime(2026, 3, 1, tzinfo=UTC), newcomers)
        learn_the_sizes(connection, "member")
        with explained(connection, as_it_is=True) as plans:
            members.hold(connection, set(refs[::4_000]))
        assert len(plans.steps) == 1
        assert plans.walked == []
        connection.rollback()
