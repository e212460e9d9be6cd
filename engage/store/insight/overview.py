"""How the system is now: what is waiting, what is due, what needs somebody. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from engage.store import lanes, state, tallies
from engage.store.tables import delivery, enrolment, event, inbound, pause, task
from engage.store.tables import state as states

D, E = delivery.c, enrolment.c
_RESTING = "resting:"
STOPPED = "stopped:"  # begins the names under which is counted what the last gate stops
TIRED = "tired:"  # … and under which those runs are that have walked all the steps of a day, by journey
SET_ASIDE = "set_aside:"  # … and what was set aside because the code fails over it alone, by loop


@dataclass(frozen=True, slots=True)
class Standing:
    """Live enrolments at one step; the holdout, which walks along unseen, is not in."""

    journey_id: str
    step_id: str | None
    members: int
    due: int  # to be looked at now
    next_due_at: datetime | None


def standing(connection: Connection, now: datetime) -> list[Standing]:
    due = func.count(E.id).filter(E.due_at <= now)
    query = select(E.journey_id, E.step_id, func.count(), due, func.min(E.due_at)).where(
        E.status == "live", E.holdout.is_(False)
    )
    rows = connection.execute(query.group_by(E.journey_id, E.step_id).order_by(E.journey_id, E.step_id))
    return [Standing(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Outbox:
    by_status: Mapping[str, int]
    oldest_due_at: datetime | None  # of what should have gone out by now
    next_due_at: datetime | None


def outbox(connection: Connection, now: datetime) -> Outbox:
    counts = connection.execute(select(D.status, func.count()).group_by(D.status))
    overdue = [lane.due_at for lane in lanes.lanes(connection) if lane.due_at <= now]
    later = [lane.due_at for lane in lanes.lanes(connection, after=now)]
    return Outbox({row[0]: row[1] for row in counts}, min(overdue, default=None), min(later, default=None))


@dataclass(frozen=True, slots=True)
class Inbox:
    """Records that wait to be read, that could not be read, and events no journey has looked at."""

    unread: int
    unreadable: int
    fresh_events: int


def inbox(connection: Connection) -> Inbox:
    query = select(inbound.c.status, func.count()).where(inbound.c.status.in_(["new", "unreadable"]))
    counts: dict[str, int] = {row[0]: row[1] for row in connection.execute(query.group_by(inbound.c.status))}
    fresh = connection.scalar(select(func.count()).select_from(event).where(event.c.fresh)) or 0
    return Inbox(counts.get("new", 0), counts.get("unreadable", 0), fresh)


@dataclass(frozen=True, slots=True)
class Paused:
    scope: str
    since: datetime
    reason: str | None


def pauses(connection: Connection) -> list[Paused]:
    rows = connection.execute(select(pause.c.scope, pause.c.since, pause.c.reason).order_by(pause.c.scope))
    return [Paused(*row) for row in rows]


def stopped(connection: Connection, since: datetime) -> dict[str, int]:
    """What the last gate has stopped, by limit and channel: `same_words:sms`."""
    return tallies.counted_under(connection, STOPPED, since)


def tired(connection: Connection, since: datetime) -> dict[str, int]:
    """By journey: how often since then a run has walked all the steps of a day, and rests until the next."""
    return tallies.counted_under(connection, TIRED, since)


def set_aside(connection: Connection, since: datetime) -> dict[str, int]:
    """By loop: on how much it has failed since then, each alone, and passed it over."""
    return tallies.counted_under(connection, SET_ASIDE, since)


def resting(connection: Connection, now: datetime) -> dict[str, datetime]:
    """Channels left alone until then, because their provider refuses everything."""
    query = select(states.c.key, states.c.value, states.c.at).where(states.c.key.startswith(_RESTING))
    rows = connection.execute(query.order_by(states.c.key))
    until = {key.removeprefix(_RESTING): state.still_ahead(value, put_at, now) for key, value, put_at in rows}
    return {channel: moment for channel, moment in until.items() if moment is not None}


@dataclass(frozen=True, slots=True)
class OpenTasks:
    open: int
    urgent: int
    overdue: int


def open_tasks(connection: Connection, now: datetime) -> OpenTasks:
    t = task.c
    query = select(func.count(), func.count(t.id).filter(t.urgent), func.count(t.id).filter(t.due_at < now))
    return OpenTasks(*connection.execute(query.where(t.closed_at.is_(None))).one())
