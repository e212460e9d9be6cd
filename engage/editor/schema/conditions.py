"""Conditions: one line for each field, event and answer a project has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from engage.core.catalog import RANK, Field
from engage.core.condition import ValueType
from engage.core.problem import Lang
from engage.editor.manual.journeys import CONDITION, DID
from engage.editor.schema import values
from engage.editor.schema.parts import Schema, Setting, by_shape, closed, described, list_of, one_of, one_or_more, refer

_ANSWER = r"^[^\s.]+\.(?:score|choice|comment)$"
_DATE_START = {"calendar": ValueType.TEXT, "lunar_text": ValueType.TEXT, "age": ValueType.NUMBER}


def condition_definitions(setting: Setting, *, in_journey: bool) -> dict[str, Schema]:
    """`condition`; and, in a journey, `where`, which looks at an event only."""
    member = {**_combined("condition"), **_membership(setting)}
    lines = {**described(member, CONDITION, setting.lang), **_fields(setting)}
    if not in_journey:
        return {"condition": _lines(lines, {}), "counted": _counted(setting.lang)}
    of_event = _payloads(setting)
    patterns = {_ANSWER: values.text_test(), r"^var\..+$": values.text_test()}
    combined = described(_combined("where"), CONDITION, setting.lang)
    return {
        "condition": _lines({**lines, **of_event}, patterns),
        "where": _lines({**combined, **of_event}, {}),
        "counted": _counted(setting.lang),
    }


def _lines(lines: dict[str, Schema], patterns: dict[str, Schema]) -> Schema:
    return {**closed(lines, patterns=patterns), "minProperties": 1}


def _combined(condition: str) -> dict[str, Schema]:
    some = list_of(refer(condition), 1)
    return {"any": some, "all": some, "not": refer(condition)}


def _membership(setting: Setting) -> dict[str, Schema]:
    counted = {**closed(dict.fromkeys(setting.catalog.events, refer("counted"))), "minProperties": 1}
    return {
        "tag": one_or_more(values.text()),
        "segment": one_of(setting.catalog.segments),
        "did": by_shape(one_of(setting.catalog.events), mapping=counted),
    }


def _counted(lang: Lang) -> Schema:
    parts = {"times": values.times_test(lang), "within": values.duration(lang), "since": one_of(["start"])}
    return closed(described(parts, DID, lang))


def _fields(setting: Setting) -> dict[str, Schema]:
    fields = setting.catalog.fields.values()
    ranks = {field.name + RANK: values.rank_test(setting.lang) for field in fields if field.type is ValueType.NUMBER}
    return {**{field.name: _field_test(field, setting.lang) for field in fields}, **ranks}


def _field_test(field: Field, lang: Lang) -> Schema:
    return values.values_test(field.values) if field.values else _test(field.type, lang)


def _test(type: ValueType, lang: Lang) -> Schema:
    match type:
        case ValueType.TEXT:
            return values.text_test()
        case ValueType.NUMBER:
            return values.number_test(lang)
        case ValueType.BOOLEAN:
            return values.yes_no_test()
        case ValueType.DATE | ValueType.INSTANT:
            return values.date_test(lang)
        case ValueType.ANNIVERSARY:
            return values.yearly_test()


def _payloads(setting: Setting) -> dict[str, Schema]:
    """`event.<key>`, whichever event it is: which one starts the journey is for `engage check` to know."""
    types: dict[str, set[ValueType]] = defaultdict(set)
    payloads = [_DATE_START, *(event.payload for event in setting.catalog.events.values())]
    for payload in payloads:
        for key, type in payload.items():
            types[f"event.{key}"].add(type)
    return {key: _any_of(_test(type, setting.lang) for type in sorted(found)) for key, found in sorted(types.items())}


def _any_of(tests: Iterable[Schema]) -> Schema:
    tests = list(tests)
    return tests[0] if len(tests) == 1 else {"anyOf": tests}
