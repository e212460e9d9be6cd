"""Every kind of faulty file that people write: told at its place, with the remedy; and the mended file is clean."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from faulty_case import FOLDER, JOURNEY, Case, cases

from engage.content.project import project_files, read_project
from engage.core.journey.explain_problem import format_problem
from engage.core.journey.reading import read_catalog
from engage.core.problem import Lang, Problem, Severity

ALL = list(cases())
# Templates are checked against a journey that sends them: the usual topic is marketing.
SENDERS = {
    "templates/note": "journey: 试\nstart: { event: order_paid }\ntopic: service\nsteps:\n  - send: note\n",
    "templates/": "journey: 试\nstart: manual\nsteps:\n  - send: welcome\n",
}


@pytest.fixture(scope="module")
def shop() -> dict[str, str]:
    files, problems = project_files(FOLDER / "shop")
    assert problems == []
    return files


def problems_of(path: str, text: str, shop: dict[str, str]) -> list[Problem]:
    if path == "catalog.yaml":
        return read_catalog(text, path)[1]
    sender = next((journey for start, journey in SENDERS.items() if path.startswith(start)), None)
    sent_by = {JOURNEY: sender} if sender else {}
    return read_project({**shop, **sent_by, path: text})[1]


def test_the_shop_itself_is_sound(shop: dict[str, str]) -> None:
    assert read_project(shop)[1] == []


@pytest.mark.parametrize("case", ALL, ids=lambda case: f"{case.theme}: {case.name}")
def test_a_mistake_is_told_once_at_its_place_with_the_remedy(case: Case, shop: dict[str, str]) -> None:
    problems = problems_of(case.path, case.faulty, shop)
    found = [(problem.code, problem.span.line, problem.span.column) for problem in problems]
    assert sorted(found) == sorted((each.code, each.line, each.column) for each in case.expected)
    for problem, place in zip(problems, found, strict=True):
        assert problem.span.file == case.path
        expected = next(each for each in case.expected if (each.code, each.line, each.column) == place)
        # `E205` says in its message what is wanted: “a wait takes …”.
        assert problem.help or problem.label or problem.notes or problem.code == "E205", "not a word on what to do"
        for lang, words in zip((Lang.EN, Lang.ZH), expected.remedy, strict=True):
            assert words in format_problem(problem, case.faulty, lang)


@pytest.mark.parametrize("case", ALL, ids=lambda case: f"{case.theme}: {case.name}")
def test_the_mended_file_is_accepted_without_a_word(case: Case, shop: dict[str, str]) -> None:
    found = [(p.code, p.span.line, p.message.en) for p in problems_of(case.mended_path, case.mended, shop)]
    assert found == []


def test_there_are_many_kinds_and_each_is_there_once() -> None:
    assert len(ALL) >= 300
    assert [name for name, count in Counter((case.theme, case.name) for case in ALL).items() if count > 1] == []
    assert [case.name for case in ALL if (case.faulty, case.path) == (case.mended, case.mended_path)] == []


# --- files that are no text, or no reasonable text --------------------------------------------------------------

JOURNEY_TEXT = "journey: 新客欢迎\nstart: manual\nsteps:\n  - send: welcome\n"


def problems_of_bytes(content: bytes, tmp_path: Path, shop: dict[str, str]) -> list[Problem]:
    for path, text in shop.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    (tmp_path / JOURNEY).write_bytes(content)
    files, problems = project_files(tmp_path)
    return [*problems, *read_project(files)[1]]


@pytest.mark.parametrize(
    ("content", "code", "place", "words"),
    [
        (JOURNEY_TEXT.encode("gbk"), "E400", (1, 10), "GBK"),
        (JOURNEY_TEXT.encode("utf-16"), "E400", (1, 1), "UTF-16"),
        ("note: café\n".encode("latin-1"), "E400", (1, 10), "UTF-8"),
        (JOURNEY_TEXT.encode() + b"note: \xff\xfe\n", "E400", (5, 7), "UTF-8"),
        (b"", "E109", (1, 1), "journey"),
        (b"a" * 10_000_000, "E105", (1, 1), "262,144"),
        (b"[" * 200_000, "E105", (1, 42), "40"),
        (b"a: " + b"{b: " * 50 + b"}" * 50, "E105", (1, 161), "40"),
        (JOURNEY_TEXT.encode() + b"note: \x00\n", "E110", (5, 7), "U+0000"),
    ],
    ids=["GBK", "UTF-16", "Latin-1", "bytes", "nothing", "10 MB", "brackets", "braces", "NUL"],
)
def test_what_is_no_text_is_told_in_one_line(
    content: bytes, code: str, place: tuple[int, int], words: str, tmp_path: Path, shop: dict[str, str]
) -> None:
    (problem,) = problems_of_bytes(content, tmp_path, shop)
    assert (problem.code, problem.span.line, problem.span.column) == (code, *place)
    for lang in Lang:
        assert words in format_problem(problem, "", lang)


@pytest.mark.parametrize(
    "content",
    [
        "\ufeff" + JOURNEY_TEXT,
        JOURNEY_TEXT.replace("\n", "\r\n"),
        JOURNEY_TEXT.replace("\n", "\r"),
        JOURNEY_TEXT.rstrip("\n"),
        "---\n" + JOURNEY_TEXT,
        JOURNEY_TEXT + "...\n",
        "\n\n# 说明\n" + JOURNEY_TEXT + "\n\n# 完\n",
    ],
    ids=["BOM", "CRLF", "CR", "no last line break", "a fence", "an end mark", "empty lines"],
)
def test_what_editors_do_to_a_file_is_nobodys_mistake(content: str, tmp_path: Path, shop: dict[str, str]) -> None:
    assert problems_of_bytes(content.encode(), tmp_path, shop) == []


def test_a_warning_does_not_stop_a_project(shop: dict[str, str]) -> None:
    project, problems = read_project({**shop, JOURNEY: JOURNEY_TEXT + "goal: { event: opened }\n"})
    assert project is not None
    assert [problem.severity for problem in problems] == [Severity.WARNING]
