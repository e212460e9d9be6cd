"""Small parts that schemas are made of. What a value may look like as text is in `values`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from engage.core.catalog import Catalog
from engage.core.problem import Lang
from engage.editor.manual.told import Manual

Schema = dict[str, Any]

# What YAML 1.2 makes of a plain word, and so what a schema is shown instead of it.
_NUMBER = re.compile(r"[-+]?(?:[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+|(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)")
_TRUTH = {word: word.lower() == "true" for each in ("true", "false") for word in (each, each.title(), each.upper())}


@dataclass(frozen=True, slots=True)
class Setting:
    """The project a schema is for, and the language it speaks."""

    catalog: Catalog
    templates: tuple[str, ...]
    journeys: tuple[str, ...]
    lang: Lang


def refer(definition: str) -> Schema:
    return {"$ref": f"#/definitions/{definition}"}


def closed(
    properties: Mapping[str, Schema], required: Iterable[str] = (), *, patterns: Mapping[str, Schema] | None = None
) -> Schema:
    """A mapping that has these keys and no others."""
    schema: Schema = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    if patterns:
        schema["patternProperties"] = dict(patterns)
    if required := list(required):
        schema["required"] = required
    return schema


def described(schemas: Mapping[str, Schema], manual: Manual, lang: Lang) -> dict[str, Schema]:
    """Every key with what it means."""
    return {key: _described(schema, manual, key, lang) for key, schema in schemas.items()}


def _described(schema: Schema, manual: Manual, key: str, lang: Lang) -> Schema:
    meaning = manual[key]
    return {**schema, "description": meaning.plain(lang), "markdownDescription": meaning.markdown(lang)}


def list_of(items: Schema, least: int = 0) -> Schema:
    return {"type": "array", "items": items, **({"minItems": least} if least else {})}


def one_or_more(item: Schema) -> Schema:
    return by_shape(item, listing=list_of(item, 1))


def quietly(also: Schema, offered: Schema) -> Schema:
    """`also` is right, too, and nobody needs to be offered it."""
    return {"anyOf": [offered, also]}


def by_shape(word: Schema, *, listing: Schema | None = None, mapping: Schema | None = None) -> Schema:
    """A value of one of these shapes. `if` chooses the one whose mistakes are told; editors look for what to offer in
    `anyOf` only, so the shapes stand there as well, with one that is always right."""
    shapes = [shape for shape in (word, listing, mapping) if shape]
    schema: Schema = word
    for type, shape in (("array", listing), ("object", mapping)):
        if shape:
            schema = {"if": {"type": type}, "then": shape, "else": schema}
    return {"anyOf": [*shapes, {}], **schema}


def one_of(words: Iterable[str]) -> Schema:
    """Exactly these words; as YAML reads them, so that a tag `2026` is itself."""
    values: list[Any] = []
    for word in words:
        values += [word, *_other_reading(word)]
    return {"enum": values}


def _other_reading(word: str) -> list[Any]:
    if word in _TRUTH:
        return [_TRUTH[word]]
    if not _NUMBER.fullmatch(word):
        return []
    number = int(word, 0) if word[:2] in ("0x", "0o") else float(word)
    return [int(number) if number == int(number) else number]


def by_key(cases: Mapping[str, Schema], otherwise: Schema) -> Schema:
    """The schema of the first key that is there."""
    schema = otherwise
    for key, case in reversed(list(cases.items())):
        schema = {"if": {"type": "object", "required": [key]}, "then": case, "else": schema}
    return schema
