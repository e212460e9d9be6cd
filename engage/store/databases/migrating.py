"""Bringing a database to the schema this version needs. Alembic owns how; the scripts are in `migrations/`.

On PostgreSQL that happens while daemons of the version before are at work. So a script only adds (`store.expanding` has
what is to be added with care), and what nobody uses any more is taken away by a later one, when the last daemon that
used it is gone. Its revision says which versions can live with the schema after it: `0003_for_0001` those whose own
newest script is 0001 or later, plain `0004` none but those that know it. The first one is rewritten until there is a
release; what it does is in its revision, so that a database of an earlier writing is told from it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

import engage
from engage.clock import SystemClock
from engage.errors import DatabaseUnavailable, EngageError
from engage.store import state
from engage.store.databases.database import Database, shown_address
from engage.store.databases.faults import telling_faults_apart
from engage.store.databases.months import make_months

SCRIPTS = Path(engage.__file__).parent.parent / "migrations"
log = structlog.get_logger("engage.store")


class SchemaTooOld(EngageError):
    """The database has not been brought to the schema this version needs. Run `engage db upgrade`."""


class OtherSchema(EngageError):
    """Another version of Engage made the schema, and this one cannot live with it. Run one that can."""


class UpgradeHindered(EngageError):
    """The schema could not be changed for the moment. What was done is done; run `engage db upgrade` again."""


class DatabaseMoved(EngageError):
    """The rows of this file live in another database now. Write that one's URL into config.yaml."""


MOVED = "moved"  # of `state`: where `store.transfer` has taken the rows


_LOCK_NOT_AVAILABLE = "55P03"
_PATIENCE = "2s"  # for a lock: whoever comes after us waits as long
_TRIES = 30


def upgrade(database: Database, scripts: Path = SCRIPTS) -> None:
    """To the newest schema, and with the months ahead; nothing happens if it is there already. Each script is one
    transaction, and what was done stays done. Raises UpgradeHindered."""
    if not is_current(database, scripts):
        _run_scripts(database, scripts)
    with database.write() as connection:
        make_months(connection, SystemClock().now())


def _run_scripts(database: Database, scripts: Path) -> None:
    if database.is_server:
        with _alone(database, scripts):
            _until_let(database, scripts)
    else:
        with database.write() as connection:
            _run(connection, scripts)


@contextmanager
def _alone(database: Database, scripts: Path = SCRIPTS) -> Iterator[None]:
    """Alembic's own table is locked by a transaction that does nothing else, whatever becomes of the scripts'; they can
    write to it, another upgrade cannot lock it. Raises UpgradeHindered."""
    with suppress(IntegrityError, ProgrammingError), database.write() as connection:  # two may make it at once
        command.ensure_version(_settings(scripts, connection))
    with database.read() as connection:
        try:
            connection.execute(text("LOCK TABLE alembic_version IN SHARE UPDATE EXCLUSIVE MODE NOWAIT"))
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
                raise
            raise UpgradeHindered(
                "another upgrade is under way; wait until it is done", "另一个升级正在进行；请等它结束"
            ) from error
        # The last statement, for it leaves no snapshot behind: whoever builds an index waits for all there are.
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        yield


def _until_let(database: Database, scripts: Path) -> None:
    """A change of a table waits for whoever reads it, and everybody else behind it. So it waits briefly, lets the
    others pass, and tries again."""
    for _ in range(_TRIES):
        try:
            with telling_faults_apart(), database.engine.connect() as connection:
                event.listen(connection, "begin", _be_brief)
                _run(connection, scripts)
                return
        except DatabaseUnavailable as error:
            hindered = error
            log.warning("upgrade_waits", error=str(error))
            time.sleep(1)
    raise UpgradeHindered(
        f"the schema could not be changed ({hindered}); run `engage db upgrade` again",
        f"暂时改不了数据库结构（{hindered.said.zh}）；请再运行一次 `engage db upgrade`",
    )


def _be_brief(connection: Connection) -> None:
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_PATIENCE}'")


def _run(connection: Connection, scripts: Path) -> None:
    command.upgrade(_settings(scripts, connection), "head")


def revision_of(database: Database) -> str | None:
    """None: there is nothing in it yet."""
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def is_current(database: Database, scripts: Path = SCRIPTS) -> bool:
    """Whether this version can live with the schema. False: `engage db upgrade` has something to do. Raises
    OtherSchema."""
    at = revision_of(database)
    known = ScriptDirectory.from_config(_settings(scripts))
    head = known.get_current_head() or ""
    if at is None or at in {script.revision for script in known.walk_revisions()}:
        return at == head
    lives_with = at.rpartition("_for_")[2]
    if not _number(lives_with) <= _number(head) < _number(at):
        raise OtherSchema(
            f"the database was made by another version of Engage (schema {at}, this one knows {head}): run that "
            "version, or another that knows this schema",
            f"这个数据库是另一个版本的 Engage 建立的（结构 {at}，这个版本认识的是 {head}）："
            "请运行那个版本，或其他认识这个结构的版本",
        )
    return True


def _number(revision: str) -> int:
    return int(revision.partition("_")[0])


def require_current(database: Database) -> None:
    """Raises SchemaTooOld if `engage db upgrade` has something to do, and DatabaseMoved if the rows live elsewhere."""
    require_schema(database)
    with database.read() as connection:
        require_here(connection)


def require_schema(database: Database) -> None:
    if not is_current(database):
        raise SchemaTooOld(
            "the database is not at the schema this version needs; run `engage db upgrade`",
            "数据库结构不是这个版本需要的；请运行 `engage db upgrade`",
        )


def require_here(connection: Connection) -> None:
    moved = state.get(connection, MOVED)
    if moved is not None:
        to = shown_address(moved["to"])
        raise DatabaseMoved(
            f"this database was moved to {to}: write that into config.yaml (database: url:)",
            f"这个数据库已经搬到 {to}：请把它写进 config.yaml（database: url:）",
        )


def _settings(scripts: Path, connection: Connection | None = None) -> AlembicConfig:
    settings = AlembicConfig(attributes={"connection": connection})
    settings.set_main_option("script_location", str(scripts))
    return settings
