"""Counts by the minute that hold across restarts and over many daemons."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import BigInteger, Connection, bindparam, delete, func, select

from engage.store.databases.database import upsert
from engage.store.tables import Instant, tally

SLOTS = 64  # more than daemons that write at once


def minute_of(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def add(connection: Connection, counts: Mapping[str, int], slot: int, now: datetime) -> None:
    rows = [
        {"of_name": name, "of_minute": minute_of(now), "of_slot": slot, "more": count}
        for name, count in sorted(counts.items())
    ]
    if rows:
        connection.execute(_ADDED, rows)


def counted(connection: Connection, names: Collection[str], since: datetime) -> dict[str, int]:
    """By name; those that have not happened are not in."""
    given = {"names": sorted(names), "since": since}
    return {name: int(count) for name, count in connection.execute(_COUNTED, given)}


def counted_under(connection: Connection, prefix: str, since: datetime) -> dict[str, int]:
    """All whose names begin so, by the rest of the name."""
    begins = tally.c.name.startswith(prefix, autoescape=True)
    rows = connection.execute(_SUMMED.where(begins).order_by(tally.c.name), {"since": since})
    return {name.removeprefix(prefix): int(count) for name, count in rows}


def forget(connection: Connection, before: datetime) -> None:
    connection.execute(delete(tally).where(tally.c.minute < before))


_MORE = bindparam("more", type_=BigInteger())
_ADDED = (
    upsert(tally)
    .values(
        name=bindparam("of_name"),
        minute=bindparam("of_minute", type_=Instant()),
        slot=bindparam("of_slot"),
        count=_MORE,
    )
    .on_conflict_do_update(index_elements=["name", "minute", "slot"], set_={"count": tally.c.count + _MORE})
)
_SUMMED = (
    select(tally.c.name, func.sum(tally.c.count))
    .where(tally.c.minute >= bindparam("since", type_=Instant()))
    .group_by(tally.c.name)
)
_COUNTED = _SUMMED.where(tally.c.name.in_(bindparam("names", expanding=True)))
