"""From a SQLite file to PostgreSQL: every row of every table as it was, or nothing at all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    Double,
    Integer,
    SmallInteger,
    Table,
    insert,
    select,
    text,
    update,
)
from store_bench import DAY, NOW, Bench

from engage.store import inbound, state
from engage.store.databases.database import Database
from engage.store.databases.migrating import MOVED, DatabaseMoved, require_current, upgrade
from engage.store.databases.transfer import NotEmpty, NotTaken, transfer
from engage.store.inbound import Arrived
from engage.store.tables import Instant, decision, delivery_ledger, member, metadata
from tests.postgresql import one_more_database

WORDS = ("", "林晚 🍵", "a\tb\nc\\N\\", "NULL", "'; --")
DOCUMENTS: tuple[Any, ...] = ({"b": 1.50, "a": [True, None, "\\n", 10**15], "茶": {"x": 1e-7}}, [], {}, "text", 0.1)
MOMENTS = (NOW, NOW + timedelta(microseconds=1), datetime(1970, 1, 1, tzinfo=UTC), NOW + 1000 * DAY, NOW)


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'engage.db'}")
    upgrade(database)
    yield database
    database.close()


@pytest.fixture
def target(postgresql_url: str) -> Iterator[Database]:
    with one_more_database(postgresql_url, "moved_to") as url:
        database = Database(url)
        upgrade(database)
        yield database
        database.close()


def value_of(column: Column[Any], n: int) -> Any:
    """The nth of a few values that are awkward for this type."""
    if column.nullable and n == 4:
        return None
    match column.type:
        case Boolean():
            return n % 2 == 0
        case Instant():
            return MOMENTS[n]
        case Date():
            return date(2026, 2, 28) + n * DAY
        case Double():
            return (0.1, 1e300, -7.0, 1 / 3, 0.0)[n]
        case JSON():
            return DOCUMENTS[n]
        case SmallInteger() | Integer() | BigInteger():
            return n + 1
        case _:
            length = getattr(column.type, "length", None) or 100
            return WORDS[n][: length - 1] + str(n)


def filled(table: Table) -> list[dict[str, Any]]:
    return [{column.name: value_of(column, n) for column in table.columns} for n in range(5)]


def rows_of(database: Database, table: Table) -> list[dict[str, Any]]:
    with database.read() as connection:
        query = select(table).order_by(*table.primary_key)
        return sorted((dict(row) for row in connection.execute(query).mappings()), key=repr)


def moves(source: Database, target: Database) -> list[str]:
    lines: list[str] = []
    transfer(source, target, NOW, lines.append)
    return lines


def test_every_row_of_every_table_is_there_as_it_was(source: Database, target: Database) -> None:
    with source.write() as connection:
        for table in metadata.sorted_tables:
            connection.execute(insert(table), filled(table))
    told = moves(source, target)
    assert [line.split() for line in told] == [[table.name, "5"] for table in metadata.sorted_tables]
    for table in metadata.sorted_tables:
        if table.name != "state":  # where each side writes down what has happened
            assert rows_of(target, table) == rows_of(source, table), table.name


def test_old_rows_come_to_their_months(source: Database, target: Database) -> None:
    with source.write() as connection:
        for table in (decision, delivery_ledger):
            connection.execute(insert(table), filled(table)[0] | {"at": NOW - 60 * DAY, "queued_at": NOW - 60 * DAY})
    moves(source, target)
    with target.read() as connection:
        where = connection.execute(text("SELECT tableoid::regclass::text FROM decision")).scalars().all()
    assert where == ["decision_2026_09"]


def test_ids_go_on_where_they_were(source: Database, target: Database) -> None:
    with source.write() as connection:
        before = Bench(connection).member()
        inbound.put(connection, [Arrived("api", "A1", "{}")], NOW)
    moves(source, target)
    with target.write() as connection:
        bench = Bench(connection)
        assert bench.member().id > before.id
        inbound.put(connection, [Arrived("api", "A2", "{}")], NOW)
        assert [row["key"] for row in bench.rows("inbound")] == ["A1", "A2"]


def test_the_other_side_knows_what_has_come(source: Database, target: Database) -> None:
    """The first daemon there plans by figures, not by guesses."""
    with source.write() as connection:
        for table in metadata.sorted_tables:
            connection.execute(insert(table), filled(table))
    moves(source, target)
    with target.read() as connection:
        known = set(connection.scalars(text("SELECT tablename FROM pg_stats WHERE schemaname = 'public'")))
    assert {table.name for table in metadata.sorted_tables} <= known


def test_the_file_is_refused_from_then_on_and_the_other_is_not(source: Database, target: Database) -> None:
    moves(source, target)
    with pytest.raises(DatabaseMoved, match=r"moved_to.*config\.yaml"):
        require_current(source)
    require_current(target)
    with pytest.raises(DatabaseMoved):
        moves(source, target)


def test_where_to_is_kept_and_told_without_a_password(source: Database, target: Database) -> None:
    into = Database(target.url.update_query_dict({"password": "TopSecretPw", "sslpassword": "AlsoSecret"}))
    moves(source, into)
    into.close()
    with pytest.raises(DatabaseMoved, match="moved_to") as moved:
        require_current(source)
    with source.read() as connection:
        kept = str(state.get(connection, MOVED))
    for told in (str(moved.value), moved.value.said.zh, kept):
        assert "Secret" not in told


def test_of_what_an_earlier_version_kept_no_password_is_told(source: Database) -> None:
    with source.write() as connection:
        keys = "scram_client_key=SecretKey&scram_server_key=SecretKey"
        to = f"postgresql://u@/db?host=/run&password=TopSecretPw&passfile=/Secret&{keys}"
        state.put(connection, MOVED, {"to": to, "at": NOW.isoformat()}, NOW)
    with pytest.raises(DatabaseMoved, match=r"moved to postgresql://u@/db\?host=%2Frun:"):
        require_current(source)


def test_what_is_there_already_is_left_alone(source: Database, target: Database) -> None:
    with target.write() as connection:
        state.put(connection, "x", 1, NOW)
    with pytest.raises(NotEmpty, match="state"):
        moves(source, target)
    require_current(source)


def test_a_row_that_is_refused_is_named_and_nothing_has_happened(source: Database, target: Database) -> None:
    """SQLite holds words of any length. What they are is told to nobody."""
    with source.write() as connection:
        refs = [Bench(connection).member() for _ in range(3)]
        here = (member.c.bucket == refs[1].bucket) & (member.c.id == refs[1].id)
        connection.execute(update(member).where(here).values(timezone="secret" * 20))
    with pytest.raises(NotTaken) as refused:
        moves(source, target)
    assert f"the one with id {refs[1].id}, bucket {refs[1].bucket}; look at its timezone" in str(refused.value)
    assert "secret" not in str(refused.value)
    assert rows_of(target, member) == []
    require_current(source)


def test_a_row_that_changes_on_its_way_is_noticed(source: Database, target: Database) -> None:
    with source.write() as connection:
        Bench(connection).member()
    with target.write() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN NEW.external_id := 'other'; RETURN NEW; END $$"
            )
        )
        connection.execute(text("CREATE TRIGGER lose BEFORE INSERT ON member FOR EACH ROW EXECUTE FUNCTION lose()"))
    with pytest.raises(NotTaken, match="member did not arrive as it was sent"):
        moves(source, target)
    assert rows_of(target, member) == []


def test_whoever_dies_before_the_other_side_commits_does_it_again(source: Database, target: Database) -> None:
    """In between the file is marked already: neither of the two sends."""
    with source.write() as connection:
        ref = Bench(connection).member()
    with target.write() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'the connection is gone'; END $$"
            )
        )
        connection.execute(
            text(
                "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON member DEFERRABLE INITIALLY DEFERRED "
                "FOR EACH ROW EXECUTE FUNCTION die()"
            )
        )
    with pytest.raises(Exception, match="the connection is gone"):
        moves(source, target)
    with pytest.raises(DatabaseMoved):
        require_current(source)
    with target.write() as connection:
        connection.execute(text("DROP TRIGGER die ON member"))
    moves(source, target)
    assert [row["id"] for row in rows_of(target, member)] == [ref.id]
