"""Small facts of the running system, once-only slots, and what ops have paused."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select

from engage.store.database import upsert
from engage.store.keys import put_rows
from engage.store.tables import job_slot, pause, state

VIRTUAL_NOW = "virtual_now"  # where the clock of a demo stands
STARTS_SEEN = "starts_seen"  # up to when starts at a moment have been looked for
SEGMENTS_SWEPT = "segments_swept"  # up to when the passing of time has been applied to segments
ALL = "all"  # the pause scope that stops everything


_VALUE = select(state.c.value).where(state.c.key == bindparam("wanted"))


def get(connection: Connection, key: str) -> Any:
    """None if it was never put."""
    return connection.scalar(_VALUE, {"wanted": key})


def put(connection: Connection, key: str, value: Any, now: datetime) -> None:
    put_rows(connection, state, [{"key": key, "value": value, "at": now}])


def moment(connection: Connection, key: str) -> datetime | None:
    """What was put as a moment."""
    value = get(connection, key)
    return datetime.fromisoformat(value) if value is not None else None


def put_moment(connection: Connection, key: str, now: datetime) -> None:
    put(connection, key, now.isoformat(), now)


def let_time_count(connection: Connection, now: datetime) -> None:
    """What comes due from now on is looked for, also if the first to look is a daemon that is started days later."""
    for key in (STARTS_SEEN, SEGMENTS_SWEPT):
        if get(connection, key) is None:
            put_moment(connection, key, now)


def forget_time(connection: Connection) -> None:
    """Time counts anew from whoever looks next."""
    connection.execute(delete(state).where(state.c.key.in_([STARTS_SEEN, SEGMENTS_SWEPT])))


def take_slot(connection: Connection, job: str, slot: str, now: datetime) -> bool:
    """True for whoever is first; the row stays, so that a late process cannot do it again."""
    return connection.scalar(_TAKEN, {"job": job, "slot": slot, "done_at": now}) is not None


_TAKEN = upsert(job_slot).on_conflict_do_nothing().returning(job_slot.c.slot)
_PAUSED = select(pause.c.scope)


def paused(connection: Connection) -> frozenset[str]:
    """Scopes that are stopped: "all", "journey:<id>", "channel:<name>"."""
    return frozenset(connection.scalars(_PAUSED))


def pause_scopes(connection: Connection, scopes: Iterable[str], reason: str, now: datetime) -> None:
    for scope in scopes:
        connection.execute(upsert(pause).values(scope=scope, since=now, reason=reason).on_conflict_do_nothing())


def resume_scopes(connection: Connection, scopes: Iterable[str]) -> int:
    return connection.execute(delete(pause).where(pause.c.scope.in_(list(scopes)))).rowcount
