"""YAML text → located nodes. The schema decides what a value means, so no implicit type of YAML is ever applied:
`yes`, `10:30`, `0123` and `2026-02-29` stay the text they are.

Built from the parser's events, not from `yaml.load` or `yaml.compose`: aliases are refused before anything is expanded,
and the depth of nesting is bounded. Never raises for what a file says.

Two parsers: libyaml, six times as fast, for what is right; PyYAML's own for what libyaml refuses, because its words are
the ones that `complaint` puts into plain language.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from engage.core.journey import broken, keyboard, mistakes, slips
from engage.core.problem import Problem, Span

MAX_CHARACTERS = 256 * 1024  # a long journey has some 10,000; anything like this is not a journey
MAX_DEPTH = 40  # brackets within brackets; the deepest shipped journey has 12


@dataclass(frozen=True, slots=True)
class Scalar:
    text: str
    span: Span
    style: str = ""  # '"', "'", "|", ">" or "" for plain

    def part(self, start: int, end: int) -> Span:
        """The place of `text[start:end]`; the whole scalar where that cannot be told."""
        if self.style in ("|", ">") or self.span.line != self.span.end_line:
            return self.span
        column = self.span.column + (1 if self.style else 0)
        return Span(self.span.file, self.span.line, column + start, self.span.line, column + end)


@dataclass(frozen=True, slots=True)
class Listing:
    items: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Entry:
    key: Scalar
    value: Node


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping, in file order; of a key given twice only the first is kept."""

    entries: tuple[Entry, ...]
    span: Span

    def entry(self, key: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.key.text == key), None)

    def get(self, key: str) -> Node | None:
        entry = self.entry(key)
        return entry.value if entry else None


Node = Scalar | Listing | Table


def read_nodes(source: str, file: str) -> tuple[Node | None, list[Problem]]:
    """The one document of a file. None: it is not YAML, or it is empty; the problems say why."""
    source = source.removeprefix("\ufeff")
    if len(source) > MAX_CHARACTERS:
        return None, [slips.too_large(Span(file, 1, 1, 1, 2), MAX_CHARACTERS)]
    if problem := broken.unprintable(source, file):
        return None, [problem]
    source = source if source.endswith("\n") else f"{source}\n"  # else the two parsers see its end in two places
    try:
        return _Builder(source, file, _FAST).read()
    except (yaml.YAMLError, ValueError, OverflowError):
        return _read_or_explain(source, file)


def _read_or_explain(source: str, file: str) -> tuple[Node | None, list[Problem]]:
    builder = _Builder(source, file, yaml.SafeLoader)
    try:
        return builder.read()
    except yaml.MarkedYAMLError as error:
        scanned = broken.explain(source, file, error)
        places = {(problem.code, problem.span) for problem in scanned}
        return None, [each for each in builder.problems if (each.code, each.span) not in places] + scanned
    except (yaml.YAMLError, ValueError, OverflowError):  # "\UFFFFFFFF", a %YAML number of 5,000 digits
        return None, [slips.not_yaml(Span(file, 1, 1, 1, 2), None)]


_FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # PyYAML may have been built without libyaml


_UNEQUAL = re.compile(r"!=\s*[^\s,\[\]{}#]+")


class _GiveUp(Exception):
    """What was found makes the rest of the file unreadable; the problem is already noted."""


