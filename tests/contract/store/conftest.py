"""A fresh database file for each test. Every move a delivery makes is watched by a trigger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from store_bench import Bench, open_database

from engage.core.delivery import MOVES, Status
from engage.store.database import Database

_WATCH = """
CREATE TEMP TRIGGER watch AFTER UPDATE OF status ON main.delivery WHEN old.status <> new.status
BEGIN INSERT INTO moved VALUES (old.status, new.status); END
"""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(tmp_path / "engage.db")
    yield database
    database.close()


@pytest.fixture
def bench(database: Database) -> Iterator[Bench]:
    """One write transaction. Afterwards: no delivery made a move that the send protocol does not know."""
    with database.write() as connection:
        connection.execute(text("CREATE TEMP TABLE moved (was TEXT, became TEXT)"))
        connection.execute(text(_WATCH))
        yield Bench(connection)
        moves = {(Status(was), Status(became)) for was, became in connection.execute(text("SELECT * FROM moved"))}
        unknown = {(was, became) for was, became in moves if became not in MOVES[was]}
        assert not unknown
        connection.execute(text("DROP TRIGGER watch"))
        connection.execute(text("DROP TABLE moved"))


@pytest.fixture(scope="module")
def database_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One file for the many examples of a property; each rolls its transaction back."""
    database = open_database(tmp_path_factory.mktemp("store") / "engage.db")
    yield database
    database.close()
