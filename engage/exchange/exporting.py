"""The database → JSON Lines for scripts, CSV for people: streamed in id order, from one moment's state.

Times are ISO 8601 in UTC, numbers are numbers, yes/no is true/false. CSV is UTF-8 with a BOM, which Excel needs;
payloads are JSON in their cell, lists are joined by `;`, what a spreadsheet would run as a formula has an apostrophe in
front (not `+8613800138000`: a signed number runs nothing; see `formula`). JSON Lines has every value untouched.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, TextIO, assert_never

from sqlalchemy import Connection, Select

from engage.core.catalog import Catalog
from engage.exchange.formula import neutralised
from engage.exchange.member_rows import member_headings, member_rows
from engage.store.databases.database import Database
from engage.store.insight import export as queries

_BOM = "\ufeff"


class Exported(StrEnum):
    MEMBERS = "members"
    ENROLMENTS = "enrolments"
    DELIVERIES = "deliveries"
    RESPONSES = "responses"
    ANSWERS = "answers"
    TASKS = "tasks"
    EVENTS = "events"


class Format(StrEnum):
    JSONL = "jsonl"
    CSV = "csv"


_QUERIES: Mapping[Exported, Select[Any]] = {
    Exported.ENROLMENTS: queries.ENROLMENTS,
    Exported.DELIVERIES: queries.DELIVERIES,
    Exported.RESPONSES: queries.RESPONSES,
    Exported.ANSWERS: queries.ANSWERS,
    Exported.TASKS: queries.TASKS,
    Exported.EVENTS: queries.EVENTS,
}  # members take more than one query: see `member_rows`


def export(database: Database, what: Exported, form: Format, out: TextIO, catalog: Catalog, now: datetime) -> int:
    """Returns how many rows were written. `out` takes Unicode; a file should be opened with `newline=""`."""
    with database.read() as connection:
        headings, rows = _read(connection, what, catalog, now)
        match form:
            case Format.JSONL:
                return _write_jsonl(rows, out)
            case Format.CSV:
                return _write_csv(headings, rows, out)
            case _:
                assert_never(form)


def _read(
    connection: Connection, what: Exported, catalog: Catalog, now: datetime
) -> tuple[Sequence[str], Iterator[Mapping[str, Any]]]:
    if what is Exported.MEMBERS:
        return member_headings(catalog), member_rows(connection, catalog, now)
    query = _QUERIES[what]
    rows = (dict(row) for batch in queries.stream(connection, query) for row in batch)
    return [column.name for column in query.selected_columns], rows


def _write_jsonl(rows: Iterable[Mapping[str, Any]], out: TextIO) -> int:
    count = 0
    for row in rows:
        plain = {name: _plain(value) for name, value in row.items()}
        out.write(json.dumps(plain, ensure_ascii=False) + "\n")
        count += 1
    return count


def _write_csv(headings: Sequence[str], rows: Iterable[Mapping[str, Any]], out: TextIO) -> int:
    count = 0
    out.write(_BOM)
    sheet = csv.writer(out, lineterminator="\n")
    sheet.writerow(headings)
    for row in rows:
        sheet.writerow([neutralised(_cell(row[name])) for name in headings])
        count += 1
    return count


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat()
        case date():
            return value.isoformat()
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case _:
            return value


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case list():
            return ";".join(str(item) for item in value)
        case dict():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(_plain(value))
