"""Connections to a database: opened once, and kept for whoever comes next."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import event

from engage.store.database import Database


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
