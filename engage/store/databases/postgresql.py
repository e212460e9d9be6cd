"""How Engage connects to PostgreSQL: with limits of its own, whatever stands in between.

A pooler in transaction mode (PgBouncer and the like) gives each transaction another session, and refuses options at the
start of one. So where there is one, nothing is kept in a session: the limits are those of each transaction, and no
statement is prepared. It is known by the number of the server's process, which a pooler makes up for its clients.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext

from engage.core.problem import Said
from engage.errors import EngageError
from engage.store.databases import dialects

_CONNECTIONS_MORE = 40  # than are kept open: each loop has one or two at a time, and callbacks have theirs
# Times are bound and read in UTC. A process that hangs inside a transaction must not hold its locks for ever. Nearly
# all we ask is by key: at 4, which is for disks whose heads move, a hundred keys cost more than a table of twenty
# thousand rows, and the whole table would be read for them each time.
_SETTINGS = {
    "timezone": "UTC",
    "idle_in_transaction_session_timeout": "60s",
    "random_page_cost": "1.1",
}
# A machine that is gone without a word is noticed within half a minute (by itself, TCP takes a quarter of an hour). The
# URL may say otherwise.
_NOTICED = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "4",
    "tcp_user_timeout": "30000",
}
_NUMBERS = frozenset({*_NOTICED, "keepalives"})
_POOLED = "engage_pooled"  # of a connection: what its session is told is lost with the transaction
_READS_ONLY = "25006"  # read_only_sql_transaction


def amiss_in_options(url: URL) -> Said | None:
    """What of its query nobody could connect with, however long the server was waited for."""
    known = _known_options()
    for name, value in url.query.items():
        if known and name not in known:
            return Said(
                f"PostgreSQL knows no option “{name}” in the address of a database",
                f"数据库地址里的选项“{name}”PostgreSQL 不认识",
            )
        if name in _NUMBERS and not (isinstance(value, str) and re.fullmatch(r"-?\d+", value)):
            return Said(
                f"in the address of a database, {name} is a whole number, like {name}=10",
                f"数据库地址里的 {name} 应该是整数，例如 {name}=10",
            )
    return None


def _known_options() -> frozenset[str]:
    """Those of the library that connects; none are known where it is missing."""
    try:
        from psycopg.pq import Conninfo
    except ImportError:
        return frozenset()
    return frozenset(option.keyword.decode() for option in Conninfo.get_defaults())


def postgresql_engine(url: URL, wait_ms: int, **options: Any) -> Engine:
    """`wait_ms`: how long a statement waits for a lock."""
    settings = {**_SETTINGS, "lock_timeout": f"{wait_ms}ms"}
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            connect_args={name: value for name, value in _NOTICED.items() if name not in url.query},
            isolation_level="READ COMMITTED",
            pool_pre_ping=True,
            max_overflow=_CONNECTIONS_MORE,
            pool_timeout=wait_ms / 1000,
            **options,
        )
    except ModuleNotFoundError as error:
        raise EngageError(
            "PostgreSQL needs its driver: pip install 'engage[postgres]'",
            "使用 PostgreSQL 需要驱动程序：pip install 'engage[postgres]'",
        ) from error
    event.listen(engine, "first_connect", partial(_look_for_citus, engine))
    event.listen(engine, "connect", partial(_prepare, settings))
    event.listen(engine, "begin", partial(_limit, settings))
    event.listen(engine, "handle_error", _leave_what_only_reads)
    return engine


def _look_for_citus(engine: Engine, connection: Any, _record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_extension WHERE extname = 'citus'")
        dialects.say_whether_spread(engine.dialect, cursor.fetchone()[0] > 0)
    connection.rollback()


def _prepare(settings: Mapping[str, str], connection: Any, record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        record.info[_POOLED] = cursor.fetchone()[0] != connection.info.backend_pid
        if record.info[_POOLED]:
            connection.prepare_threshold = None
        else:
            cursor.execute(_set(settings, for_transaction=False))
    connection.commit()


def _limit(settings: Mapping[str, str], connection: Connection) -> None:
    if connection.connection.info[_POOLED]:
        connection.exec_driver_sql(_set(settings, for_transaction=True))


def _set(settings: Mapping[str, str], *, for_transaction: bool) -> str:
    """One statement for all of them."""
    each = (f"set_config('{name}', '{value}', {for_transaction})" for name, value in settings.items())
    return f"SELECT {', '.join(each)}"


def _leave_what_only_reads(context: ExceptionContext) -> None:
    """A server that has become a standby keeps its connections, and refuses to write: the one that writes now is found
    by connecting anew."""
    if getattr(context.original_exception, "sqlstate", None) == _READS_ONLY:
        context.is_disconnect = True
