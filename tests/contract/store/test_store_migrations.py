"""Migrations lead to exactly the tables the code uses, on a real file, and doing them again is harmless."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text
from store_bench import Bench, open_database

from engage.store.databases.database import Database
from engage.store.databases.migrating import SchemaTooOld, is_current, require_current, upgrade
from engage.store.databases.months import is_month
from engage.store.tables import metadata
from tests.postgresql import one_more_database


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    yield database
    database.close()


@pytest.fixture
def empty_on_server(postgresql_url: str) -> Iterator[Database]:
    with one_more_database(postgresql_url, "migrated") as url:
        database = Database(url)
        yield database
        database.close()


def schema(database: Database) -> dict[str, str | None]:
    """Every table and index, as SQLite keeps its definition, without the quoting and line breaks."""
    with database.read() as connection:
        rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'alembic%'"))
        return {name: " ".join(sql.replace('"', "").split()).replace("( ", "(") if sql else None for name, sql in rows}


def test_autogenerate_finds_nothing_to_add(empty: Database) -> None:
    upgrade(empty)
    with empty.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_on_postgresql_the_same_script_leads_to_the_same_tables(empty_on_server: Database) -> None:
    upgrade(empty_on_server)
    upgrade(empty_on_server)
    require_current(empty_on_server)
    with empty_on_server.read() as connection:
        included = {"include_name": lambda name, kind, _: kind != "table" or not is_month(name)}
        context = MigrationContext.configure(connection, opts={"compare_type": True} | included)
        assert compare_metadata(context, metadata) == []
        types = {column["name"]: str(column["type"]) for column in inspect(connection).get_columns("event")}
        roomy = set(connection.scalars(text("SELECT relname FROM pg_class WHERE 'fillfactor=85' = ANY (reloptions)")))
    assert types["payload"] == "JSONB"
    assert roomy == {"enrolment", "delivery"}


def test_migrated_and_created_databases_have_the_same_tables_columns_and_indexes(
    empty: Database, tmp_path: Path
) -> None:
    """Partial indexes too, which autogenerate does not compare."""
    upgrade(empty)
    created = open_database(tmp_path / "created.db")
    migrated, expected = inspect(empty.engine), inspect(created.engine)
    assert set(migrated.get_table_names()) - {"alembic_version"} == set(expected.get_table_names())
    for table in expected.get_table_names():
        for look in ("get_columns", "get_pk_constraint", "get_unique_constraints"):
            assert _plain(getattr(migrated, look)(table)) == _plain(getattr(expected, look)(table)), (table, look)
    indexes = {name: sql for name, sql in schema(created).items() if name.startswith("ix_")}
    assert {name: schema(empty).get(name) for name in indexes} == indexes
    created.close()


def _plain(found: object) -> object:
    return sorted(map(repr, found)) if isinstance(found, list) else repr(found)


def test_upgrading_twice_is_harmless(empty: Database) -> None:
    upgrade(empty)
    with empty.write() as connection:
        Bench(connection).member()
    before = schema(empty)
    upgrade(empty)
    assert schema(empty) == before
    with empty.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM member")) == 1


def test_a_database_that_was_never_upgraded_says_what_to_do(empty: Database) -> None:
    assert not is_current(empty)
    with pytest.raises(SchemaTooOld, match="engage db upgrade"):
        require_current(empty)
    upgrade(empty)
    assert is_current(empty)
    require_current(empty)


def test_a_migration_that_fails_leaves_nothing_behind(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a schema would look like a whole one to the next start."""
    with empty.write() as connection:
        connection.execute(text("CREATE TABLE tag (x INTEGER)"))
    with pytest.raises(Exception, match="already exists"):
        upgrade(empty)
    assert set(schema(empty)) == {"tag"}


def test_every_key_of_a_member_owned_table_has_the_bucket_in_its_second_place() -> None:
    with_bucket = [table for table in metadata.sorted_tables if "bucket" in table.c]
    owned = [table for table in with_bucket if table.name != "identity"]  # by which the bucket is found
    assert all("bucket" in table.primary_key.columns for table in owned)
    for table in owned:
        for constraint in table.constraints:
            columns = [column.name for column in getattr(constraint, "columns", ())]
            assert not columns or columns[1] == "bucket", (table.name, columns)
        for index in table.indexes:
            columns = [column.name for column in index.columns]
            assert "bucket" not in columns or columns[1] == "bucket", (table.name, columns)
