"""What has been applied: the files the daemon runs, and each journey's versions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, text, update

from engage.store import state
from engage.store.statements.rows import put_rows
from engage.store.tables import applied_file, journey, journey_version

V = journey_version.c

_MARK = "applied"  # counts every apply: moments would not do, since the clock of a demo is not that of the command line


NEVER = "0"  # the mark before the first apply


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
    """The mark is read first: where somebody applies meanwhile, it is an old one, and all is read anew."""
    since_then = mark(connection)
    files = {row.path: row.source for row in connection.execute(select(applied_file).order_by(applied_file.c.path))}
    rows = connection.execute(select(journey).order_by(journey.c.id)).all()
    draining = frozenset(row.id for row in rows if row.status == "draining")
    first = select(journey_version.c.journey_id, func.min(journey_version.c.applied_at))
    since = {row[0]: row[1] for row in connection.execute(first.group_by(journey_version.c.journey_id))}
    return Applied(files, {row.id: row.version for row in rows}, draining, since, since_then)


def mark(connection: Connection) -> str:
    """Cheap to read: tells whether anything was applied since."""
    return str(state.get(connection, _MARK) or 0)


def follows(earlier: str, later: str) -> bool:
    """Whether exactly one apply lies between the two marks."""
    return int(later) == int(earlier) + 1


def hold(connection: Connection) -> None:
    """What is applied stays so until this transaction ends: runs may be moved by it. Many may hold it."""
    _lock(connection, _SHARED)


def hold_alone(connection: Connection) -> None:
    """Nobody else holds what is applied until this transaction ends: it may change, and with it where runs stand."""
    _lock(connection, _ALONE)


def hold_door(connection: Connection, journey_id: str) -> None:
    """Nobody else lets members into this journey until this transaction ends: one live run each, and re-entry counted
    from the last."""
    if connection.dialect.name == "postgresql":
        connection.execute(_DOOR, {"of_journey": journey_id})


def _lock(connection: Connection, lock: Any) -> None:
    """On SQLite whoever writes is alone as it is."""
    if connection.dialect.name == "postgresql":
        connection.execute(lock)


# A table's lock, not a row's: who wants it alone stands in the queue, where many who share a row, one after the other,
# would never let them come to it. Reading goes on; and no session needs to outlive its transaction.
_SHARED = text(f"LOCK TABLE {applied_file.name} IN ROW SHARE MODE")
_ALONE = text(f"LOCK TABLE {applied_file.name} IN EXCLUSIVE MODE")
_DOOR = select(journey.c.id).where(journey.c.id == bindparam("of_journey")).with_for_update(key_share=True)


def put_files(connection: Connection, files: Mapping[str, str], now: datetime) -> None:
    """Make these the applied files: changed ones replaced, missing ones dropped."""
    connection.execute(delete(applied_file).where(applied_file.c.path.not_in(list(files))))
    rows = [{"path": path, "source": src, "hash": digest(src), "applied_at": now} for path, src in files.items()]
    put_rows(connection, applied_file, rows)
    state.put(connection, _MARK, (state.get(connection, _MARK) or 0) + 1, now)


@dataclass(frozen=True, slots=True)
class Version:
    """`names`: of the steps of the version before that live on in this one, the ids they have here; `record`: the names
    under which what is on record about steps went on with this version."""

    journey_id: str
    title: str
    source: str
    names: Mapping[str, str] | None = None
    record: Mapping[str, str] = field(default_factory=dict)


def put_version(connection: Connection, new: Version, plan_id: str | None, now: datetime) -> int:
    """A new version if the source differs from the applied one. Returns the version in force."""
    here = journey.c.id == new.journey_id
    row = connection.execute(select(journey).where(here)).one_or_none()
    if row is not None:
        connection.execute(update(journey).where(here).values(title=new.title, status="active"))
        if source_of(connection, new.journey_id, row.version) == new.source:
            return int(row.version)
    version = 1 if row is None else row.version + 1
    names = None if new.names is None else dict(new.names)
    stored = {"journey_id": new.journey_id, "version": version, "source": new.source, "hash": digest(new.source)}
    stored |= {"names": names, "record": dict(new.record)}
    connection.execute(insert(journey_version).values(**stored, plan_id=plan_id, applied_at=now))
    if row is None:
        connection.execute(insert(journey).values(id=new.journey_id, title=new.title, version=version, status="active"))
    else:
        connection.execute(update(journey).where(here).values(version=version))
    return version


def source_of(connection: Connection, journey_id: str, version: int) -> str | None:
    here = (journey_version.c.journey_id == journey_id) & (journey_version.c.version == version)
    return connection.scalar(select(journey_version.c.source).where(here))


def drain(connection: Connection, journey_ids: list[str]) -> None:
    """Their files are gone: who is in them finishes, nobody new enters."""
    connection.execute(update(journey).where(journey.c.id.in_(journey_ids)).values(status="draining"))


def names_brought_by(connection: Connection, plan_id: str) -> dict[str, dict[str, str]]:
    """Of each journey that this plan brought to a new version: of the steps that live on in it, the ids they have."""
    query = select(V.journey_id, V.names).where(V.plan_id == plan_id)
    return {row.journey_id: dict(row.names) for row in connection.execute(query) if row.names is not None}


# --- versions that runs are to finish in ------------------------------------------------------------------------


def pinned_versions(connection: Connection) -> list[tuple[str, int, str]]:
    """(journey, version, source)."""
    query = select(V.journey_id, V.version, V.source).where(V.pinned).order_by(V.journey_id, V.version)
    return [(row.journey_id, row.version, row.source) for row in connection.execute(query)]


def set_pinned(connection: Connection, journey_id: str, version: int, pinned: bool) -> None:
    here = (V.journey_id == journey_id) & (V.version == version)
    connection.execute(update(journey_version).where(here).values(pinned=pinned))


def name_now(connection: Connection, journey_id: str, version: int, step_id: str) -> str:
    """Under which name things are on record today of a step of that version."""
    for record in connection.scalars(_LATER_RECORDS, {"of_journey": journey_id, "after": version}):
        step_id = record.get(step_id, step_id)
    return step_id


_LATER_RECORDS = (
    select(V.record).where(V.journey_id == bindparam("of_journey"), V.version > bindparam("after")).order_by(V.version)
)


def names_before(connection: Connection, journey_id: str, step_id: str) -> dict[int, str]:
    """By earlier version, what a step of today was called there."""
    found: dict[int, str] = {}
    versions = select(V.version, V.record).where(V.journey_id == journey_id).order_by(V.version.desc())
    for version, record in connection.execute(versions):
        earlier = next((old for old, new in record.items() if new == step_id), None)
        if earlier is None:
            break
        found[version - 1] = step_id = earlier
    return found
