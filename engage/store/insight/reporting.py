"""What came of a period: messages, skips, enrolments, goals, answers, opt-outs and tasks, counted in the database.

A period is `since <= t < until`. Messages belong to it by their first intent, skips by when they were queued. What a
rate or an interval means is `core.measure`'s to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, distinct, func, or_, select

from engage.core.delivery import Status
from engage.core.measure import Csat, Lift, Nps, csat, lift, nps
from engage.store.holding import HAS_BEGUN
from engage.store.tables import answer, delivery, enrolment, event, task

D, E = delivery.c, enrolment.c
_UNSURE = (Status.AMBIGUOUS, Status.SENDING)  # whether they went out is not known, or not yet
_RESPONSES = ("clicked", "replied", "answered")


@dataclass(frozen=True, slots=True)
class Period:
    since: datetime
    until: datetime

    def holds(self, column: Any) -> ColumnElement[bool]:
        return and_(column >= self.since, column < self.until)


def beginning(connection: Connection) -> datetime | None:
    """The first moment there is anything to report of; None if there is nothing."""
    firsts = (
        select(func.min(D.queued_at)),
        select(func.min(E.entered_at)),
        select(func.min(answer.c.answered_at)),
        select(func.min(task.c.opened_at)),
    )
    moments = [connection.scalar(first) for first in firsts]
    return min((moment for moment in moments if moment is not None), default=None)


# --- messages ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Messages:
    """Of one journey on one channel. `sent` includes what bounced later; clicks and replies count messages, not taps.
    Segments and cost are of what went out, or may have; nobody charges for what was refused. `journey_id` None: no
    journey's, such as the confirmation of an opt-out."""

    journey_id: str | None
    channel: str | None
    sent: int = 0
    ambiguous: int = 0
    failed: int = 0
    delivered: int = 0
    bounced: int = 0
    clicked: int = 0
    replied: int = 0
    answered: int = 0
    segments: int = 0
    cost: float = 0.0


def messages(connection: Connection, period: Period) -> list[Messages]:
    """By journey and channel."""
    charged = D.status.in_([Status.SENT, *_UNSURE])
    columns = (
        _count(D.status == Status.SENT).label("sent"),
        _count(D.status.in_(_UNSURE)).label("ambiguous"),
        _count(D.status == Status.FAILED).label("failed"),
        _count(D.arrival == "delivered").label("delivered"),
        _count(D.arrival == "bounced").label("bounced"),
        func.coalesce(func.sum(D.segments).filter(charged), 0).label("segments"),
        func.coalesce(func.sum(D.cost).filter(charged), 0.0).label("cost"),
    )
    query = select(D.journey_id, D.channel, *columns).where(period.holds(D.first_sent_at))
    grouped = query.group_by(D.journey_id, D.channel).order_by(D.journey_id, D.channel)
    taken_up = _taken_up(connection, period)
    found = []
    for row in connection.execute(grouped):
        clicked, replied, answered = (taken_up.get((row.journey_id, row.channel, name), 0) for name in _RESPONSES)
        found.append(Messages(**row._mapping, clicked=clicked, replied=replied, answered=answered))
    return found


def _count(condition: Any) -> Any:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _taken_up(connection: Connection, period: Period) -> dict[tuple[str | None, str | None, str], int]:
    """How many messages of the period were clicked, replied to or answered, by journey, channel and event."""
    joined = (event.c.bucket == D.bucket) & (event.c.delivery_id == D.id)
    query = (
        select(D.journey_id, D.channel, event.c.name, func.count(distinct(D.id)))
        .join_from(delivery, event, joined)
        .where(period.holds(D.first_sent_at), event.c.name.in_(_RESPONSES))
        .group_by(D.journey_id, D.channel, event.c.name)
    )
    return {(journey_id, channel, name): count for journey_id, channel, name, count in connection.execute(query)}


@dataclass(frozen=True, slots=True)
class Skipped:
    """Messages that were not sent on purpose."""

    journey_id: str | None
    reason: str
    count: int


def skipped(connection: Connection, period: Period) -> list[Skipped]:
    query = select(D.journey_id, func.coalesce(D.reason, ""), func.count()).where(
        D.status == Status.SKIPPED, period.holds(D.queued_at)
    )
    rows = connection.execute(query.group_by(D.journey_id, D.reason).order_by(func.count().desc(), D.journey_id))
    return [Skipped(*row) for row in rows]


