"""What the judge needs to know about a batch of messages: what came before them, and what has come of that since.

One query for each kind of fact, whatever the size of the batch. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, exists, func, select

from engage.core.delivery import Status
from engage.core.turn import Purpose
from engage.store.dispatching import Claimed, held
from engage.store.ledger import of_member
from engage.store.members import MemberRef, given_refs
from engage.store.statements.keys import given_keys, in_given_keys
from engage.store.tables import Instant, answer, delivery, enrolment, event

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
    hop_of = {c.key: c.hop for c in later}
    found: dict[str, list[Hop]] = {}
    for key, hop, channel, status in connection.execute(_HOPS, _given_messages(later)):
        if hop < hop_of[key]:
            found.setdefault(key, []).append(Hop(channel, Status(status)))
    return found


def taken_up(connection: Connection, claimed: Sequence[Claimed]) -> set[str]:
    """Message keys of fallbacks and reminders whose message the member has already responded to."""
    later = [c for c in claimed if c.hop > 0]
    return set(connection.scalars(_TAKEN_UP, _given_messages(later))) if later else set()


def arrived(connection: Connection, claimed: Sequence[Claimed]) -> set[str]:
    """Message keys of fallbacks whose message is known to have been delivered."""
    later = [c for c in claimed if c.hop > 0]
    return set(connection.scalars(_ARRIVED, _given_messages(later))) if later else set()


def _given_messages(claimed: Sequence[Claimed]) -> dict[str, str]:
    return given_keys((c.member.bucket, c.key) for c in claimed)


_EVERY_HOP = in_given_keys(delivery, "message_key")
_HOPS = select(D.message_key, D.hop, D.channel, D.status).where(_EVERY_HOP)
# Of the member: there is an index of what each of them did.
_SAME_MEMBER = (event.c.bucket == D.bucket) & (event.c.member_id == D.member_id)
_RESPONDED = exists().where(_SAME_MEMBER, event.c.name.in_(TAKEN_UP), event.c.delivery_id == D.id)
_TAKEN_UP = select(D.message_key).where(_EVERY_HOP, _RESPONDED)
_ARRIVED = select(D.message_key).where(_EVERY_HOP, D.arrival == "delivered")


def _given_runs(claimed: Sequence[Claimed]) -> dict[str, str]:
    return given_keys((c.member.bucket, c.enrolment_id) for c in claimed if c.enrolment_id is not None)


def standings(connection: Connection, claimed: Sequence[Claimed]) -> Sequence[Any]:
    """Where the runs stand that these messages are of, in the order of their ids."""
    return connection.execute(_STANDINGS, _given_runs(claimed)).all()


_E = enrolment.c
_STANDINGS = (
    select(_E.bucket, _E.id, _E.journey_id, _E.pinned_version, _E.status, _E.phase, _E.step_id, _E.end_kind)
    .where(in_given_keys(enrolment))
    .order_by(_E.id)
)


def newest_messages(connection: Connection, claimed: Sequence[Claimed]) -> dict[int, str]:
    """By run of a fallback or reminder: the key of the newest message its steps have queued."""
    later = [c for c in claimed if c.hop > 0]
    if not later:
        return {}
    return {row.enrolment_id: row.message_key for row in connection.execute(_FIRST_HOPS, _given_runs(later))}


_FIRST_HOPS = (
    select(D.enrolment_id, D.message_key)
    .where(in_given_keys(delivery, "enrolment_id"), D.hop == 0, D.purpose.in_([Purpose.SEND, Purpose.ASK]))
    .order_by(D.id)
)


def in_conversation(connection: Connection, claimed: Sequence[Claimed], since: datetime) -> set[int]:
    """Runs whose question the member has answered since then, and that have sent nothing after the answer yet: their
    next message is the reply."""
    return set(connection.scalars(_IN_CONVERSATION, _given_runs(claimed) | {"since": since}))


_SINCE = bindparam("since", type_=Instant())
_ANSWERED_AT = (
    select(func.max(answer.c.answered_at))
    .where(answer.c.bucket == enrolment.c.bucket, answer.c.enrolment_id == enrolment.c.id)
    .correlate(enrolment)
    .scalar_subquery()
)
_SAID = exists().where(
    D.bucket == enrolment.c.bucket,
    D.enrolment_id == enrolment.c.id,
    D.purpose == Purpose.SEND,
    D.first_sent_at >= _ANSWERED_AT,
)
_IN_CONVERSATION = select(enrolment.c.id).where(in_given_keys(enrolment), _ANSWERED_AT > _SINCE, ~_SAID)


@dataclass(frozen=True, slots=True)
class Spent:
    """One message that used a frequency cap."""

    key: str
    topic: str
    at: datetime


def recent_messages(connection: Connection, refs: Sequence[MemberRef], since: datetime) -> dict[int, list[Spent]]:
    """Messages whose intent was committed after `since`, once each however many hops they took; by member id."""
    found: dict[int, list[Spent]] = {}
    for member_id, key, topic, at in connection.execute(_SPENT, given_refs(refs) | {"since": since}):
        found.setdefault(member_id, []).append(Spent(key, topic, at))
    return found


_SPENT = (
    select(D.member_id, D.message_key, D.topic, func.min(D.first_sent_at).label("at"))
    .where(
        in_given_keys(delivery, "member_id"),
        D.status.in_([Status.SENDING, Status.SENT, Status.AMBIGUOUS]),
        D.first_sent_at > _SINCE,
        D.purpose.in_([Purpose.SEND, Purpose.ASK, Purpose.REMIND]),
    )
    .group_by(D.member_id, D.message_key, D.topic)
)


def waiting_of(connection: Connection, ref: MemberRef, now: datetime) -> list[tuple[datetime, Claimed]]:
    """The member's messages that are still to go out, as they would be held, each with when it is due."""
    given = {"of_bucket": ref.bucket, "of_member": ref.id}
    rows = connection.execute(_WAITING, given)
    # Asked for in the statement, PostgreSQL may begin with all that waits, of whoever.
    return [(row.due_at, held(row, now)) for row in rows if row.status == Status.PENDING]


_WAITING = (
    select(delivery)
    .where(of_member(bindparam("of_bucket"), bindparam("of_member")), D.due_at.is_not(None))
    .order_by(D.due_at, D.id)
)
