"""One mapping of a journey file, read by the words it may have.

On creation it reports what does not belong: unknown words, words without a value. Then each
option is read once, by the reader for its kind of value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from engage.core.journey import keyboard, mistakes
from engage.core.journey.nodes import Entry, Node, Scalar, Table
from engage.core.journey.vocabulary import nearest
from engage.core.problem import Problem, Said, Span

T = TypeVar("T")


class Options:
    def __init__(
        self,
        table: Table,
        allowed: tuple[str, ...],
        place: Said,
        problems: list[Problem],
        belongs: Callable[[str], Said | None] = lambda _: None,
    ) -> None:
        """`belongs`: where else a word belongs that is no option here."""
        self.problems = problems
        self.span = table.span
        self._entries: dict[str, Entry] = {}
        for entry in table.entries:
            word = entry.key.text
            if word not in allowed:
                problems.append(mistakes.unknown_option(entry.key.span, word, place, allowed, belongs(word)))
            elif is_empty(entry.value):
                problems.append(mistakes.no_value(entry.key.span, word))
            else:
                self._entries[word] = entry
        # A misspelt word is there, in a way: nobody needs to hear that it is missing as well.
        words = (entry.key.text for entry in table.entries)
        self._present = frozenset(word if word in allowed else nearest(word, allowed) for word in words)

    def __contains__(self, word: str) -> bool:
        return word in self._entries

    def key_span(self, word: str) -> Span:
        return self._entries[word].key.span

    def node(self, word: str) -> Node | None:
        entry = self._entries.get(word)
        return entry.value if entry else None

    def read(self, word: str, reader: Callable[[Node, list[Problem]], T | None]) -> T | None:
        """The option's value; None if it is absent or could not be read (which has then been reported)."""
        node = self.node(word)
        return None if node is None else reader(node, self.problems)

    def require(self, word: str, span: Span, help: Said | None = None) -> None:
        """Report an absent option at `span`. One that was given without a value is reported already."""
        if word not in self._present:
            self.problems.append(mistakes.required(span, word, help))


def is_empty(node: Node) -> bool:
    return isinstance(node, Scalar) and not node.text.strip()


def read_table(node: Node, what: Said, problems: list[Problem], example: str) -> Table | None:
    """The node as a mapping. `example` is shown when it is something else."""
    if isinstance(node, Table):
        return node
    if isinstance(node, Scalar) and not node.style and (glued := keyboard.glued_pair(node.text, node.span)):
        problems.append(glued.problem)
        return None
    problems.append(
        mistakes.wrong_shape(
            node.span, what, Said("a mapping", "一组“键: 值”"), Said(f"write {example}", f"请写 {example}")
        )
    )
    return None


def values_by_name(
    table: Table, read: Callable[[Node, list[Problem]], T | None], problems: list[Problem]
) -> Mapping[str, T]:
    """`{ why: …, score: … }`: every value read the same way; empty ones are reported."""
    found: dict[str, T] = {}
    for entry in table.entries:
        if is_empty(entry.value):
            problems.append(mistakes.no_value(entry.key.span, entry.key.text))
        elif (value := read(entry.value, problems)) is not None:
            found[entry.key.text] = value
    return found
