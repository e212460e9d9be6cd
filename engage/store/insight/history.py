"""Everything that was decided about one member, as it was written down: runs, their trail, their messages, what came of
them, and what the member has consented to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Integer, bindparam, select

from engage.core.anniversary import Anniversary, Calendar
from engage.core.catalog import RESPONSE_EVENTS
from engage.core.turn import EndKind
from engage.store.ledger import of_member, whole, with_ledger
from engage.store.members import MemberRef
from engage.store.tables import (
    anniversary,
    consent,
    decision,
    delivery,
    enrolment,
    event,
    segment_member,
    suppression,
    task,
)


def _of_member(table: Any) -> Any:
    """Rows of the member that the statement is executed with, see `_given`."""
    return (table.c.bucket == bindparam("of_bucket")) & (table.c.member_id == bindparam("of_member"))


def _given(ref: MemberRef) -> dict[str, int]:
    return {"of_bucket": ref.bucket, "of_member": ref.id}


@dataclass(frozen=True, slots=True)
class PastRun:
    id: int
    journey_id: str
    version: int
    holdout: bool
    status: str
    end_kind: str | None
    end_reason: str | None
    entered_at: datetime
    ended_at: datetime | None
    step_id: str | None
    due_at: datetime | None
    occurrence: str  # what the start was: see enrol.admit
    per_value: str
    goal_at: datetime | None
    goal_counts: bool | None
    pinned_version: int | None  # the version they are to finish in, if it is not the applied one
    began_with: Happening | None = None  # the event of the start, if it was one

    @property
    def never_began(self) -> bool:
        return self.end_kind == EndKind.NEVER_BEGAN


@dataclass(frozen=True, slots=True)
class Happening:
    """An event of the member. `recorded_at`: when we heard of it."""

    id: int
    name: str
    at: datetime
    payload: Mapping[str, Any]
    recorded_at: datetime
    inbound_id: int | None
    delivery_id: int | None
    fresh: bool


def runs(connection: Connection, ref: MemberRef, journey_id: str | None = None) -> list[PastRun]:
    """Oldest first."""
    query = _RUNS if journey_id is None else _RUNS_IN_JOURNEY
    rows = connection.execute(query, _given(ref) | {"of_journey": journey_id}).mappings()
    found = [PastRun(**row) for row in rows]
    ids = [i for run in found if (i := _event_of(run)) is not None]
    began = {row.id: Happening(*row) for row in connection.execute(_BEGAN_WITH, _given(ref) | {"given": ids})}
    return [replace(run, began_with=began.get(_event_of(run) or 0)) for run in found]


def _event_of(run: PastRun) -> int | None:
    kind, _, number = run.occurrence.partition(":")
    return int(number) if kind == "event" and number.isdecimal() else None


_E = enrolment.c
_RUNS = (
    select(
        *(_E.id, _E.journey_id, _E.version, _E.holdout, _E.status, _E.end_kind, _E.end_reason, _E.entered_at),
        *(_E.ended_at, _E.step_id, _E.due_at, _E.occurrence, _E.per_value, _E.goal_at, _E.goal_counts),
        _E.pinned_version,
    )
    .where(_of_member(enrolment))
    .order_by(_E.entered_at, _E.id)
)
_RUNS_IN_JOURNEY = _RUNS.where(_E.journey_id == bindparam("of_journey"))


def happenings(connection: Connection, ref: MemberRef, names: Sequence[str], most: int = 1000) -> list[Happening]:
    """Events of the member that have one of these names, newest first."""
    given = _given(ref) | {"names": list(names), "most": most}
    return [Happening(*row) for row in connection.execute(_NEWEST, given)]


_V = event.c
_HAPPENINGS = select(_V.id, _V.name, _V.at, _V.payload, _V.recorded_at, _V.inbound_id, _V.delivery_id, _V.fresh).where(
    _of_member(event)
)
_BEGAN_WITH = _HAPPENINGS.where(_V.id.in_(bindparam("given", expanding=True)))
_NEWEST = (
    _HAPPENINGS.where(_V.name.in_(bindparam("names", expanding=True)))
    .order_by(_V.at.desc(), _V.id.desc())
    .limit(bindparam("most", type_=Integer()))
)


@dataclass(frozen=True, slots=True)
class Decided:
    """One line of a run's trail."""

    at: datetime
    step_id: str | None
    what: str
    detail: Mapping[str, Any]


def trail(connection: Connection, ref: MemberRef, run_ids: Sequence[int]) -> dict[int, list[Decided]]:
    """By run, in the order it was written."""
    found: dict[int, list[Decided]] = {}
    for enrolment_id, *line in connection.execute(_TRAIL, {"of_bucket": ref.bucket, "of_runs": run_ids}):
        found.setdefault(enrolment_id, []).append(Decided(*line))
    return found


