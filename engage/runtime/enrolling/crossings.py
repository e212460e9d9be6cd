"""Entering and leaving segments: after what happened, by the hour, and when ranks were worked out anew in the night.

Every crossing is an event like any other: it may start journeys, end waits, be counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from engage.core.dependence import shares_in
from engage.core.quiet import zone_of
from engage.runtime.applied import Applied
from engage.store import events, members, segments, state, tallies
from engage.store.advancing import NEWS_FOR
from engage.store.events import FreshEvent, NewEvent
from engage.store.segments import Crossing
from engage.store.statements import ranks

RANKED_FROM = 3  # o'clock, by the business's own time: the day before is complete, and few people write


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
    _record(connection, applied, [crossing for crossing in crossings if crossing.member in told], now)


def cross_by_time(connection: Connection, applied: Applied, now: datetime) -> int:
    """At most once an hour. Returns how many crossed."""
    swept = state.moment(connection, state.SEGMENTS_SWEPT) or now
    if swept != now and hour_of(swept) == hour_of(now):
        return 0
    crossings = segments.refresh_by_time(connection, applied.catalog, swept, now)
    crossings += _cross_by_rank(connection, applied, now)
    _record(connection, applied, crossings, now)
    state.put_moment(connection, state.SEGMENTS_SWEPT, now)
    return len(crossings)


def hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _cross_by_rank(connection: Connection, applied: Applied, now: datetime) -> list[Crossing]:
    local = now.astimezone(zone_of(None, applied.catalog.timezone))
    if local.hour < RANKED_FROM or not state.take_slot(connection, "ranks", local.date().isoformat(), now):
        return []
    shares = shares_in((applied.catalog.segments, [active.journey for active in applied.journeys.values()]))
    moved = ranks.recompute(connection, applied.catalog, shares, now)
    return segments.refresh_by_rank(connection, applied.catalog, moved, now)


def _key(crossing: Crossing, before: int) -> str:
    """Time may bring a member in, and the ranks out, in one look."""
    way = "in" if crossing.entered else "out"
    return f"segment:{crossing.segment}:{crossing.member.id}:{before}:{way}"


def _record(connection: Connection, applied: Applied, crossings: Sequence[Crossing], now: datetime) -> None:
    before = members.last_events(connection, {crossing.member for crossing in crossings})
    new = [
        NewEvent(
            crossing.member,
            "segment_entered" if crossing.entered else "segment_left",
            now,
            _key(crossing, before[crossing.member.id]),
            {"segment": crossing.segment},
        )
        for crossing in crossings
    ]
    if new:
        events.record(connection, applied.catalog, new, now)
        came = Counter(came_into(crossing.segment) for crossing in crossings if crossing.entered)
        tallies.add(connection, came, 0, now)
