"""The connection to the database, SQLite or PostgreSQL: short write transactions, reads beside them, and ids.

SQLite runs in WAL mode with `synchronous=FULL`: what an intent commits must survive a power cut. PostgreSQL runs READ
COMMITTED: what two processes must not both do is held by keys and row locks, not by the isolation level. Where the two
speak differently about JSON and text, `store.dialects` has the words.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, BigInteger, Connection, Engine, bindparam, create_engine, event, make_url
from sqlalchemy.dialects.postgresql import insert as upsert  # ON CONFLICT, which SQLite spells the same
from sqlalchemy.exc import OperationalError

from engage.errors import DatabaseUnavailable, EngageError
from engage.store.tables import id_block, metadata

__all__ = ["Database", "take_ids", "upsert"]

# How long a writer waits for another one before SQLite says “database is locked”. Transactions here last milliseconds.
BUSY_TIMEOUT_MS = 15_000
# Times are bound and read in UTC. A process that hangs inside a transaction must not hold its locks for ever.
_POSTGRESQL_SETTINGS = {
    "timezone": "UTC",
    "lock_timeout": f"{BUSY_TIMEOUT_MS}ms",
    "idle_in_transaction_session_timeout": "60s",
}


class Database:
    """One database. `write()` is a transaction that on SQLite takes the one write lock at once; `read()` never waits
    for one. `written`: how many transactions of `write()` have been committed here."""

    def __init__(self, url: str, *, durable: bool = True) -> None:
        """`durable=False`: for a database that nobody will miss after a power cut."""
        self.url = make_url(url)
        self.engine = _make_engine(url)
        self.written = 0
        if not durable:
            event.listen(self.engine, "connect", _forget_durability)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Committed at the end; rolled back if anything is raised. Raises DatabaseUnavailable if it cannot be had."""
        with _telling_faults_apart(), self.engine.connect() as connection:
            connection.execution_options(engage_write=True)
            with connection.begin():
                yield connection
            self.written += 1

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with _telling_faults_apart(), self.engine.connect() as connection, connection.begin():
            yield connection

    @property
    def file(self) -> Path | None:
        """The SQLite file; None for a server, or for a database in memory."""
        name = self.url.database
        return Path(name) if self.url.get_backend_name() == "sqlite" and name and name != ":memory:" else None

    @property
    def is_server(self) -> bool:
        """PostgreSQL, which other machines can write to as well."""
        return self.url.get_backend_name() == "postgresql"

    def create_all(self) -> None:
        """The whole schema at once, without migrations: for databases that live as long as a test."""
        metadata.create_all(self.engine)

    def close(self) -> None:
        self.engine.dispose()


@contextmanager
def _telling_faults_apart() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        raise DatabaseUnavailable(f"the database does not answer: {error.orig}") from error


_TAKEN = (
    upsert(id_block)
    .values(kind=bindparam("of_kind"), next_id=bindparam("after_first", type_=BigInteger()))
    .on_conflict_do_update(
        index_elements=["kind"], set_={"next_id": id_block.c.next_id + bindparam("taken", type_=BigInteger())}
    )
    .returning(id_block.c.next_id)
)


def take_ids(connection: Connection, kind: str, count: int) -> range:
    """The next `count` ids of a table, taken inside the caller's transaction: a rollback gives them back."""
    taken = {"of_kind": kind, "after_first": 1 + count, "taken": count}
    following: int = connection.execute(_TAKEN, taken).scalar_one()
    return range(following - count, following)


def _make_engine(url: str) -> Engine:
    target = make_url(url)
    match target.get_backend_name():
        case "sqlite":
            return _sqlite_engine(target)
        case "postgresql":
            return _postgresql_engine(target)
        case _:
            raise EngageError(
                f"Engage runs on SQLite and PostgreSQL; write a URL like sqlite:///engage.db, not {target!r}"
            )


# Errors quote statements, never what was bound to them: phone numbers have no place in a log. NaN is no JSON, though
# SQLite would keep it: refused on both.
_EITHER: dict[str, Any] = {
    "hide_parameters": True,
    "query_cache_size": 2_000,  # a thousand journeys ask that many different things
    "json_serializer": partial(json.dumps, ensure_ascii=False, allow_nan=False),
}


def _postgresql_engine(url: URL) -> Engine:
    settings = " ".join(f"-c {name}={value}" for name, value in _POSTGRESQL_SETTINGS.items())
    try:
        return create_engine(
            url.set(drivername="postgresql+psycopg"),
            connect_args={"options": settings},
            isolation_level="READ COMMITTED",
            pool_pre_ping=True,
            **_EITHER,
        )
    except ModuleNotFoundError as error:
        raise EngageError("PostgreSQL needs its driver: pip install 'engage[postgres]'") from error


def _sqlite_engine(url: URL) -> Engine:
    engine = create_engine(url, connect_args={"check_same_thread": False}, **_EITHER)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver
    for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={BUSY_TIMEOUT_MS}", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _forget_durability(connection: Any, _record: Any) -> None:
    """Nor is the log folded into the file every 4 MiB, but every 80: pages written often are then folded in once. And
    64 MiB of the file stay in memory: one process has it to itself, on a connection or two."""
    for pragma in ("synchronous=OFF", "wal_autocheckpoint=20000", "cache_size=-65536"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes the lock at once: a read that turns into a write could fail with SQLITE_BUSY half-way."""
    writes = connection.get_execution_options().get("engage_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
