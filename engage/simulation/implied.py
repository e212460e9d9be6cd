"""The events that must have happened to a member of whom a test tells computed fields only.

Who has a last order has had an order: `last_order_at: 95d ago` implies an order then, counts and conditions on orders
included. A field that looks back over a window has no value of its own at all, only events. What the test says of other
fields counts above what follows from these events.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from engage.core.catalog import Aggregate, Catalog, Computed

Implied = tuple[str, datetime, dict[str, Any]]
"""(event, when, payload)"""


def implied_events(catalog: Catalog, values: Mapping[str, Any], now: datetime) -> Iterator[Implied]:
    """`values`: by field, as JSON data."""
    dated: dict[str, set[datetime]] = {}
    for name, value in values.items():
        computed = catalog.fields[name].computed
        if computed is None:
            continue
        if computed.within is not None:
            yield from _in_window(computed, computed.within, value, now)
        elif computed.aggregate in (Aggregate.FIRST, Aggregate.LAST) and len(computed.events) == 1:
            dated.setdefault(computed.events[0], set()).add(datetime.fromisoformat(value))
    for event, moments in dated.items():
        yield from ((event, at, {}) for at in sorted(moments))


def _in_window(computed: Computed, within: timedelta, value: Any, now: datetime) -> Iterator[Implied]:
    event, middle = computed.events[0], now - within / 2
    match computed.aggregate:
        case Aggregate.COUNT:
            yield from ((event, middle - timedelta(seconds=i), {}) for i in range(int(float(value))))
        case Aggregate.SUM:
            yield event, middle, {computed.key or "": float(value)}
        case Aggregate.FIRST | Aggregate.LAST:
            yield event, datetime.fromisoformat(value), {}
