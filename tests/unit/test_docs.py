"""The documents tell the truth: they name everything there is, everything they name exists, and their examples work.

A fenced example says in a comment above it what it is (`<!-- check: journey -->`), and is read as that.
"""

from __future__ import annotations

import ast
import json
import re
import typing
from collections.abc import Iterator
from dataclasses import fields as fields_of
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml
from pydantic import BaseModel

from engage.cli.app import build as build_cli
from engage.cli.ending import Ending
from engage.config import Config
from engage.content.grammar import FILTER_NAMES, FUNCTIONS
from engage.content.project import project_files, read_project
from engage.content.template import SHAPES
from engage.content.test_files import read_test_files
from engage.core import timing
from engage.core.behaviour import reading as behaviour_words
from engage.core.behaviour.model import ACTS
from engage.core.behaviour.reading import read_behaviour
from engage.core.catalog import MEMBER_EVENTS, RESPONSE_EVENTS, Aggregate, TopicClass
from engage.core.condition import Test, ValueType
from engage.core.delivery import Status
from engage.core.journey import model, vocabulary
from engage.core.journey.explain_problem import problem_to_json
from engage.core.journey.reading import read_catalog, read_journey
from engage.core.problem import Lang, Problem, Severity
from engage.core.testfile import deeds, expectations, people, reading
from engage.core.testfile.model import Verb
from engage.exchange.exporting import Exported
from engage.exchange.headers import EVENT_WORDS, FIELD_WORDS, MEMBER_WORDS, PAYLOAD_WORDS
from engage.exchange.importing import import_events, import_members
from engage.simulation.ground import Ground
from engage.simulation.playing import play
from engage.store.databases.database import Database
from engage.store.insight import export
from engage.store.tables import metadata
from engage.web import api_items

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("README*.md"), ROOT / "ARCHITECTURE.md", *ROOT.glob("docs/*.md")])
NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
_FENCE = re.compile(r"(?:<!-- (?P<mark>[^\n]*?) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)\n```", re.DOTALL)


# --- examples ---------------------------------------------------------------------------------------------------


class Example(typing.NamedTuple):
    page: str
    mark: str
    kind: str
    text: str

    @property
    def what(self) -> str:
        return self.mark.removeprefix("check: ")


def examples() -> Iterator[Example]:
    for page in PAGES:
        for found in _FENCE.finditer(text_of(page.relative_to(ROOT).as_posix())):
            yield Example(page.name, found["mark"] or "", found["kind"], found["text"])


def examples_of(*whats: str) -> list[Any]:
    chosen = [example for example in examples() if example.what.split(" ")[0] in whats]
    assert chosen
    return [pytest.param(example, id=f"{example.page}:{example.text[:40]!r}") for example in chosen]


@cache
def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@cache
def shipped() -> dict[str, str]:
    files, problems = project_files(ROOT)
    assert not problems
    return files


def errors(problems: list[Problem], file: str) -> list[str]:
    return [
        f"{problem.span.line}: {problem.message.en}"
        for problem in problems
        if problem.span.file == file and problem.severity is Severity.ERROR
    ]


def test_every_example_that_can_be_checked_says_what_it_is() -> None:
    checkable = {"yaml", "json", "jinja", "csv"}
    unmarked = [e for e in examples() if e.kind in checkable and not e.mark.startswith(("check: ", "file: "))]
    assert unmarked == []


def as_journeys(example: Example) -> list[str]:
    """An example is a journey, or some keys of one; `each`: every line is an example of its own."""
    pieces = re.findall(r"^\S.*", example.text, re.MULTILINE) if example.what == "each" else [example.text]
    return [_completed(piece) for piece in pieces]


def _completed(piece: str) -> str:
    base = {
        "journey": "journey: 例子",
        "start": "start: { event: order_paid }",
        "steps": "steps:\n  - send: howto",
    }
    there = set(re.findall(r"^([a-z_]+):", piece, re.MULTILINE))
    return "\n".join([*(text for key, text in base.items() if key not in there), piece])


@pytest.mark.parametrize("example", examples_of("journey", "each"))
def test_every_journey_example_is_right(example: Example) -> None:
    for journey in as_journeys(example):
        _, problems = read_project({**shipped(), "journeys/example.yaml": journey})
        assert errors(problems, "journeys/example.yaml") == [], journey


