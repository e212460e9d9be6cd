"""Everything that was decided about one member, as it was written down: runs, their trail, and their messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from engage.store.members import MemberRef
from engage.store.tables import decision, delivery, enrolment


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


def runs(connection: Connection, ref: MemberRef, journey_id: str | None = None) -> list[PastRun]:
    """Oldest first."""
    e = enrolment.c
    columns = (
        *(e.id, e.journey_id, e.version, e.holdout, e.status, e.end_kind, e.end_reason, e.entered_at, e.ended_at),
        *(e.step_id, e.due_at),
    )
    query = select(*columns).where(e.bucket == ref.bucket, e.member_id == ref.id)
    if journey_id is not None:
        query = query.where(e.journey_id == journey_id)
    return [PastRun(*row) for row in connection.execute(query.order_by(e.entered_at, e.id))]


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
    enrolment_id: int | None
    step_id: str | None
    purpose: str
    hop: int
    template: str
    status: str
    reason: str | None
    channel: str | None
    queued_at: datetime
    due_at: datetime | None
    first_sent_at: datetime | None
    arrival: str | None
    arrival_at: datetime | None
    cost: float | None
    decision: Sequence[Mapping[str, Any]] | None


def messages(connection: Connection, ref: MemberRef) -> list[PastMessage]:
    """All of the member's, oldest first; those of no run as well."""
    d = delivery.c
    columns = (
        *(d.id, d.enrolment_id, d.step_id, d.purpose, d.hop, d.template, d.status, d.reason, d.channel, d.queued_at),
        *(d.due_at, d.first_sent_at, d.arrival, d.arrival_at, d.cost, d.decision),
    )
    query = select(*columns).where(d.bucket == ref.bucket, d.member_id == ref.id).order_by(d.queued_at, d.id)
    return [PastMessage(**row) for row in connection.execute(query).mappings()]