_D = decision.c
_TRAIL = (
    select(_D.enrolment_id, _D.at, _D.step_id, _D.what, _D.detail)
    .where(_D.bucket == bindparam("of_bucket"), _D.enrolment_id.in_(bindparam("of_runs", expanding=True)))
    .order_by(_D.id)
)


@dataclass(frozen=True, slots=True)
class PastMessage:
    """One delivery with its last judgement: `decision` has a line for each channel that was looked at."""

    id: int
    message_key: str
    enrolment_id: int | None
    journey_id: str | None
    step_id: str | None
    topic: str
    purpose: str
    hop: int
    template: str
    status: str
    reason: str | None
    channel: str | None
    queued_at: datetime
    due_at: datetime | None
    claimed_at: datetime | None
    held_back: str | None  # why it waited, if it did
    first_sent_at: datetime | None
    attempts: int
    provider_id: str | None
    code: str | None
    arrival: str | None
    arrival_at: datetime | None
    segments: int | None
    cost: float | None
    text: str | None
    decision: Sequence[Mapping[str, Any]] | None


def messages(connection: Connection, ref: MemberRef) -> list[PastMessage]:
    """All of the member's, oldest first; those of no run as well."""
    return [PastMessage(**row) for row in connection.execute(_MESSAGES, _given(ref)).mappings()]


_M = delivery.c
_MESSAGES = with_ledger(
    select(
        *(_M.id, _M.message_key, _M.enrolment_id, _M.journey_id, _M.step_id, _M.topic, _M.purpose, _M.hop),
        *(_M.template, _M.status, _M.reason, _M.channel, _M.queued_at, _M.due_at, _M.claimed_at, _M.held_back),
        *(_M.first_sent_at, _M.attempts, _M.provider_id, _M.code, _M.arrival, _M.arrival_at, _M.segments, _M.cost),
        *(whole("text"), whole("decision")),
    )
    .where(of_member(bindparam("of_bucket"), bindparam("of_member")))
    .order_by(_M.queued_at, _M.id)
)


# --- what came of messages --------------------------------------------------------------------------------------


def responses(connection: Connection, ref: MemberRef) -> dict[int, list[Happening]]:
    """By delivery id, oldest first: clicked, replied, answered, bounced, unsubscribed …"""
    found: dict[int, list[Happening]] = {}
    for happening in reversed(happenings(connection, ref, sorted(RESPONSE_EVENTS))):
        if happening.delivery_id is not None:
            found.setdefault(happening.delivery_id, []).append(happening)
    return found


@dataclass(frozen=True, slots=True)
class PastTask:
    id: int
    enrolment_id: int | None
    step_id: str | None
    team: str | None
    words: str
    urgent: bool
    opened_at: datetime
    due_at: datetime | None
    closed_at: datetime | None
    closed_by: str | None
    outcome: str | None


def tasks(connection: Connection, ref: MemberRef) -> list[PastTask]:
    return [PastTask(*row) for row in connection.execute(_TASKS, _given(ref))]


_T = task.c
_TASKS = (
    select(
        *(_T.id, _T.enrolment_id, _T.step_id, _T.team, _T.words, _T.urgent, _T.opened_at, _T.due_at, _T.closed_at),
        *(_T.closed_by, _T.outcome),
    )
    .where(_of_member(task))
    .order_by(_T.id)
)


# --- what is on file --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ConsentOnFile:
    topic: str
    channel: str
    granted: bool
    evidence: str
    at: datetime


def consents(connection: Connection, ref: MemberRef) -> list[ConsentOnFile]:
    c = consent.c
    query = select(c.topic, c.channel, c.granted, c.evidence, c.at).where(c.bucket == ref.bucket, c.member_id == ref.id)
    return [ConsentOnFile(*row) for row in connection.execute(query.order_by(c.channel, c.topic))]


def suppressed(connection: Connection, channel: str, address: str) -> tuple[str, datetime] | None:
    """Why, and since when."""
    s = suppression.c
    query = select(s.reason, s.at).where(s.channel == channel, s.address == address)
    row = connection.execute(query).one_or_none()
    return (row.reason, row.at) if row is not None else None


def in_segment_since(connection: Connection, ref: MemberRef, segment: str) -> datetime | None:
    s = segment_member.c
    here = (s.bucket == ref.bucket) & (s.member_id == ref.id) & (s.segment == segment)
    since: datetime | None = connection.scalar(select(s.entered_at).where(here))
    return since


def anniversary_of(connection: Connection, ref: MemberRef, field: str) -> Anniversary | None:
    a = anniversary.c
    query = select(a.calendar, a.month, a.day, a.leap, a.year)
    here = (a.bucket == ref.bucket) & (a.member_id == ref.id) & (a.field == field)
    row = connection.execute(query.where(here)).one_or_none()
    return Anniversary(Calendar(row.calendar), row.month, row.day, row.leap, row.year) if row is not None else None
