"""What the passing of time does, as a whole: found, and written down."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection

from engage.core.catalog import Catalog
from engage.store import segments
from engage.store.segments import Crossing
from engage.store.statements import ranks
from engage.store.statements.ranks import Moved, Share


def crossed_by_time(connection: Connection, catalog: Catalog, since: datetime, now: datetime) -> list[Crossing]:
    return segments.cross(connection, catalog, segments.crossing_by_time(connection, catalog, since, now), now)


def crossed_by_rank(connection: Connection, catalog: Catalog, moved: Sequence[Moved], now: datetime) -> list[Crossing]:
    return segments.cross(connection, catalog, segments.crossing_by_rank(connection, catalog, moved, now), now)


def recompute(connection: Connection, catalog: Catalog, shares: Iterable[Share], now: datetime) -> list[Moved]:
    return ranks.replace(connection, ranks.work_out(connection, catalog, shares, now))
