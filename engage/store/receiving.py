"""Queries of the receive loop: which delivery a fact is about, which questions are open, and what was answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, insert, or_, select, update

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
_NOT_KNOWN = (Status.SENDING, Status.AMBIGUOUS)
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
    provider_id: str | None


_COLUMNS = (
    D.id, D.bucket, D.member_id, D.enrolment_id, D.journey_id, D.step_id, D.visit, D.pinned_version, D.purpose,
    D.channel, D.address, D.topic, D.status, D.arrival, D.message_key, D.sent_at, D.provider_id,
)  # fmt: skip


def _rows(connection: Connection, where: Any, *order: Any) -> list[DeliveryRow]:
    query = select(*_COLUMNS).where(where).order_by(*order)
    return [
        DeliveryRow(
            row.id, MemberRef(row.bucket, row.member_id), row.enrolment_id, row.journey_id, row.step_id, row.visit,
            row.pinned_version, Purpose(row.purpose), row.channel, row.address, row.topic, Status(row.status),
            row.arrival, row.message_key, row.sent_at, row.provider_id,
        )
        for row in connection.execute(query)
    ]  # fmt: skip


def delivery_by_id(connection: Connection, delivery_id: int) -> DeliveryRow | None:
    return deliveries_by_id(connection, [delivery_id]).get(delivery_id)


def deliveries_by_id(connection: Connection, ids: Iterable[int]) -> dict[int, DeliveryRow]:
    """Tokens and receipts carry the id alone."""
    return {row.id: row for row in _rows(connection, D.id.in_(list(ids)))}


def deliveries_by_provider_id(connection: Connection, channel: str, provider_ids: Iterable[str]) -> list[DeliveryRow]:
    return _rows(connection, and_(D.channel == channel, D.provider_id.in_(list(provider_ids))), D.id)


def last_message(connection: Connection, ref: MemberRef, channel: str, since: datetime) -> DeliveryRow | None:
    """The newest message the member may be replying to, if it is not too old."""
    here = and_(D.bucket == ref.bucket, D.member_id == ref.id, D.channel == channel, D.sent_at >= since)
    went = D.status.in_(_MAY_HAVE_ARRIVED)
    return next(iter(_rows(connection, and_(here, went), D.sent_at.desc(), D.id.desc())), None)


# --- receipts ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Told:
    """How far a message got, by a receipt; or, as a `proof`, because the member acted on it: that says something only
    where the outcome of the send is not known."""

    row: DeliveryRow
    arrival: Arrival
    at: datetime
    code: str = ""
    proof: bool = False


def note_arrivals(connection: Connection, told: Sequence[Told]) -> list[DeliveryRow | None]:
    """Keep the furthest each message got. Whatever is told also settles a send whose outcome was not known: it was
    handed over. Returns, for each, the delivery as it was until then; None for what is no news."""
    found = {each.row.id: each.row for each in told}
    stands, furthest, until_then = dict(found), dict[int, Told](), list[DeliveryRow | None]()
    for each in told:
        before = stands[each.row.id]
        after = stands[each.row.id] = _after(before, each)
        is_news = after.arrival != before.arrival
        until_then.append(before if is_news else None)
        if is_news:
            furthest[each.row.id] = each
    _settle(connection, [row for row in found.values() if stands[row.id].status != row.status])
    _keep(connection, furthest.values())
    return until_then


def _after(row: DeliveryRow, told: Told) -> DeliveryRow:
    if row.status in _NOT_KNOWN:
        row = replace(row, status=Status.SENT)
    elif told.proof:
        return row
    current = Arrival(row.arrival) if row.arrival else None
    return replace(row, arrival=told.arrival) if _RANK[told.arrival] > _RANK[current] else row


_HERE = and_(D.bucket == bindparam("b_bucket"), D.id == bindparam("b_id"))
_SETTLED = update(delivery).where(_HERE, D.status == bindparam("was")).values(status=Status.SENT)
_GOT = (
    update(delivery).where(_HERE).values(arrival=bindparam("how"), arrival_at=bindparam("since"), code=bindparam("by"))
)


def _settle(connection: Connection, rows: Iterable[DeliveryRow]) -> None:
    """Unless somebody else has done so meanwhile."""
    values = [_key(row) | {"was": row.status} for row in sorted(rows, key=_place)]
    if values:
        connection.execute(_SETTLED, values)


def _keep(connection: Connection, told: Iterable[Told]) -> None:
    ordered = sorted(told, key=lambda each: _place(each.row))
    values = [_key(t.row) | {"how": t.arrival, "since": t.at, "by": t.code or None} for t in ordered]
    if values:
        connection.execute(_GOT, values)


def _key(row: DeliveryRow) -> dict[str, Any]:
    return {"b_bucket": row.member.bucket, "b_id": row.id}


def _place(row: DeliveryRow) -> tuple[int, int]:
    """In key order: two daemons never deadlock."""
    return row.member.bucket, row.id


def prove_arrival(connection: Connection, row: DeliveryRow, at: datetime) -> None:
    """The member acted on the message, so it arrived."""
    note_arrivals(connection, [Told(row, Arrival.DELIVERED, at, proof=True)])


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
