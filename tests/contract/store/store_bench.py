"""A store on a real SQLite file, a catalog with every kind of field, and builders for what the tests put into it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import Connection, Table, select

from engage.core.catalog import MEMBER_EVENTS, RESPONSE_EVENTS, Aggregate, Brand, Catalog, Computed, Event, Field
from engage.core.condition import ValueType
from engage.core.journey.model import Journey, Manual, OnEvent, Send
from engage.core.problem import Span
from engage.core.turn import Purpose
from engage.store import dispatching, enrolling, events, members
from engage.store.databases.database import Database
from engage.store.dispatching import Claimed, NewMessage
from engage.store.enrolling import Entrant
from engage.store.events import NewEvent
from engage.store.members import MemberRef
from engage.store.tables import metadata

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)  # Monday 10:00 in Shanghai
SPAN = Span("journeys/j.yaml", 1, 1, 1, 1)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
WINDOW = timedelta(days=3)

NUMBER, INSTANT = ValueType.NUMBER, ValueType.INSTANT
ORDER, VISIT = ("order_paid",), ("order_paid", "store_visited")


def _computed(name: str, type: ValueType, *rule: Any) -> Field:
    return Field(name, type, computed=Computed(*rule))


_FIELDS = (
    Field("name", ValueType.TEXT),
    Field("city", ValueType.TEXT),
    Field("level", NUMBER),
    Field("points", NUMBER),
    Field("employee", ValueType.BOOLEAN),
    Field("contract_end", ValueType.DATE),
    Field("birthday", ValueType.ANNIVERSARY),
    _computed("orders", NUMBER, Aggregate.COUNT, ORDER),
    _computed("spent", NUMBER, Aggregate.SUM, ORDER, "amount"),
    _computed("first_order_at", INSTANT, Aggregate.FIRST, ORDER),
    _computed("last_order_at", INSTANT, Aggregate.LAST, ORDER),
    _computed("last_seen_at", INSTANT, Aggregate.LAST, VISIT),
    _computed("orders_3d", NUMBER, Aggregate.COUNT, VISIT, None, WINDOW),
    _computed("spent_3d", NUMBER, Aggregate.SUM, ORDER, "amount", WINDOW),
    _computed("first_order_3d", INSTANT, Aggregate.FIRST, ORDER, None, WINDOW),
    _computed("last_seen_3d", INSTANT, Aggregate.LAST, VISIT, None, WINDOW),
)
_EVENTS: Mapping[str, Mapping[str, ValueType]] = {
    **RESPONSE_EVENTS,
    **MEMBER_EVENTS,
    "order_paid": {"order_id": ValueType.TEXT, "amount": NUMBER, "gift": ValueType.BOOLEAN, "paid_on": ValueType.DATE},
    "store_visited": {"store": ValueType.TEXT},
}


def a_catalog(**segments: Any) -> Catalog:
    return Catalog(
        brand=Brand("山野茶事", "山野茶事", {}),
        timezone="Asia/Shanghai",
        fields={each.name: each for each in _FIELDS},
        events={name: Event(name, payload) for name, payload in _EVENTS.items()},
        segments=segments,
    )


CATALOG = a_catalog()
HELLO = Send(id="hello", span=SPAN, template="hello", values={})


def a_journey(**more: Any) -> Journey:
    return Journey(**{"id": "winback", "title": "W", "start": Manual(), "steps": (HELLO,), **more})


def on_order(**more: Any) -> Journey:
    return a_journey(start=OnEvent("order_paid"), **more)


@dataclass
class Bench:
    """One open write transaction and short ways to fill it. Every key is fresh unless it is given."""

    connection: Connection
    catalog: Catalog = CATALOG
    now: datetime = NOW
    _numbers: Iterable[int] = field(default_factory=lambda: count(1))

    def number(self) -> int:
        return next(iter(self._numbers))

    # --- filling ------------------------------------------------------------------------------------------------

    def member(self, tags: Iterable[str] = (), **values: Any) -> MemberRef:
        ref = members.create(self.connection, self.now, f"C{self.number()}", None)
        members.set_values(self.connection, self.catalog, {ref: values}, self.now)
        members.add_tags(self.connection, {ref: tags}, self.now)
        return ref

    def happens(
        self, ref: MemberRef, name: str, at: datetime | None = None, key: str | None = None, **payload: Any
    ) -> NewEvent:
        new = NewEvent(ref, name, at or self.now, key or f"k{self.number()}", payload)
        events.record(self.connection, self.catalog, [new], self.now)
        return new

    def responds(self, message: Claimed, name: str, at: datetime | None = None, **payload: Any) -> None:
        """Something the member did with a message of ours."""
        new = NewEvent(
            message.member,
            name,
            at or self.now,
            f"k{self.number()}",
            payload,
            delivery_id=message.id,
            enrolment_id=message.enrolment_id,
            journey_id=message.journey_id,
            step_id=message.step_id,
        )
        events.record(self.connection, self.catalog, [new], self.now)

    def enters(
        self,
        ref: MemberRef,
        journey: Journey | None = None,
        *,
        occurrence: str | None = None,
        per: str = "",
        held_out: bool = False,
        context: Mapping[str, Any] | None = None,
    ) -> int:
        journey = journey or a_journey()
        told = context or {"event": {}, "var": {}}
        entrant = Entrant(ref, occurrence or f"o{self.number()}", told, per_value=per)
        first = journey.steps[0].id
        (run_id,) = enrolling.enter(self.connection, journey, 1, first, [(entrant, held_out)], self.now)
        return run_id

    def queues(self, ref: MemberRef, key: str | None = None, **more: Any) -> str:
        """Puts a message into the outbox. Returns its key."""
        key = key or f"m{self.number()}"
        wanted: dict[str, Any] = {"purpose": Purpose.SEND, "topic": "marketing", "priority": 50, "template": "hello"}
        message = NewMessage(ref, key, **{"due_at": self.now, **wanted, **more})
        dispatching.queue(self.connection, [message], self.now)
        return key

    # --- reading ------------------------------------------------------------------------------------------------

    def rows(self, table: str | Table, **equal: Any) -> list[dict[str, Any]]:
        """Rows of a table with these values, in the order of their keys."""
        table = metadata.tables[table] if isinstance(table, str) else table
        query = select(table).order_by(*table.primary_key)
        for name, value in equal.items():
            query = query.where(table.c[name] == value)
        return [dict(row) for row in self.connection.execute(query).mappings()]

    def row(self, table: str, **equal: Any) -> dict[str, Any]:
        (found,) = self.rows(table, **equal)
        return found

    def claims(self, limit: int = 100) -> list[Claimed]:
        return dispatching.claim(self.connection, self.now, limit)

    def claims_one(self) -> Claimed:
        (claimed,) = self.claims()
        return claimed

    def begins_sending(self, claimed: Claimed, **more: Any) -> None:
        values = {"channel": "sms", "address": "+8613800138000", "payload": {"to": "x"}, "text": "t"} | more
        dispatching.begin_sending(self.connection, [(claimed, values)], self.now)

    def status(self, key: str, hop: int = 0) -> str:
        return str(self.row("delivery", message_key=key, hop=hop)["status"])


def open_database(path: Any) -> Database:
    database = Database(f"sqlite:///{path}")
    database.create_all()
    return database
