"""The schema of a journey file."""

from __future__ import annotations

from engage.core.condition import ValueType
from engage.core.journey.model import CalendarChoice, Feb29, LeapMonth, OnEdit, Unless
from engage.core.journey.vocabulary import JOURNEY_KEYS
from engage.editor.manual import journeys as manual
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
    quietly,
    refer,
)
from engage.editor.schema.snippets import start_snippets
from engage.editor.schema.steps import inner_definitions, step_definitions

REQUIRED = ("journey", "start", "steps")
_STARTS = {
    "event": ("event", "where"),
    "segment": ("segment",),
    "date": ("date", "at", "calendar", "offset", "feb29", "leap_month", "catch_up"),
    "every": ("every", "at", "catch_up"),
}


def journey_schema(setting: Setting) -> Schema:
    found = _keys(setting)
    keys = described({key: found[key] for key in JOURNEY_KEYS}, manual.JOURNEY, setting.lang)
    definitions = {
        **condition_definitions(setting, in_journey=True),
        **step_definitions(setting),
        **inner_definitions(setting),
        "start": _start(setting),
        "channels": _channels(setting),
    }
    return {**closed(keys, REQUIRED), "definitions": definitions}


def _keys(setting: Setting) -> dict[str, Schema]:
    lang = setting.lang
    condition = refer("condition")
    return {
        "journey": values.text(),
        "owner": values.text(),
        "note": values.text(),
        "draft": values.yes_no(),
        "start": refer("start"),
        "audience": by_shape(one_of(["everyone"]), mapping=condition),
        "exclude": condition,
        "per": quietly({"type": "string", "pattern": r"^event\..+$"}, one_of(_event_keys(setting))),
        "reentry": values.reentry(lang),
        "exit_if": by_shape(_exit(setting), listing=list_of(_exit(setting), 1)),
        "goal": _goal(setting),
        "holdout": values.percent(lang),
        "canary": values.yes_no(),
        "priority": values.whole(lang, 0, 100),
        "topic": one_of(setting.catalog.topics),
        "channels": refer("channels"),
        "on_edit": one_of(OnEdit),
        "moved_to": {"type": "object", "additionalProperties": values.text()},
        "steps": list_of(refer("step"), 1),
    }


def _event_keys(setting: Setting) -> list[str]:
    return sorted({f"event.{key}" for event in setting.catalog.events.values() for key in event.payload})


# --- start ------------------------------------------------------------------------------------------------------


def _start(setting: Setting) -> Schema:
    parts = described(_start_parts(setting), manual.START, setting.lang)
    kinds = {kind: closed({word: parts[word] for word in words}, (kind,)) for kind, words in _STARTS.items()}
    kinds["date"]["required"] = ["date", "at"]
    no_kind = closed({kind: parts[kind] for kind in _STARTS})
    snippets = start_snippets(setting.lang)
    manual_start = {"enum": ["manual"], "defaultSnippets": snippets}
    none = {**no_kind, "minProperties": 1, "defaultSnippets": snippets}
    return by_shape(manual_start, mapping={"type": "object", **by_key(kinds, none)})


def _start_parts(setting: Setting) -> dict[str, Schema]:
    lang, catalog = setting.lang, setting.catalog
    yearly = [field.name for field in catalog.fields.values() if field.type is ValueType.ANNIVERSARY]
    return {
        "event": one_of(catalog.events),
        "where": refer("where"),
        "segment": one_of(catalog.segments),
        "date": one_of(yearly),
        "calendar": one_of(CalendarChoice),
        "offset": values.day_offset(lang),
        "feb29": one_of(Feb29),
        "leap_month": one_of(LeapMonth),
        "every": values.every(lang),
        "at": values.clock(lang),
        "catch_up": values.duration(lang),
    }


# --- ends, channels ---------------------------------------------------------------------------------------------


def _exit(setting: Setting) -> Schema:
    parts = {"event": one_of(setting.catalog.events), "where": refer("where")}
    return by_key({"event": closed(described(parts, manual.EXIT, setting.lang), ("event",))}, refer("condition"))


def _goal(setting: Setting) -> Schema:
    parts = {
        "event": one_of(setting.catalog.events),
        "where": refer("where"),
        "within": values.duration(setting.lang),
        "count_from": one_of(["message", "entry"]),
        "then": one_of(["exit", "continue"]),
    }
    return closed(described(parts, manual.GOAL, setting.lang), ("event",))


def _channels(setting: Setting) -> Schema:
    auto, order = one_of(["auto"]), refer("channels_in_order")
    longer = {"after": values.duration(setting.lang), "unless": one_of(Unless)}
    fallback = closed(described(longer, manual.FALLBACK, setting.lang), ("after",))
    parts = {
        "try": by_shape(auto, listing=order),
        "fallback": by_shape(values.duration(setting.lang), mapping=fallback),
    }
    return by_shape(auto, listing=order, mapping=closed(described(parts, manual.CHANNELS, setting.lang)))
