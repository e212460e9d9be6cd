"""Rows → members as the outside knows them. What a value may be is `core.intake`'s to say; here it finds its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from engage.core.catalog import Catalog
from engage.core.intake import Wrong, member_given
from engage.core.problem import Said
from engage.core.report_key import member_key
from engage.exchange.consents import Consents, read_consents
from engage.exchange.headers import Columns
from engage.exchange.reading import RowRead, lost_digits, refused
from engage.exchange.refusal import RowRefused
from engage.exchange.tabular import Row

_TAG_JOINTS = re.compile(r"[;；,，、|\n]+")


def read_members(
    rows: Iterable[Row | RowRefused], columns: Columns, catalog: Catalog, file: str, now: datetime, *, announce: bool
) -> Iterator[RowRead | RowRefused]:
    """`file` and the row's number are the evidence of the consents in it."""
    for row in rows:
        yield row if isinstance(row, RowRefused) else _read(row, columns, catalog, file, now, announce)


def _read(
    row: Row, columns: Columns, catalog: Catalog, file: str, now: datetime, announce: bool
) -> RowRead | RowRefused:
    rounded = lost_digits(row, columns)
    if rounded:
        return rounded
    addresses = columns.under("addresses.", row.values)
    consents = _consents(row, columns, catalog, [channel for channel, address in addresses.items() if address])
    given = member_given(
        catalog,
        member=row.values[columns.at["member"]],
        fields=columns.under("fields.", row.values),
        addresses=addresses,
        consents={} if isinstance(consents, Said) else consents,
        tags=_TAG_JOINTS.split(_cell(row, columns, "tags")),
        timezone=_cell(row, columns, "timezone") or None,
        at=now,
        evidence=f"{file}, row {row.number}",
        announce=announce,
    )
    wrong = given if isinstance(given, list) else []
    if isinstance(consents, Said):
        wrong = [*wrong, Wrong("consents", consents)]
    if wrong or isinstance(given, list):
        return refused(row, columns, wrong)
    return RowRead(row.number, member_key(given), given)


def _consents(row: Row, columns: Columns, catalog: Catalog, on_row: list[str]) -> Consents | Said:
    return read_consents(_cell(row, columns, "consents"), catalog.topics, on_row)


def _cell(row: Row, columns: Columns, place: str) -> str:
    heading = columns.at.get(place)
    return row.values[heading] if heading else ""
