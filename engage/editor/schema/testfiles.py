"""The schema of a test file."""

from __future__ import annotations

from collections.abc import Mapping

from engage.core.catalog import Field
from engage.core.condition import ValueType
from engage.core.journey.vocabulary import CHANNELS
from engage.core.problem import Lang, Said
from engage.core.testfile.expectations import OPTIONS
from engage.core.testfile.reading import CASE_KEYS, FILE_KEYS
from engage.editor.manual import testfiles as manual
from engage.editor.schema import values
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
    quietly,
    refer,
)

# Beside each word of `when`; `at` goes with every one.
_WHEN: Mapping[str, tuple[str, ...]] = {
    "event": ("channel", "link"),
    "answer": ("comment", "channel"),
    "comment": ("answer", "channel"),
    "text": ("channel",),
    "task_done": ("outcome",),
    "follow": (),
    "unfollow": (),
    "set": ("tag",),
    "tag": ("set",),
}
_EXPECT = {verb.value: options for verb, options in OPTIONS.items()}


def testfile_schema(setting: Setting) -> Schema:
    lang = setting.lang
    found = {
        "journey": one_of(setting.journeys),
        "clock": values.moment(lang),
        "members": {"type": "object", "additionalProperties": refer("member")},
        "tests": list_of(refer("case")),
    }
    definitions = {
        "member": _member(setting),
        "case": _case(setting),
        "deed": _deed(setting),
        "expected": _expected(setting),
        "expectation": by_key({"never": closed({"never": refer("expected")})}, refer("expected")),
    }
    keys = described({key: found[key] for key in FILE_KEYS}, manual.FILE, lang)
    return {**closed(keys, FILE_KEYS), "definitions": definitions}


# --- members ----------------------------------------------------------------------------------------------------


def _member(setting: Setting) -> Schema:
    lang, catalog = setting.lang, setting.catalog
    past = {"event": one_of(catalog.events), "at": values.when(lang), **_payload_keys(setting)}
    own = {
        **dict.fromkeys(CHANNELS, by_shape(quietly(values.text(), values.yes_no()), mapping=_chat(lang))),
        "tags": one_or_more(values.text()),
        "segments": one_or_more(one_of(catalog.segments)),
        "consent": _consent(setting),
        "history": list_of(closed(past, ("event", "at"))),
        "timezone": values.text(),
    }
    fields = {field.name: _value(field, lang) for field in catalog.fields.values()}
    return closed({**fields, **described(own, manual.MEMBER, lang)})


def _chat(lang: Lang) -> Schema:
    when = values.when(lang)
    parts = {"address": values.text(), "followed": values.yes_no(), "last_message_at": when, "last_touch_at": when}
    return closed(described(parts, manual.CHAT, lang))


def _consent(setting: Setting) -> Schema:
    by_channel = by_shape(values.yes_no(), mapping=closed(dict.fromkeys(CHANNELS, values.yes_no())))
    return by_shape(values.yes_no(), mapping=closed(dict.fromkeys(setting.catalog.topics, by_channel)))


def _value(field: Field, lang: Lang) -> Schema:
    match field.type:
        case ValueType.DATE | ValueType.INSTANT:
            return values.when(lang)
        case ValueType.ANNIVERSARY:
            said = Said("lunar 8-15 · 02-29 · 1990-05-12", "lunar 8-15 · 02-29 · 1990-05-12")
            return values.spelt("[^ ].*", said, lang, "lunar 8-15", "1990-05-12")
        case _:
            return values.of_field(field)


def _payload_keys(setting: Setting) -> dict[str, Schema]:
    return {key: values.text() for event in setting.catalog.events.values() for key in event.payload}


# --- cases ------------------------------------------------------------------------------------------------------


def _case(setting: Setting) -> Schema:
    lang = setting.lang
    anything: Schema = {"type": "object", "additionalProperties": values.text()}
    found = {
        "name": values.text(),
        "member": values.text(),
        "start_event": closed(_payload_keys(setting)),
        "var": anything,
        "arms": anything,
        "holdout": values.yes_no(),
        "until": values.day(lang),
        "when": list_of(refer("deed")),
        "expect": list_of(refer("expectation")),
    }
    keys = described({key: found[key] for key in CASE_KEYS}, manual.CASE, lang)
    return closed(keys, ("name", "member", "expect"))


def _deed(setting: Setting) -> Schema:
    lang, catalog = setting.lang, setting.catalog
    channel = one_of(CHANNELS)
    fields = {field.name: _value(field, lang) for field in catalog.fields.values()}
    parts = {
        "at": values.day_time(lang),
        "event": one_of(catalog.events),
        "answer": values.text(),
        "comment": values.text(),
        "text": values.text(),
        "task_done": one_of(catalog.teams),
        "outcome": values.text(),
        "follow": channel,
        "unfollow": channel,
        "set": closed(fields),
        "tag": one_or_more(values.text()),
        "channel": channel,
        "link": values.text(),
    }
    return _by_verb(described(parts, manual.WHEN, lang), _WHEN, _payload_keys(setting), required=("at",))


def _expected(setting: Setting) -> Schema:
    lang, catalog = setting.lang, setting.catalog
    message = quietly(values.text(), one_of(setting.templates)) if setting.templates else values.text()
    named = values.text()
    journey = one_of(setting.journeys)
    parts = {
        "at": values.day_time(lang),
        **dict.fromkeys(_EXPECT, named),
        "enter": journey,
        "send": message,
        "skipped": message,
        "deferred": message,
        "cancelled": message,
        "update": by_shape(values.text(), mapping=_changes()),
        "notify": one_of(catalog.teams),
        "enroll": journey,
        "webhook": one_of(catalog.webhooks),
        "via": one_of(CHANNELS),
        "why": values.text(),
        "until": values.day_time(lang),
        "task": values.text(),
        "way": values.text(),
        "due": values.day_time(lang),
        "urgent": values.yes_no(),
        "counts": values.yes_no(),
    }
    return _by_verb(described(parts, manual.EXPECT, lang), _EXPECT, {})


def _changes() -> Schema:
    anything: Schema = {"type": "object"}
    return closed({"set": anything, "add": anything, "remove": anything})


def _by_verb(
    parts: dict[str, Schema],
    options: Mapping[str, tuple[str, ...]],
    of_event: dict[str, Schema],
    required: tuple[str, ...] = (),
) -> Schema:
    kinds = {
        verb: closed(
            {**(of_event if verb == "event" else {}), **{word: parts[word] for word in (verb, "at", *own)}}, required
        )
        for verb, own in options.items()
    }
    none = {
        **closed({word: parts[word] for word in ("at", *options)}),
        "anyOf": [{"required": [verb]} for verb in options],
    }
    return {"type": "object", **by_key(kinds, none)}
