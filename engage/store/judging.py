"""What the judge needs to know about a batch of messages: what came before them, and what has come of that since.

One query for each kind of fact, whatever the size of the batch. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, exists, func, select

from engage.core.delivery import Status
from engage.core.turn import Purpose
from engage.store.dispatching import Claimed, held
from engage.store.keys import in_keys
from engage.store.members import MemberRef, in_refs
from engage.store.tables import answer, delivery, enrolment, event

D = delivery.c
# Events by which a member shows that a message reached them and was taken up.
TAKEN_UP = ("clicked", "replied", "answered")


@dataclass(frozen=True, slots=True)
class Hop:
    """An earlier hop of the same message."""

    channel: str | None
    status: Status


def earlier_hops(connection: Connection, claimed: Sequence[Claimed]) -> dict[str, list[Hop]]:
    """By message key: those that came before a fallback or a reminder."""
    later = [c for c in claimed if c.hop > 0]
    if not later:
        return {}
    query = select(D.message_key, D.hop, D.channel, D.status).where(_of_messages(later))
    hop_of = {c.key: c.hop for c in later}
    found: dict[str, list[Hop]] = {}
    for key, hop, channel, status in connection.execute(query):
        if hop < hop_of[key]:
            found.setdefault(key, []).append(Hop(channel, Status(status)))
    return found


def taken_up(connection: Connection, claimed: Sequence[Claimed]) -> set[str]:
    """Message keys of fallbacks and reminders whose message the member has already responded to."""
    later = [c for c in claimed if c.hop > 0]
    if not later:
        return set()
    # Of the member: there is an index of what each of them did.
    same_member = (event.c.bucket == D.bucket) & (event.c.member_id == D.member_id)
    responded = exists().where(same_member, event.c.name.in_(TAKEN_UP), event.c.delivery_id == D.id)
    return set(connection.scalars(select(D.message_key).where(_of_messages(later), responded)))


def arrived(connection: Connection, claimed: Sequence[Claimed]) -> set[str]:
    """Message keys of fallbacks whose message is known to have been delivered."""
    later = [c for c in claimed if c.hop > 0]
    if not later:
        return set()
    query = select(D.message_key).where(_of_messages(later), D.arrival == "delivered")
    return set(connection.scalars(query))


def _of_messages(claimed: Sequence[Claimed]) -> Any:
    """Every hop of their messages."""
    return in_keys(delivery, ((c.member.bucket, c.key) for c in claimed), "message_key")


def _of_runs(table: Any, claimed: Sequence[Claimed], column: str) -> Any:
    runs = ((c.member.bucket, c.enrolment_id) for c in claimed if c.enrolment_id is not None)
    return in_keys(table, runs, column)


def newest_messages(connection: Connection, claimed: Sequence[Claimed]) -> dict[int, str]:
    """By run of a fallback or reminder: the key of the newest message its steps have queued."""
    later = [c for c in claimed if c.hop > 0]
    if not later:
        return {}
    theirs = _of_runs(delivery, later, "enrolment_id")
    first = and_(theirs, D.hop == 0, D.purpose.in_([Purpose.SEND, Purpose.ASK]))
    query = select(D.enrolment_id, D.message_key).where(first).order_by(D.id)
    return {row.enrolment_id: row.message_key for row in connection.execute(query)}


def in_conversation(connection: Connection, claimed: Sequence[Claimed], since: datetime) -> set[int]:
    """Runs whose question the member has answered since then, and that have sent nothing after the answer yet: their
    next message is the reply."""
    a = answer.c
    answered_at = select(func.max(a.answered_at)).where(
        a.bucket == enrolment.c.bucket, a.enrolment_id == enrolment.c.id
    )
    answered = answered_at.correlate(enrolment).scalar_subquery()
    said = exists().where(
        D.bucket == enrolment.c.bucket,
        D.enrolment_id == enrolment.c.id,
        D.purpose == Purpose.SEND,
        D.first_sent_at >= answered,
    )
    mine = _of_runs(enrolment, claimed, "id")
    return set(connection.scalars(select(enrolment.c.id).where(mine, answered > since, ~said)))


@dataclass(frozen=True, slots=True)
class Spent:
    """One message that used a frequency cap."""

    key: str
    topic: str
    at: datetime


def recent_messages(connection: Connection, refs: Sequence[MemberRef], since: datetime) -> dict[int, list[Spent]]:
    """Messages whose intent was committed after `since`, once each however many hops they took; by member id."""
    counted = D.status.in_([Status.SENDING, Status.SENT, Status.AMBIGUOUS]) & (D.first_sent_at > since)
    query = select(D.member_id, D.message_key, D.topic, func.min(D.first_sent_at).label("at"))
    grouped = query.where(in_refs(delivery, refs), counted, D.purpose.in_([Purpose.SEND, Purpose.ASK, Purpose.REMIND]))
    found: dict[int, list[Spent]] = {}
    for member_id, key, topic, at in connection.execute(grouped.group_by(D.member_id, D.message_key, D.topic)):
        found.setdefault(member_id, []).append(Spent(key, topic, at))
    return found


def enrolments_of(connection: Connection, claimed: Sequence[Claimed]) -> dict[int, Any]:
    """The enrolments these messages belong to, by id."""
    return {row.id: row for row in connection.execute(select(enrolment).where(_of_runs(enrolment, claimed, "id")))}


def waiting_of(connection: Connection, ref: MemberRef, now: datetime) -> list[tuple[datetime, Claimed]]:
    """The member's messages that are still to go out, as they would be held, each with when it is due."""
    here = and_(D.bucket == ref.bucket, D.member_id == ref.id, D.status == Status.PENDING, D.due_at.is_not(None))
    query = select(delivery).where(here).order_by(D.due_at, D.id)
    return [(row.due_at, held(row, now)) for row in connection.execute(query)]
