"""Copies of the database while it is in use, by SQLite's own online backup."""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

from sqlalchemy import URL

from engage.errors import EngageError
from engage.store import state
from engage.store.databases.continuity import COPIED_AT
from engage.store.databases.database import Database
from engage.store.databases.faults import telling_faults_apart


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
        raise EngageError(f"{source} cannot be read: {error}", f"{source} 读不出来：{error}") from error


def back_up(database: Database, target: Path, now: datetime) -> None:
    """A whole, consistent copy, as of one moment; writers are not held up for longer than a few pages take. Never
    overwrites. The copy says what it is: a daemon on it is paused until somebody lets it go on. Raises EngageError if
    the target exists or cannot be made, or if there is no file to copy."""
    if database.file is None:
        raise EngageError(
            "this database is not a SQLite file; use the tools of its server",
            "这个数据库不是 SQLite 文件；请用数据库服务器自己的备份工具",
        )
    if target.exists():
        raise _exists(target)
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}")  # half a copy must not look like a whole one
    try:
        part.touch(mode=0o600, exist_ok=False)
    except OSError as error:
        raise EngageError(
            f"{target} cannot be made: {error.strerror}; is its folder there?",
            f"{target} 建不了：{error.strerror}；它所在的文件夹存在吗？",
        ) from error
    try:
        with closing(sqlite3.connect(database.file)) as source, closing(sqlite3.connect(part)) as copy:
            source.backup(copy)
        _mark(part, now)
        _name(part, target)
    except FileExistsError:
        raise _exists(target) from None
    except sqlite3.Error as error:
        raise EngageError(
            f"{target} could not be written ({error}); nothing is left of it",
            f"{target} 写不进去（{error}）；没有留下半个文件",
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _name(part: Path, target: Path) -> None:
    """A link overwrites nothing, unlike another name; but there are file systems without."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:
        if target.exists():
            raise FileExistsError from None
        part.rename(target)


def _exists(target: Path) -> EngageError:
    return EngageError(
        f"{target} exists already; a backup overwrites nothing", f"{target} 已经存在；备份不会覆盖任何文件"
    )


def _mark(target: Path, now: datetime) -> None:
    """Without a turn: nobody else writes to it, and nothing is to be left beside it."""
    copy = Database(URL.create("sqlite", database=str(target.absolute())))
    try:
        with telling_faults_apart(), copy.engine.begin() as connection:
            state.put_moment(connection, COPIED_AT, now)
    finally:
        copy.close()
