"""Slips of the keyboard that YAML reads without complaint: to YAML `event：order_paid` is one long word.

Each is told at its own place, instead of what it leads to further on. Looks at single keys and values; `broken` scans
the whole text of a file that YAML cannot read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from engage.core.journey import slips
from engage.core.problem import Problem, Span

BULLETS = "－—–−•●"  # what people type for a dash in front of a step
_WIDE_SPACES = re.compile("[\u3000\u00a0]+")  # of the Chinese keyboard, and of text copied from a page
_BULLET = re.compile(rf"([{BULLETS}]+)\s*(?=\S)")
_GLUED_DASH = re.compile(r"-(?=[^\W\d])")
_WIDE_COLON = re.compile(r"([^\s：{}\[\]]{1,60})\s*：\s*")
_GLUED_COLON = re.compile("([^\\W\\d][\\w.]{0,59}):(?:[\u3000\u00a0]+|(?=[^\\s/]))")  # a wide space is none to YAML
_WIDE_BRACKETS = re.compile(r"［.*］|｛.*｝|【[\x20-\x7e，、]*】")
_CURLY = re.compile("[“”‟„](?P<double>[^“”\"]*)[“”]|[‘’](?P<single>[^‘’']*)[‘’]")


@dataclass(frozen=True, slots=True)
class Slip:
    """`rest`: where in the word its value begins, if a whole `key: value` stands in it."""

    problem: Problem
    key: str = ""
    rest: int | None = None


def in_key(text: str, span: Span) -> Slip | None:
    """A plain key: what stands in front of it, or glued to it."""
    if not slips.as_written(text, span):
        return None
    if spaces := _WIDE_SPACES.match(text):
        return Slip(slips.wide_indentation(slips.span_of(span, *spaces.span()), spaces[0]))
    if bullet := _BULLET.match(text):
        return Slip(slips.odd_bullet(slips.span_of(span, *bullet.span(1)), bullet[1]))
    if dash := _GLUED_DASH.match(text):
        return Slip(slips.glued_dash(slips.span_of(span, 0, 1), text[dash.end() :].split("：")[0]))
    return glued_pair(text, span)


def glued_pair(text: str, span: Span) -> Slip | None:
    """`event：order_paid`, `event:order_paid`: a key, its colon and perhaps its value in one word."""
    if not slips.as_written(text, span):
        return None
    if wide := _WIDE_COLON.match(text):
        colon = text.index("：")
        problem = slips.full_width_punctuation(slips.span_of(span, colon, colon + 1), "：", ":")
        return Slip(problem, wide[1], wide.end() if wide.end() < len(text) else None)
    if glued := _GLUED_COLON.match(text):
        return Slip(slips.missing_space(slips.span_of(span, 0, glued.end()), glued[1]), glued[1], glued.end())
    return None


def wrapped(text: str, span: Span) -> tuple[Problem, str] | None:
    """A plain value in curly quotation marks, or a list or mapping in wide brackets; and what to read on with."""
    if _WIDE_BRACKETS.fullmatch(text):
        mark = text[0]
        return slips.full_width_punctuation(slips.span_of(span, 0, 1), mark, "{" if mark == "｛" else "["), text
    marks = _CURLY.fullmatch(text)
    if marks is None:
        return None
    words = marks["double"] if marks["double"] is not None else marks["single"]
    return slips.curly_quotation(span, words), words
