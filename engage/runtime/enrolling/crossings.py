"""Entering and leaving segments: after what happened; `passing_of_time` has the others.

Every crossing is an event like any other: it may start journeys, end waits, be counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from engage.core.catalog import Catalog
from engage.runtime.applied import Applied
from engage.store import events, members, segments, tallies
from engage.store.advancing import NEWS_FOR
from engage.store.events import FreshEvent, NewEvent
from engage.store.segments import Crossing

ONE_START = timedelta(hours=1)  # what a segment brings within so long is one start


def came_into(segment: str) -> str:
    """The tally of those who have come into it, whether or not anybody has looked at that yet."""
    return f"came_into:{segment}"


def is_news(event: FreshEvent) -> bool:
    """History starts nothing: what a file brought, and what happened more than a day before we heard of it."""
    return event.name != "member_imported" and event.at > event.recorded_at - NEWS_FOR


def cross_by_events(
    connection: Connection, applied: Applied, fresh: Sequence[FreshEvent], news: Sequence[FreshEvent], now: datetime
) -> None:
    """Whoever has only history, in the batch and waiting behind it, crosses in silence. (What waits is in their fields
    already, and may be why they cross.)"""
    happened = [(event.member, event.name) for event in fresh]
    crossings = segments.refresh(connection, applied.catalog, happened, now)
    told = {event.member for event in news}
    others = {crossing.member for crossing in crossings} - told
    told |= {event.member for event in events.fresh_of(connection, others) if is_news(event)}
    crossings = [crossing for crossing in crossings if crossing.member in told]
    record_crossings(connection, applied.catalog, crossings, now)
    note_entering(connection, entering(crossings), now)


def record_crossings(connection: Connection, catalog: Catalog, crossings: Sequence[Crossing], now: datetime) -> None:
    before = members.last_events(connection, {crossing.member for crossing in crossings})
    new = [
        NewEvent(
            crossing.member,
            "segment_entered" if crossing.entered else "segment_left",
            now,
            f"segment:{crossing.segment}:{crossing.member.id}:{before[crossing.member.id]}",
            {"segment": crossing.segment},
        )
        for crossing in crossings
    ]
    if new:
        events.record(connection, catalog, new, now)


def entering(crossings: Iterable[Crossing]) -> Counter[str]:
    """How many enter, by segment."""
    return Counter(crossing.segment for crossing in crossings if crossing.entered)


def note_entering(connection: Connection, counts: Mapping[str, int], now: datetime) -> None:
    """For the guard of those whom a start brings."""
    tallies.add(connection, {came_into(segment): count for segment, count in counts.items()}, 0, now)