class _Builder:
    def __init__(self, source: str, file: str, loader: Any) -> None:
        self.problems: list[Problem] = []
        self._garbled = False  # a slip has changed what belongs to what: the rest would be misread
        self._file = file
        self._lines = source.splitlines()
        self._events: Iterator[Event] = iter(yaml.parse(source, Loader=loader))

    def read(self) -> tuple[Node | None, list[Problem]]:
        """Raises what the parser raises."""
        try:
            node = self._document()
            return None if self._garbled else node, self.problems
        except _GiveUp:
            return None, self.problems

    def _document(self) -> Node | None:
        node: Node | None = None
        documents = 0
        for event in self._events:
            match event:
                case DocumentStartEvent():
                    documents += 1
                    if documents > 1:
                        self._give_up(slips.second_document(self._span(event)))
                case MappingStartEvent() | SequenceStartEvent() | ScalarEvent() | AliasEvent():
                    node = self._node(event, 0)
                case StreamEndEvent():
                    break
                case _:
                    pass
        if node is None:
            self.problems.append(slips.empty_file(Span(self._file, 1, 1, 1, 2)))
        return node

    def _node(self, event: Event, depth: int) -> Node:
        if depth > MAX_DEPTH:
            self._give_up(slips.too_deep(self._span(event), MAX_DEPTH))
        if isinstance(event, AliasEvent):
            self._give_up(slips.no_yaml_reuse(self._span(event)))
        if getattr(event, "anchor", None) is not None:
            self.problems.append(slips.no_yaml_reuse(self._mark_span(event)))
        if getattr(event, "tag", None) is not None:
            self.problems.append(self._tag(event))
        match event:
            case ScalarEvent():
                return self._scalar(event)
            case SequenceStartEvent():
                return self._listing(event, depth)
            case MappingStartEvent():
                return self._table(event, depth)
        raise AssertionError(f"unexpected YAML event {event!r}")

    def _tag(self, event: Event) -> Problem:
        """`!= 上海` is a tag to YAML."""
        span = self._mark_span(event)
        if unequal := _UNEQUAL.match(self._lines[span.line - 1], span.column - 1):
            whole = Span(span.file, span.line, span.column, span.line, unequal.end() + 1)
            return slips.comparison(whole, unequal[0], *broken.as_range(unequal[0]))
        return slips.no_yaml_tags(span)

    def _scalar(self, event: ScalarEvent) -> Scalar:
        span = self._span(event)
        if not event.style and (slip := keyboard.wrapped(event.value, span)):
            problem, words = slip
            self.problems.append(problem)
            return Scalar(words, span)
        return Scalar(event.value, span, event.style or "")

    def _listing(self, start: Event, depth: int) -> Listing:
        items: list[Node] = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return Listing(tuple(items), self._between(start, event))

    def _table(self, start: MappingStartEvent, depth: int) -> Node:
        entries: dict[str, Entry] = {}
        template = valueless = False
        while not isinstance(event := next(self._events), MappingEndEvent):
            key = self._node(event, depth + 1)
            value = self._node(next(self._events), depth + 1)
            if not isinstance(key, Scalar):
                template = template or self._is_template(start)
                if not template:
                    self.problems.append(slips.key_must_be_text(key.span))
            elif (entry := self._entry(key, value)) is None:
                continue
            elif start.flow_style and _is_nothing(entry.value) and self._lacks_colon(entry.key.span):
                if not valueless:
                    self.problems.append(mistakes.no_value_in_braces(entry.key.span, entry.key.text))
                    entries.setdefault(entry.key.text, entry)
                valueless = True
            elif earlier := entries.get(entry.key.text):
                self.problems.append(slips.key_twice(key.span, entry.key.text, earlier.key.span))
            else:
                entries[entry.key.text] = entry
        span = self._between(start, event)
        if template:  # `{{ member.name }}` alone is valid YAML: a mapping whose key is a mapping
            self.problems.append(slips.unquoted_template(span, self._text_of(span)))
            return Scalar(self._text_of(span), span)
        return Table(tuple(entries.values()), span)

    def _entry(self, key: Scalar, value: Node) -> Entry | None:
        """None: a slip of the keyboard that leaves nothing to read on with."""
        if key.text == "<<" and not key.style:
            self.problems.append(slips.no_yaml_reuse(key.span))
            return None
        slip = None if key.style else keyboard.in_key(key.text, key.span)
        if slip is None:
            return Entry(key, value)
        self.problems.append(slip.problem)
        if slip.rest is None or not _is_nothing(value):
            self._garbled = True
            return None
        return Entry(Scalar(slip.key, key.span), Scalar(key.text[slip.rest :], key.part(slip.rest, len(key.text))))

    def _lacks_colon(self, key: Span) -> bool:
        """`{ event, order_paid }`. Not `{{ member.name }}`, which is told as a whole."""
        line = self._lines[key.end_line - 1]
        return not line[key.end_column - 1 :].lstrip().startswith(":") and "{{" not in line[: key.column]

    def _is_template(self, start: Event) -> bool:
        span = self._span(start)
        return self._lines[span.line - 1][span.column - 1 :].startswith("{{")

    def _text_of(self, span: Span) -> str:
        line = self._lines[span.line - 1]
        return line[span.column - 1 : span.end_column - 1] if span.line == span.end_line else line[span.column - 1 :]

    def _span(self, event: Event) -> Span:
        return self._between(event, event)

    def _between(self, first: Event, last: Event) -> Span:
        start, end = first.start_mark, last.end_mark
        if start is None or end is None:
            raise AssertionError("events of a parser always have their place")
        return Span(self._file, start.line + 1, start.column + 1, end.line + 1, end.column + 1)

    def _mark_span(self, event: Event) -> Span:
        """Only the first character: a mapping's own span would underline half the file."""
        span = self._span(event)
        return Span(span.file, span.line, span.column, span.line, span.column + 1)

    def _give_up(self, problem: Problem) -> NoReturn:
        self.problems.append(problem)
        raise _GiveUp


def _is_nothing(node: Node) -> bool:
    """What YAML puts where no value stands."""
    return isinstance(node, Scalar) and not node.text and not node.style
