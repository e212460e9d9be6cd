"""Queries of the receive loop: which delivery a fact is about, and how far it got. (What was asked and answered:
`questions`.)"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, or_, select, update

from engage.core.delivery import Status
from engage.core.fact import Arrival
from engage.core.turn import Purpose
from engage.store.members import MemberRef
from engage.store.tables import delivery

D = delivery.c
# What a member may have in hand. Their answer can be quicker than the provider's to our call, which is then still open.
MAY_HAVE_ARRIVED = (Status.SENDING, Status.SENT, Status.AMBIGUOUS)
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


# What `delivery_row` reads.
COLUMNS = (
    D.id, D.bucket, D.member_id, D.enrolment_id, D.journey_id, D.step_id, D.visit, D.pinned_version, D.purpose,
    D.channel, D.address, D.topic, D.status, D.arrival, D.message_key, D.sent_at, D.provider_id,
)  # fmt: skip


def delivery_row(row: Any) -> DeliveryRow:
    return DeliveryRow(
        row.id, MemberRef(row.bucket, row.member_id), row.enrolment_id, row.journey_id, row.step_id, row.visit,
        row.pinned_version, Purpose(row.purpose), row.channel, row.address, row.topic, Status(row.status),
        row.arrival, row.message_key, row.sent_at, row.provider_id,
    )  # fmt: skip


def delivery_by_id(connection: Connection, delivery_id: int) -> DeliveryRow | None:
    return deliveries_by_id(connection, [delivery_id]).get(delivery_id)


def deliveries_by_id(connection: Connection, ids: Iterable[int]) -> dict[int, DeliveryRow]:
    """Tokens and receipts carry the id alone."""
    return {row.id: delivery_row(row) for row in connection.execute(_BY_ID, {"given": list(ids)})}


def deliveries_by_provider_id(connection: Connection, channel: str, provider_ids: Iterable[str]) -> list[DeliveryRow]:
    wanted = {"of_channel": channel, "given": list(provider_ids)}
    return [delivery_row(row) for row in connection.execute(_BY_PROVIDER_ID, wanted)]


def owners(connection: Connection, ids: Iterable[int]) -> dict[int, MemberRef]:
    """Whose these deliveries are."""
    rows = connection.execute(_OWNERS, {"given": list(ids)})
    return {i: MemberRef(bucket, member_id) for i, bucket, member_id in rows}


_GIVEN: Any = bindparam("given", expanding=True)
_BY_ID = select(*COLUMNS).where(D.id.in_(_GIVEN)).order_by(D.id)
_BY_PROVIDER_ID = select(*COLUMNS).where(D.channel == bindparam("of_channel"), D.provider_id.in_(_GIVEN)).order_by(D.id)
_OWNERS = select(D.id, D.bucket, D.member_id).where(D.id.in_(_GIVEN))


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
_IS_NOT_KNOWN = or_(*(D.status == status for status in _NOT_KNOWN))  # not `IN`: of many at once
_SETTLED = update(delivery).where(_HERE, _IS_NOT_KNOWN).values(status=Status.SENT)
_GOT = (
    update(delivery).where(_HERE).values(arrival=bindparam("how"), arrival_at=bindparam("since"), code=bindparam("by"))
)


def _settle(connection: Connection, rows: Iterable[DeliveryRow]) -> None:
    """Whatever the recorder or the reconciler has made of them meanwhile, unless their outcome is known by now."""
    values = [_key(row) for row in sorted(rows, key=_place)]
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
    """Of all in one order: two daemons never deadlock."""
    return row.member.bucket, row.id


def prove_arrivals(connection: Connection, acted: Iterable[tuple[DeliveryRow, datetime]]) -> None:
    """The members acted on these messages then, so they arrived."""
    note_arrivals(connection, [Told(row, Arrival.DELIVERED, at, proof=True) for row, at in acted])
