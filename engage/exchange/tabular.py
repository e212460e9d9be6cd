"""Any CSV file or workbook → headings and rows of clean text. Columns get their meaning in `headers`, not here.

A file is read by what is in it, not by what it is called, and row by row: a CSV of a million rows takes no more memory
than one of ten.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from engage.core.problem import Said
from engage.exchange import delimited, workbook
from engage.exchange.decoding import LOST, encoding_of, text_lines
from engage.exchange.record import BadRecord, Record
from engage.exchange.refusal import Reason, RowRefused

_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")  # .xlsx; .xls and workbooks with a password
_WEB_PAGE = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|table|\?xml)", re.IGNORECASE)
# Typed or pasted, and never seen: zero-width spaces, and the direction marks around numbers copied from a phone.
_INVISIBLE = dict.fromkeys((0x200B, 0x200E, 0x200F, 0xFEFF, *range(0x202A, 0x202F), *range(0x2066, 0x206A)))
# How other programs keep Excel from taking digits for a number: ="138…" and a leading ' or ` (WeChat Pay's bills). The
# apostrophe also stands before what our own exports neutralise.
_QUOTED = re.compile(r'="([^"]*)"')
_MARKED = re.compile(r"['’`](?=[\d=+@-])")


@dataclass(frozen=True, slots=True)
class Row:
    """`values` by heading, every heading present; `number` as a spreadsheet counts, the headings being row 1."""

    number: int
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    columns: tuple[str, ...]
    rows: Iterator[Row | RowRefused]


def open_table(path: Path) -> Table | Said:
    """The table in a file; or why there is none, in words for its owner."""
    found = _open_records(path)
    if isinstance(found, Said):
        return found
    heading = next((record for record in found if _filled(record)), None)
    if heading is None:
        return Said("the file is empty", "文件是空的")
    columns = _headings(heading)
    return columns if isinstance(columns, Said) else Table(columns, _rows(found, columns))


def clean(text: str) -> str:
    """A cell without what only spreadsheets see: outer spaces of any width, invisible characters, text marks."""
    if not text.isascii():
        text = text.translate(_INVISIBLE)
    text = text.strip()
    quoted = _QUOTED.fullmatch(text)
    return quoted[1].strip() if quoted else _MARKED.sub("", text, count=1) if _MARKED.match(text) else text


def _open_records(path: Path) -> Iterator[Record | BadRecord] | Said:
    try:
        with path.open("rb") as file:
            start = file.read(512)
        if start.startswith(_WORKBOOKS):
            return workbook.records(path)
        if _WEB_PAGE.match(start):
            return Said(
                "this is a web page (or XML) with the name of a table; open it in Excel and save it as .xlsx",
                "这其实是一个网页（或 XML），只是文件名像表格；请用 Excel 打开，另存为 .xlsx",
            )
        encoding = encoding_of(path)
    except OSError as error:
        return Said(f"the file cannot be read: {error.strerror}", f"文件读不了：{error.strerror}")
    if encoding is None:
        return Said(
            "the file's encoding cannot be told; save it as CSV UTF-8", "看不出文件的编码；请另存为「CSV UTF-8」"
        )
    return delimited.records(text_lines(path, encoding))


def _headings(record: Record | BadRecord) -> tuple[str, ...] | Said:
    """Headings must differ; columns without one are called by their number, and those at the end do not exist."""
    names = [" ".join(clean(cell).split()) for cell in record.cells]
    while names and not names[-1]:
        names.pop()
    unreadable = (
        record.why if isinstance(record, BadRecord) else next((why for name in names if (why := _damage(name))), None)
    )
    if unreadable:
        return Said(f"in the headings, {unreadable.en}", f"表头里，{unreadable.zh}")
    columns = tuple(name or f"#{place}" for place, name in enumerate(names, start=1))
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice:
        return Said(
            f"two columns are headed “{twice}”; rename or delete one", f"有两列都叫「{twice}」；请改名或删掉一列"
        )
    return columns


def _rows(records: Iterator[Record | BadRecord], columns: tuple[str, ...]) -> Iterator[Row | RowRefused]:
    width = len(columns)
    for record in records:
        if isinstance(record, BadRecord):
            yield RowRefused(record.number, (Reason(record.why),), record.cells)
        elif _filled(record):
            yield _row(record, columns, width)


def _row(record: Record, columns: tuple[str, ...], width: int) -> Row | RowRefused:
    cells = tuple(clean(cell) for cell in record.cells)
    damaged = tuple(
        Reason(why, column) for column, cell in zip_longest(columns, cells) if cell and (why := _damage(cell))
    )
    if damaged:
        return RowRefused(record.number, damaged, cells)
    if len(cells) < width or any(cells[width:]):
        return RowRefused(record.number, (Reason(_shifted(len(cells), width)),), cells)
    return Row(record.number, dict(zip(columns, cells, strict=False)))


def _filled(record: Record | BadRecord) -> bool:
    return isinstance(record, BadRecord) or any(cell and not cell.isspace() for cell in record.cells)


def _shifted(count: int, width: int) -> Said:
    return Said(
        f"the row has {count} cells under {width} headings: its values may stand in the wrong columns",
        f"这一行有 {count} 格，表头有 {width} 列：内容可能错位了",
    )


def _damage(cell: str) -> Said | None:
    if cell.isascii() and cell.isprintable():
        return None
    if LOST in cell:
        return Said(
            "characters are damaged or in another encoding; save the file as CSV UTF-8",
            "有乱码，或者编码和别的行不一样；请另存为「CSV UTF-8」",
        )
    if any(unicodedata.category(char) == "Cc" and char not in "\t\r\n" for char in cell):
        return Said("there are control characters in it, such as NUL", "含有看不见的控制字符（例如 NUL）")
    return None