@pytest.mark.parametrize("example", examples_of("catalog"))
def test_every_catalog_example_is_right(example: Example) -> None:
    _, problems = read_catalog(example.text, "catalog.yaml")
    assert problems == []


@pytest.mark.parametrize("example", examples_of("behaviour"))
def test_every_example_of_a_behaviour_file_is_right(example: Example) -> None:
    project, _ = read_project(shipped())
    assert project is not None
    behaviour, problems = read_behaviour(example.text, "simulate.yaml", project.catalog, project.journeys)
    assert problems == []
    assert behaviour is not None
    assert behaviour.habits


def test_every_word_of_behaviour_files_is_told() -> None:
    words = section("docs/simulate.md", "The behaviour file")
    groups = (behaviour_words.FILE_KEYS, behaviour_words.PEOPLE_KEYS, behaviour_words.HABIT_KEYS, ACTS)
    assert [word for group in groups for word in group if not re.search(rf"[`.]{word}`|{word}:", words)] == []


@pytest.mark.parametrize("example", examples_of("template"))
def test_every_template_example_is_right(example: Example) -> None:
    path = f"templates/{example.what.split(' ')[1]}.j2"
    _, problems = read_project({**shipped(), path: example.text})
    assert errors(problems, path) == []


@pytest.mark.parametrize("example", examples_of("tests"))
def test_every_example_of_a_test_passes(example: Example) -> None:
    project, _ = read_project(shipped())
    named = re.search(r"^journey: (\w+)", example.text, re.MULTILINE)
    assert project is not None
    assert named is not None
    files, problems = read_test_files({f"journeys/{named[1]}.test.yaml": example.text}, project)
    assert problems == []
    with Ground(project) as ground:
        assert [played.case.name for played in play(ground, files[0]) if not played.passed] == []


