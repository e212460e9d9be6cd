"""The schemas for editors: nothing right is underlined, the common mistakes are, and every word is explained."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml12
from editor_desk import FILES, JOURNEYS, ROOT, catalog, kind_of, refused, schema, setting, validator

from engage.core.journey import scalars
from engage.core.journey.nodes import Listing, Node, Scalar, Table, read_nodes
from engage.core.journey.reading import read_catalog, read_journey
from engage.core.journey.vocabulary import JOURNEY_KEYS, STEP_OPTIONS, VERBS
from engage.core.problem import Lang, Problem, Span
from engage.core.testfile.known import Known
from engage.core.testfile.reading import CASE_KEYS, FILE_KEYS, read_tests
from engage.editor.manual import catalog as catalog_words
from engage.editor.manual import journeys as journey_words
from engage.editor.manual import steps as step_words
from engage.editor.manual import testfiles as test_words
from engage.editor.schema.journeys import journey_schema

HEAD = "journey: 试\nstart: { event: order_paid }\n"
BODY = "steps:\n  - send: howto\n"


# --- nothing right is underlined --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_shipped_file_is_accepted(path: Path) -> None:
    assert refused(kind_of(path), path.read_text("utf-8")) == []


def test_there_is_something_to_accept() -> None:
    assert {"journey", "catalog", "test"} == {kind_of(path) for path in FILES}


def examples(kind: str) -> Iterator[Any]:
    page = (ROOT / "docs/journeys.md").read_text("utf-8")
    for found in re.finditer(r"<!-- check: (\w+) -->\n```yaml\n(.*?)\n```", page, re.DOTALL):
        if found[1] == kind:
            yield pytest.param(found[2], id=found[2][:30])


@pytest.mark.parametrize("text", list(examples("journey")))
def test_an_example_of_the_documents_is_accepted(text: str) -> None:
    base = {"journey": "journey: 例子", "start": "start: { event: order_paid }", "steps": "steps:\n  - send: howto"}
    there = set(re.findall(r"^([a-z_]+):", text, re.MULTILINE))
    whole = "\n".join([*(line for key, line in base.items() if key not in there), text])
    assert refused("journey", whole) == []


@pytest.mark.parametrize(
    "line",
    [
        "draft: YES",
        "draft: true",
        "holdout: '10%'",
        "priority: '60'",
        "priority: 0",
        "journey: 2026",
        "journey: true",
        "reentry: after 2w",
        "channels: [sms]",
        "channels: { fallback: { after: 6h, unless: delivered } }",
        "audience: everyone",
        "audience: { orders: 3, level: [1, 2], spent: 1.5.., city: [1, true] }",
        "audience: { orders: '3', points: -5..5, employee: No, birthday: never }",
        "audience: { spent_rank: ..20%, did: { order_paid: { times: 2 } } }",
        "exit_if: { did: order_paid }",
        "exit_if: [ { event: refund_completed }, { employee: yes } ]",
        "start: manual",
        "start: { date: birthday, at: 9:00, offset: +1d, feb29: mar1, leap_month: skip }",
        "start: { every: month 31, at: '10:00' }",
        'start: { every: cron "0 10 * * 1" }',
        "per: event.order_id",
        "moved_to: { a: b }",
    ],
)
def test_every_spelling_that_is_right_is_accepted(line: str) -> None:
    base = {"journey": "journey: 例子", "start": "start: { event: order_paid }", "steps": "steps:\n  - send: howto"}
    key = line.partition(":")[0]
    assert refused("journey", "\n".join([*(text for name, text in base.items() if name != key), line])) == []


# --- the common mistakes are ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        HEAD,
        HEAD + "steps: []\n",
        HEAD + "chanels: auto\n" + BODY,
        HEAD + "channels: [wechat, smss]\n" + BODY,
        HEAD + "topic: marketting\n" + BODY,
        HEAD + "audience: { citty: 上海 }\n" + BODY,
        HEAD + "audience: { orders: five }\n" + BODY,
        HEAD + "audience: { lifecycle: [新客, 活越] }\n" + BODY,
        HEAD + "audience: { last_order_at: 90 days ago }\n" + BODY,
        HEAD + "audience: all\n" + BODY,
        HEAD + "goal: order_paid\n" + BODY,
        HEAD + "goal: { event: order_paied }\n" + BODY,
        HEAD + "holdout: 10\n" + BODY,
        HEAD + "priority: 101\n" + BODY,
        HEAD + "draft: 是\n" + BODY,
        HEAD + "steps:\n  - sned: howto\n",
        HEAD + "steps:\n  - 谢谢您\n",
        HEAD + "steps:\n  - id: a\n",
        HEAD + "steps:\n  - send: welcom\n",
        HEAD + "steps:\n  - send:\n",
        HEAD + "steps:\n  - send: howto\n    wait: 3d\n",
        HEAD + "steps:\n  - send: howto\n    fallback: 1d\n",
        HEAD + "steps:\n  - wait: 3 days\n",
        HEAD + "steps:\n  - wait: until workdays 10:00 at\n",
        HEAD + "steps:\n  - wait_for: order_paid\n",
        HEAD + "steps:\n  - wait_for: order_paid\n    up_to: 3天\n",
        HEAD + "steps:\n  - if: { orders: 1 }\n",
        HEAD + "steps:\n  - branch: [ { if: { orders: 1 } } ]\n",
        HEAD + "steps:\n  - switch: nps\n    cases: { 0..10: [] }\n",
        HEAD + "steps:\n  - ask: nsp\n    question: 怎样\n",
        HEAD + "steps:\n  - ask: nps\n",
        HEAD + "steps:\n  - ask: choice\n    question: 哪个\n",
        HEAD + "steps:\n  - notify: 客服\n    task: 打电话\n",
        HEAD + "steps:\n  - enroll: npss\n",
        HEAD + "steps:\n  - update: { set: { lifecyle: 活跃 } }\n",
        HEAD + "steps:\n  - update: { set: { orders: 3 } }\n",
        HEAD + "steps:\n  - split: a\n    ways: { A: { share: 50% } }\n",
        HEAD + "steps: send\n",
    ],
)
def test_a_common_mistake_is_underlined(text: str) -> None:
    assert refused("journey", text) != []
    _, problems = read_journey(text, "x.yaml", catalog())
    unknown_elsewhere = ("welcom", "npss")  # told across files
    assert problems or any(word in text for word in unknown_elsewhere)


def tables(node: Node, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Table]]:
    """Every mapping of a file, and the way to it."""
    if isinstance(node, Table):
        yield path, node
        for entry in node.entries:
            yield from tables(entry.value, (*path, entry.key.text))
    elif isinstance(node, Listing):
        for number, item in enumerate(node.items):
            yield from tables(item, (*path, number))


def problems_of(kind: str, text: str, file: str = "x.yaml") -> list[Problem]:
    match kind:
        case "catalog":
            return read_catalog(text, "catalog.yaml")[1]
        case "test":
            return read_tests(text, file, known())[1]
        case _:
            return read_journey(text, file, catalog())[1]


@cache
def known() -> Known:
    journeys = {path.stem: read_journey(path.read_text("utf-8"), path.name, catalog())[0] for path in JOURNEYS}
    return Known(catalog(), {name: found for name, found in journeys.items() if found}, setting().templates)


def with_strange_keys(path: Path) -> Iterator[tuple[str, str]]:
    """The file with a key nobody knows, in each of its mappings in turn; and the way there."""
    text = path.read_text("utf-8")
    node, _ = read_nodes(text, path.name)
    assert node is not None
    lines = text.splitlines(keepends=True)
    for way, table in ((way, table) for way, table in tables(node) if table.entries):
        span = table.entries[0].key.span
        line = lines[span.line - 1]
        before, after = line[: span.column - 1], line[span.column - 1 :]
        in_braces = before.rstrip().endswith(("{", ","))
        if not in_braces and before.strip(" -"):
            continue  # `[ key: value ]`: a mapping without braces
        strange = "zzz: 1, " if in_braces else "zzz: 1\n" + " " * (span.column - 1)
        yield "/".join(map(str, way)), "".join([*lines[: span.line - 1], before + strange + after, *lines[span.line :]])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_an_unknown_key_is_underlined_wherever_a_check_refuses_it(path: Path) -> None:
    kind, refusals = kind_of(path), 0
    texts = list(with_strange_keys(path))
    for way, text in texts[:: max(1, len(texts) // 40)]:
        there = any(problem.code in ("E210", "E203", "E301", "E313") for problem in problems_of(kind, text, path.name))
        refusals += there
        assert refused(kind, text) or not there, way
    assert refusals > 3


# --- every word is explained, and no other ----------------------------------------------------------------------


def test_every_word_of_the_vocabulary_is_explained_and_no_other() -> None:
    assert set(journey_words.JOURNEY) == set(JOURNEY_KEYS)
    assert set(step_words.STEP) == set(STEP_OPTIONS)
    assert set(step_words.VERBS) == set(VERBS)
    options = {option for own in VERBS.values() for option in own}
    general = {word for word in step_words.OPTIONS if "." not in word}
    assert options - general == set()
    assert general - options == set()
    for verb, option in (word.split(".") for word in step_words.OPTIONS if "." in word):
        assert option in VERBS[verb]
    assert set(test_words.FILE) == set(FILE_KEYS)
    assert set(test_words.CASE) == set(CASE_KEYS)


def options_told(problem: Problem) -> set[str]:
    """“options here: a · b · c”."""
    return set(problem.notes[0].en.partition(": ")[2].split(" · "))


PLACES: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {
    # kind of file, a text with a strange key there, the words that are explained
    "start event": ("journey", "journey: a\nstart: { event: order_paid, zzz: 1 }\n" + BODY, journey_words.START),
    "start date": ("journey", "journey: a\nstart: { date: birthday, zzz: 1 }\n" + BODY, journey_words.START),
    "start every": ("journey", "journey: a\nstart: { every: day, zzz: 1 }\n" + BODY, journey_words.START),
    "exit": ("journey", HEAD + "exit_if: { event: order_paid, zzz: 1 }\n" + BODY, journey_words.EXIT),
    "goal": ("journey", HEAD + "goal: { event: order_paid, zzz: 1 }\n" + BODY, journey_words.GOAL),
    "channels": ("journey", HEAD + "channels: { zzz: 1 }\n" + BODY, journey_words.CHANNELS),
    "fallback": ("journey", HEAD + "channels: { fallback: { zzz: 1 } }\n" + BODY, journey_words.FALLBACK),
    "did": ("journey", HEAD + "exclude: { did: { order_paid: { zzz: 1 } } }\n" + BODY, journey_words.DID),
    "update": ("journey", HEAD + "steps:\n  - update: { zzz: 1 }\n", step_words.UPDATE),
    "way": ("journey", HEAD + "steps:\n  - split: a\n    ways: { A: { zzz: 1 }, B: {} }\n", step_words.WAY),
    "winner": (
        "journey",
        HEAD + "steps:\n  - split: a\n    ways: {}\n    winner: { zzz: 1 }\n",
        step_words.WINNER,
    ),
    "catalog": ("catalog", "zzz: 1\n", catalog_words.CATALOG),
    "brand": ("catalog", "brand: { zzz: 1 }\n", catalog_words.BRAND),
    "topic": ("catalog", "brand: { name: a }\ntopics: { a: { zzz: 1 } }\n", catalog_words.TOPIC),
    "team": ("catalog", "brand: { name: a }\nteams: { a: { zzz: 1 } }\n", catalog_words.TEAM),
}
# One table explains every kind of them.
SHARED = {"start event", "start date", "start every"}


@pytest.mark.parametrize("place", PLACES)
def test_the_words_of_a_place_are_those_its_reader_knows(place: str) -> None:
    kind, text, manual = PLACES[place]
    told = next(options_told(problem) for problem in problems_of(kind, text) if "zzz" in problem.message.en)
    assert told <= set(manual)
    if place not in SHARED:
        assert told == set(manual)


WAITS = """3d|3d at 10:00|2 workdays at 10:00|1 workday|until 10:00|until friday 18:00|until 10|until workday|3d 10:00
until day 30|until day 30 at 10:00|until 2027-02-06 09:00|until contract_end -30d at 10:00|until contract_end
tomorrow|3 days|until 25:00"""
VALUES = {
    "duration": (scalars.duration, ["3d", "1d12h", "2w", "30m", "3", "d3", "3天", "1.5d", "3D", "0d", "99999w"]),
    "wait": (
        scalars.wait,
        re.split(r"[|\n]", WAITS),
    ),
    "clock": (scalars.time_of_day, ["10:00", "9:05", "24:00", "10", "10:60", "10点"]),
    "percent": (scalars.percent, ["10%", "0%", "100%", "10", "ten%", "-1%"]),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_that_can_be_read_is_never_underlined(name: str) -> None:
    from jsonschema import Draft7Validator

    from engage.editor.schema import values

    read, spellings = VALUES[name]
    check = Draft7Validator(getattr(values, name)(Lang.EN))
    agreed = 0
    for spelt in spellings:
        problems: list[Problem] = []
        read(Scalar(spelt, Span("", 1, 1, 1, 2)), problems)  # type: ignore[operator]
        accepted = check.is_valid(yaml12.load(spelt))
        assert accepted or problems, spelt
        agreed += accepted == (not problems)
    assert agreed >= len(spellings) - 2  # a schema may be less strict: `0d`


def described(found: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(found, dict):
        if "markdownDescription" in found:
            yield path, found
        for key, value in found.items():
            yield from described(value, f"{path}/{key}")
    elif isinstance(found, list):
        for number, value in enumerate(found):
            yield from described(value, f"{path}/{number}")


def test_explanations_speak_the_readers_language() -> None:
    english, chinese = dict(described(schema("journey"))), dict(described(journey_schema(setting(Lang.ZH))))
    assert set(english) == set(chinese)
    assert len(english) > 80
    assert not any(re.search("[。，；]", one["description"]) for one in english.values())
    assert all(re.search("[\u4e00-\u9fff]", one["description"]) for one in chinese.values())


@pytest.mark.parametrize("word", sorted(step_words.VERBS))
def test_the_example_of_a_verb_is_right(word: str) -> None:
    before = (
        "  - ask: nps\n    question: 怎样\n" if word == "switch" else "  - send: welcome\n" if word == "goto" else ""
    )
    text = HEAD + "steps:\n" + before + "".join(f"  {line}\n" for line in step_words.VERBS[word].example.split("\n"))
    assert [problem.message.en for problem in problems_of("journey", text)] == []
    assert refused("journey", text) == []


@pytest.mark.parametrize("word", sorted(set(journey_words.JOURNEY) - {"per", "moved_to"}))
def test_the_example_of_a_key_is_right(word: str) -> None:
    example = journey_words.JOURNEY[word].example
    base = {"journey": "journey: 试", "start": "start: manual", "steps": "steps:\n  - send: welcome"}
    text = "\n".join([*(line for key, line in base.items() if key != word), example])
    assert [problem.message.en for problem in problems_of("journey", text)] == []
    assert refused("journey", text) == []


def test_a_schema_is_a_schema() -> None:
    for kind in ("journey", "test", "catalog"):
        assert validator(kind)


def test_a_project_without_anything_still_has_its_schema() -> None:
    assert refused("journey", "journey: a\nstart: manual\nsteps:\n  - wait: 3d\n") == []
