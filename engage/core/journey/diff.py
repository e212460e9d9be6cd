"""What an edit means for the members on their way: one fate for every step of the old version. Pure.

A step lives on (perhaps under another name, perhaps with another time to wait) or is gone. Who stands at a step that
is gone goes on at its structural successor of the old version, as far as that lives on: the next sibling, else what
follows the parent; never the next line, which may belong to another branch. Only where the whole way they are on is
gone, the author has to say where they belong now (`was` or `moved_to`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from engage.core.journey.alignment import Alignment, align, family, is_anonymous_wait, parts
from engage.core.journey.model import Ask, Journey, Step, Wait, WaitFor, blocks_of
from engage.core.journey.program import Program
from engage.core.timing import WaitSpec

# How long a step holds its members.
Time = WaitSpec | timedelta

# Fields of the model, as an author spells them.
_SPELT = {
    "title": "journey",
    "arms": "if",
    "template": "send",
    "values": "with",
    "survey": "ask",
    "until": "wait",
    "events": "wait_for",
    "answer": "switch",
    "otherwise": "else",
    "at_usual_hour": "at",
    "target": "goto",
    "name": "webhook",
    "team": "notify",
    "reason": "exit",
}
_TIMES = frozenset({"until", "up_to", "answer_within"})
_OF_NOBODY = frozenset({"steps", "draft", "moved_to"})


@dataclass(frozen=True, slots=True)
class Kept:
    """The step lives on. `times`: before and after, if those who wait are to be timed anew, by the option `timed_by`.
    `afresh`: it has become another kind of step, and whoever waits there begins it."""

    old: str
    new: str
    renamed: bool = False  # by its author; names that the file makes may shift without anybody's doing
    times: tuple[Time, Time] | None = None
    timed_by: str = ""
    changed: tuple[str, ...] = ()  # options, as an author spells them
    afresh: bool = False

    @property
    def is_news(self) -> bool:
        return bool(self.changed) or self.moves_members

    @property
    def moves_members(self) -> bool:
        return self.old != self.new or self.times is not None or self.afresh


@dataclass(frozen=True, slots=True)
class Gone:
    """The step is no more. `to`: where its members go on; None: past the end. `homeless`: nobody may go on until the
    author says where."""

    old: str
    to: str | None
    named: bool = False  # by `moved_to`
    homeless: bool = False
    perhaps: str | None = None  # an added step that looks like this one under another name

    @property
    def is_news(self) -> bool:
        return True


Fate = Kept | Gone


@dataclass(frozen=True, slots=True)
class JourneyDiff:
    """`fates`: by old step id, in the order of the old version. `added`: in the order of the new one."""

    fates: Mapping[str, Fate]
    added: tuple[str, ...]
    changed: tuple[str, ...]  # keys of the journey

    @property
    def names(self) -> dict[str, str]:
        """Of every step that lives on, the id it has now."""
        return {fate.old: fate.new for fate in self.fates.values() if isinstance(fate, Kept)}

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or any(fate.is_news for fate in self.fates.values()))


def diff(old: Journey, new: Journey, known: Mapping[str, str] | None = None) -> JourneyDiff:
    """`known`: which old step is which new one, where that need not be found out."""
    return _Comparing(old, new, align(old, new) if known is None else Alignment(known, {})).result()


class _Comparing:
    def __init__(self, old: Journey, new: Journey, alignment: Alignment) -> None:
        self._old, self._new = Program(old), Program(new)
        self._pairs, self._arms = alignment.pairs, alignment.arms
        living = set(self._pairs.values())
        self._added = tuple(step_id for step_id in self._new.ids if step_id not in living)
        self._homeless = frozenset(_under_lost_ways(old.steps, self))

    def result(self) -> JourneyDiff:
        fates = {step_id: self._fate(step_id) for step_id in self._old.ids}
        return JourneyDiff(fates, self._added, _keys_changed(self._old.journey, self._new.journey))

    def _fate(self, step_id: str) -> Fate:
        if step_id in self._pairs:
            return _kept(self._old.step(step_id), self._new.step(self._pairs[step_id]))
        named = self._new.journey.moved_to.get(step_id)
        if named is not None:
            return Gone(step_id, named, named=True)
        return Gone(step_id, self._onward(step_id), homeless=step_id in self._homeless, perhaps=self._perhaps(step_id))

    def _onward(self, step_id: str) -> str | None:
        """The nearest structural successor that lives on."""
        after = self._old.after(step_id)
        while after is not None and after not in self._pairs:
            if after in self._new.journey.moved_to:
                return self._new.journey.moved_to[after]
            after = self._old.after(after)
        return self._pairs[after] if after is not None else None

    def _perhaps(self, step_id: str) -> str | None:
        """The same kind of step at the same place."""
        step = self._old.step(step_id)
        if is_anonymous_wait(step):
            return None
        return next((new_id for new_id in self._added if self._in_the_same_place(step, self._new.step(new_id))), None)

    def _in_the_same_place(self, old: Step, new: Step) -> bool:
        """Before the same step of those that both versions have."""
        ours, theirs = self._old.after(old.id), self._new.after(new.id)
        while ours is not None and ours not in self._pairs:
            ours = self._old.after(ours)
        while theirs in self._added:
            theirs = self._new.after(theirs)
        return type(old) is type(new) and theirs == (self._pairs[ours] if ours is not None else None)

    def lives(self, step_id: str) -> bool:
        return step_id in self._pairs

    def way_is_lost(self, step_id: str, name: str) -> bool:
        """Whether one of the lists under a step that lives on has nothing to correspond to."""
        there = self._arms.get((step_id, name))
        blocks = dict(blocks_of(self._new.step(self._pairs[step_id])))
        return there is None or not blocks[there]


def _under_lost_ways(steps: tuple[Step, ...], comparing: _Comparing, *, lost: bool = False) -> Iterator[str]:
    for step in steps:
        if lost:
            yield step.id
        for name, block in blocks_of(step):
            gone = lost or (comparing.lives(step.id) and comparing.way_is_lost(step.id, name))
            yield from _under_lost_ways(block, comparing, lost=gone)


def _kept(old: Step, new: Step) -> Kept:
    renamed = family(old) != family(new) and not is_anonymous_wait(old) and not is_anonymous_wait(new)
    before, after = time_of(old), time_of(new)
    if before is None or after is None or isinstance(new, Ask) != isinstance(old, Ask):
        return Kept(old.id, new.id, renamed, changed=_options_changed(old, new), afresh=type(old) is not type(new))
    times = (before, after) if before != after else None
    return Kept(old.id, new.id, renamed, times, _timed_by(new) if times else "", _options_changed(old, new))


def time_of(step: Step) -> Time | None:
    """How long it holds its members; None if it does not."""
    match step:
        case Wait(until=until):
            return until
        case WaitFor(up_to=up_to):
            return up_to
        case Ask(answer_within=within):
            return within
        case _:
            return None


def _timed_by(step: Step) -> str:
    return {Wait: "wait", WaitFor: "up_to", Ask: "answer_within"}[type(step)]


def _options_changed(old: Step, new: Step) -> tuple[str, ...]:
    """Without the times, which are told by themselves."""
    return _changed(parts(old), parts(new), _TIMES)


def _keys_changed(old: Journey, new: Journey) -> tuple[str, ...]:
    return _changed(parts(old), parts(new), _OF_NOBODY)


def _changed(old: Mapping[str, Any], new: Mapping[str, Any], but: frozenset[str]) -> tuple[str, ...]:
    names = dict.fromkeys([*old, *new])
    differ = (name for name in names if name not in but and old.get(name) != new.get(name))
    return tuple(_SPELT.get(name, name) for name in differ)
