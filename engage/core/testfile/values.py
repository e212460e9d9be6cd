"""Values in test files: of member fields, and of event payloads. As JSON data, the way facts carry them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from engage.core import coerce
from engage.core.catalog import Catalog, Field
from engage.core.condition import ValueType
from engage.core.journey import misfits, mistakes, scalars, slips
from engage.core.journey.actions import field_value
from engage.core.journey.nodes import Entry
from engage.core.journey.options import is_empty
from engage.core.problem import Problem, Said
from engage.core.testfile.moments import read_when

_ANNIVERSARIES = "lunar 8-15 · lunar leap 4-1 · 02-29 · 1990-05-12"


def read_field(
    entry: Entry, catalog: Catalog, clock: datetime, problems: list[Problem], also: Iterable[str] = ()
) -> Any:
    """The value of a member's field; None if it could not be read. `also`: other words that may stand here."""
    key = entry.key
    field = catalog.fields.get(key.text)
    if field is None:
        problems.append(misfits.unknown("field", key.span, key.text, (*catalog.fields, *also)))
        return None
    if is_empty(entry.value):
        problems.append(mistakes.no_value(key.span, key.text))
        return None
    return _value(entry, field, clock, ZoneInfo(catalog.timezone), problems)


def _value(entry: Entry, field: Field, clock: datetime, zone: ZoneInfo, problems: list[Problem]) -> Any:
    match field.type:
        case ValueType.DATE:
            moment = read_when(entry.value, clock, problems)
            return moment.date().isoformat() if moment is not None else None
        case ValueType.INSTANT:
            moment = read_when(entry.value, clock, problems)
            return moment.isoformat() if moment is not None else None
        case _:
            found = scalars.scalar(entry.value, mistakes.word(field.name), problems)
            if found is None:
                return None
            if field.type is ValueType.ANNIVERSARY:
                value = coerce.read_anniversary(found.text)
                if value is None:
                    problems.append(misfits.wrong_type(found.span, field.name, field.type, _ANNIVERSARIES))
                return value
            spelt = field_value(found, field, problems)
            return coerce.field_value(field.type, spelt, zone) if spelt is not None else None


def read_payload(entries: Iterable[Entry], event: str, catalog: Catalog, problems: list[Problem]) -> Mapping[str, Any]:
    """What an event brings, key by key."""
    keys = catalog.events[event].payload
    zone = ZoneInfo(catalog.timezone)
    payload: dict[str, Any] = {}
    for entry in entries:
        kind = keys.get(entry.key.text)
        if kind is None:
            said = Said(f"`{event}`", f"`{event}` ")
            problems.append(misfits.unknown_key(entry.key.span, entry.key.text, said, keys, origin=""))
            continue
        found = scalars.scalar(entry.value, mistakes.word(entry.key.text), problems)
        value = coerce.payload_value(kind, slips.half_width(found.text), zone) if found is not None else None
        if found is not None and value is None:
            problems.append(misfits.wrong_type(found.span, entry.key.text, kind, _EXAMPLES.get(kind)))
        elif value is not None:
            payload[entry.key.text] = value
    return payload


_EXAMPLES = {
    ValueType.NUMBER: "268 · 12.5",
    ValueType.TEXT: "…",
    ValueType.BOOLEAN: "yes · no",
    ValueType.DATE: "2027-02-06",
    ValueType.INSTANT: "2027-02-06 10:00",
    ValueType.ANNIVERSARY: _ANNIVERSARIES,
}
