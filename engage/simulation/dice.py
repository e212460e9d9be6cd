"""Chance in a simulation: draws of what a behaviour file says."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from engage.core.behaviour.model import Between, Cause, Delay, Draw, New, OneOf, Same

# When people do things by themselves: by day, lunch and evening a little more. (hour, weight)
_HOURS = [(hour, 3.0 if hour in (12, 13, 20, 21) else 2.0) for hour in range(9, 22)] + [(8, 1.0), (22, 1.0), (23, 0.5)]
_WAKES = 7  # o'clock: what would be done in the small hours is done in the morning
_SPREAD = 1.3  # of the logarithm of response times


def happens(rng: random.Random, share: float | None) -> bool:
    return share is not None and rng.random() < share


def one_of(rng: random.Random, choice: OneOf) -> Any:
    """None for the part that the weights leave over."""
    place = rng.random() * max(1.0, sum(choice.weights))
    for value, weight in zip(choice.values, choice.weights, strict=True):
        if place < weight:
            return value
        place -= weight
    return None


def payload(
    rng: random.Random, draws: Mapping[str, Draw], cause: Mapping[str, Any], new_id: Callable[[], str]
) -> dict[str, Any]:
    drawn = {key: _value(rng, draw, cause.get(key), new_id) for key, draw in draws.items()}
    return {key: value for key, value in drawn.items() if value is not None}


def _value(rng: random.Random, draw: Draw, before: Any, new_id: Callable[[], str]) -> Any:
    match draw:
        case Between(low, high):
            return round(math.exp(rng.uniform(math.log1p(low), math.log1p(high))) - 1)
        case OneOf():
            return one_of(rng, draw)
        case New():
            return new_id()
        case Same():
            return before


# --- moments ----------------------------------------------------------------------------------------------------


def some_time_on(rng: random.Random, day: date, zone: ZoneInfo) -> datetime:
    (hour,) = rng.choices([hour for hour, _ in _HOURS], [weight for _, weight in _HOURS])
    return datetime.combine(day, time(hour, rng.randrange(60)), zone).astimezone(UTC)


def after_delay(rng: random.Random, at: datetime, delay: Delay, zone: ZoneInfo) -> datetime:
    """When somebody responds to what came at `at`."""
    median = delay.median.total_seconds()
    seconds = min(median * math.exp(rng.gauss(0, _SPREAD)), delay.longest.total_seconds())
    return awake(rng, at + timedelta(seconds=seconds), zone)


def after_cause(rng: random.Random, at: datetime, cause: Cause, zone: ZoneInfo) -> datetime:
    seconds = rng.uniform(cause.soonest.total_seconds(), cause.latest.total_seconds())
    return awake(rng, at + timedelta(seconds=seconds), zone)


def awake(rng: random.Random, moment: datetime, zone: ZoneInfo) -> datetime:
    local = moment.astimezone(zone)
    if local.hour >= _WAKES:
        return moment
    morning = local.replace(hour=_WAKES, minute=0, second=0, microsecond=0)
    return (morning + timedelta(minutes=rng.randrange(120))).astimezone(UTC)


def so_many(rng: random.Random, expected: float) -> Iterator[None]:
    """As many times as chance has it, `expected` on average (Poisson)."""
    if expected <= 0:
        return
    passed = rng.expovariate(expected)
    while passed < 1:
        yield
        passed += rng.expovariate(expected)
