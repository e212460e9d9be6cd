"""Words on the terminal: in the reader's language, coloured on a terminal and plain in a pipe.

Nothing printed is read as markup: members' names and words may hold any bracket. `NO_COLOR` is honoured by rich.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any, TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from engage.core.problem import Lang, Said

_PIPE_WIDTH = 500  # columns: nothing is folded where a program reads

Cell = str | Text


class Screen:
    def __init__(self, lang: Lang) -> None:
        self.lang = lang
        self._out = _console(sys.stdout)
        self._err = _console(sys.stderr)

    def word(self, en: str, zh: str) -> str:
        return Said(en, zh).in_(self.lang)

    def say(self, en: str, zh: str, style: str = "") -> None:
        self.line(self.word(en, zh), style)

    def line(self, text: Cell = "", style: str = "") -> None:
        self._out.print(text, style=style, soft_wrap=True)

    def hang(self, text: Text, indent: int) -> None:
        """A line that may be long: on a terminal folded at its width, what follows set in by so much."""
        if not self._out.is_terminal or text.cell_len <= self._out.width:
            self.line(text)
            return
        head, rest = text.divide([indent])
        for number, part in enumerate(rest.wrap(self._out, max(self._out.width - indent, 20), overflow="fold")):
            part.rstrip()
            self.line((head if number == 0 else Text(" " * indent)).append_text(part))

    def aside(self, en: str, zh: str, style: str = "") -> None:
        """On stderr: what a pipe should not get."""
        self._err.print(self.word(en, zh), style=style, soft_wrap=True)

    @contextmanager
    def waiting(self, en: str, zh: str) -> Iterator[Callable[[str, str], None]]:
        """Says so on a terminal while something takes long; in a pipe nothing. What is yielded changes the words."""
        if not self._err.is_terminal:
            yield lambda en, zh: None
            return
        with self._err.status(self.word(en, zh)) as status:
            yield lambda en, zh: status.update(self.word(en, zh))

    def heading(self, en: str, zh: str) -> None:
        self.line()
        self.say(en, zh, "bold")

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[Cell]], right: Collection[int] = ()) -> None:
        """`right`: columns of numbers."""
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="dim")
        for place, heading in enumerate(headings):
            table.add_column(Text(heading), justify="right" if place in right else "left", overflow="fold")
        for row in rows:
            table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
        self._out.print(table)


def print_json(data: Any) -> None:
    """For scripts: moments as ISO 8601 in UTC, decimals as numbers."""
    print(json.dumps(data, ensure_ascii=False, indent=2, default=_plain))


def counted(count: int, noun: str) -> str:
    """`1 file`, `2,000 files`: English alone asks how many."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def local(moment: datetime, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"


def _console(file: TextIO) -> Console:
    width = None if file.isatty() else _PIPE_WIDTH
    return Console(file=file, width=width, markup=False, emoji=False, highlight=False)


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case Decimal():
            return float(value)
        case _:
            return str(value)
