"""Copies of the database while it is in use, by SQLite's own online backup."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

from sqlalchemy import URL

from engage.errors import EngageError
from engage.store import state
from engage.store.continuity import COPIED_AT
from engage.store.database import Database


def copy_unchanged(source: Path, target: Path) -> None:
    """A consistent copy of a SQLite file that is not opened for writing, nor changed by a byte: what stands in its log
    is read from there. Raises EngageError if it cannot be read."""
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as reading,
            closing(sqlite3.connect(target)) as copy,
        ):
            reading.backup(copy)
    except sqlite3.Error as error:
        raise EngageError(f"{source} cannot be read: {error}") from error


def back_up(database: Database, target: Path, now: datetime) -> None:
    """A whole, consistent copy, as of one moment; writers are not held up for longer than a few pages take. Never
    overwrites. The copy says what it is: a daemon on it is paused until somebody lets it go on. Raises EngageError if
    the target exists, or if there is no file to copy."""
    if database.file is None:
        raise EngageError("this database is not a SQLite file; use the tools of its server")
    try:
        target.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        raise EngageError(f"{target} exists already; a backup overwrites nothing") from None
    try:
        with closing(sqlite3.connect(database.file)) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
        _mark(target, now)
    except BaseException:
        target.unlink()  # half a copy looks like a whole one
        raise


def _mark(target: Path, now: datetime) -> None:
    """Without a turn: nobody else writes to it, and nothing is to be left beside it."""
    copy = Database(URL.create("sqlite", database=str(target.absolute())))
    try:
        with copy.engine.begin() as connection:
            state.put_moment(connection, COPIED_AT, now)
    finally:
        copy.close()
