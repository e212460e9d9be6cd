"""Nothing a file says makes the reader raise: damaged journeys, catalogs and templates give problems that can be shown.

The damage is what happens to files: a piece lost, doubled or moved, a character of the wrong keyboard, a wrong indent.
"""

from __future__ import annotations

import random
from functools import cache

import pytest
from faulty_case import FOLDER
from faulty_case import cases as faulty_cases
from journey_desk import ROOT

from engage.content.grammar import Wording, read_wording
from engage.content.library import Library
from engage.content.project import Project, project_files, read_project
from engage.core.journey.check import check_journeys
from engage.core.journey.explain_problem import format_problem, problem_to_json
from engage.core.journey.reading import read_catalog, read_journey
from engage.core.problem import Lang, Problem, Span

CATALOG = "journeys/catalog.yaml"
SPECIAL = "：，、；［］｛｝【】“”‘’－—•（）％＃{}[]()\"'|>-#&*!%@`~^=\\\t\n\r :,.0１９\u0301\u00a0\u3000\u200b\u2028😀?"


@cache
def shipped() -> Project:
    project, problems = read_project(project_files(ROOT)[0])
    assert project is not None, problems
    return project


@cache
def journeys() -> list[str]:
    sources = [text for path, text in shipped().sources.items() if path.startswith("journeys/") and path != CATALOG]
    return sources + [case.faulty for case in faulty_cases() if case.path.startswith("journeys/")]


@cache
def templates() -> list[tuple[str, str]]:
    sources = [(path, text) for path, text in shipped().sources.items() if path.startswith("templates/")]
    return sources + [(case.path, case.faulty) for case in faulty_cases("templates")]


def mutated(source: str, rng: random.Random) -> str:
    for _ in range(rng.randint(1, 4)):
        source = _damaged(source, rng)
    return source


def _damaged(source: str, rng: random.Random) -> str:
    at = rng.randrange(len(source) + 1)
    lines = source.split("\n")
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    match rng.randrange(8):
        case 0:
            del lines[one]
        case 1:
            lines.insert(other, lines[one])
        case 2:
            lines[one], lines[other] = lines[other], lines[one]
        case 3:
            lines[one] = "  " * rng.randint(0, 3) + lines[one].strip()
        case 4:
            return source[:at]
        case 5:
            return source[:at] + source[at + rng.randint(1, 5) :]
        case 6:
            return source[:at] + source[max(0, at - 5) : at] + source[at:]
        case _:
            return source[:at] + rng.choice(SPECIAL) + source[at + rng.randint(0, 1) :]
    return "\n".join(lines)


def can_be_shown(problems: list[Problem], source: str) -> None:
    """Every place is one of the file, and so is every edit that is offered."""
    lines = source.removeprefix("\ufeff").splitlines() or [""]
    for problem in problems:
        places = [problem.span, *(mark.span for mark in problem.marks), *([problem.mend.span] if problem.mend else [])]
        assert all(lies_within(span, lines) for span in places), (problem, source)
        for lang in Lang:
            assert format_problem(problem, source, lang).startswith(("error", "warning", "错误", "警告"))
            assert problem_to_json(problem, lang)["message"]


def lies_within(span: Span, lines: list[str]) -> bool:
    start, end = (span.line, span.column), (span.end_line, span.end_column)
    last = len(lines) + 1  # a file may end with a line break, and something may be missing behind it
    return (1, 1) <= start <= end and span.line <= last and span.end_line <= last and _column_within(span, lines)


def _column_within(span: Span, lines: list[str]) -> bool:
    line = lines[span.line - 1] if span.line <= len(lines) else ""
    return span.column <= len(line) + 1


@pytest.mark.parametrize("seed", range(30))
def test_a_damaged_journey(seed: int) -> None:
    rng = random.Random(seed)
    catalog, library = shipped().catalog, shipped().library
    for _ in range(50):
        source = mutated(rng.choice(journeys()), rng)
        journey, problems = read_journey(source, "journeys/x.yaml", catalog)
        assert journey is not None or problems
        if journey is not None:
            problems += check_journeys([journey, *shipped().journeys.values()], catalog, library)
        can_be_shown(problems, source)


@pytest.mark.parametrize("seed", range(10))
def test_a_damaged_catalog(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(40):
        source = mutated(shipped().sources[CATALOG], rng)
        catalog, problems = read_catalog(source, CATALOG)
        can_be_shown(problems, source)
        if catalog is not None:
            read_journey(journeys()[0], "journeys/x.yaml", catalog)


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_template(seed: int) -> None:
    """And words that are found to be right can be compiled: that happens later, when a message is written."""
    rng = random.Random(seed)
    for _ in range(50):
        path, whole = rng.choice(templates())
        source = mutated(whole, rng)
        _, problems = Library.read({path: source}, shipped().catalog)
        can_be_shown([problem for problem in problems if problem.span.file == path], source)
        if isinstance(words := read_wording(source), Wording) and words.varies:
            assert words.compiled


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_project(seed: int) -> None:
    rng = random.Random(seed)
    shop, _ = project_files(FOLDER / "shop")
    for _ in range(25):
        path = rng.choice(sorted(shop))
        damaged = {**shop, path: mutated(shop[path], rng)}
        for problem in read_project(damaged)[1]:
            can_be_shown([problem], damaged.get(problem.span.file, ""))
