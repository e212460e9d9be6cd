"""Steps: one schema for each verb, chosen by the verb that is there; without one, every verb is offered."""

from __future__ import annotations

from engage.core.condition import ValueType
from engage.core.journey.model import OnFail, Since, Survey, WinBy
from engage.core.journey.vocabulary import CHANNELS, STEP_OPTIONS, VERBS
from engage.core.problem import Lang, Said
from engage.editor.manual import steps as manual
from engage.editor.manual.told import Manual
from engage.editor.schema import values
from engage.editor.schema.parts import Schema, Setting, by_key, closed, described, list_of, one_of, one_or_more, refer
from engage.editor.schema.snippets import step_snippets

_NEEDS_A_VERB = Said("a step needs a verb", "步骤需要一个动词")
REQUIRED = {
    "ask": ("question",),
    "wait_for": ("up_to",),
    "if": ("then",),
    "switch": ("cases",),
    "split": ("ways",),
    "notify": ("task",),
}


def step_definitions(setting: Setting) -> dict[str, Schema]:
    lang = setting.lang
    verbs = described(_verbs(setting), manual.VERBS, lang)
    every = described(_common(), manual.STEP, lang)
    options = _options(setting)
    steps = {verb: _step(verb, verbs[verb], every, options, lang) for verb in VERBS}
    message = _NEEDS_A_VERB.in_(lang)
    none = {
        **closed({**verbs, **every}),
        "anyOf": [{"required": [verb], "errorMessage": message} for verb in VERBS],
        "defaultSnippets": step_snippets(lang),
    }
    step = {"type": "object", "errorMessage": message, **by_key(steps, none)}
    return {"steps": list_of(refer("step")), "step": step}


def _common() -> dict[str, Schema]:
    found = {
        "id": values.name(),
        "was": one_or_more(values.text()),
        "label": values.text(),
        "only_if": refer("condition"),
    }
    return {option: found[option] for option in STEP_OPTIONS}


def _step(verb: str, value: Schema, every: dict[str, Schema], options: dict[str, Schema], lang: Lang) -> Schema:
    own = {option: options.get(f"{verb}.{option}", options.get(option, {})) for option in VERBS[verb]}
    schema = closed({verb: value, **described(own, _of_verb(verb), lang), **every}, (verb, *REQUIRED.get(verb, ())))
    return {**schema, **_FURTHER.get(verb, {})}


def _of_verb(verb: str) -> Manual:
    return {option: manual.OPTIONS.get(f"{verb}.{option}") or manual.OPTIONS[option] for option in VERBS[verb]}


_A_CHOICE = {"properties": {"ask": {"const": "choice"}}}
_FURTHER: dict[str, Schema] = {
    "ask": {"if": _A_CHOICE, "then": {"required": ["options"]}, "else": {"properties": {"options": False}}},
    "send": {"if": {"required": ["text"]}, "else": {"properties": {"send": refer("template")}}},
}


# --- what stands beside the verb --------------------------------------------------------------------------------


def _verbs(setting: Setting) -> dict[str, Schema]:
    catalog = setting.catalog
    return {
        "send": values.text(),
        "ask": one_of(Survey),
        "wait": values.wait(setting.lang),
        "wait_for": one_or_more(one_of(catalog.events)),
        "if": refer("condition"),
        "branch": list_of(refer("arm"), 1),
        "switch": values.text(),
        "split": values.text(),
        "update": refer("update"),
        "notify": one_of(catalog.teams),
        "webhook": one_of(catalog.webhooks),
        "enroll": one_of(setting.journeys),
        "goto": values.text(),
        "exit": values.text(),
    }


def _options(setting: Setting) -> dict[str, Schema]:
    """By option, or by `verb.option` where the same word takes another value."""
    lang = setting.lang
    steps = refer("steps")
    return {
        "text": values.text(),
        "with": {"type": "object", "additionalProperties": values.text()},
        "channels": refer("channels"),
        "topic": one_of(setting.catalog.topics),
        "late": values.duration(lang),
        "at": one_of(["usual_hour"]),
        "on_ambiguous": one_of(["hold", "repeat"]),
        "question": values.text(),
        "comment": values.text(),
        "options": {**list_of(values.text(), 2), "maxItems": 5},
        "answer_within": values.duration(lang),
        "remind": values.duration(lang),
        "up_to": values.duration(lang),
        "where": refer("where"),
        "since": one_of(Since),
        "then": steps,
        "else": steps,
        "cases": {
            "type": "object",
            "properties": {"no_answer": steps, "else": steps},
            "additionalProperties": steps,
            "required": ["no_answer"],
        },
        "ways": {"type": "object", "additionalProperties": refer("way"), "minProperties": 2},
        "winner": refer("winner"),
        "task": values.text(),
        "due": values.duration(lang),
        "urgent": values.yes_no(),
        "copy_to": one_or_more(one_of(setting.catalog.teams)),
        "on_fail": one_of(OnFail),
        "at_most": values.whole(lang, 1, 1000),
    }


# --- the mappings inside a step ---------------------------------------------------------------------------------


def inner_definitions(setting: Setting) -> dict[str, Schema]:
    lang, steps = setting.lang, refer("steps")
    arm = closed({"if": refer("condition"), "then": steps}, ("if", "then"))
    last = closed({"else": steps}, ("else",))
    way = described({"share": values.percent(lang), "steps": steps}, manual.WAY, lang)
    return {
        "template": one_of(setting.templates) if setting.templates else values.text(),
        "arm": by_key({"else": last}, arm),
        "way": closed(way, ("share", "steps")),
        "winner": closed(described(_winner(lang), manual.WINNER, lang), ("by", "after")),
        "update": {**closed(described(_update(setting), manual.UPDATE, lang)), "minProperties": 1},
        "channels_in_order": {**list_of(one_of(CHANNELS), 1), "uniqueItems": True},
    }


def _winner(lang: Lang) -> dict[str, Schema]:
    return {
        "by": one_of(WinBy),
        "after": values.duration(lang),
        "at_least": values.whole(lang, 1, 10_000_000),
        "confidence": values.percent(lang),
        "keep_exploring": values.percent(lang),
    }


def _update(setting: Setting) -> dict[str, Schema]:
    own = [field for field in setting.catalog.fields.values() if field.computed is None]
    numbers = {field.name: {"type": ["number", "string"]} for field in own if field.type is ValueType.NUMBER}
    tags = one_or_more(values.text())
    settable = {field.name: values.of_field(field) for field in own if field.type in _SETTABLE}
    return {"set": closed(settable), "add": closed({"tag": tags, **numbers}), "remove": closed({"tag": tags})}


_SETTABLE = (ValueType.TEXT, ValueType.NUMBER, ValueType.BOOLEAN, ValueType.DATE)
