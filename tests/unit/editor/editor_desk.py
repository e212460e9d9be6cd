"""What the editor tests share: the files that are shipped, and schemas made for them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator
from yaml12 import load

from engage.core.catalog import Catalog
from engage.core.journey.reading import read_catalog
from engage.core.problem import Lang
from engage.editor.schema.catalog import catalog_schema
from engage.editor.schema.journeys import journey_schema
from engage.editor.schema.parts import Setting
from engage.editor.schema.testfiles import testfile_schema

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "journeys").glob("*.yaml"))
JOURNEYS = [path for path in FILES if path.name.count(".") == 1 and path.stem != "catalog"]


def kind_of(path: Path) -> str:
    return "catalog" if path.stem == "catalog" else "test" if path.name.endswith(".test.yaml") else "journey"


@cache
def catalog() -> Catalog:
    found, problems = read_catalog((ROOT / "journeys/catalog.yaml").read_text("utf-8"), "journeys/catalog.yaml")
    assert found is not None
    assert problems == []
    return found


def setting(lang: Lang = Lang.EN) -> Setting:
    templates = {path.name.rpartition(".")[0].rpartition(".")[0] for path in (ROOT / "templates").glob("*.j2")}
    return Setting(catalog(), tuple(sorted(templates)), tuple(path.stem for path in JOURNEYS), lang)


@cache
def schema(kind: str) -> dict[str, Any]:
    return {"journey": journey_schema, "catalog": catalog_schema, "test": testfile_schema}[kind](setting())


@cache
def validator(kind: str) -> Draft7Validator:
    Draft7Validator.check_schema(schema(kind))
    return Draft7Validator(schema(kind))


def refused(kind: str, text: str) -> list[str]:
    """What a schema has against a text: place and words."""
    return [f"{list(error.absolute_path)}: {error.message[:120]}" for error in validator(kind).iter_errors(load(text))]
