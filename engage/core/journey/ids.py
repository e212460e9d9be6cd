"""Step ids. An explicit `id:` wins; otherwise a step is named after what it does, so that changing `3d` to `5d` or
moving a line keeps its identity. Waits are named after the step they wait for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from engage.core.journey import mistakes
from engage.core.journey.nodes import Entry, Listing, Node, Scalar, Table
from engage.core.journey.vocabulary import VERBS
from engage.core.problem import Problem, Said, Span

_LONGEST = 110  # the database keeps 120 characters; room for `~2`, and for `@7` once the step is gone
WRITTEN = re.compile(r"[\w>~/-]{1,112}")  # a name, or what a step was called before its id was written down


@dataclass(frozen=True, slots=True)
class StepIds:
    of: Mapping[Span, str]  # by the place of the step's mapping
    asks: tuple[str, ...]  # the ids of the ask steps, in file order


def verb_of(step: Node) -> Entry | None:
    """The first verb of a step; None if it has none."""
    if not isinstance(step, Table):
        return None
    return next((entry for entry in step.entries if entry.key.text in VERBS), None)


def blocks_in(step: Table) -> Iterator[tuple[str, Listing]]:
    """The lists of steps nested in a step, under the names that `model.blocks_of` gives them."""
    verb = verb_of(step)
    match verb.key.text if verb else "":
        case "if" | "wait_for":
            yield from _named(step, "then", "else")
        case "branch" if verb and isinstance(verb.value, Listing):
            for number, arm in enumerate(verb.value.items, start=1):
                if isinstance(arm, Table):
                    yield from ((str(number), steps) for _, steps in _named(arm, "then"))
                    yield from _named(arm, "else")
        case "switch" if isinstance(cases := step.get("cases"), Table):
            yield from _named(cases, *(entry.key.text for entry in cases.entries))
        case "split" if isinstance(ways := step.get("ways"), Table):
            for way in ways.entries:
                if isinstance(way.value, Table):
                    yield from ((way.key.text, steps) for _, steps in _named(way.value, "steps"))


def _named(table: Table, *keys: str) -> Iterator[tuple[str, Listing]]:
    for key in keys:
        block = table.get(key)
        if isinstance(block, Listing):
            yield key, block


def name_steps(steps: Listing, problems: list[Problem]) -> StepIds:
    naming = _Naming(problems)
    naming.explicit(steps)
    naming.by_verb(steps)
    naming.waits(steps, "end")
    return StepIds(naming.of, tuple(naming.asks))


class _Naming:
    """Three passes: written ids are reserved first, then every step but the waits, then the waits by what follows."""

    def __init__(self, problems: list[Problem]) -> None:
        self.of: dict[Span, str] = {}
        self.asks: list[str] = []
        self._problems = problems
        self._taken: dict[str, Span] = {}

    def explicit(self, block: Listing) -> None:
        for step in _tables(block):
            written = step.get("id")
            if isinstance(written, Scalar) and written.text.strip():
                self._reserve(step, written)
            for _, nested in blocks_in(step):
                self.explicit(nested)

    def _reserve(self, step: Table, written: Scalar) -> None:
        if not WRITTEN.fullmatch(written.text):
            self._problems.append(mistakes.not_a_name(written.span, written.text, Said("an id", " id")))
        elif earlier := self._taken.get(written.text):
            self._problems.append(mistakes.id_twice(written.span, written.text, earlier))
        else:
            self._taken[written.text] = written.span
            self.of[step.span] = written.text

    def by_verb(self, block: Listing) -> None:
        for step in _tables(block):
            verb = verb_of(step)
            if verb and verb.key.text != "wait":
                self._name(step, _base(verb))
                if verb.key.text == "ask":
                    self.asks.append(self.of[step.span])
            for _, nested in blocks_in(step):
                self.by_verb(nested)

    def waits(self, block: Listing, end: str) -> None:
        """Backwards, because a wait before a wait is named after it."""
        following = end
        for step in reversed(list(_tables(block))):
            if (verb := verb_of(step)) and verb.key.text == "wait":
                self._name(step, f"wait>{following}")
            following = self.of.get(step.span, following)
            for name, nested in blocks_in(step):
                self.waits(nested, f"end-of-{following}/{name}")

    def _name(self, step: Table, base: str) -> None:
        if step.span in self.of:
            return
        base = re.sub(r"\s+", "-", base.strip())[:_LONGEST]
        name, number = base, 1
        while name in self._taken:
            number += 1
            name = f"{base}~{number}"
        self._taken[name] = step.span
        self.of[step.span] = name


def _tables(block: Listing) -> Iterator[Table]:
    return (item for item in block.items if isinstance(item, Table))


def _base(verb: Entry) -> str:
    value = verb.value
    if isinstance(value, Listing) and value.items:  # `wait_for: [a, b]`
        value = value.items[0]
    what = value.text if isinstance(value, Scalar) else ""
    match verb.key.text:
        case "send" | "ask" | "split" if what:
            return what
        case ("wait_for" | "switch" | "notify" | "webhook" | "enroll" | "goto" | "exit") as word if what:
            return f"{word}-{what}"
        case word:
            return word
