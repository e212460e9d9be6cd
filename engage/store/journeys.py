"""What has been applied: the files the daemon runs, and each journey's versions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select, update

from engage.store import state
from engage.store.database import upsert
from engage.store.tables import applied_file, enrolment, journey, journey_version

_MARK = "applied"  # counts every apply: moments would not do, since the clock of a demo is not that of the command line


def digest(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Applied:
    """The applied files (path → source), and the version each journey is at. `mark` changes with every apply."""

    files: Mapping[str, str]
    versions: Mapping[str, int]
    draining: frozenset[str]
    since: Mapping[str, datetime]  # when each journey was first applied
    mark: str


def applied(connection: Connection) -> Applied:
    files = {row.path: row.source for row in connection.execute(select(applied_file).order_by(applied_file.c.path))}
    rows = connection.execute(select(journey).order_by(journey.c.id)).all()
    draining = frozenset(row.id for row in rows if row.status == "draining")
    first = select(journey_version.c.journey_id, func.min(journey_version.c.applied_at))
    since = {row[0]: row[1] for row in connection.execute(first.group_by(journey_version.c.journey_id))}
    return Applied(files, {row.id: row.version for row in rows}, draining, since, mark(connection))


def mark(connection: Connection) -> str:
    """Cheap to read: tells whether anything was applied since."""
    return str(state.get(connection, _MARK))


def put_files(connection: Connection, files: Mapping[str, str], now: datetime) -> None:
    """Make these the applied files: changed ones replaced, missing ones dropped."""
    connection.execute(delete(applied_file).where(applied_file.c.path.not_in(list(files))))
    for path, source in files.items():
        statement = upsert(applied_file).values(path=path, source=source, hash=digest(source), applied_at=now)
        changes = {name: statement.excluded[name] for name in ("source", "hash", "applied_at")}
        connection.execute(statement.on_conflict_do_update(index_elements=["path"], set_=changes))
    state.put(connection, _MARK, (state.get(connection, _MARK) or 0) + 1, now)


def put_version(connection: Connection, journey_id: str, title: str, source: str, now: datetime) -> int:
    """A new version if the source differs from the applied one. Returns the version in force."""
    row = connection.execute(select(journey).where(journey.c.id == journey_id)).one_or_none()
    if row is not None:
        connection.execute(update(journey).where(journey.c.id == journey_id).values(title=title, status="active"))
        if source_of(connection, journey_id, row.version) == source:
            return int(row.version)
    version = 1 if row is None else row.version + 1
    stored = {"journey_id": journey_id, "version": version, "source": source, "hash": digest(source)}
    connection.execute(insert(journey_version).values(**stored, applied_at=now))
    if row is None:
        connection.execute(insert(journey).values(id=journey_id, title=title, version=version, status="active"))
    else:
        connection.execute(update(journey).where(journey.c.id == journey_id).values(version=version))
    return version


def source_of(connection: Connection, journey_id: str, version: int) -> str | None:
    here = (journey_version.c.journey_id == journey_id) & (journey_version.c.version == version)
    return connection.scalar(select(journey_version.c.source).where(here))


def drain(connection: Connection, journey_ids: list[str]) -> None:
    """Their files are gone: who is in them finishes, nobody new enters."""
    connection.execute(update(journey).where(journey.c.id.in_(journey_ids)).values(status="draining"))


def standing_at(connection: Connection, journey_id: str) -> dict[str, int]:
    """How many live enrolments stand at each step."""
    here = (enrolment.c.journey_id == journey_id) & (enrolment.c.status == "live")
    query = select(enrolment.c.step_id, func.count()).where(here).group_by(enrolment.c.step_id)
    return {row.step_id: row[1] for row in connection.execute(query)}
