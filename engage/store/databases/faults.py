"""What a database complains of, told apart: it does not answer, somebody else holds it, transactions met in its midst,
its disk is full, its file is damaged, its tables are not those of this version.

Everything else it complains of is a mistake of ours and stays as it is raised.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from engage.core.problem import Said
from engage.errors import DatabaseBusy, DatabaseConflict, DatabaseDamaged, DatabaseUnavailable, DiskFull, OtherTables

# PostgreSQL, “Error Codes”: serialization_failure, deadlock_detected.
_CONFLICTS = ("40001", "40P01")
# lock_not_available; and whoever else writes to a file.
_HELD = ("55P03", "SQLITE_BUSY", "SQLITE_LOCKED")
_DISK_FULL = ("53100", "SQLITE_FULL")
# undefined_table, undefined_column, insufficient_privilege: that of a condition's own kind would be another one.
_OTHER_TABLES = ("42P01", "42703", "42501")
_DAMAGED = ("SQLITE_NOTADB", "SQLITE_CORRUPT")  # and what kind of it
_OTHER_TABLES_ON_SQLITE = ("no such table", "no such column")
# By how they begin: connections, resources, operators at work, the system's own errors; a server that does not take
# writes (any more, or yet: a failover); a session that was ended for idling.
_GONE = ("08", "53", "57", "58", "25006", "25P03")
_GONE_ON_SQLITE = ("SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY")


@contextmanager
def telling_faults_apart() -> Iterator[None]:
    """Raises DatabaseUnavailable, or what kind of it."""
    try:
        yield
    except (DBAPIError, NoConnectionFree) as error:
        kind = _kind_of(error)
        if kind is None:
            raise
        said, why = _WORDS[kind], _first_line(error)
        raise kind(f"{said.en}: {why}", f"{said.zh}：{why}") from error


_WORDS = {
    DatabaseConflict: Said("two transactions were in each other's way", "两个事务互相妨碍"),
    DatabaseBusy: Said("the database was held by somebody else for too long", "数据库被别人占用得太久"),
    DiskFull: Said(
        "the disk of the database is full; make room, and everything goes on by itself",
        "数据库所在的磁盘满了；腾出空间后，一切会自动继续",
    ),
    OtherTables: Said(
        "the database's tables are not those of this version; see `engage db upgrade`",
        "数据库的表和这个版本不符；见 `engage db upgrade`",
    ),
    DatabaseDamaged: Said(
        "the database's file is damaged, or is no database at all; put a copy in its place",
        "数据库文件已损坏，或者根本不是数据库；请换上备份",
    ),
    DatabaseUnavailable: Said("the database does not answer", "数据库没有应答"),
}


def _kind_of(error: SQLAlchemyError) -> type[DatabaseUnavailable] | None:
    if not isinstance(error, DBAPIError):
        return DatabaseUnavailable
    code = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None)
    if code in _CONFLICTS:
        return DatabaseConflict
    if code is not None and code.startswith(_HELD):
        return DatabaseBusy
    if code in _DISK_FULL:
        return DiskFull
    if code in _OTHER_TABLES or str(error.orig).startswith(_OTHER_TABLES_ON_SQLITE):
        return OtherTables
    if code is not None and code.startswith(_DAMAGED):
        return DatabaseDamaged
    if code is not None:
        return DatabaseUnavailable if code.startswith(_GONE + _GONE_ON_SQLITE) else None
    # The connection itself has gone: nobody was left to give it a code.
    gone = error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
    return DatabaseUnavailable if gone else None


def _first_line(error: SQLAlchemyError) -> str:
    """Without the details, which may quote rows."""
    said = str(getattr(error, "orig", None) or error).strip()
    return said.splitlines()[0] if said else type(error).__name__
