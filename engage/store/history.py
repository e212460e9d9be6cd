"""Everything that was decided about one member, as it was written down: runs, their trail, their messages, what came of
them, and what the member has consented to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from engage.core.anniversary import Anniversary, Calendar
from engage.core.catalog import RESPONSE_EVENTS
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
    e = enrolment.c
    columns = (
        *(e.id, e.journey_id, e.version, e.holdout, e.status, e.end_kind, e.end_reason, e.entered_at, e.ended_at),
        *(e.step_id, e.due_at, e.occurrence, e.per_value, e.goal_at, e.goal_counts, e.pinned_version),
    )
    query = select(*columns).where(e.bucket == ref.bucket, e.member_id == ref.id)
    if journey_id is not None:
        query = query.where(e.journey_id == journey_id)
    rows = connection.execute(query.order_by(e.entered_at, e.id)).mappings()
    found = [PastRun(**row) for row in rows]
    began = happenings(connection, ref, ids=[i for run in found if (i := _event_of(run)) is not None])
    by_id = {happening.id: happening for happening in began}
    return [replace(run, began_with=by_id.get(_event_of(run) or 0)) for run in found]


def _event_of(run: PastRun) -> int | None:
    kind, _, number = run.occurrence.partition(":")
    return int(number) if kind == "event" and number.isdecimal() else None


def happenings(
    connection: Connection,
    ref: MemberRef,
    *,
    ids: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    most: int = 1000,
) -> list[Happening]:
    """Events of the member, newest first: these ones, or those of these names."""
    e = event.c
    columns = (e.id, e.name, e.at, e.payload, e.recorded_at, e.inbound_id, e.delivery_id, e.fresh)
    query = select(*columns).where(e.bucket == ref.bucket, e.member_id == ref.id)
    if ids is not None:
        query = query.where(e.id.in_(list(ids)))
    if names is not None:
        query = query.where(e.name.in_(list(names)))
    return [Happening(*row) for row in connection.execute(query.order_by(e.at.desc(), e.id.desc()).limit(most))]


@dataclass(frozen=True, slots=True)
class Decided:
    """One line of a run's trail."""

    at: datetime
    step_id: str | None
    what: str
    detail: Mapping[str, Any]


def trail(connection: Connection, ref: MemberRef, run_ids: Sequence[int]) -> dict[int, list[Decided]]:
    """By run, in the order it was written."""
    d = decision.c
    query = select(d.enrolment_id, d.at, d.step_id, d.what, d.detail).where(
        d.bucket == ref.bucket, d.enrolment_id.in_(run_ids)
    )
    found: dict[int, list[Decided]] = {}
    for enrolment_id, *line in connection.execute(query.order_by(d.id)):
        found.setdefault(enrolment_id, []).append(Decided(*line))
    return found


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
    d = delivery.c
    columns = (
        *(d.id, d.message_key, d.enrolment_id, d.journey_id, d.step_id, d.topic, d.purpose, d.hop, d.template),
        *(d.status, d.reason, d.channel, d.queued_at, d.due_at, d.claimed_at, d.held_back, d.first_sent_at, d.attempts),
        *(d.provider_id, d.code, d.arrival, d.arrival_at, d.segments, d.cost, d.text, d.decision),
    )
    query = select(*columns).where(d.bucket == ref.bucket, d.member_id == ref.id).order_by(d.queued_at, d.id)
    return [PastMessage(**row) for row in connection.execute(query).mappings()]


# --- what came of messages --------------------------------------------------------------------------------------


def responses(connection: Connection, ref: MemberRef) -> dict[int, list[Happening]]:
    """By delivery id, oldest first: clicked, replied, answered, bounced, unsubscribed …"""
    found: dict[int, list[Happening]] = {}
    for happening in reversed(happenings(connection, ref, names=sorted(RESPONSE_EVENTS))):
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
    t = task.c
    columns = (
        *(t.id, t.enrolment_id, t.step_id, t.team, t.words, t.urgent, t.opened_at, t.due_at, t.closed_at),
        *(t.closed_by, t.outcome),
    )
    query = select(*columns).where(t.bucket == ref.bucket, t.member_id == ref.id)
    return [PastTask(*row) for row in connection.execute(query.order_by(t.id))]


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
