"""Mistakes that can have only one meaning, put right in the text: `engage fmt --fix`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from engage.core.problem import Mend, Problem, Span

Reader = Callable[[str], list[Problem]]

_ROUNDS = 200  # one mend brings the next mistake to light: `points：>= 500` needs three


def mended(source: str, read: Reader) -> str:
    """`read` gives the problems of a text. Ends when no sure mend is left."""
    for _ in range(_ROUNDS):
        mends = [problem.mend for problem in read(source) if problem.mend and problem.mend.sure]
        if not mends:
            break
        source = apply_mends(source, mends)
    return source


def apply_mends(source: str, mends: Iterable[Mend]) -> str:
    """From the end backwards, so that places stay true. Of two that overlap, the later one waits."""
    starts = _line_starts(source)
    end_of_last = len(source) + 1
    for start, end, text in sorted({_cut(mend, starts) for mend in mends}, reverse=True):
        if end <= end_of_last and end <= len(source):
            source = source[:start] + text + source[end:]
            end_of_last = start
    return source


def _cut(mend: Mend, starts: list[int]) -> tuple[int, int, str]:
    span: Span = mend.span
    return starts[span.line - 1] + span.column - 1, starts[span.end_line - 1] + span.end_column - 1, mend.text


def _line_starts(source: str) -> list[int]:
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return starts
