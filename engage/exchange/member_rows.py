"""Members as an export shows them: a column for each catalog field and channel, in words that an import reads again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from engage.core.catalog import Catalog
from engage.core.condition import ValueType
from engage.core.intake import ADDRESSES
from engage.exchange.consents import consents_text
from engage.store.insight import export
from engage.store.insight.export import MemberRow

_HEAD = ("id", "member")
_TAIL = ("tags", "timezone", "consent", "created_at", "updated_at")


def member_headings(catalog: Catalog) -> tuple[str, ...]:
    addresses = [name for channel in ADDRESSES for name in (channel, f"{channel}_status")]
    return (*_HEAD, *catalog.fields, *addresses, *_TAIL)


def member_rows(connection: Connection, catalog: Catalog, now: datetime) -> Iterator[dict[str, Any]]:
    for row in export.members(connection, catalog, now):
        yield {
            "id": row.head["id"],
            "member": row.head["external_id"],
            **{name: _value(row, name, field.type) for name, field in catalog.fields.items()},
            **_addresses(row),
            "tags": row.tags,
            "timezone": row.head["timezone"],
            "consent": consents_text(row.consents),
            "created_at": row.head["created_at"],
            "updated_at": row.head["updated_at"],
        }


def anniversary_text(stored: Mapping[str, Any]) -> str:
    """`1990-05-12`, `05-12`, `lunar 08-15`, `lunar leap 1990-05-01`: what `parse_anniversary` reads."""
    year = f"{stored['year']:04d}-" if stored["year"] is not None else ""
    words = ("lunar " if stored["calendar"] == "lunar" else "") + ("leap " if stored["leap"] else "")
    return f"{words}{year}{stored['month']:02d}-{stored['day']:02d}"


def _value(row: MemberRow, name: str, kind: ValueType) -> Any:
    if kind is ValueType.ANNIVERSARY:
        stored = row.anniversaries.get(name)
        return None if stored is None else anniversary_text(dict(stored))
    return row.values.get(name)


def _addresses(row: MemberRow) -> dict[str, str | None]:
    columns: dict[str, str | None] = {}
    for channel in ADDRESSES:
        point = row.contact_points.get(channel)
        columns[channel] = point["address"] if point else None
        columns[f"{channel}_status"] = point["status"] if point else None
    return columns
