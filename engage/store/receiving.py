"""Queries of the receive loop: which delivery a fact is about, which questions are open, and what was answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, func, insert, or_, select, update

from engage.core.delivery import Status
from engage.core.fact import Arrival
from engage.core.reply import CORRECTION_WINDOW, Offer
from engage.core.turn import Purpose
from engage.store.database import take_ids
from engage.store.members import MemberRef
from engage.store.tables import answer, delivery, enrolment

D = delivery.c
# A menu word is taken as meant for the message that offered it this long: as long as WeChat lets us reply to it.
OFFER_FOR = timedelta(hours=48)
# What a member may have in hand. Their answer can be quicker than the provider's to our call, which is then still open.
_MAY_HAVE_ARRIVED = (Status.SENDING, Status.SENT, Status.AMBIGUOUS)
# Receipts come late, twice and out of order: the highest rank wins, so that their order does not matter. A bounce after
# a first “delivered” is a mail server changing its mind; the other way round does not happen.
_RANK = {None: 0, Arrival.DEFERRED: 1, Arrival.DELIVERED: 2, Arrival.BOUNCED: 3}


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery as facts about it need it."""

    id: int
    member: MemberRef
    enrolment_id: int | None
    journey_id: str | None
    step_id: str | None
    visit: int | None
    pinned_version: int | None
    purpose: Purpose
    channel: str | None
    address: str | None
    topic: str
    status: Status
    arrival: str | None
    message_key: str
    sent_at: datetime | None


def _rows(connection: Connection, where: Any, *order: Any) -> list[DeliveryRow]:
    query = select(delivery).where(where).order_by(*order)
    return [
        DeliveryRow(
            row.id, MemberRef(row.bucket, row.member_id), row.enrolment_id, row.journey_id, row.step_id, row.visit,
            row.pinned_version, Purpose(row.purpose), row.channel, row.address, row.topic, Status(row.status),
            row.arrival, row.message_key, row.sent_at,
        )
        for row in connection.execute(query)
    ]  # fmt: skip


def delivery_by_id(connection: Connection, delivery_id: int) -> DeliveryRow | None:
    """Tokens and receipts carry the id alone."""
    return next(iter(_rows(connection, D.id == delivery_id)), None)


def delivery_by_provider_id(connection: Connection, channel: str, provider_id: str) -> DeliveryRow | None:
    return next(iter(_rows(connection, and_(D.channel == channel, D.provider_id == provider_id))), None)


def last_message(connection: Connection, ref: MemberRef, channel: str, since: datetime) -> DeliveryRow | None:
    """The newest message the member may be replying to, if it is not too old."""
    here = and_(D.bucket == ref.bucket, D.member_id == ref.id, D.channel == channel, D.sent_at >= since)
    went = D.status.in_(_MAY_HAVE_ARRIVED)
    return next(iter(_rows(connection, and_(here, went), D.sent_at.desc(), D.id.desc())), None)


# --- receipts ---------------------------------------------------------------------------------------------------


def note_arrival(connection: Connection, row: DeliveryRow, arrival: Arrival, code: str, at: datetime) -> bool:
    """Keep the furthest a message got. Any receipt also settles an ambiguous send: it was handed over."""
    here = and_(D.bucket == row.member.bucket, D.id == row.id)
    if row.status in (Status.AMBIGUOUS, Status.SENDING):
        connection.execute(update(delivery).where(here, D.status == row.status).values(status=Status.SENT))
    current = Arrival(row.arrival) if row.arrival else None
    if _RANK[arrival] <= _RANK[current]:
        return False
    values = {"arrival": arrival, "arrival_at": at, "code": code or None}
    connection.execute(update(delivery).where(here).values(values))
    return True


def prove_arrival(connection: Connection, row: DeliveryRow, at: datetime) -> None:
    """The member acted on the message, so it arrived; where the outcome of the send is not known, that settles it."""
    if row.status in (Status.AMBIGUOUS, Status.SENDING):
        note_arrival(connection, row, Arrival.DELIVERED, "", at)


# --- open questions ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AskedRow:
    """A question that may still be answered, corrected or commented on this channel. `standing`: its run waits at it;
    else it went on, or ended, without an answer that has been read."""

    delivery: DeliveryRow
    asked_at: datetime
    began_at: datetime  # when the wait for the answer began
    standing: bool
    answered_at: datetime | None
    comment_at: datetime | None


