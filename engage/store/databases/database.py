"""The connection to the database, SQLite or PostgreSQL: short write transactions, and reads beside them.

SQLite runs in WAL mode with `synchronous=FULL`: what an intent commits must survive a power cut. PostgreSQL runs READ
COMMITTED: what two processes must not both do is held by keys and row locks, not by the isolation level. Where the two
speak differently about JSON and text, `store.dialects` has the words; `store.postgresql` has the connections.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.dialects.postgresql import insert as upsert  # ON CONFLICT, which SQLite spells the same
from sqlalchemy.exc import ArgumentError

from engage.core.redaction import is_secret
from engage.errors import DatabaseUnavailable, EngageError
from engage.store.databases.faults import telling_faults_apart
from engage.store.databases.months import make_catch_all
from engage.store.databases.postgresql import amiss_in_options, postgresql_engine
from engage.store.databases.private import to_owner_alone
from engage.store.databases.write_turns import BUSY_TIMEOUT_MS, CALLERS_TIMEOUT_MS, WriteTurns
from engage.store.statements import ids
from engage.store.statements.ids import IdBlocks
from engage.store.tables import metadata

__all__ = ["BUSY_TIMEOUT_MS", "Database", "NoAddress", "passwords_in", "read_address", "shown_address", "upsert"]

_WRITES = "engage_writes"  # the execution option of connections that begin as writers
# The only ones that are used: an address that names another was written for another program.
_DRIVERS = {"sqlite": {"pysqlite"}, "postgresql": {"psycopg"}}
_LOGIN = re.compile(r"[\w+]+://[^:/]*:([^@]*)@")  # and its password, where SQLAlchemy sees one
_NO_HOST = re.compile(r"[\[\]@\s]")  # a bracket that does not close, or a password with what should have been escaped


class NoAddress(EngageError):
    """What was given for the address of a database cannot be read as one."""


class Database:
    """One database. `write()` is a transaction that on SQLite takes the one write lock at once; `read()` never waits
    for one. `written`: how many transactions of `write()` have been committed here."""

    def __init__(self, url: str | URL, *, durable: bool = True, goes_first: bool = False) -> None:
        """`durable=False`: for a database that nobody will miss after a power cut. `goes_first`: callers
        wait for this one. Where one process writes at a time, its transactions wait for no more than the one at hand,
        and nowhere do they wait for long. Raises NoAddress."""
        self.url = read_address(url)
        wait_ms = CALLERS_TIMEOUT_MS if goes_first else BUSY_TIMEOUT_MS
        self.engine = _make_engine(self.url, wait_ms)
        self._same_file = _SameFile(self.file, self.engine) if self.file is not None else None
        self._turns = WriteTurns(self.file, wait_ms, goes_first=goes_first) if self.file is not None else None
        self._id_blocks = IdBlocks(_make_engine(self.url, wait_ms)) if self.is_server else None
        self.written = 0
        if not durable:
            event.listen(self.engine, "connect", _forget_durability)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Committed at the end; rolled back if anything is raised. Raises DatabaseUnavailable if it cannot be had."""
        turn = self._turns.turn() if self._turns is not None else nullcontext()
        self._require_same_file()
        with telling_faults_apart(), turn, self.engine.connect() as connection:
            connection.execution_options(**{_WRITES: True, ids.OPTION: self._id_blocks})
            with connection.begin():
                yield connection
            self.written += 1

    @contextmanager
    def read(self) -> Iterator[Connection]:
        self._require_same_file()
        with telling_faults_apart(), self.engine.connect() as connection, connection.begin():
            yield connection

    def _require_same_file(self) -> None:
        if self._same_file is not None:
            self._same_file.require()

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
        with self.write() as connection:
            make_catch_all(connection)

    def close(self) -> None:
        self.engine.dispose()
        if self._turns is not None:
            self._turns.close()
        if self._id_blocks is not None:
            self._id_blocks.close()


@contextmanager
def part_of(connection: Connection) -> Iterator[None]:
    """Of a transaction that goes on, whatever becomes of this."""
    with telling_faults_apart(), connection.begin_nested():
        yield


def read_address(url: str | URL) -> URL:
    """Raises NoAddress."""
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):  # whose words may quote it, password and all
        address = None
    if address is None or _names_another_driver(address) or _NO_HOST.search(address.host or ""):
        raise NoAddress(
            "this is not the address of a database; write it like sqlite:///engage.db or postgresql://user@host/name",
            "这不是数据库地址；请写成 sqlite:///engage.db 或 postgresql://用户@主机/库名 这样",
        )
    if address.get_backend_name() == "sqlite" and address.query:
        raise NoAddress(
            "the address of a SQLite file has no options; write it without what follows the question mark",
            "SQLite 文件的地址没有选项；请去掉问号和它后面的内容",
        )
    if address.get_backend_name() == "postgresql" and (amiss := amiss_in_options(address)) is not None:
        raise NoAddress(amiss.en, amiss.zh)
    return address


