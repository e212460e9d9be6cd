"""Ways to draw from a stream of chance: whether, which, how long, how often."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeVar

T = TypeVar("T")


def happens(rng: random.Random, probability: float) -> bool:
    return rng.random() < probability


def weighted(rng: random.Random, choices: Sequence[tuple[T, float]]) -> T:
    return rng.choices([value for value, _ in choices], [weight for _, weight in choices])[0]


def within(rng: random.Random, shortest: timedelta, longest: timedelta) -> timedelta:
    """A span between the two, in whole seconds."""
    return timedelta(seconds=round(rng.uniform(shortest.total_seconds(), longest.total_seconds())))


def now_and_then(rng: random.Random, since: datetime, until: datetime, every: timedelta) -> tuple[datetime, ...]:
    """Independent moments, `every` apart on average. A later `until` only adds moments at the end."""
    moments: list[datetime] = []
    at = since
    while True:
        at += timedelta(seconds=round(rng.expovariate(1 / every.total_seconds())))
        if at >= until:
            return tuple(moments)
        moments.append(at)