def asked(connection: Connection, ref: MemberRef, channel: str, at: datetime) -> list[AskedRow]:
    """Questions as they were at `at`, newest first, one for each ask however often it was put: answered lately, or
    unanswered while the run had not ended. Whether one that was left behind could still be answered, its deadline says.
    """
    e, a = enrolment.c, answer.c
    of_run = and_(e.bucket == D.bucket, e.id == D.enrolment_id)
    given = and_(a.bucket == D.bucket, a.enrolment_id == D.enrolment_id, a.step_id == D.step_id, a.visit == D.visit)
    standing = and_(e.status == "live", e.step_id == D.step_id, e.visit == D.visit)
    running = or_(e.status == "live", e.ended_at > at)
    may_answer = or_(and_(running, a.id.is_(None)), a.answered_at >= at - CORRECTION_WINDOW)
    query = (
        select(D.id, _first_queued(), standing, a.answered_at, a.comment_at)
        .join_from(delivery, enrolment, of_run)
        .outerjoin(answer, given)
        .where(D.bucket == ref.bucket, D.member_id == ref.id, D.channel == channel, may_answer)
        .where(D.purpose.in_([Purpose.ASK, Purpose.REMIND]), D.status.in_(_MAY_HAVE_ARRIVED))
    )
    known = {i: (began_at, bool(stands), *given) for i, began_at, stands, *given in connection.execute(query)}
    here = and_(D.bucket == ref.bucket, D.id.in_(list(known)))
    newest: dict[str, AskedRow] = {}
    for row in _rows(connection, here, D.sent_at.desc(), D.id.desc()):
        newest.setdefault(row.message_key, AskedRow(row, row.sent_at or at, *known[row.id]))
    return list(newest.values())


def _first_queued() -> Any:
    """When the ask of this delivery was first put, on whichever channel: the moment its run came to the step."""
    first = delivery.alias("first")
    f = first.c
    of_run = and_(f.bucket == D.bucket, f.enrolment_id == D.enrolment_id)
    same = and_(of_run, f.step_id == D.step_id, f.visit == D.visit)
    return select(func.min(f.queued_at)).where(same).correlate(delivery).scalar_subquery()


def offers(connection: Connection, ref: MemberRef, channel: str, at: datetime) -> list[Offer]:
    """Messages that offer menu words, of the two days before `at`."""
    here = and_(D.bucket == ref.bucket, D.member_id == ref.id, D.channel == channel, D.sent_at > at - OFFER_FOR)
    went = D.status.in_(_MAY_HAVE_ARRIVED)
    query = select(D.id, D.sent_at, D.offers).where(here, went, D.offers.is_not(None))
    return [Offer(i, at, tuple(words)) for i, at, words in connection.execute(query) if words]


@dataclass(frozen=True, slots=True)
class Given:
    """An answer as it came in. None leaves what is on file."""

    score: int | None = None
    choice: str | None = None
    comment: str | None = None
    typed: bool = False


def put_answer(connection: Connection, row: DeliveryRow, survey: str, given: Given, at: datetime) -> bool:
    """The first answer wins; within a day it may be corrected, and words may be added. False if it came too late."""
    a = answer.c
    here = and_(
        a.bucket == row.member.bucket,
        a.enrolment_id == row.enrolment_id,
        a.step_id == row.step_id,
        a.visit == row.visit,
    )
    current = connection.execute(select(answer).where(here)).one_or_none()
    if current is None:
        connection.execute(insert(answer).values(_answer_row(connection, row, survey, given, at)))
        return True
    if at - current.answered_at > CORRECTION_WINDOW:
        return False
    changes = _changes(current, given, at)
    if changes:
        connection.execute(update(answer).where(here).values(changes))
    return True


def _answer_row(connection: Connection, row: DeliveryRow, survey: str, given: Given, at: datetime) -> Mapping[str, Any]:
    (answer_id,) = take_ids(connection, "answer", 1)
    return {
        "bucket": row.member.bucket,
        "id": answer_id,
        "member_id": row.member.id,
        "enrolment_id": row.enrolment_id,
        "journey_id": row.journey_id,
        "step_id": row.step_id,
        "visit": row.visit,
        "delivery_id": row.id,
        "survey": survey,
        "channel": row.channel,
        "typed": given.typed,
        "score": given.score,
        "choice": given.choice,
        "comment": given.comment,
        "answered_at": at,
        "comment_at": at if given.comment else None,
    }


def _changes(current: Any, given: Given, at: datetime) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if given.score is not None and given.score != current.score:
        changes |= {"score": given.score, "corrected_at": at}
    if given.choice is not None and given.choice != current.choice:
        changes |= {"choice": given.choice, "corrected_at": at}
    if given.comment:
        joined = given.comment if not current.comment else f"{current.comment}\n{given.comment}"
        changes |= {"comment": joined, "comment_at": current.comment_at or at}
    return changes
