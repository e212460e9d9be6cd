"""Bringing a database to the schema this version needs. Alembic owns how; the scripts are in `migrations/`."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

import engage
from engage.errors import EngageError
from engage.store.database import Database

_SCRIPTS = Path(engage.__file__).parent.parent / "migrations"


class SchemaTooOld(EngageError):
    """The database has not been brought to the schema this version needs. Run `engage db upgrade`."""


def upgrade(database: Database) -> None:
    """To the newest schema; nothing happens if it is there already."""
    with database.write() as connection:
        settings = _settings()
        settings.attributes["connection"] = connection
        command.upgrade(settings, "head")


def is_current(database: Database) -> bool:
    """Whether `engage db upgrade` has nothing to do."""
    with database.read() as connection:
        at = MigrationContext.configure(connection).get_current_revision()
    return at == ScriptDirectory.from_config(_settings()).get_current_head()


def require_current(database: Database) -> None:
    """Raises SchemaTooOld if `engage db upgrade` has something to do."""
    if not is_current(database):
        raise SchemaTooOld("the database is not at the schema this version needs; run `engage db upgrade`")


def _settings() -> AlembicConfig:
    settings = AlembicConfig()
    settings.set_main_option("script_location", str(_SCRIPTS))
    return settings
