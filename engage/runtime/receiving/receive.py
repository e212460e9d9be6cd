"""RECEIVE: stored records are read, and what they say is written where journeys can see it. Decides nothing about them.

Each record stands alone: one that cannot be read is kept, marked, and does not hold up the others. What members and
providers did is read first, in a transaction of its own: an opt-out never waits behind a file of the shop's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any

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
    read_at,
)
from engage.core.fact_json import fact_from_json
from engage.runtime.batches import of_each_kind
from engage.runtime.context import Context
from engage.runtime.quarantine import Quarantine, Resting, all_of
from engage.runtime.receiving import answers, arrivals, conversation, membership, shop
from engage.runtime.receiving.reading import Reading
from engage.runtime.receiving.whom import whom
from engage.runtime.stride import Stride
from engage.store import inbound, state
from engage.store.inbound import Record

BATCH = 500
BULK_BATCH = 500  # what the shop told, by API or file
log = structlog.get_logger("engage.receive")

Entry = tuple[Record, Fact]
Reader = Callable[[Reading, Sequence[tuple[Record, Any]]], None]
OWN_SOURCES = frozenset({inbound.PAGE, inbound.API, inbound.FILE})


class Receive:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._strides = {False: Stride(BATCH, context), True: Stride(BULK_BATCH, context)}
        self._resting = Resting(context.clock)  # sources: what each tells is read in its order

    def tick(self) -> int:
        """Read one batch of each class. Returns how many records."""
        with self._context.database.read() as connection:
            classes = [bulk for bulk in (False, True) if inbound.unread_since(connection, bulk=bulk)]
        return all_of(*(self._of_class(bulk=bulk).together_or_singly for bulk in classes))

    def _of_class(self, *, bulk: bool) -> Quarantine[Record]:
        return Quarantine(
            self._context,
            "receive",
            attrgetter("source"),
            partial(self._take, bulk=bulk),
            self._take_again,
            partial(self._read, self._strides[bulk]),
            self._set_aside,
            self._resting,
        )

    def _take(self, connection: Connection, *, bulk: bool) -> Sequence[Record]:
        """Nothing while another process reads: what a person did is read in its order. Where this version cannot read
        what is applied, that ends the tick, and no record is to blame."""
        self._context.applied.current()
        if not self._has_turn(connection):
            return []
        return inbound.unread(connection, self._strides[bulk].length, bulk=bulk, besides=self._resting.now)

    def _take_again(self, connection: Connection, record: Record) -> Sequence[Record]:
        return inbound.still_unread(connection, record) if self._has_turn(connection, waits=True) else []

    def _has_turn(self, connection: Connection, *, waits: bool = False) -> bool:
        return state.take_turn(connection, "receive", self._context.clock.now(), waits=waits)

    def _read(self, stride: Stride, connection: Connection, records: Sequence[Record]) -> None:
        with stride.over(len(records)):
            self._read_all(connection, records)

    def _read_all(self, connection: Connection, records: Sequence[Record]) -> None:
        now = self._context.clock.now()
        reading = Reading(connection, self._context.applied.current(), self._context.channels, now)
        parsed = [(record, self._parse(connection, record)) for record in records]
        told = [(record, read_at(fact, now)) for record, facts in parsed for fact in facts or ()]
        for read, entries in _for_each_reader(connection, told):
            read(reading, entries)
        done = [record.id for record, facts in parsed if facts is not None]
        inbound.mark_read(connection, done, now)

    def _set_aside(self, connection: Connection, record: Record, error: Exception) -> None:
        """Kept as it came, for somebody to look at."""
        if self._take_again(connection, record):
            inbound.mark_unreadable(connection, record.id, str(error), self._context.clock.now())

    def _parse(self, connection: Connection, record: Record) -> tuple[Fact, ...] | None:
        try:
            return facts_of(self._context.sources, record.source, record.body)
        except ValueError as error:
            log.warning("inbound_unreadable", inbound_id=record.id, source=record.source, error=str(error)[:200])
            inbound.mark_unreadable(connection, record.id, str(error), self._context.clock.now())
            return None


def facts_of(sources: Mapping[str, CallbackSource], source: str, body: str) -> tuple[Fact, ...]:
    """What a stored record says. Raises ValueError for one that cannot be read."""
    if source in OWN_SOURCES:
        return (fact_from_json(body),)
    if source not in sources:
        raise ValueError(
            f"no channel in config.yaml takes in what {source} tells: set it up again, then run `engage reread`"
        )
    try:
        return sources[source].facts(body)
    except KeyError as error:
        raise ValueError(f"it lacks {error}") from error


# --- who reads what ---------------------------------------------------------------------------------------------


def _for_each_reader(connection: Connection, told: Sequence[Entry]) -> Iterable[tuple[Reader, Sequence[Entry]]]:
    """What has the same reader is read together. What is about the same person stays in its order."""
    readers = {_READERS[type(fact)] for _, fact in told}
    if len(readers) <= 1:
        return [(read, told) for read in readers]
    touched = whom(connection, [fact for _, fact in told])
    batches = of_each_kind(
        zip(told, touched, strict=True), lambda each: _READERS[type(each[0][1])], lambda each: each[1]
    )
    return ((read, [entry for entry, _ in entries]) for read, entries in batches)


def _one_by_one(read: Callable[[Reading, Any], None]) -> Reader:
    """For what is rare."""

    def each(reading: Reading, told: Sequence[tuple[Record, Any]]) -> None:
        for record, fact in told:
            read(reading.of(record.id), fact)

    return each


_READERS: Mapping[type[Fact], Reader] = {
    MemberGiven: shop.given,
    Happened: shop.happened,
    Receipt: arrivals.read,
    Clicked: arrivals.read,
    Typed: conversation.typed,
    Answered: answers.answered,
    Followed: _one_by_one(membership.followed),
    Unfollowed: _one_by_one(membership.unfollowed),
    OptedOut: _one_by_one(membership.opted_out),
}
