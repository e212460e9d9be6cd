"""Lines of text → records of cells: CSV as people and programs really write it.

The delimiter is found by looking: comma, tab, semicolon, bar, or the full-width comma of a Chinese keyboard. A
quotation mark that is never closed costs its own row, not the rest of the file.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator
from itertools import islice

from engage.core.problem import Said
from engage.exchange.record import BadRecord, Record

_DELIMITERS = (",", "\t", ";", "，", "|")
_SEP = re.compile(r"sep=(.)\s*", re.IGNORECASE)  # Excel writes and obeys this first line
_CELL_LINES = 50  # a cell with more lines than this is a quotation mark nobody closed
_LOOK = 10_000  # characters of a line that are enough to see its delimiter
_BROKEN = Said(
    "the quotation marks in this row do not match up, or a cell is far too long to be meant",
    "这一行的引号没有成对，或者有单元格长得不正常",
)


def records(lines: Iterator[str]) -> Iterator[Record | BadRecord]:
    """Numbered as a spreadsheet would number them: blank lines count, line breaks inside a cell do not."""
    head = list(islice(lines, 20))
    told = _SEP.fullmatch(head[0]) if head else None
    if told:
        del head[0]
    filled = [line for line in head if line.strip()]
    if not filled:
        return
    first = head.index(filled[0])
    heading = told[1] if told else _delimiter_of(filled[0])
    body = told[1] if told else _delimiter_below(filled, heading)
    feed = _Feed([_unified(filled[0], heading), *head[first + 1 :]], lines)
    yield from islice(_records(feed, heading, first + 1), 1)
    yield from _records(feed, body, first + 2)


def _records(feed: _Feed, delimiter: str, number: int) -> Iterator[Record | BadRecord]:
    """Strict, so that text behind a closing quotation mark is an error: the mark was another cell's, and the rows
    between them would be lost without a word."""
    reader = csv.reader(feed, delimiter=delimiter, skipinitialspace=True, strict=True)
    while True:
        feed.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (_NeverClosedError, csv.Error):  # the module's limit for a cell is 131,072 characters
            yield BadRecord(number, _BROKEN, (feed.keep_first()[:_LOOK],))
        else:
            yield Record(number, tuple(cells))
        number += 1


class _NeverClosedError(Exception):
    """Raised through the csv reader; never leaves this module."""


class _Feed:
    """Lines for a csv reader, which remembers those of the current record and can take them back."""

    def __init__(self, head: list[str], lines: Iterator[str]) -> None:
        self._waiting = deque(head)
        self._lines = lines
        self._record: list[str] = []

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        line = self._waiting.popleft() if self._waiting else next(self._lines, None)
        if line is None and not self._record:
            raise StopIteration
        if line is not None:
            self._record.append(line)
        if line is None or len(self._record) > _CELL_LINES:
            raise _NeverClosedError
        return line

    def begin(self) -> None:
        self._record = []

    def keep_first(self) -> str:
        """The line where the record began; those behind it are given again."""
        first, *rest = self._record
        self._waiting.extendleft(reversed(rest))
        return first.rstrip("\r\n")


def _delimiter_of(heading: str) -> str:
    return max(_DELIMITERS, key=lambda delimiter: len(_split(heading, delimiter)))


def _delimiter_below(filled: list[str], heading: str) -> str:
    """The first row's delimiter: a heading typed with full-width commas often stands over rows with ordinary ones."""
    wanted = len(_split(_unified(filled[0], heading), heading))
    candidates = (heading, *_DELIMITERS)
    return next((d for line in filled[1:2] for d in candidates if len(_split(line, d)) == wanted), heading)


def _unified(heading: str, delimiter: str) -> str:
    return heading.replace("，", ",") if delimiter == "," else heading


def _split(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line[:_LOOK]], delimiter=delimiter), [])
