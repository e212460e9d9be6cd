"""Small facts of the running system, once-only slots, and what ops have paused."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import astuple
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, select

from engage.core.arrears import Arrears
from engage.store.databases.database import upsert
from engage.store.statements.ranks import Moved
from engage.store.statements.rows import put_rows
from engage.store.tables import job_slot, pause, state

VIRTUAL_NOW = "virtual_now"  # where the clock of a demo stands
STARTS_SEEN = "starts_seen"  # up to when starts at a moment have been looked for
STARTS_OWED = "starts_owed"  # slots before that which are still to come: put there by an edit, or their journey rests
STARTS_BEGUN = "starts_begun"  # those that come in by batches: slots, and how far each has come
SEGMENTS_SWEPT = "segments_swept"  # up to when the passing of time has been applied to segments
PASSING = "passing"  # which daemon is at that, and since when it was last heard of
FORETOLD = "foretold"  # how many come into segments with it
RANKS_MOVED = "ranks_moved"  # thresholds, those between which are still to be looked at
ARREARS = "arrears"  # what came due while nobody was at work
ALL = "all"  # the pause scope that stops everything
RESTORED = "restored"  # the one of a database that was brought back: members stand still, too
CLOCKS_DIFFER = timedelta(seconds=5)  # of daemons: at most, or `engage doctor` speaks of it
EVERYTHING = frozenset({ALL, RESTORED})  # either of them stops all sends


_VALUE = select(state.c.value).where(state.c.key == bindparam("wanted"))


def get(connection: Connection, key: str, *, to_change: bool = False) -> Any:
    """None if it was never put. `to_change`: nobody else changes it before this transaction ends."""
    return connection.scalar(_VALUE.with_for_update() if to_change else _VALUE, {"wanted": key})


def put(connection: Connection, key: str, value: Any, now: datetime) -> None:
    put_rows(connection, state, [{"key": key, "value": value, "at": now}])


def moment(connection: Connection, key: str) -> datetime | None:
    """What was put as a moment."""
    value = get(connection, key)
    return datetime.fromisoformat(value) if value is not None else None


def still_ahead(value: str, put_at: datetime, now: datetime) -> datetime | None:
    """A moment that was put to be waited for; None if there is nothing to wait for any more. One that was put at a time
    yet to come does not count: the clock was set back, and no channel is to stand still for that hour."""
    until = datetime.fromisoformat(value)
    return until if until > now and put_at <= now + CLOCKS_DIFFER else None


def put_moment(connection: Connection, key: str, now: datetime) -> None:
    put(connection, key, now.isoformat(), now)


def arrears(connection: Connection, *, to_change: bool = False) -> Arrears | None:
    """`to_change`: nobody else queues up in it before this transaction ends."""
    value = get(connection, ARREARS, to_change=to_change)
    return Arrears.from_data(value) if value is not None else None


def put_arrears(connection: Connection, in_arrears: Arrears, now: datetime) -> None:
    put(connection, ARREARS, in_arrears.as_data(), now)


def fall_into_arrears(connection: Connection, until: datetime, now: datetime, *, dropped: bool = False) -> None:
    """What is due by then goes out one after the other; `dropped`: not at all."""
    before = arrears(connection, to_change=True) or Arrears(until)
    put_arrears(connection, before.up_to(until, dropped=dropped), now)


class OwedStart(NamedTuple):
    """`slot`: its key. `member_id`: of the only one to whom it is owed, and since when, as ISO 8601 has it; None: it is
    owed to all."""

    journey_id: str
    zone_name: str | None
    slot: str
    member_id: int | None = None
    since: str | None = None


Owed = Set[OwedStart]


def starts_owed(connection: Connection) -> Owed:
    return {OwedStart(*each) for each in get(connection, STARTS_OWED) or ()}


def put_starts_owed(connection: Connection, owed: Owed, now: datetime) -> None:
    put(connection, STARTS_OWED, sorted(map(list, owed), key=str), now)


def passing(connection: Connection) -> tuple[str, datetime] | None:
    """Which daemon is at it, and when it last wrote somebody down."""
    by = get(connection, PASSING)
    return (by[0], datetime.fromisoformat(by[1])) if by is not None else None


def put_passing(connection: Connection, by: str, now: datetime) -> None:
    put(connection, PASSING, [by, now.isoformat()], now)


class Foretold(NamedTuple):
    """`left`: of those who were told of, by segment, how many have not entered yet."""

    at: datetime
    left: dict[str, int]


def foretold(connection: Connection) -> Foretold | None:
    told = get(connection, FORETOLD)
    return Foretold(datetime.fromisoformat(told[0]), told[1]) if told is not None else None


def put_foretold(connection: Connection, told: Foretold, now: datetime) -> None:
    put(connection, FORETOLD, [told.at.isoformat(), told.left], now)


def ranks_moved(connection: Connection) -> list[Moved]:
    return [Moved(*each) for each in get(connection, RANKS_MOVED) or ()]


def put_ranks_moved(connection: Connection, moved: Iterable[Moved], now: datetime) -> None:
    put(connection, RANKS_MOVED, list(map(astuple, moved)), now)


def let_time_count(connection: Connection, now: datetime) -> None:
    """What comes due from now on is looked for, also if the first to look is a daemon that is started days later."""
    for key in (STARTS_SEEN, SEGMENTS_SWEPT):
        if get(connection, key) is None:
            put_moment(connection, key, now)


def forget_time(connection: Connection) -> None:
    """Time counts anew from whoever looks next."""
    connection.execute(delete(state).where(state.c.key.in_([STARTS_SEEN, STARTS_OWED, SEGMENTS_SWEPT])))


def take_slot(connection: Connection, job: str, slot: str, now: datetime) -> bool:
    """True for whoever is first; the row stays, so that a late process cannot do it again."""
    return connection.scalar(_TAKEN, {"job": job, "slot": slot, "done_at": now}) is not None


def slot_is_taken(connection: Connection, job: str, slot: str) -> bool:
    return connection.scalar(_IS_TAKEN, {"of_job": job, "of_slot": slot}) is not None


def take_turn(connection: Connection, work: str, now: datetime, *, waits: bool = False) -> bool:
    """For work that one process does at a time. True for whoever is first to ask, until its transaction ends; whoever
    asks meanwhile is told no, or `waits`. On SQLite whoever writes is alone as it is."""
    if connection.dialect.name == "sqlite":
        return True
    wanted = {"wanted": f"turn:{work}"}
    if connection.scalar(_TURN_IN_TIME if waits else _TURN, wanted) is not None:
        return True
    if get(connection, wanted["wanted"]) is not None:
        return False
    first = {"key": wanted["wanted"], "value": work, "at": now}
    return connection.scalar(_FIRST_TURN, first) is not None


_TURN = select(state.c.key).where(state.c.key == bindparam("wanted")).with_for_update(skip_locked=True)
_TURN_IN_TIME = select(state.c.key).where(state.c.key == bindparam("wanted")).with_for_update()
_FIRST_TURN = upsert(state).on_conflict_do_nothing().returning(state.c.key)
_TAKEN = upsert(job_slot).on_conflict_do_nothing().returning(job_slot.c.slot)
_IS_TAKEN = select(job_slot.c.slot).where(
    job_slot.c.job == bindparam("of_job"), job_slot.c.slot == bindparam("of_slot")
)
_PAUSED = select(pause.c.scope)


def paused(connection: Connection) -> frozenset[str]:
    """Scopes that are stopped: "all", "journey:<id>", "channel:<name>"."""
    return frozenset(connection.scalars(_PAUSED))


def pause_scopes(connection: Connection, scopes: Iterable[str], reason: str, now: datetime) -> None:
    for scope in scopes:
        connection.execute(upsert(pause).values(scope=scope, since=now, reason=reason).on_conflict_do_nothing())


def resume_scopes(connection: Connection, scopes: Iterable[str]) -> int:
    return connection.execute(delete(pause).where(pause.c.scope.in_(list(scopes)))).rowcount
