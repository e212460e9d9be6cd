"""Holding a timeline against what a test expects. Pure.

`expect` is a subsequence: each line is met by a happening no earlier than the one before it. Happenings of the same
instant have no order among themselves. `never` looks at the whole timeline. What was withheld has not happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engage.core.testfile.model import Expected, Verb
from engage.simulation.timeline import Happening


@dataclass(frozen=True, slots=True)
class Found:
    """One expectation, and what the timeline has for it.

    `by`: the index of the happening that meets it; of a `never`, of the one that must not be. `nearest`: what came
    closest to an expectation that nothing meets. `late`: something meets it, but before the line above was met.
    """

    expected: Expected
    met: bool
    by: int | None = None
    nearest: int | None = None
    late: bool = False


def hold_against(timeline: Sequence[Happening], expected: Sequence[Expected]) -> list[Found]:
    found: list[Found] = []
    used: set[int] = set()
    reached = 0  # the first happening of the instant that the last line was met at
    for line in expected:
        if line.never:
            found.append(_never(timeline, line))
            continue
        index = _first(timeline, line, used, reached)
        if index is None:
            before = _first(timeline, line, used, 0)
            nearest = before if before is not None else _nearest(timeline, line, used)
            found.append(Found(line, False, nearest=nearest, late=before is not None))
            continue
        used.add(index)
        reached = next(i for i, other in enumerate(timeline) if other.at == timeline[index].at)
        found.append(Found(line, True, by=index))
    return found


def _never(timeline: Sequence[Happening], line: Expected) -> Found:
    index = _first(timeline, line, set(), 0)
    return Found(line, index is None, by=index)


def _first(timeline: Sequence[Happening], line: Expected, used: set[int], start: int) -> int | None:
    return next((i for i in range(start, len(timeline)) if i not in used and _meets(timeline[i], line)), None)


def _meets(happening: Happening, line: Expected) -> bool:
    return happening.verb == line.verb and not happening.withheld and all(_checks(happening, line))


def _checks(happening: Happening, line: Expected) -> list[bool]:
    return list(_checked(happening, line).values())


def _checked(happening: Happening, line: Expected) -> dict[str, bool]:
    """Each thing that a line may say, by its word in the file; the most telling first."""
    due, words = ("due", "task") if line.verb is Verb.NOTIFY else ("until", "way")
    return {
        line.verb.value: line.name is None or line.name in happening.names,
        "changes": line.changes <= happening.changes,
        "at": line.at is None or line.at == happening.moment,
        "via": line.via is None or line.via == happening.via,
        due: line.until is None or line.until == happening.until,
        words: line.words is None or _words_fit(happening, line.words),
        **{word: (word in happening.yes) == wanted for word, wanted in line.flags.items()},
        "why": line.why is None or any(line.why.casefold() in why.casefold() for why in happening.why),
    }


def differences(happening: Happening, line: Expected) -> list[str]:
    """In which of the things that the line says the happening is another; none if it is another thing altogether."""
    if happening.verb != line.verb:
        return []
    return [word for word, fits in _checked(happening, line).items() if not fits]


def _words_fit(happening: Happening, words: str) -> bool:
    """The way of a split is meant as it is; of a task, any part."""
    if happening.verb == Verb.SPLIT:
        return words == happening.words
    return words in (happening.words or "")


# What is told of a message may be expected as another thing: it was sent where it should have been skipped.
_MESSAGE = frozenset({Verb.SEND, Verb.ASK, Verb.SKIPPED, Verb.DEFERRED, Verb.CANCELLED})


def _nearest(timeline: Sequence[Happening], line: Expected, used: set[int]) -> int | None:
    """What has most in common with the line: the same verb, the same name, then the rest."""
    scores = {i: _likeness(happening, line) for i, happening in enumerate(timeline) if i not in used}
    best = max(scores, key=lambda i: scores[i], default=None)
    return best if best is not None and scores[best] > 0 else None


def _likeness(happening: Happening, line: Expected) -> int:
    named = line.name is not None and line.name in happening.names
    if happening.verb == line.verb:
        return 10 * (named or line.verb is Verb.UPDATE) + sum(_checks(happening, line))
    both_messages = happening.verb in _MESSAGE and line.verb in _MESSAGE
    return 5 if both_messages and named else 0
