"""The faulty files that `engage check` is tested with, seen by an editor: what is right is not underlined, and what
`engage fmt --fix` makes of a mistake is what was meant, or nothing."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import pytest
import yaml12
from jsonschema import Draft7Validator

from engage.cli.schema import schemas_of
from engage.content.project import CATALOG, project_files
from engage.core.journey.reading import read_catalog, read_journey
from engage.core.problem import Lang
from engage.editor.formatting import formatted

sys.path.append(str(Path(__file__).parents[1] / "journey"))
from faulty_case import FOLDER, Case, cases

YAML = [case for case in cases() if case.mended_path.endswith(".yaml")]
# It refers to segments of its own file, while the schema offers those of the project.
BY_ITSELF = {"segments in a circle"}


@cache
def validators() -> dict[str, Draft7Validator]:
    made = schemas_of(project_files(FOLDER / "shop")[0], Lang.EN)
    assert made
    return {kind: Draft7Validator(schema) for kind, schema in made.items()}


def kind_of(case: Case) -> str:
    if case.mended_path.endswith(".test.yaml"):
        return "test"
    return "catalog" if case.mended_path.endswith("catalog.yaml") else "journey"


def test_there_is_a_corpus() -> None:
    assert len(YAML) > 100


@pytest.mark.parametrize("case", [case for case in YAML if case.name not in BY_ITSELF], ids=lambda case: case.name)
def test_the_mended_file_is_not_underlined(case: Case) -> None:
    errors = validators()[kind_of(case)].iter_errors(yaml12.load(case.mended))
    assert [error.message[:150] for error in errors] == []


def test_a_fix_makes_what_was_meant_or_nothing() -> None:
    catalog, _ = read_catalog((FOLDER / "shop" / CATALOG).read_text("utf-8"), CATALOG)
    assert catalog
    made = 0
    for case in (case for case in YAML if kind_of(case) == "journey"):
        fixed = formatted(case.faulty, mend_by=lambda text: read_journey(text, "journeys/trial.yaml", catalog)[1])
        if fixed != formatted(case.faulty):
            assert fixed is not None
            assert fixed.replace('"', "") == (formatted(case.mended) or "").replace('"', ""), case.name
            made += 1
    assert made > 30