@pytest.mark.parametrize("example", examples_of("config"))
def test_every_config_example_is_read(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in re.findall(r"env:(\w+)", example.text):
        monkeypatch.setenv(name, f"https://{'x' * 40}")
    assert Config.model_validate({"web": {"signing_key": "k" * 40}, **yaml.safe_load(example.text)})


@pytest.mark.parametrize("example", examples_of("event", "member"))
def test_every_item_for_the_api_is_accepted(example: Example) -> None:
    catalog, _ = read_catalog(shipped()["journeys/catalog.yaml"], "catalog.yaml")
    assert catalog
    read = {"event": api_items.read_event, "member": api_items.read_member}[example.what]
    assert isinstance(read(catalog, json.loads(example.text), NOW), api_items.Intake)


@pytest.mark.parametrize("example", examples_of("members.csv", "events.csv"))
def test_every_file_to_import_is_taken_whole(example: Example, tmp_path: Path) -> None:
    catalog, _ = read_catalog(shipped()["journeys/catalog.yaml"], "catalog.yaml")
    assert catalog
    file = tmp_path / example.what
    file.write_text(example.text, encoding="utf-8")
    database = Database(f"sqlite:///{tmp_path / 'engage.db'}")
    database.create_all()
    bring_in = import_members if example.what == "members.csv" else import_events
    report = bring_in(database, catalog, file, NOW)
    database.close()
    assert (report.read, report.accepted, report.ignored_columns) == (2, 2, ())


def test_the_problem_shown_as_data_is_what_check_prints() -> None:
    """The example is a file of the tests: `tests/fixtures/bad/a_typo.yaml`, line 7."""
    (example,) = [each for each in examples() if each.what == "problems"]
    catalog, _ = read_catalog(shipped()["journeys/catalog.yaml"], "catalog.yaml")
    assert catalog
    source = (ROOT / "tests/fixtures/bad/a_typo.yaml").read_text(encoding="utf-8")
    _, problems = read_journey(source, "journeys/nps.yaml", catalog)
    duration = next(problem for problem in problems if problem.code == "E213")
    assert json.loads(example.text)["problems"] == [problem_to_json(duration, Lang.EN)]


# --- what they name exists --------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    prose = re.sub(r"`[^`]*`", "", _FENCE.sub("", page.read_text(encoding="utf-8")))
    targets = re.findall(r"(?:\]\(|src=\")([^)\"\s]+)", prose)
    for target in targets:
        path, _, anchor = target.partition("#")
        if path.startswith(("http://", "https://")):
            continue
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        if anchor:
            assert unquote(anchor) in anchors(there), target


def anchors(page: Path) -> set[str]:
    """As GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_and_function_exists(page: Path) -> None:
    named = re.findall(r"`((?:engage|tests|migrations|journeys|templates|docs)/[^`\s]*)`", page.read_text("utf-8"))
    for name in named:
        path, _, inside = name.replace("::", ":").partition(":")
        if re.search(r"[*<{…]", path):
            continue
        assert (ROOT / path).exists(), name
        if inside:
            assert inside in names_in(path), name


@cache
def names_in(path: str) -> set[str]:
    """The functions, classes, methods and constants of a module."""
    found: set[str] = set()
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
            case ast.ClassDef(name=name, body=body):
                methods = [one.name for one in body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
                found |= {name, *(f"{name}.{method}" for method in methods)}
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                found.add(name)
    return found


# --- they name everything ---------------------------------------------------------------------------------------


def section(page: str, heading: str) -> str:
    """The text under a heading, down to the next one of its level or above."""
    found = re.search(rf"^(#+) {re.escape(heading)}\n(.*?)(?=^#{{1,6}} |\Z)", text_of(page), re.MULTILINE | re.DOTALL)
    assert found, f"{page} has no heading “{heading}”"
    return found[2]


def ticked(text: str) -> set[str]:
    """Everything in backticks outside of examples, and the words of it."""
    quoted = re.findall(r"`([^`]+)`", _FENCE.sub("", text))
    return {*quoted, *(word for one in quoted for word in re.findall(r"[\w-]+", one))}


def missing(words: typing.Iterable[str], text: str) -> set[str]:
    return set(words) - ticked(text)


def test_every_key_of_a_journey_is_told() -> None:
    keys = section("docs/journeys.md", "A journey's keys")
    assert missing(vocabulary.JOURNEY_KEYS, keys) == set()
    assert missing(vocabulary.STEP_OPTIONS, section("docs/journeys.md", "Steps")) == set()


@pytest.mark.parametrize("verb", sorted(vocabulary.VERBS))
def test_every_verb_has_a_section_that_tells_every_option_and_shows_it(verb: str) -> None:
    told = section("docs/journeys.md", f"`{verb}`")
    if verb == "branch":
        assert "- if:" in told
        assert "- else:" in told
    assert missing(vocabulary.VERBS[verb], told) == set()
    shown = "\n".join(e.text for e in examples() if e.page == "journeys.md" and e.text in told)
    assert re.search(rf"(- |\{{ ){verb}:", shown)
    for option in vocabulary.VERBS[verb]:
        assert re.search(rf"\b{option}:", shown), option


def test_every_start_is_told_with_every_option() -> None:
    told = section("docs/journeys.md", "start")
    spelt = {"field": "date", "days": "every", "times": "at"}
    for start in typing.get_args(model.Start):
        names = {spelt.get(field.name, field.name) for field in fields_of(start)}
        assert missing(names, told) == set(), start
    for choice in (model.CalendarChoice, model.Feb29, model.LeapMonth, timing.DaySet):
        assert missing({one.value for one in choice}, told) == set()
    assert "manual" in ticked(told)


def test_every_end_and_every_choice_of_a_channel_is_told() -> None:
    spelt = {"count_from_entry": "count_from", "then_exit": "then"}
    goal = {spelt.get(field.name, field.name) for field in fields_of(model.Goal)}
    assert missing(goal, section("docs/journeys.md", "goal")) == set()
    channels = section("docs/journeys.md", "Channels")
    assert missing({one.value for one in model.Unless}, channels) == set()
    assert missing({"never", "always", "after 90d"}, section("docs/journeys.md", "A journey's keys")) == set()
    assert missing({one.value for one in model.Survey}, section("docs/journeys.md", "`ask`")) == set()
    assert missing({one.value for one in model.Since}, section("docs/journeys.md", "`wait_for`")) == set()


# How each is spelt. A new class without a line here fails the test that follows.
TESTS = {
    "OneOf": "[上海, 北京]",
    "Contains": "contains 海",
    "Between": "7..8",
    "Known": "known",
    "Unknown": "unknown",
    "WithinLast": "last 30d",
    "OverAgo": "over 90d ago",
    "WithinNext": "next 7d",
    "InShare": "20%..50%",
}
WAITS = {
    "For": ("3d", "3d at 10:00"),
    "ForWorkdays": ("2 workdays at 10:00",),
    "UntilDays": ("until 10:00", "until workday 10:00", "until friday 18:00"),
    "UntilEntryDay": ("until day 30 at 10:00",),
    "UntilMoment": ("until 2027-02-06 09:00",),
    "UntilField": ("until contract_end -30d at 10:00",),
}


def test_every_test_of_a_condition_is_told() -> None:
    told = section("docs/journeys.md", "Conditions")
    assert set(TESTS) == {test.__name__ for test in typing.get_args(Test)}
    assert missing(TESTS.values(), told) == set()
    assert missing({"never", "any", "all", "not", "tag", "segment", "did", "times", "within", "since"}, told) == set()


def test_every_wait_is_told_and_shown() -> None:
    told = section("docs/journeys.md", "`wait`")
    assert set(WAITS) == {wait.__name__ for wait in typing.get_args(timing.WaitSpec)}
    assert missing({spelt for forms in WAITS.values() for spelt in forms}, told) == set()


def test_every_event_of_our_own_and_every_part_of_the_catalog_is_told() -> None:
    told = section("docs/journeys.md", "Events Engage records itself")
    payloads = {**RESPONSE_EVENTS, **MEMBER_EVENTS}
    assert missing({*payloads, *(key for keys in payloads.values() for key in keys)}, told) == set()
    catalog = section("docs/journeys.md", "The catalog")
    assert missing({*(one.value for one in ValueType), *(one.value for one in Aggregate)}, catalog) == set()
    for word in ("brand", "timezone", "fields", "events", "segments", "topics", "teams", "webhooks", *TopicClass):
        assert re.search(rf"\b{word}\b", catalog), word


def test_every_word_of_a_test_file_is_told() -> None:
    words = {*reading.FILE_KEYS, *reading.CASE_KEYS, *people.WORDS, *deeds.VERBS, *deeds.TOLD, *Verb}
    words |= {option for options in expectations.OPTIONS.values() for option in options}
    assert missing(words, text_of("docs/tests.md")) == set()


def test_every_code_of_a_problem_is_told_and_no_other() -> None:
    told = re.findall(r"^\| (E\d{3}) \|", text_of("docs/problems.md"), re.MULTILINE)
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "engage").rglob("*.py"))
    given = {code for source in sources for code in re.findall(r"\"(E\d{3})\"", source)}
    assert sorted(told) == sorted(given)


# --- templates --------------------------------------------------------------------------------------------------


def test_every_key_filter_and_function_of_templates_is_told() -> None:
    for channel, heading in (("wechat", "WeChat"), ("sms", "SMS"), ("email", "Email")):
        assert missing(SHAPES[channel], section("docs/templates.md", heading)) == set()
    assert missing(FILTER_NAMES, section("docs/templates.md", "Filters")) == set()
    names = section("docs/templates.md", "Names in reach")
    assert missing(FUNCTIONS, names) == set()
    roots = {"member", "event", "var", "journey", "brand", "now", "question", "options", "unsubscribe_url"}
    assert missing(roots, names) == set()


# --- commands ---------------------------------------------------------------------------------------------------


def commands() -> Iterator[tuple[str, Any]]:
    def walk(command: Any, path: str) -> Iterator[tuple[str, Any]]:
        real = command.real() if hasattr(command, "real") else command
        yield path, real
        for name, below in getattr(real, "commands", {}).items():
            yield from walk(below, f"{path} {name}")

    yield from walk(build_cli(), "engage")


def test_every_command_and_option_is_told_and_nothing_else() -> None:
    told = set(re.findall(r"^### `(engage [^`]+)`$", text_of("docs/commands.md"), re.MULTILINE))
    there = dict(commands())
    assert told == set(there) - {"engage"}
    for path, command in there.items():
        heading = "Commands" if path == "engage" else f"`{path}`"
        options = {opt for param in command.params if param.param_type_name == "option" for opt in param.opts}
        words = section("docs/commands.md", heading)
        assert missing(options - {"--help"}, words) == set(), path
        assert set(re.findall(r"`(--[\w-]+)`", _table(words))) <= options, path


def _table(words: str) -> str:
    return "\n".join(line.split("|")[1] for line in words.splitlines() if line.startswith("| `--"))


def test_every_exit_code_is_told() -> None:
    table = section("docs/commands.md", "Commands")
    assert re.findall(r"^\| (\d) \|", table, re.MULTILINE) == [str(int(code)) for code in Ending]


def test_commands_in_the_documents_exist() -> None:
    known = {path.removeprefix("engage ") for path, _ in commands()}
    for page in PAGES:
        for line in page.read_text(encoding="utf-8").splitlines():
            for call in re.findall(r"(?:^|`)engage(?: --(?:config|lang) \S+)? ([a-z-]+)", line):
                assert call in known, f"{page.name}: {line}"


# --- config, api, files -----------------------------------------------------------------------------------------


def config_keys(kind: type[BaseModel], path: str = "") -> Iterator[str]:
    for name, field in kind.model_fields.items():
        below = section_in(field.annotation)
        here = f"{path}{name}"
        if below is None:
            yield here
            continue
        inside, step = below
        yield from config_keys(inside, f"{here}{step}.")


def section_in(annotation: Any) -> tuple[type[BaseModel], str] | None:
    """The section an annotation holds, and how one gets into it: `.<name>` of a mapping, `[]` of a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, ""
    step = {dict: ".<>", list: "[]"}.get(typing.get_origin(annotation), "")
    for argument in typing.get_args(annotation):
        below = section_in(argument)
        if below is not None:
            return below[0], step + below[1]
    return None


def test_every_config_key_is_told_and_nothing_else() -> None:
    rows = re.findall(r"^\| `([a-z_.<>\[\]]+)`", text_of("docs/config.md"), re.MULTILINE)
    told = {re.sub(r"<\w*>", "<>", key) for key in rows}
    assert told == set(config_keys(Config))


def test_every_path_and_key_of_the_api_is_told() -> None:
    page = text_of("docs/http-api.md")
    assert missing(api_items._EVENT_KEYS, section("docs/http-api.md", "Events")) == set()
    assert missing({*api_items._MEMBER_KEYS, *api_items._CONSENT_KEYS}, section("docs/http-api.md", "Members")) == set()
    routes = {path for file in (ROOT / "engage/web").glob("*.py") for path in _routes(file)}
    assert len(routes) >= 7
    for path in routes:
        assert f"`{path}`" in page or f" {path}`" in page, path


def _routes(file: Path) -> list[str]:
    return re.findall(r'Route\("([^"]+)"', file.read_text(encoding="utf-8"))


def test_every_heading_that_an_import_understands_is_told() -> None:
    members = section("docs/import-export.md", "Columns for members")
    events = section("docs/import-export.md", "Columns for events")
    for words, text in ((MEMBER_WORDS, members), (FIELD_WORDS, members), (PAYLOAD_WORDS, events)):
        assert missing({word for spellings in words.values() for word in spellings}, text) == set()
    own = {place: words for place, words in EVENT_WORDS.items() if place != "member"}
    assert missing({word for spellings in own.values() for word in spellings}, events) == set()


def test_every_reason_for_a_refusal_is_quoted_as_it_is_said() -> None:
    code = "".join(
        path.read_text("utf-8") for path in [ROOT / "engage/core/intake.py", *ROOT.glob("engage/exchange/*.py")]
    )
    rows = re.findall(r"^\| (.+?) · (.+?) \|", section("docs/import-export.md", "What a refusal says"), re.MULTILINE)
    assert len(rows) >= 5
    for chinese, english in rows:
        assert chinese in code
        assert english in code


def test_every_export_and_its_columns_are_told() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", section("docs/import-export.md", "Exporting"), re.MULTILINE))
    assert set(rows) == {what.value for what in Exported}
    for what in set(Exported) - {Exported.MEMBERS}:
        columns = [column.name for column in getattr(export, what.upper()).selected_columns]
        assert re.findall(r"`(\w+)`", rows[what]) == columns, what


# --- the whole --------------------------------------------------------------------------------------------------


def test_every_table_and_every_state_of_a_delivery_is_told() -> None:
    assert missing(metadata.tables, section("ARCHITECTURE.md", "Tables")) == set()
    assert missing({status.value for status in Status}, section("docs/promise.md", "States of a delivery")) == set()


def test_pictures_are_small_enough_to_load() -> None:
    for picture in (ROOT / "docs/images").iterdir():
        assert picture.stat().st_size <= 200 * 1024, picture.name
