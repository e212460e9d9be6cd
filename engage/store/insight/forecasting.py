"""What a simulation asks of its world, and of the database that the world is a copy of."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Text, cast, delete, distinct, func, select

from engage.core.catalog import MEMBER_EVENTS, RESPONSE_EVENTS
from engage.core.delivery import Status
from engage.core.turn import Purpose
from engage.store.insight.reporting import Period
from engage.store.tables import contact_point, decision, delivery, event, member, pause

D, E = delivery.c, event.c
_CLOSED_LONG_AGO = re.compile(r"^\S+ reply window closed \S+ ago")


# --- messages ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that a provider has taken. `external_id`: the shop's own of its member."""

    id: int
    member_id: int
    external_id: str | None
    journey_id: str | None
    step_id: str | None
    visit: int | None
    hop: int
    purpose: Purpose
    topic: str
    channel: str
    address: str


def sent(connection: Connection, ids: Sequence[int]) -> list[Sent]:
    columns = (D.id, D.member_id, member.c.external_id, D.journey_id, D.step_id, D.visit, D.hop)
    query = (
        select(*columns, D.purpose, D.topic, D.channel, D.address)
        .join_from(delivery, member, (member.c.bucket == D.bucket) & (member.c.id == D.member_id))
        .where(D.id.in_(ids))
        .order_by(D.id)
    )
    return [
        Sent(*row[:7], Purpose(row.purpose), row.topic, row.channel, row.address) for row in connection.execute(query)
    ]


def put_off(connection: Connection, period: Period, reason: str) -> int:
    """How many messages of the period waited for this reason last, whatever became of them since."""
    waited = select(func.count()).where(D.held_back == reason, period.holds(D.queued_at))
    return connection.scalar(waited) or 0


@dataclass(frozen=True, slots=True)
class Unreached:
    """Members to whom some message could not be sent at all, and what stood in the way, by (channel, reason), in
    messages."""

    members: int
    why: Counter[tuple[str, str]]


def unreached(connection: Connection, period: Period, reasons: Sequence[str]) -> Unreached:
    """`reasons`: of skipped messages that no channel was open for."""
    here = (D.status == Status.SKIPPED) & D.reason.in_(reasons) & period.holds(D.queued_at)
    members = connection.scalar(select(func.count(distinct(D.member_id))).where(here)) or 0
    judged = cast(D.decision, Text)
    why: Counter[tuple[str, str]] = Counter()
    for told, count in connection.execute(select(judged, func.count()).where(here).group_by(judged)):
        for line in json.loads(told or "null") or ():
            if not line["open"]:
                why[line["channel"], _CLOSED_LONG_AGO.sub("no reply window is open", line["why"])] += count
    return Unreached(members, why)


def happenings(connection: Connection, since: datetime) -> int:
    """Everything that has happened in journeys since then: lines of trails, and messages."""
    lines = connection.scalar(select(func.count()).where(decision.c.at >= since)) or 0
    return lines + (connection.scalar(select(func.count()).where(D.queued_at >= since)) or 0)


# --- people -----------------------------------------------------------------------------------------------------


def roster(connection: Connection, chat: str) -> Iterator[tuple[str | None, str | None]]:
    """Of every member the shop's id, and their address on the channel `chat`, as far as they have either."""
    of_member = (contact_point.c.bucket == member.c.bucket) & (contact_point.c.member_id == member.c.id)
    active = (contact_point.c.channel == chat) & (contact_point.c.status == "active")
    query = (
        select(member.c.external_id, contact_point.c.address)
        .outerjoin_from(member, contact_point, of_member & active)
        .order_by(member.c.id)
    )
    for row in connection.execute(query):
        yield row[0], row[1]


def announced(connection: Connection, period: Period) -> int:
    """How many members came in the period, those of a file not counted."""
    query = select(func.count()).where(E.name == "member_created", period.holds(E.at))
    return connection.scalar(query) or 0


# --- the past ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Frequency:
    """How often an event was told, of how many members."""

    name: str
    count: int
    members: int


def told(connection: Connection, period: Period) -> list[Frequency]:
    """The events that the outside told, by name; not what Engage records itself."""
    own = [*RESPONSE_EVENTS, *MEMBER_EVENTS]
    counted = (func.count(), func.count(distinct(E.member_id)))
    query = select(E.name, *counted).where(E.name.not_in(own), period.holds(E.at))
    return [Frequency(*row) for row in connection.execute(query.group_by(E.name).order_by(E.name))]


def span_of_events(connection: Connection) -> tuple[datetime, datetime] | None:
    first, last = connection.execute(select(func.min(E.at), func.max(E.at))).one()
    return (first, last) if first is not None else None


def payloads(connection: Connection, name: str, most: int) -> list[dict[str, object]]:
    """What the newest events of this name brought."""
    query = select(E.payload).where(E.name == name).order_by(E.at.desc()).limit(most)
    return [dict(payload) for payload in connection.scalars(query)]


def lift_pauses(connection: Connection) -> list[str]:
    """Go on with all that is stopped by hand. Returns what was."""
    scopes = list(connection.scalars(select(pause.c.scope).order_by(pause.c.scope)))
    connection.execute(delete(pause))
    return scopes
