"""`Problem`: what every tool shows an author. Problems are collected, never raised one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


class Lang(StrEnum):
    EN = "en"
    ZH = "zh"


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence in both languages; marketers read theirs."""

    en: str
    zh: str

    def in_(self, lang: Lang) -> str:
        return self.zh if lang is Lang.ZH else self.en


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A place in a file. Lines and columns count from 1, in characters; the end column is exclusive."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A second place that explains the first, such as the verb a step already has."""

    span: Span
    label: Said


@dataclass(frozen=True, slots=True)
class Mend:
    """An edit that puts a mistake right. `sure`: nothing else can have been meant, so `engage fmt --fix` makes it;
    the others are offered."""

    span: Span
    text: str
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Problem:
    """One author mistake: where it is, what is wrong, and what to do.

    `label` stands beside the underline (“did you mean `channels`?”), `notes` below it (“durations look like …”),
    `help` is the action (“write 5d”).
    """

    code: str
    span: Span
    message: Said
    label: Said | None = None
    notes: tuple[Said, ...] = ()
    help: tuple[Said, ...] = ()
    marks: tuple[Mark, ...] = ()
    severity: Severity = Severity.ERROR
    mend: Mend | None = None
