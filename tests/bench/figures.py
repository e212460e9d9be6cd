"""What a benchmark says: figures, what stands beside each in the same run, and what it is to reach."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Beside:
    """What the figure is compared with: measured in the same run, on the same machine, in the same unit."""

    what: str
    value: float


@dataclass(frozen=True, slots=True)
class Goal:
    """What is to be reached: of the ratio, if something stands beside the figure; else of the figure itself."""

    at_least: float | None = None
    at_most: float | None = None

    def met_by(self, value: float) -> bool:
        above = self.at_least is None or value >= self.at_least
        return above and (self.at_most is None or value <= self.at_most)


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. `how`: what a reader must know to believe it (sizes, rounds, which of several runs)."""

    what: str
    value: float
    unit: str
    beside: Beside | None = None
    goal: Goal | None = None
    how: str = ""

    @property
    def ratio(self) -> float | None:
        return self.value / self.beside.value if self.beside is not None else None

    @property
    def met(self) -> bool | None:
        """None: nothing was to be reached."""
        judged = self.ratio if self.ratio is not None else self.value
        return self.goal.met_by(judged) if self.goal is not None else None


@dataclass(frozen=True, slots=True)
class Scale:
    """How much to measure. `quick`: minutes become seconds and millions thousands; the figures then say little."""

    quick: bool
    folder: Path  # for databases and files of this run

    def of(self, full: int, quick: int) -> int:
        return quick if self.quick else full


class Section(Protocol):
    """A module of this folder that measures one thing."""

    TITLE: str
    ABOUT: str  # what is measured, against what, and how

    @staticmethod
    def measure(scale: Scale) -> Iterator[Figure]:
        """Yields each figure as soon as it is known."""
        ...


@dataclass(frozen=True, slots=True)
class Measured:
    """One section's figures, and where and when they were measured."""

    title: str
    about: str
    day: str
    machine: str
    quick: bool
    figures: Sequence[Figure]


def keep(file: Path, name: str, measured: Measured) -> None:
    """Beside what other sections have left there."""
    kept = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    kept[name] = asdict(measured)
    file.write_text(json.dumps(kept, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def kept(file: Path) -> dict[str, Measured]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return {name: _measured(values) for name, values in found.items()}


def _measured(values: dict[str, Any]) -> Measured:
    return Measured(**values | {"figures": [_figure(figure) for figure in values["figures"]]})


def _figure(values: dict[str, Any]) -> Figure:
    beside, goal = values["beside"], values["goal"]
    return Figure(**values | {"beside": beside and Beside(**beside), "goal": goal and Goal(**goal)})
