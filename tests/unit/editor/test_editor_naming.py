"""`engage fmt --ids`: every step says the id it has."""

from __future__ import annotations

from pathlib import Path

import pytest
from editor_desk import JOURNEYS, catalog

from engage.core.journey.program import Program
from engage.core.journey.reading import read_journey
from engage.editor.formatting import formatted
from engage.editor.naming import with_ids


def ids_of(source: str) -> tuple[str, ...]:
    journey, problems = read_journey(source, "x.yaml", catalog())
    assert journey is not None
    assert [problem.message.en for problem in problems] == []
    return Program(journey).ids


@pytest.mark.parametrize("path", JOURNEYS, ids=lambda path: path.stem)
def test_the_ids_are_those_the_steps_had(path: Path) -> None:
    source = path.read_text("utf-8")
    named = with_ids(source)
    assert ids_of(named) == ids_of(source)
    assert with_ids(named) == named
    assert formatted(source, ids=True) == named
    assert named.count(" id: ") == len(ids_of(source))


def test_an_id_stands_below_its_verb_beside_it_in_braces_and_above_what_takes_several_lines() -> None:
    source = (
        "journey: 试\nstart: manual\nsteps:\n  - wait: 3d  # 等\n  - send: howto\n    late: 3d\n"
        "  - update:\n      add: { tag: a }\n  - if: { orders: 1 }\n    then: [ { send: howto }, { wait: 1d } ]\n"
    )
    assert with_ids(source) == (
        "journey: 试\nstart: manual\nsteps:\n  - wait: 3d  # 等\n    id: wait>howto\n"
        "  - send: howto\n    id: howto\n    late: 3d\n"
        "  - id: update\n    update:\n      add: { tag: a }\n"
        "  - if: { orders: 1 }\n    id: if\n"
        "    then: [ { send: howto, id: howto~2 }, { wait: 1d, id: wait>end-of-if/then } ]\n"
    )


def test_an_inserted_step_then_renames_nothing() -> None:
    source = "journey: 试\nstart: manual\nsteps:\n  - wait: 3d\n  - send: howto\n"
    inserted = with_ids(source).replace("  - send: howto\n", "  - send: welcome\n  - send: howto\n")
    assert ids_of(inserted) == ("wait>howto", "welcome", "howto")


def test_a_sentence_is_no_id() -> None:
    source = "journey: 试\nstart: manual\nsteps:\n  - exit: 到店了，未购\n"
    assert with_ids(source) == source


@pytest.mark.parametrize("other", ["brand: { name: a }\n", "- a\n", "a: [\n", "", "steps: 3\n"])
def test_what_is_no_journey_stays_as_it_is(other: str) -> None:
    assert with_ids(other) == other
