"""Chance in a world: one stream for each subsystem, so that a change in one does not shift the others."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

T = TypeVar("T")


class Dice:
    def __init__(self, seed: int, of: str) -> None:
        self._random = random.Random(f"{seed}/{of}")

    def hits(self, chance: float) -> bool:
        return self._random.random() < chance

    def one_of(self, options: list[T]) -> T:
        return options[self._random.randrange(len(options))]

    def shuffled(self, things: Sequence[T]) -> list[T]:
        return self._random.sample(things, len(things))

    def by_weight(self, weights: Mapping[T, float]) -> T:
        return self._random.choices(list(weights), list(weights.values()))[0]

    def some(self, least: int, most: int) -> int:
        return self._random.randint(least, most)

    def between(self, least: timedelta, most: timedelta) -> timedelta:
        return timedelta(seconds=self._random.randint(int(least.total_seconds()), int(most.total_seconds())))
