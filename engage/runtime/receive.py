"""RECEIVE: stored records are read, and what they say is written where journeys can see it. Decides nothing about them.

Each record stands alone: one that cannot be read is kept, marked, and does not hold up the others. What members and
providers did is read first, in a transaction of its own: an opt-out never waits behind a file of the shop's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import assert_never

import structlog
from sqlalchemy import Connection

from engage.channels.contract import CallbackSource
from engage.core.fact import (
    Answered,
    Clicked,
    Fact,
    Followed,
    Happened,
    MemberGiven,
    OptedOut,
    Receipt,
    Typed,
    Unfollowed,
)
from engage.core.fact_json import fact_from_json
from engage.runtime import arrivals, conversation, membership
from engage.runtime.context import Context
from engage.runtime.quarantine import together_or_singly
from engage.runtime.reading import Reading
from engage.store import events, inbound, members
from engage.store.events import NewEvent
from engage.store.inbound import Record

BATCH = 500
# What the shop told, by API or file. A member is some twenty statements: a small batch keeps the write lock short.
BULK_BATCH = 100
log = structlog.get_logger("engage.receive")

OWN_SOURCES = frozenset({inbound.PAGE, inbound.API, inbound.FILE})


class Receive:
    def __init__(self, context: Context) -> None:
        self._context = context

    def tick(self) -> int:
        """Read one batch of each class. Returns how many records."""
        with self._context.database.read() as connection:
            if not inbound.any_unread(connection):
                return 0
        return self._take(BATCH, bulk=False) + self._take(BULK_BATCH, bulk=True)

    def _take(self, most: int, *, bulk: bool) -> int:
        with self._context.database.read() as connection:
            records = inbound.unread(connection, most, bulk=bulk)
        if records:
            together_or_singly(records, self._read, self._set_aside)
        return len(records)

    def _read(self, records: Sequence[Record]) -> None:
        now = self._context.clock.now()
        with self._context.database.write() as connection:
            applied = self._context.applied.current()
            records = inbound.still_unread(connection, records)
            reading = Reading(connection, applied, self._context.channels, now)
            parsed = [(record, self._parse(connection, record)) for record in records]
            for simple, group in groupby(parsed, key=_is_business_event):
                batch = [(record, facts) for record, facts in group if facts is not None]
                if simple:
                    self._record_events(reading, batch)
                else:
                    for record, facts in batch:
                        self._read_one(reading, record, facts)
            done = [record.id for record, facts in parsed if facts is not None]
            inbound.mark_read(connection, done, now)

    def _set_aside(self, record: Record, error: Exception) -> None:
        """Kept as it came, for somebody to look at."""
        with self._context.database.write() as connection:
            inbound.mark_unreadable(connection, record.id, str(error), self._context.clock.now())

    def _parse(self, connection: Connection, record: Record) -> tuple[Fact, ...] | None:
        try:
            return facts_of(self._context.sources, record.source, record.body)
        except (ValueError, KeyError) as error:
            log.warning("inbound_unreadable", inbound_id=record.id, source=record.source, error=str(error)[:200])
            inbound.mark_unreadable(connection, record.id, str(error), self._context.clock.now())
            return None

    def _record_events(self, reading: Reading, batch: Sequence[tuple[Record, tuple[Fact, ...]]]) -> None:
        """Business events are the bulk of what comes in: members found and events stored a batch at a time."""
        happened = [(record, fact) for record, facts in batch for fact in facts if isinstance(fact, Happened)]
        known = members.find(reading.connection, members.MEMBER_KIND, {fact.member for _, fact in happened})
        new = []
        for record, fact in happened:
            ref = known.get(fact.member)
            if ref is None:
                # The order may be told before the customer: kept for them, and nothing can be sent without a consent.
                ref = known[fact.member] = members.create(reading.connection, reading.now, fact.member, None)
            # The key the outside gave: the same order told by API and by file is one event.
            new.append(NewEvent(ref, fact.event, fact.at, record.key, fact.payload, inbound_id=record.id))
        events.record(reading.connection, reading.applied.catalog, new, reading.now)

    def _read_one(self, reading: Reading, record: Record, facts: tuple[Fact, ...]) -> None:
        for fact in facts:
            _read_fact(reading.of(record.id), fact)


def facts_of(sources: Mapping[str, CallbackSource], source: str, body: str) -> tuple[Fact, ...]:
    """What a stored record says. Raises ValueError for one that cannot be read, KeyError for an unknown source."""
    return (fact_from_json(body),) if source in OWN_SOURCES else sources[source].facts(body)


def _is_business_event(parsed: tuple[Record, tuple[Fact, ...] | None]) -> bool:
    _, facts = parsed
    return facts is not None and all(isinstance(fact, Happened) for fact in facts)


def _read_fact(reading: Reading, fact: Fact) -> None:
    match fact:
        case MemberGiven():
            membership.given(reading, fact)
        case Followed():
            membership.followed(reading, fact)
        case Unfollowed():
            membership.unfollowed(reading, fact)
        case OptedOut():
            membership.opted_out(reading, fact)
        case Typed():
            conversation.typed(reading, fact)
        case Answered():
            conversation.answered(reading, fact)
        case Clicked():
            arrivals.clicked(reading, fact)
        case Receipt():
            arrivals.receipt(reading, fact)
        case Happened():
            raise AssertionError("business events are recorded in bulk")
        case _:
            assert_never(fact)
