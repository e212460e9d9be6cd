"""The front matter of a template: the YAML between two `---` lines, with the place of everything in it.

Reads texts only; which of them are words with variables is decided by `template`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engage.core.journey import keyboard, mistakes, slips
from engage.core.journey.nodes import Node, Scalar, Table, read_nodes
from engage.core.journey.vocabulary import nearest
from engage.core.problem import Problem, Said, Severity, Span

FENCE = "---"
ANY = "*"  # in a shape: whatever keys the author likes


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file, and how to underline a word on it."""

    file: str
    line: int
    text: str

    def span(self, word: str | None = None) -> Span:
        """Of the word if it stands on this line, else of the whole line."""
        at = self.text.find(word) if word else -1
        if word and at >= 0:
            return Span(self.file, self.line, at + 1, self.line, at + 1 + len(word))
        begin = len(self.text) - len(self.text.lstrip())
        return Span(self.file, self.line, begin + 1, self.line, max(len(self.text.rstrip()), begin + 1) + 1)


@dataclass(frozen=True, slots=True)
class Front:
    values: Mapping[str, Any]  # texts, and mappings of texts
    lines: Mapping[tuple[str, ...], int] = field(default_factory=dict)  # where each value's first line of text stands


@dataclass(frozen=True, slots=True)
class TemplateFile:
    """A file cut in two. Lines count from 1."""

    path: str
    lines: tuple[str, ...]
    front: Front
    body: str
    body_line: int

    def place(self, line: int) -> Place:
        line = min(max(line, 1), max(len(self.lines), 1))
        return Place(self.path, line, self.lines[line - 1] if self.lines else "")


Shape = Mapping[str, Any]  # key → None for a text, or the shape below it


_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # nothing prints these


def read_file(path: str, source: str, shape: Shape) -> tuple[TemplateFile, list[Problem]]:
    source = _one_kind_of_line_break(source.removeprefix("\ufeff"))
    lines = tuple(source.split("\n"))
    bare = TemplateFile(path, lines, Front({}), source, 1)
    if found := _CONTROL.search(source):
        line = source.count("\n", 0, found.start()) + 1
        column = found.start() - source.rfind("\n", 0, found.start())
        return bare, [slips.unprintable(Span(path, line, column, line, column + 1), found[0])]
    if lines[0].rstrip() != FENCE:
        return bare, []
    end = next((number for number, line in enumerate(lines[1:], start=1) if line.rstrip() == FENCE), None)
    if end is None:
        message = Said("the front matter never ends", "文件头没有结束")
        help_ = Said("close it with a line of three dashes: ---", "用单独一行 --- 结束文件头")
        return bare, [Problem("E400", bare.place(1).span(), message, help=(help_,))]
    front, problems = _Reader(bare).read("\n".join(lines[1:end]), shape)
    return TemplateFile(path, lines, front, "\n".join(lines[end + 1 :]), end + 2), problems


def _one_kind_of_line_break(source: str) -> str:
    """So that Jinja, YAML and whoever shows the lines count the same ones."""
    return "\n".join([*source.splitlines(), ""]) if source.endswith("\n") else "\n".join(source.splitlines())


class _Reader:
    """Holds the nodes against the shape. Every scalar is the text it is, whatever YAML would make of it."""

    def __init__(self, file: TemplateFile) -> None:
        self.file = file
        self.lines: dict[tuple[str, ...], int] = {}
        self.problems: list[Problem] = []

    def read(self, text: str, shape: Shape) -> tuple[Front, list[Problem]]:
        # One empty line stands for the fence, so that the places are those of the whole file.
        if not text.strip():
            return Front({}), self.problems
        node, problems = read_nodes("\n" + text, self.file.path)
        self.problems += problems
        values = self._mapping(node, shape, ()) if node else {}
        return Front(values, self.lines), self.problems

    def _mapping(self, node: Node, shape: Shape, path: tuple[str, ...]) -> dict[str, Any]:
        if isinstance(node, Scalar) and (glued := keyboard.glued_pair(node.text, node.span)):
            self.problems.append(glued.problem)
            return {}
        if not isinstance(node, Table):
            message = Said("write `key: value` lines here", "这里应写成“名称: 值”的形式")
            self.problems.append(Problem("E400", node.span, message))
            return {}
        values: dict[str, Any] = {}
        for entry in node.entries:
            key = entry.key.text
            if key not in shape and ANY not in shape:
                self.problems.append(unknown_key(entry.key.span, key, shape))
                continue
            below = shape.get(key, shape.get(ANY))
            value = self._text(entry.value, (*path, key)) if below is None else None
            values[key] = value if below is None else self._mapping(entry.value, below, (*path, key))
        return {key: value for key, value in values.items() if value is not None}

    def _text(self, node: Node, path: tuple[str, ...]) -> str | None:
        if isinstance(node, Scalar):
            self.lines[path] = node.span.line + (node.style in ("|", ">"))
            return node.text
        message = Said("a text is expected here", "这里应是一段文字")
        help_ = Said(
            'put words with {{ … }} in quotes: "{{ member.name }}"', '含 {{ … }} 的文字要加引号："{{ member.name }}"'
        )
        self.problems.append(Problem("E400", node.span, message, help=(help_,)))
        return None


def unknown_key(span: Span, key: str, known: Iterable[str]) -> Problem:
    names = sorted(known)
    return Problem(
        "E401",
        span,
        Said(f"unknown front matter key `{key}`", f"文件头里没有 `{key}` 这一项"),
        label=did_you_mean(key, names),
        notes=(Said(f"keys here: {' · '.join(names)}", f"可用的项：{' · '.join(names)}"),),
    )


def did_you_mean(word: str, known: Iterable[str]) -> Said | None:
    return mistakes.did_you_mean(nearest(word, list(known)))


def warning(code: str, span: Span, message: Said, *help_: Said) -> Problem:
    return Problem(code, span, message, help=help_, severity=Severity.WARNING)
