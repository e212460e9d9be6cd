"""Worlds by the number: which options a seed has, what became of it, and what to tell of one that went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.harness.boundaries import known_points
from tests.harness.cast import CHANNELS
from tests.harness.checker import violations
from tests.harness.complaints import listening
from tests.harness.grounds import Grounds
from tests.harness.world import Life, Options, World

POINTS = sorted(known_points(CHANNELS, ("webhook", "robot")))


def options_of(seed: int) -> Options:
    """Besides what its weather brings, a worker dies at one point of the engine's code: a different one each seed."""
    return Options(crash_at=POINTS[seed % len(POINTS)], nth=1 + seed // len(POINTS) % 3)


def live(grounds: Grounds, seed: int, options: Options | None = None) -> tuple[Life, list[str]]:
    life = World(grounds, seed, options or options_of(seed)).lives()
    return life, violations(life)


def told(life: Life, wrong: Iterable[str]) -> str:
    """A failing seed, so that somebody can follow it."""
    head = [f"seed {life.seed}, {life.options}", *(f"  ✗ {what}" for what in wrong)]
    return "\n".join([*head, "", *life.timeline, "", f"again: python -m tests.harness --seed {life.seed}"])


@dataclass
class Tally:
    """Over many worlds."""

    seeds: int = 0
    calls: int = 0
    reached: Counter[str] = field(default_factory=Counter)
    died_at: Counter[str] = field(default_factory=Counter)
    wrong: list[tuple[int, str]] = field(default_factory=list)

    def add(self, life: Life, wrong: list[str]) -> None:
        self.seeds += 1
        self.calls += len(life.truth.calls)
        self.reached.update(life.reached)
        self.died_at.update(life.died_at)
        self.wrong += [(life.seed, what) for what in wrong]

    def join(self, other: Tally) -> None:
        self.seeds += other.seeds
        self.calls += other.calls
        self.reached.update(other.reached)
        self.died_at.update(other.died_at)
        self.wrong += other.wrong

    @property
    def never_reached(self) -> list[str]:
        return [point for point in POINTS if not self.reached[point]]

    @property
    def never_died_at(self) -> list[str]:
        return [point for point in POINTS if not self.died_at[point]]

    def lines(self) -> Iterator[str]:
        width = max(map(len, POINTS))
        yield f"{'point':{width}} {'reached':>9} {'crashes':>9}"
        yield from (f"{point:{width}} {self.reached[point]:9} {self.died_at[point]:9}" for point in POINTS)
        yield f"{self.seeds} worlds, {self.calls} calls, {self.died_at.total()} crashes, {len(self.wrong)} violations"


def run(seeds: Iterable[int]) -> Tally:
    tally = Tally()
    with listening(), Grounds() as grounds:
        for seed in seeds:
            tally.add(*live(grounds, seed))
    return tally