def shown_address(url: str | URL) -> str:
    """As it may stand in rows, messages and logs: without passwords, wherever in it they are written. Raises
    NoAddress."""
    address = read_address(url).set(password=None)
    return address.difference_update_query([name for name in address.query if is_secret(name)]).render_as_string()


def passwords_in(url: str) -> frozenset[str]:
    """What `shown_address` leaves out: as the server gets it, and the login's also as it is written. Raises
    NoAddress."""
    address, written = read_address(url), _LOGIN.match(url)
    options = [value for name, given in address.normalized_query.items() if is_secret(name) for value in given]
    login = [address.password, written[1]] if address.password and written else []
    return frozenset([*login, *options])


def _names_another_driver(address: URL) -> bool:
    backend, _, driver = address.drivername.partition("+")
    return driver not in {"", *_DRIVERS.get(backend, {driver})}


def _make_engine(target: URL, wait_ms: int) -> Engine:
    match target.get_backend_name():
        case "sqlite":
            return _sqlite_engine(target, wait_ms)
        case "postgresql":
            return postgresql_engine(target, wait_ms, **_EITHER)
        case _:
            other = shown_address(target)
            raise EngageError(
                f"Engage runs on SQLite and PostgreSQL; write a URL like sqlite:///engage.db, not {other}",
                f"Engage 支持 SQLite 和 PostgreSQL；地址请写成 sqlite:///engage.db 这样，而不是 {other}",
            )


# Errors quote statements, never what was bound to them: phone numbers have no place in a log. NaN is no JSON, though
# SQLite would keep it: refused on both.
_EITHER: dict[str, Any] = {
    "hide_parameters": True,
    "query_cache_size": 2_000,  # a thousand journeys ask that many different things
    "json_serializer": partial(json.dumps, ensure_ascii=False, allow_nan=False),
    # Kept open: as many as there are loops, which all look at once. Any more are opened anew each time.
    "pool_size": 10,
}


def _sqlite_engine(url: URL, wait_ms: int) -> Engine:
    engine = create_engine(url, connect_args={"check_same_thread": False}, **_EITHER)
    event.listen(engine, "connect", partial(_prepare_sqlite, wait_ms))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


class _SameFile:
    """A SQLite file is made for its owner alone, whatever the umask says (what SQLite puts beside it is as the file
    is), and stays the one that was opened first: connections of one process on two files would be two databases."""

    _making = threading.Lock()

    def __init__(self, path: Path, engine: Engine) -> None:
        self._path = path
        self._first: tuple[int, int] | None = None  # its device and number
        event.listen(engine, "do_connect", self._make)
        event.listen(engine, "connect", self._remember)

    def require(self) -> None:
        """Raises DatabaseUnavailable if the file was moved away, or another one put in its place. Back where it was, it
        is the same."""
        if self._first is not None and self._found() != self._first:
            raise DatabaseUnavailable(
                f"{self._path} is not the file that was opened: it was moved or replaced. Start this anew",
                f"{self._path} 不是原来打开的那个文件：它被移走或替换了。请重新启动",
            )

    def _found(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _make(self, *_: Any) -> None:
        """Where none can be made, SQLite says so.

        A file that is there already is never opened here: to close it would take from this process the locks that
        SQLite holds on it (POSIX gives them to the process, not to the handle). The next process that closes the
        database would believe to be its last user and remove the log, and what is committed here from then on would be
        lost. https://www.sqlite.org/howtocorrupt.html, section 2.2
        """
        self.require()
        with self._making, suppress(OSError):  # one that is just being made is opened by nobody else
            os.close(to_owner_alone(os.path.realpath(self._path), os.O_CREAT | os.O_EXCL))

    def _remember(self, *_: Any) -> None:
        self._first = self._first or self._found()


def _prepare_sqlite(wait_ms: int, connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver
    for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={wait_ms}", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _forget_durability(connection: Any, _record: Any) -> None:
    """Nor is the log folded into the file every 4 MiB, but every 80: pages written often are then folded in once. And
    64 MiB of the file stay in memory: one process has it to itself, on a connection or two."""
    for pragma in ("synchronous=OFF", "wal_autocheckpoint=20000", "cache_size=-65536"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes the lock at once: a read that turns into a write could fail with SQLITE_BUSY half-way."""
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
