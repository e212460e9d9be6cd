"""A journey as a program to walk: every step by its id, and the step that follows it.

The successor of a step is structural: its next sibling, else its parent's successor. It is never the next line of the
file, which may belong to another branch.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from engage.core.journey.model import Ask, Goto, Journey, Step, blocks_of


class Program:
    """Read-only; built once for each journey version."""

    def __init__(self, journey: Journey) -> None:
        self.journey = journey
        self._steps: dict[str, Step] = {}
        self._after: dict[str, str | None] = {}
        self._index(journey.steps, None)
        self._place = {step_id: place for place, step_id in enumerate(self._steps)}
        # Whether a run may come by a step more than once.
        self.comes_back = any(
            isinstance(step, Goto) and step.target in self._place and self.is_behind(step.target, step.id)
            for step in self._steps.values()
        )
        self.first: str | None = journey.steps[0].id if journey.steps else None
        self.asks: Mapping[str, Ask] = MappingProxyType(
            {step.id: step for step in self._steps.values() if isinstance(step, Ask)}
        )

    @property
    def ids(self) -> tuple[str, ...]:
        """Every step's id, in file order."""
        return tuple(self._steps)

    def step(self, step_id: str) -> Step:
        """Raises KeyError for an id that is not in this version."""
        return self._steps[step_id]

    def after(self, step_id: str) -> str | None:
        """The structural successor; None where the journey ends. Raises KeyError for an unknown id."""
        return self._after[step_id]

    def enter(self, block_steps: tuple[Step, ...], parent_id: str) -> str | None:
        """The first step of a block nested in `parent_id`; if the block is empty, what follows the parent."""
        return block_steps[0].id if block_steps else self._after[parent_id]

    def is_behind(self, step_id: str, here: str) -> bool:
        """Whether going from `here` to that step is going back. Raises KeyError for an unknown id."""
        return self._place[step_id] <= self._place[here]

    def _index(self, steps: tuple[Step, ...], end: str | None) -> None:
        for position, step in enumerate(steps):
            successor = steps[position + 1].id if position + 1 < len(steps) else end
            self._steps[step.id] = step
            self._after[step.id] = successor
            for _, block in blocks_of(step):
                self._index(block, successor)
