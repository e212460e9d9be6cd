"""`members.refused.csv` beside `members.csv`: each refused row as it was, with its number and the reasons.

It is made to be put right and imported in its turn; it holds personal data whole, as the imported file does.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path

from engage.core.problem import Lang
from engage.exchange.formula import neutralised
from engage.exchange.refusal import RowRefused

# Not 「原因」: an event may have a column of that name.
OUR_COLUMNS = ("行号", "拒绝原因", "why refused")


class RefusalFile:
    """Made with the first refusal. Where its folder cannot be written to, `path` stays None, and no more."""

    def __init__(self, imported: Path, columns: tuple[str, ...]) -> None:
        self.path: Path | None = None
        self._target = imported.with_name(f"{imported.stem}.refused.csv")
        self._columns = columns
        self._kept = [place for place, column in enumerate(columns) if column not in OUR_COLUMNS]
        self._stack = ExitStack()
        self._put: Callable[[Iterable[str]], object] | None = None

    def __enter__(self) -> RefusalFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def write(self, refused: RowRefused) -> None:
        put = self._put = self._put or self._open()
        zh, en = refused.words(Lang.ZH), refused.words(Lang.EN)
        put(neutralised(cell) for cell in (str(refused.row), zh, en, *self._cells(refused)))

    def _open(self) -> Callable[[Iterable[str]], object]:
        try:
            out = self._stack.enter_context(self._target.open("w", encoding="utf-8-sig", newline=""))
        except OSError:
            return lambda _cells: None
        self.path = self._target
        put = csv.writer(out).writerow
        put([*OUR_COLUMNS, *(self._columns[place] for place in self._kept)])
        return put

    def _cells(self, refused: RowRefused) -> list[str]:
        """Those beyond the headings too: they show where the row shifted."""
        beyond = range(len(self._columns), len(refused.cells))
        places = [place for place in self._kept if place < len(refused.cells)]
        return [refused.cells[place] for place in (*places, *beyond)]
