"""The schema of `catalog.yaml`."""

from __future__ import annotations

from engage.core.catalog import TopicClass
from engage.core.condition import ValueType
from engage.editor.manual import catalog as manual
from engage.editor.schema import values
from engage.editor.schema.conditions import condition_definitions
from engage.editor.schema.parts import (
    Schema,
    Setting,
    by_key,
    by_shape,
    closed,
    described,
    list_of,
    one_of,
    one_or_more,
    refer,
)

_PAYLOAD = (ValueType.TEXT, ValueType.NUMBER, ValueType.BOOLEAN, ValueType.DATE)
_FIELD = (*_PAYLOAD, ValueType.ANNIVERSARY)
_PLAIN = ("type", "default")
_COMPUTED = ("count", "sum", "first", "last")


def catalog_schema(setting: Setting) -> Schema:
    keys = described(_keys(setting), manual.CATALOG, setting.lang)
    definitions = {**condition_definitions(setting, in_journey=False), "field": _field(setting)}
    return {**closed(keys, ("brand",)), "definitions": definitions}


def _keys(setting: Setting) -> dict[str, Schema]:
    lang = setting.lang
    brand = {"name": values.text(), "sms_sign": values.text(), "links": _named(_address())}
    topic = {"class": one_of(TopicClass), "label": values.text()}
    team = {"webhook": values.text(), "email": values.text()}
    return {
        "brand": closed(described(brand, manual.BRAND, lang), ("name",)),
        "timezone": {"type": "string", "default": "Asia/Shanghai"},
        "fields": _named(refer("field")),
        "events": _named(_named(one_of(_PAYLOAD))),
        "segments": _named(refer("condition")),
        "topics": _named(closed(described(topic, manual.TOPIC, lang), ("class",))),
        "teams": _named(closed(described(team, manual.TEAM, lang))),
        "webhooks": one_or_more(values.text()),
    }


def _named(each: Schema) -> Schema:
    return {"type": "object", "additionalProperties": each}


def _address() -> Schema:
    return {"type": "string", "pattern": "^https?://"}


def _field(setting: Setting) -> Schema:
    """A type, a list of values, or a mapping."""
    word, listing = one_of(_FIELD), list_of(values.text(), 1)
    events = one_or_more(one_of(setting.catalog.events))
    numbers = [
        f"{event.name}.{key}"
        for event in setting.catalog.events.values()
        for key, type in event.payload.items()
        if type is ValueType.NUMBER
    ]
    parts = {
        "type": by_shape(word, listing=listing),
        "default": values.text(),
        "count": events,
        "sum": one_or_more(one_of(numbers)),
        "first": events,
        "last": events,
        "within": values.duration(setting.lang),
    }
    told = described(parts, manual.FIELD, setting.lang)
    kinds = {kind: closed({kind: told[kind], "within": told["within"]}, (kind,)) for kind in _COMPUTED}
    typed = closed({word: told[word] for word in _PLAIN}, ("type",))
    no_kind = {**typed, "properties": {word: told[word] for word in (*_PLAIN, *_COMPUTED)}}
    return by_shape(word, listing=listing, mapping={"type": "object", **by_key({"type": typed, **kinds}, no_kind)})
