"""Every test of the store runs twice: on a fresh SQLite file, and on a real PostgreSQL whose tables were emptied. Every
move a delivery makes is watched by a trigger."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text
from store_bench import Bench, open_database

from engage.core.delivery import MOVES, Status
from engage.store.databases.database import Database
from tests.postgresql import empty

_WATCH_SQLITE = """
CREATE TEMP TRIGGER watch AFTER UPDATE OF status ON main.delivery WHEN old.status <> new.status
BEGIN INSERT INTO moved VALUES (old.status, new.status); END
"""
_WATCH_POSTGRESQL = """
CREATE FUNCTION pg_temp.note_move() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO moved VALUES (old.status, new.status); RETURN NULL; END $$;
CREATE TRIGGER watch AFTER UPDATE OF status ON delivery FOR EACH ROW WHEN (old.status <> new.status)
EXECUTE FUNCTION pg_temp.note_move()
"""


@pytest.fixture(scope="session")
def postgresql_tables(postgresql_url: str) -> Iterator[Database]:
    database = Database(postgresql_url)
    database.create_all()
    yield database
    database.close()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def database(kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    if kind == "postgresql":
        shared: Database = request.getfixturevalue("postgresql_tables")
        yield shared
        empty(shared)
    else:
        database = open_database(tmp_path_factory.mktemp("store") / "engage.db")
        yield database
        database.close()


@pytest.fixture
def bench(database: Database) -> Iterator[Bench]:
    """One write transaction. Afterwards: no delivery made a move that the send protocol does not know."""
    with database.write() as connection:
        connection.execute(text("CREATE TEMP TABLE moved (was TEXT, became TEXT)"))
        connection.execute(text(_WATCH_SQLITE if database.file else _WATCH_POSTGRESQL))
        yield Bench(connection)
        assert not _unknown_moves(connection)
        connection.execute(text("DROP TRIGGER watch" if database.file else "DROP FUNCTION pg_temp.note_move CASCADE"))
        connection.execute(text("DROP TABLE moved"))


def _unknown_moves(connection: Connection) -> set[tuple[Status, Status]]:
    moves = {(Status(was), Status(became)) for was, became in connection.execute(text("SELECT * FROM moved"))}
    return {(was, became) for was, became in moves if became not in MOVES[was]}


@pytest.fixture(scope="module")
def database_of_module(
    kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """One database for the many examples of a property; each rolls its transaction back."""
    if kind == "postgresql":
        yield request.getfixturevalue("postgresql_tables")
    else:
        database = open_database(tmp_path_factory.mktemp("store") / "engage.db")
        yield database
        database.close()
