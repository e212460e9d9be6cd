"""A row that stays out, and why. Refusals are counted and listed, one by one; one bad row never stops a file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from engage.core.problem import Lang, Said

_SHOWN = 40  # characters of a cell on a terminal
_MAIL = re.compile(r"([^\s@])[^\s@]*@(\S+)")
_TOKEN = re.compile(r"(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{20,}")  # openids and other keys: long, with digits in them
_LONG_NUMBER = re.compile(r"(?<![\d/.-])(?!\d{4}[/.-]\d{1,2}[/.-])\d(?:[ ().-]*\d){8,}")  # but not a date and time


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing wrong with a row. `column` is the column's own heading; `value` is masked."""

    why: Said
    column: str | None = None
    value: str | None = None

    def words(self, lang: Lang) -> str:
        zh = lang is Lang.ZH
        column = "" if self.column is None else f"「{self.column}」" if zh else f"“{self.column}”"
        value = "" if self.value is None else f"（{self.value}）" if zh else f" ({self.value})"
        return f"{column}{value}{'：' if zh else ': '}{self.why.in_(lang)}" if column else self.why.in_(lang)


@dataclass(frozen=True, slots=True)
class RowRefused:
    """`row` counts as a spreadsheet does: the headings are row 1. `cells` are as read, personal data whole."""

    row: int
    reasons: tuple[Reason, ...]
    cells: Sequence[str]

    def words(self, lang: Lang) -> str:
        return ("；" if lang is Lang.ZH else "; ").join(reason.words(lang) for reason in self.reasons)


def mask(value: str) -> str:
    """A cell as a terminal may show it: phone numbers, mail addresses and openids are recognisable, not whole."""
    text = " ".join(value.split())
    text = _MAIL.sub(r"\1***@\2", text)
    text = _TOKEN.sub(lambda found: f"{found[0][:4]}…", text)
    text = _LONG_NUMBER.sub(lambda found: f"{found[0][:3]}****{found[0][-2:]}", text)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
