"""Files → facts in the inbox, a thousand at a time. The receive loop takes them up like everything else.

Importing is repeatable. A row is known by what it says: the same file again, or a corrected one, changes only what is
new in it. A member who goes from A to B and, in a third file, back to A does change back: what counts is what was last
said of this member, in a file or over the API, not whether it was ever said.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path

from sqlalchemy import Connection

from engage.core.catalog import Catalog
from engage.core.fact_json import fact_to_json
from engage.core.problem import Said
from engage.core.report_key import member_prefix, subject_of
from engage.exchange.events import read_events
from engage.exchange.headers import Columns, event_columns, member_columns
from engage.exchange.members import read_members
from engage.exchange.reading import RowRead
from engage.exchange.refusal import RowRefused
from engage.exchange.refusal_file import RefusalFile
from engage.exchange.report import EXAMPLES, ImportReport
from engage.exchange.tabular import Row, Table, open_table
from engage.store import imports, inbound
from engage.store.databases.database import Database

BATCH = 1000  # rows in one transaction: a few milliseconds of the write lock

_Read = Callable[[Iterable[Row | RowRefused], Columns], Iterator[RowRead | RowRefused]]
_Put = Callable[[Connection, Sequence[RowRead]], int]


def import_members(
    database: Database, catalog: Catalog, path: Path, now: datetime, announce: bool = False
) -> ImportReport:
    """`announce`: new members are the event `member_created`, and may start journeys."""

    def read(rows: Iterable[Row | RowRefused], columns: Columns) -> Iterator[RowRead | RowRefused]:
        return read_members(rows, columns, catalog, path.name, now, announce=announce)

    def put(connection: Connection, rows: Sequence[RowRead]) -> int:
        return _put_members(connection, rows, file, now)

    table = open_table(path)
    file = "" if isinstance(table, Said) else _fingerprint(path)
    return _import(database, path, table, lambda headings: member_columns(headings, catalog), read, put)


def import_events(database: Database, catalog: Catalog, path: Path, now: datetime) -> ImportReport:
    def read(rows: Iterable[Row | RowRefused], columns: Columns) -> Iterator[RowRead | RowRefused]:
        return read_events(rows, columns, catalog, now)

    def put(connection: Connection, rows: Sequence[RowRead]) -> int:
        return inbound.put(connection, [_arrived(row, row.key) for row in rows], now)

    return _import(database, path, open_table(path), lambda headings: event_columns(headings, catalog), read, put)


@dataclass(slots=True)
class _Tally:
    read: int = 0
    accepted: int = 0
    refused: int = 0
    examples: list[RowRefused] = field(default_factory=list)


def _import(
    database: Database,
    path: Path,
    table: Table | Said,
    columns_of: Callable[[Iterable[str]], Columns | Said],
    read: _Read,
    put: _Put,
) -> ImportReport:
    if isinstance(table, Said):
        return ImportReport(path.name, unusable=table)
    columns = columns_of(table.columns)
    if isinstance(columns, Said):
        return ImportReport(path.name, unusable=columns)
    tally = _Tally()
    with RefusalFile(path, table.columns) as refusals:
        for batch in _batches(read(table.rows, columns)):
            good = _sorted_out(batch, tally, refusals)
            with database.write() as connection:
                tally.accepted += put(connection, good)
    return ImportReport(
        file=path.name,
        read=tally.read,
        accepted=tally.accepted,
        repeated=tally.read - tally.accepted - tally.refused,
        refused=tally.refused,
        examples=tuple(tally.examples),
        ignored_columns=columns.ignored,
        refused_file=refusals.path,
    )


def _sorted_out(batch: Sequence[RowRead | RowRefused], tally: _Tally, refusals: RefusalFile) -> list[RowRead]:
    bad = [row for row in batch if isinstance(row, RowRefused)]
    for row in bad:
        refusals.write(row)
    tally.read += len(batch)
    tally.refused += len(bad)
    tally.examples += bad[: EXAMPLES - len(tally.examples)]
    return [row for row in batch if isinstance(row, RowRead)]


def _put_members(connection: Connection, rows: Sequence[RowRead], file: str, now: datetime) -> int:
    """Rows that say what was last said of their member are left out. The file and the row complete the key."""
    prefixes = {member_prefix(row.fact.member) for row in rows}
    said = {subject_of(key): key for key in imports.newest_keys(connection, prefixes)}
    fresh = []
    for row in rows:
        subject = subject_of(row.key)
        if not said.get(subject, "").startswith(row.key):
            said[subject] = f"{row.key}:{file}:{row.row}"
            fresh.append(_arrived(row, said[subject]))
    return inbound.put(connection, fresh, now)


def _arrived(row: RowRead, key: str) -> inbound.Arrived:
    return inbound.Arrived(inbound.FILE, key, fact_to_json(row.fact))


def _fingerprint(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _batches(rows: Iterator[RowRead | RowRefused]) -> Iterator[list[RowRead | RowRefused]]:
    while batch := list(islice(rows, BATCH)):
        yield batch
