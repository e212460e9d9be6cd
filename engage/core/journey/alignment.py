"""Which step of the new version is which step of the old one.

A step that has a name of its own is itself under that name, wherever it stands now; `was` says under which other name.
The rest has names that the file makes (`wait>gift`, `exit-lost~2`), and these shift when something is inserted. Such
steps are found again by what stands around them: within lists of steps that belong together, the longest way to lay
the old ones beside the new ones without crossing, what means the same before what is only called the same. So an
insertion moves nobody.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from engage.core.journey.model import Branch, Journey, Step, StepBase, Wait, blocks_of
from engage.core.problem import Span

Place = tuple[str | None, str]
"""A list of steps: the step it is nested in, and its name there. The journey's own: (None, "")."""

_TOP: Place = (None, "")
_NUMBER = re.compile(r"~\d+$")
_WAIT = "wait>"
_NAMES = frozenset({"id", "span", "was", "label"})  # what a step is called, not what it does
_CERTAIN = 1000  # laid beside each other before anything else


def meaning(value: Any) -> Any:
    """What a step, or a part of one, says: without its names, its place in the file, and the steps nested in it."""
    match value:
        case Mapping():
            return tuple(sorted((key, meaning(one)) for key, one in value.items()))
        case tuple():
            return tuple(meaning(one) for one in value if not isinstance(one, StepBase))
        case _ if is_dataclass(value):
            return (type(value).__name__, *parts(value).values())
        case _:
            return value


def parts(value: Any) -> dict[str, Any]:
    """By field name, what each says."""
    found = ((field.name, getattr(value, field.name)) for field in fields(value) if field.name not in _NAMES)
    return {name: meaning(one) for name, one in found if not isinstance(one, Span)}


def family(step: Step) -> str:
    """What its made name is made of."""
    return _WAIT if is_anonymous_wait(step) else _NUMBER.sub("", step.id)


def is_anonymous_wait(step: Step) -> bool:
    return isinstance(step, Wait) and step.id.startswith(_WAIT)


@dataclass(frozen=True, slots=True)
class Alignment:
    """`pairs`: the new id of every old step that lives on. `arms`: the new name of a list nested in such a step, by
    (old step, old name), where it lives on, too."""

    pairs: Mapping[str, str]
    arms: Mapping[tuple[str, str], str]


def align(old: Journey, new: Journey) -> Alignment:
    return _Aligning(_Layout(old), _Layout(new)).result()


class _Layout:
    """The steps of one version, and the list that each stands in."""

    def __init__(self, journey: Journey) -> None:
        self.steps: dict[str, Step] = {}
        self.place: dict[str, Place] = {}
        self.blocks: dict[Place, tuple[Step, ...]] = {}
        self._under: dict[Place, frozenset[str]] = {}
        self._read(_TOP, journey.steps)
        self.families = Counter(family(step) for step in self.steps.values())

    def _read(self, place: Place, block: tuple[Step, ...]) -> frozenset[str]:
        self.blocks[place] = block
        under = {step.id for step in block}
        for step in block:
            self.steps[step.id], self.place[step.id] = step, place
            for name, nested in blocks_of(step):
                under |= self._read((step.id, name), nested)
        self._under[place] = frozenset(under)
        return self._under[place]

    def under(self, place: Place) -> frozenset[str]:
        """Every step in that list, nested ones included."""
        return self._under[place]

    def has_own_name(self, step: Step) -> bool:
        return self.families[family(step)] == 1 and not is_anonymous_wait(step)


