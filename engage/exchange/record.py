"""What CSV and Excel readers have in common: numbered records of cells, still without meaning."""

from __future__ import annotations

from dataclasses import dataclass

from engage.core.problem import Said


@dataclass(frozen=True, slots=True)
class Record:
    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BadRecord:
    """Could not even be split into cells."""

    number: int
    why: Said
    cells: tuple[str, ...]
