"""What the followers' pages read about one delivery, by the id in their signed link. Nothing is written here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, select

from engage.store.members import MemberRef
from engage.store.tables import answer, delivery, enrolment


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
    row = connection.execute(
        select(
            delivery.c.bucket,
            delivery.c.member_id,
            delivery.c.journey_id,
            delivery.c.step_id,
            delivery.c.pinned_version,
            delivery.c.enrolment_id,
            enrolment.c.context,
            func.coalesce(delivery.c.sent_at, delivery.c.queued_at).label("asked_at"),
            (and_(enrolment.c.status == "live", enrolment.c.step_id == delivery.c.step_id)).label("at_step"),
            (enrolment.c.visit == delivery.c.visit).label("same_visit"),
            enrolment.c.deadline_at,
            answer.c.score,
            answer.c.choice,
            answer.c.comment,
            answer.c.answered_at,
        )
        .join(enrolment, and_(enrolment.c.bucket == delivery.c.bucket, enrolment.c.id == delivery.c.enrolment_id))
        .outerjoin(
            answer,
            and_(
                answer.c.bucket == delivery.c.bucket,
                answer.c.enrolment_id == delivery.c.enrolment_id,
                answer.c.step_id == delivery.c.step_id,
                answer.c.visit == delivery.c.visit,
            ),
        )
        .where(delivery.c.id == delivery_id, delivery.c.step_id.is_not(None))
    ).one_or_none()
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
        waiting=bool(row.at_step and row.same_visit),
        waiting_until=row.deadline_at,
        given=given,
    )


def sent_on(connection: Connection, delivery_id: int) -> SentOn | None:
    """Which channel and topic an unsubscribe link speaks of. None before a channel was chosen."""
    row = connection.execute(
        select(delivery.c.channel, delivery.c.topic).where(
            delivery.c.id == delivery_id, delivery.c.channel.is_not(None)
        )
    ).one_or_none()
    return SentOn(row.channel, row.topic) if row else None


def answers(connection: Connection) -> bool:
    """Whether the database answers at all."""
    return connection.scalar(select(1)) == 1
