"""What the followers' pages read about one delivery, by the id in their signed link. Nothing is written here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, func, select

from engage.store.members import MemberRef
from engage.store.tables import answer, delivery, enrolment

A = answer.c
D = delivery.c
E = enrolment.c


@dataclass(frozen=True, slots=True)
class Given:
    """The answer on file."""

    score: int | None
    choice: str | None
    comment: str | None
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class SurveyPage:
    """The question a delivery asked, and of whom. `waiting`: the journey still stands at it, until `waiting_until` at
    most."""

    member: MemberRef
    journey_id: str
    step_id: str
    pinned_version: int | None
    enrolment_id: int
    run_context: Mapping[str, Any]
    asked_at: datetime
    waiting: bool
    waiting_until: datetime | None
    given: Given | None


@dataclass(frozen=True, slots=True)
class SentOn:
    channel: str
    topic: str


def survey_for(connection: Connection, delivery_id: int) -> SurveyPage | None:
    """None for a delivery that is not on file, or that belongs to no journey step."""
    row = connection.execute(_asked(delivery_id)).one_or_none()
    if row is None:
        return None
    given = Given(row.score, row.choice, row.comment, row.answered_at) if row.answered_at else None
    return SurveyPage(
        member=MemberRef(row.bucket, row.member_id),
        journey_id=row.journey_id,
        step_id=row.step_id,
        pinned_version=row.pinned_version,
        enrolment_id=row.enrolment_id,
        run_context=row.context,
        asked_at=row.asked_at,
        waiting=bool(row.waiting),
        waiting_until=row.deadline_at,
        given=given,
    )


def _asked(delivery_id: int) -> Select[Any]:
    """The question, its run, and what has been answered to it."""
    of_run = and_(E.bucket == D.bucket, E.id == D.enrolment_id)
    given = and_(A.bucket == D.bucket, A.enrolment_id == D.enrolment_id, A.step_id == D.step_id, A.visit == D.visit)
    waiting = and_(E.status == "live", E.step_id == D.step_id, E.visit == D.visit)
    of_delivery = (D.bucket, D.member_id, D.journey_id, D.step_id, D.pinned_version, D.enrolment_id)
    asked_at = func.coalesce(D.sent_at, D.queued_at)
    of_run_now = (E.context, E.deadline_at, waiting.label("waiting"))
    return (
        select(*of_delivery, asked_at.label("asked_at"), *of_run_now, A.score, A.choice, A.comment, A.answered_at)
        .join_from(delivery, enrolment, of_run)
        .outerjoin(answer, given)
        .where(D.id == delivery_id, D.step_id.is_not(None))
    )


def sent_on(connection: Connection, delivery_id: int) -> SentOn | None:
    """Which channel and topic an unsubscribe link speaks of. None before a channel was chosen."""
    row = connection.execute(
        select(D.channel, D.topic).where(D.id == delivery_id, D.channel.is_not(None))
    ).one_or_none()
    return SentOn(row.channel, row.topic) if row else None