# --- enrolments and goals ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Enrolments:
    """Of one journey: who entered in the period, and how those runs ended that ended in it. The holdout is not in."""

    journey_id: str
    entered: int
    held_out: int
    goal: int
    exit: int
    completed: int
    live: int  # now


def enrolments(connection: Connection, period: Period) -> list[Enrolments]:
    entered, sent_to = period.holds(E.entered_at), E.holdout.is_(False)
    ended = and_(period.holds(E.ended_at), sent_to)
    columns = (
        _count(and_(entered, sent_to)),
        _count(and_(entered, E.holdout)),
        *(_count(and_(ended, E.end_kind == kind)) for kind in ("goal", "exit", "completed")),
        _count(and_(E.status == "live", sent_to)),
    )
    query = select(E.journey_id, *columns).where(HAS_BEGUN).group_by(E.journey_id).order_by(E.journey_id)
    return [Enrolments(*row) for row in connection.execute(query)]


@dataclass(frozen=True, slots=True)
class Goals:
    """Of the runs that entered in the period: how many reached the goal inside its attribution window. `lift` is None
    without a holdout."""

    journey_id: str
    entered: int
    reached: int
    control: int
    control_reached: int
    lift: Lift | None


def goals(connection: Connection, period: Period, journey_ids: Sequence[str]) -> list[Goals]:
    """`journey_ids`: those that have a goal."""
    reached = E.goal_counts.is_(True)
    columns = (
        _count(E.holdout.is_(False)),
        _count(and_(E.holdout.is_(False), reached)),
        _count(E.holdout),
        _count(and_(E.holdout, reached)),
    )
    entered = and_(HAS_BEGUN, period.holds(E.entered_at))
    query = select(E.journey_id, *columns).where(entered, E.journey_id.in_(journey_ids))
    rows = connection.execute(query.group_by(E.journey_id).order_by(E.journey_id))
    return [_goals(*row) for row in rows]


def _goals(journey_id: str, entered: int, reached: int, control: int, control_reached: int) -> Goals:
    measured = lift(reached, entered, control_reached, control) if control else None
    return Goals(journey_id, entered, reached, control, control_reached, measured)


# --- answers ----------------------------------------------------------------------------------------------------


def nps_by_journey(connection: Connection, period: Period) -> dict[str | None, Nps]:
    """None: over all answers."""
    return {journey_id: nps(scores) for journey_id, scores in scores(connection, period, "nps").items()}


def csat_by_journey(connection: Connection, period: Period) -> dict[str | None, Csat]:
    """None: over all answers."""
    return {journey_id: csat(scores) for journey_id, scores in scores(connection, period, "csat").items()}


def scores(connection: Connection, period: Period, survey: str) -> dict[str | None, list[int]]:
    """By journey; None: all of them."""
    a = answer.c
    query = select(a.journey_id, a.score, func.count()).where(
        a.survey == survey, a.score.is_not(None), period.holds(a.answered_at)
    )
    found: dict[str | None, list[int]] = {None: []}
    for journey_id, score, count in connection.execute(query.group_by(a.journey_id, a.score).order_by(a.journey_id)):
        found.setdefault(journey_id, []).extend([score] * count)
        found[None].extend([score] * count)
    return found


# --- opt-outs and tasks -----------------------------------------------------------------------------------------


def opt_outs(connection: Connection, period: Period) -> dict[str, int]:
    """How many members opted out, by channel."""
    query = select(event.c.channel, func.count(distinct(event.c.member_id))).where(
        event.c.name == "unsubscribed", period.holds(event.c.at), event.c.channel.is_not(None)
    )
    rows = connection.execute(query.group_by(event.c.channel).order_by(event.c.channel))
    return {row[0]: row[1] for row in rows}


@dataclass(frozen=True, slots=True)
class Tasks:
    """Of one team; None: the inbox."""

    team: str | None
    opened: int
    closed: int
    open: int  # now
    overdue: int  # now


def tasks(connection: Connection, period: Period, now: datetime) -> list[Tasks]:
    t = task.c
    open_now = t.closed_at.is_(None)
    columns = (
        _count(period.holds(t.opened_at)),
        _count(period.holds(t.closed_at)),
        _count(open_now),
        _count(and_(open_now, t.due_at < now)),
    )
    touched = or_(open_now, period.holds(t.opened_at), period.holds(t.closed_at))
    query = select(t.team, *columns).where(touched).group_by(t.team).order_by(t.team)
    return [Tasks(*row) for row in connection.execute(query)]
