"""Spreading a PostgreSQL with the Citus extension over its servers: what belongs to members by their bucket, so that
all of a member lies together, and every statement that names a bucket goes to one server.

What belongs to nobody stays on the coordinator: it is small, and much of it is locked (once-only work, what is applied,
blocks of ids), which a table copied to every server cannot be without asking all of them. Only what conditions compare
members with is copied everywhere, since it is read beside them.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, func, select, text

from engage.errors import EngageError
from engage.store.databases.database import Database
from engage.store.tables import metadata, rank_threshold

# Buckets lie in so many parts, and no more servers than that can share them.
_SHARDS = 64
_EVERYWHERE = (rank_threshold,)


class NoCitus(EngageError):
    """Only PostgreSQL with the Citus extension can be spread over servers: `CREATE EXTENSION citus` on its coordinator
    first."""


def owned_tables() -> list[Any]:
    """Those whose rows belong to members, the members' own table first: the others are laid beside it."""
    owned = [table for table in metadata.sorted_tables if "bucket" in table.primary_key.columns]
    return sorted(owned, key=lambda table: (table.name != "member", table.name))


def distribute(database: Database) -> list[str]:
    """Spread every table that is not spread yet, with its rows, each in a transaction of its own: whoever was
    interrupted asks again. Returns their names. Raises NoCitus. Nobody is to be at work meanwhile: `daemons.kept_out`.
    """
    with database.read() as connection:
        if not database.is_server or not connection.scalar(_HAS_CITUS):
            raise NoCitus(
                "only PostgreSQL with the Citus extension can be spread over servers; run `CREATE EXTENSION citus` on "
                "its coordinator first",
                "只有装了 Citus 扩展的 PostgreSQL 才能分布到多台服务器；请先在协调节点上执行 `CREATE EXTENSION citus`",
            )
        done = set(connection.scalars(_SPREAD))
    spread = []
    for table in owned_tables():
        if table.name not in done:
            beside = None if table.name == "member" else "member"
            _in_its_own_transaction(database, _by_bucket(table.name, beside))
            spread.append(table.name)
    for table in _EVERYWHERE:
        if table.name not in done:
            _in_its_own_transaction(database, select(func.create_reference_table(table.name)))
            spread.append(table.name)
    return spread


_HAS_CITUS = text("SELECT count(*) FROM pg_extension WHERE extname = 'citus'")
_SPREAD = text("SELECT logicalrelid::text FROM pg_dist_partition")


def _by_bucket(name: str, beside: str | None) -> Any:
    """A count of parts may be named only where the table is not laid beside another."""
    if beside is None:
        return text(f"SELECT create_distributed_table(:name, 'bucket', shard_count => {_SHARDS})").bindparams(
            bindparam("name", name)
        )
    return text("SELECT create_distributed_table(:name, 'bucket', colocate_with => :beside)").bindparams(
        bindparam("name", name), bindparam("beside", beside)
    )


def _in_its_own_transaction(database: Database, statement: Any) -> None:
    with database.write() as connection:
        _without_limits(connection)
        connection.execute(statement)


def _without_limits(connection: Connection) -> None:
    """Rows are moved to where they belong, however long that takes."""
    connection.execute(text("SET LOCAL lock_timeout = 0"))
