"""Connections to a database: opened once, and kept for whoever comes next."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import event
from store_bench import NOW, open_database
from store_plans import explained, learn_the_sizes

from engage.store import members, state
from engage.store.database import Database

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