class _Aligning:
    def __init__(self, old: _Layout, new: _Layout) -> None:
        self._old, self._new = old, new
        self._pairs: dict[str, str] = {}
        self._taken: set[str] = set()
        self._arms: dict[tuple[str, str], str] = {}
        self._meanings: dict[int, Any] = {}

    def result(self) -> Alignment:
        self._by_name()
        self._by_place()
        for step in self._old.steps.values():
            if step.id not in self._pairs and self._may_be(step, self._new.steps.get(step.id)):
                self._pair(step.id, step.id)
        self._by_place()
        return Alignment(self._pairs, self._arms)

    def _pair(self, old_id: str, new_id: str) -> None:
        self._pairs[old_id] = new_id
        self._taken.add(new_id)

    def _may_be(self, a: Step, b: Step | None) -> bool:
        return b is not None and b.id not in self._taken and family(a) == family(b)

    # --- by name ------------------------------------------------------------------------------------------------

    def _by_name(self) -> None:
        for step in self._new.steps.values():
            for earlier in step.was:
                if earlier in self._old.steps and earlier not in self._new.steps:
                    self._pair(earlier, step.id)
        for step in self._old.steps.values():
            if self._old.has_own_name(step) and step.id not in self._pairs:
                there = self._new.steps.get(step.id)
                if there is not None and self._new.has_own_name(there):
                    self._pair(step.id, step.id)

    # --- by place -----------------------------------------------------------------------------------------------

    def _by_place(self) -> None:
        """Lists that belong together, those with the most in common first; what is found in them may bring new ones."""
        done: set[tuple[Place, Place]] = set()
        while ahead := [pair for pair in self._lists_together() if pair not in done]:
            done.add(ahead[0])
            self._lay_together(self._old.blocks[ahead[0][0]], self._new.blocks[ahead[0][1]])

    def _lists_together(self) -> list[tuple[Place, Place]]:
        common = Counter((self._old.place[a], self._new.place[b]) for a, b in self._pairs.items())
        common[_TOP, _TOP] += 1
        for a, b in self._pairs.items():
            for name, other in self._arms_of(a, b):
                self._arms[a, name] = other
                common[(a, name), (b, other)] += 1
        return [pair for pair, _ in common.most_common()]

    def _arms_of(self, a: str, b: str) -> Iterator[tuple[str, str]]:
        """The lists nested in a step and in what it has become: first by what is in them and when they are taken, then
        by name."""
        ours = [name for name, _ in blocks_of(self._old.steps[a])]
        theirs = [name for name, _ in blocks_of(self._new.steps[b])]
        alike = sorted(
            ((-self._arm_likeness(a, x, b, y), i, j) for i, x in enumerate(ours) for j, y in enumerate(theirs)),
        )
        left, right = dict(enumerate(ours)), dict(enumerate(theirs))
        for likeness, i, j in alike:
            if likeness < 0 and i in left and j in right:
                yield left.pop(i), right.pop(j)
        for name in left.values():
            if name in right.values():
                yield name, name

    def _arm_likeness(self, a: str, x: str, b: str, y: str) -> int:
        inside, there = self._old.under((a, x)), self._new.under((b, y))
        shared = len({self._pairs[step] for step in inside if step in self._pairs} & there)
        return 2 * shared + (1 if _taken_when(self._old.steps[a], x) == _taken_when(self._new.steps[b], y) else 0)

    # --- side by side -------------------------------------------------------------------------------------------

    def _lay_together(self, old: Sequence[Step], new: Sequence[Step]) -> None:
        """The best way to pair them in order (Needleman and Wunsch); what is paired already stays so."""
        best = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
        like = [[self._likeness(a, b) for b in new] for a in old]
        for i in reversed(range(len(old))):
            for j in reversed(range(len(new))):
                together = best[i + 1][j + 1] + like[i][j] if like[i][j] else 0
                best[i][j] = max(best[i + 1][j], best[i][j + 1], together)
        i = j = 0
        while i < len(old) and j < len(new):
            if like[i][j] and best[i][j] == best[i + 1][j + 1] + like[i][j]:
                self._pair(old[i].id, new[j].id)
                i, j = i + 1, j + 1
            elif best[i][j] == best[i + 1][j]:
                i += 1
            else:
                j += 1

    def _likeness(self, a: Step, b: Step) -> int:
        """0: surely another step."""
        if a.id in self._pairs or b.id in self._taken:
            return _CERTAIN if self._pairs.get(a.id) == b.id else 0
        if type(a) is not type(b):
            return 0
        same = bool(self._meaning(a) == self._meaning(b))
        if family(a) != family(b) and not (same and self._is_nameless(a, b)):
            return 0
        return 1 + 8 * same + 2 * (a.id == b.id) + self._inside(a, b)

    def _is_nameless(self, a: Step, b: Step) -> bool:
        """Names that are made mean nothing beside a name that was given."""
        return not self._old.has_own_name(a) or not self._new.has_own_name(b)

    def _inside(self, a: Step, b: Step) -> int:
        """How much of what is nested in one is nested in the other: up to 12."""
        ours = {step for name, _ in blocks_of(a) for step in self._old.under((a.id, name))}
        theirs = {step for name, _ in blocks_of(b) for step in self._new.under((b.id, name))}
        shared = len({self._pairs[step] for step in ours if step in self._pairs} & theirs)
        return 12 * shared // max(len(ours), len(theirs), 1)

    def _meaning(self, step: Step) -> Any:
        if id(step) not in self._meanings:
            self._meanings[id(step)] = meaning(step)
        return self._meanings[id(step)]


def _taken_when(step: Step, name: str) -> Any:
    """What leads into a list of steps. The ways of a `branch` have numbers only: there it is the condition."""
    if isinstance(step, Branch):
        return next(meaning(arm.condition) for arm in step.arms if arm.name == name)
    return name
