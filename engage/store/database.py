"""The connection to the database: short write transactions, reads beside them, and ids.

SQLite runs in WAL mode with `synchronous=FULL`: what an intent commits must survive a power cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, insert, make_url, select, update
from sqlalchemy.dialects.sqlite import insert as upsert  # the same API as PostgreSQL's: ON CONFLICT
from sqlalchemy.exc import OperationalError

from engage.errors import DatabaseUnavailable, EngageError
from engage.store.tables import id_block, metadata

__all__ = ["Database", "take_ids", "upsert"]

# How long a writer waits for another one before SQLite says “database is locked”. Transactions here last milliseconds.
BUSY_TIMEOUT_MS = 15_000


class Database:
    """One database. `write()` is a transaction that takes the write lock at once; `read()` never waits for one."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.engine = _make_engine(url)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Committed at the end; rolled back if anything is raised. Raises DatabaseUnavailable if it cannot be had."""
        with _telling_faults_apart(), self.engine.connect() as connection:
            connection.execution_options(engage_write=True)
            with connection.begin():
                yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with _telling_faults_apart(), self.engine.connect() as connection, connection.begin():
            yield connection

    @property
    def file(self) -> Path | None:
        """The SQLite file; None for a server, or for a database in memory."""
        name = self.url.database
        return Path(name) if self.url.get_backend_name() == "sqlite" and name and name != ":memory:" else None

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


def take_ids(connection: Connection, kind: str, count: int) -> range:
    """The next `count` ids of a table, taken inside the caller's transaction: a rollback gives them back."""
    first = connection.scalar(select(id_block.c.next_id).where(id_block.c.kind == kind).with_for_update())
    if first is None:
        first = 1
        connection.execute(insert(id_block).values(kind=kind, next_id=first + count))
    else:
        connection.execute(update(id_block).where(id_block.c.kind == kind).values(next_id=first + count))
    return range(first, first + count)


def _make_engine(url: str) -> Engine:
    if make_url(url).get_backend_name() != "sqlite":
        raise EngageError(
            f"this version runs on SQLite only; write a URL like sqlite:///engage.db, not {make_url(url)!r}"
        )
    # Errors quote statements, never what was bound to them: phone numbers have no place in a log.
    engine = create_engine(url, connect_args={"check_same_thread": False}, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver
    for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={BUSY_TIMEOUT_MS}", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes the lock at once: a read that turns into a write could fail with SQLITE_BUSY half-way."""
    writes = connection.get_execution_options().get("engage_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
