"""A `Problem` for people (the file's own lines, underlined, with what to do) and for programs (JSON data).

Plain text; colour is the terminal's matter. Chinese characters are two columns wide, so underlines count columns.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from engage.core.problem import Lang, Mend, Problem, Said, Severity, Span

_HEADINGS = {Severity.ERROR: Said("error", "错误"), Severity.WARNING: Said("warning", "警告")}
_HELP = Said("help: ", "建议：")
_SEEN_BEFORE = 1  # lines shown above the first underlined one
_FAR = 3  # marks further apart than this leave out the lines between
_WIDEST = 160  # columns of a line that are shown


def format_problem(problem: Problem, source: str, lang: Lang) -> str:
    """`source` is the text of the problem's file; empty if it cannot be read, and then only the place is told."""
    shown = _Shown.of(problem, source, lang)
    span = problem.span
    colon = "：" if lang is Lang.ZH else ": "
    heading = f"{_HEADINGS[problem.severity].in_(lang)}[{problem.code}]{colon}{problem.message.in_(lang)}"
    lines = [heading, f"{shown.margin}╭─ {span.file}:{span.line}:{span.column}", *shown.lines()]
    for said in problem.notes:
        lines += _explained(said.in_(lang), shown.margin)
    for said in problem.help:
        lines += _explained(_HELP.in_(lang) + said.in_(lang), shown.margin)
    return "\n".join(lines)


def problem_to_json(problem: Problem, lang: Lang) -> dict[str, Any]:
    """For editors and programs, as `docs/problems.md` has it: places counted from 1, ends exclusive."""
    return {
        **_span_to_json(problem.span),
        "code": problem.code,
        "severity": problem.severity.value,
        "message": problem.message.in_(lang),
        "label": problem.label.in_(lang) if problem.label else None,
        "notes": [said.in_(lang) for said in problem.notes],
        "help": [said.in_(lang) for said in problem.help],
        "marks": [{**_span_to_json(mark.span), "label": mark.label.in_(lang)} for mark in problem.marks],
        "mend": _mend_to_json(problem.mend) if problem.mend else None,
    }


def _mend_to_json(mend: Mend) -> dict[str, Any]:
    return {**_span_to_json(mend.span), "text": mend.text, "sure": mend.sure}


def _span_to_json(span: Span) -> dict[str, Any]:
    return {
        "file": span.file,
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }


def _explained(text: str, margin: str) -> Iterator[str]:
    first, *rest = text.split("\n")
    yield f"{margin} = {first}"
    yield from (f"{margin}     {line}" for line in rest)


# --- the lines of the file --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Underline:
    span: Span
    label: str
    stroke: str


@dataclass(frozen=True, slots=True)
class _Shown:
    """The excerpt: which lines, and what is underlined in them."""

    source: list[str]
    underlines: tuple[_Underline, ...]

    @classmethod
    def of(cls, problem: Problem, source: str, lang: Lang) -> _Shown:
        label = problem.label.in_(lang) if problem.label else ""
        marks = (mark for mark in problem.marks if mark.span.file == problem.span.file)
        underlines = [_Underline(mark.span, mark.label.in_(lang), "─") for mark in marks]
        underlines.append(_Underline(problem.span, label, "━"))
        lines = source.splitlines()
        within = [underline for underline in underlines if 1 <= underline.span.line <= len(lines)]
        return cls(lines, tuple(sorted(within, key=lambda underline: underline.span)))

    @property
    def margin(self) -> str:
        """As wide as the largest line number, so that everything stands in one column."""
        return " " * len(str(max((underline.span.line for underline in self.underlines), default=1)))

    def lines(self) -> Iterator[str]:
        shown = 0
        for number in self._numbers():
            if shown and number > shown + 1:
                yield f"{self.margin} ⋮"
            shown = number
            text = self.source[number - 1]
            start = max(0, min((one.span.column for one in self.underlines if one.span.line == number), default=1) - 61)
            start = start if _width(text) > _WIDEST else 0
            yield f"{number:>{len(self.margin)}} │ {_printable(_cut(text[start:]))}".rstrip()
            for underline in self.underlines:
                if underline.span.line == number:
                    yield f"{self.margin} │ {_drawn(underline, text, start)}".rstrip()

    def _numbers(self) -> list[int]:
        """The underlined lines, one above the first, and what lies between lines that are near each other."""
        places = sorted({underline.span.line for underline in self.underlines})
        numbers: set[int] = set(places)
        numbers |= {line - _SEEN_BEFORE for line in places[:1] if line > _SEEN_BEFORE}
        for earlier, later in pairwise(places):
            numbers |= set(range(earlier, later)) if later - earlier <= _FAR else {later - _SEEN_BEFORE}
        return sorted(numbers)


def _drawn(underline: _Underline, text: str, start: int) -> str:
    span = underline.span
    end = span.end_column - 1 if span.end_line == span.line else len(text.rstrip())
    before = _width(text[start : span.column - 1])
    length = max(1, _width(_cut(text[span.column - 1 : end])))
    return f"{' ' * before}{underline.stroke * length} {underline.label}"


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def _printable(text: str) -> str:
    """Tabs and control characters take one visible column, so that a file cannot steer the terminal."""
    return "".join("→" if each == "\t" else each if each.isprintable() else "·" for each in text)


def _width(text: str) -> int:
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
