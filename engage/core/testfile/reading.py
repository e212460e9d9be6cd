"""`read_tests`: one test file → a frozen `TestFile`, and every problem of the file at once.

A file with problems is returned all the same, as far as it could be read; it must not be run.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import PurePath

from engage.core.journey import misfits, scalars
from engage.core.journey import mistakes as form
from engage.core.journey.model import Journey, Manual, OnEvent, Split
from engage.core.journey.nodes import Listing, Node, Scalar, Table, read_nodes
from engage.core.journey.options import Options, read_table, values_by_name
from engage.core.journey.program import Program
from engage.core.journey.vocabulary import CHANNELS
from engage.core.problem import Problem, Said, Span
from engage.core.testfile import mistakes
from engage.core.testfile.deeds import read_deeds
from engage.core.testfile.expectations import read_expected
from engage.core.testfile.known import Known
from engage.core.testfile.model import Case, Person, Reach, TestFile
from engage.core.testfile.moments import read_clock, read_day
from engage.core.testfile.people import read_person
from engage.core.testfile.values import read_payload

SUFFIX = ".test.yaml"
FILE_KEYS = ("journey", "clock", "members", "tests")
CASE_KEYS = ("name", "member", "start_event", "var", "arms", "holdout", "until", "when", "expect")
# A member nobody knows: that is reported, and what they do is not reported again.
_ALL = {channel: Reach() for channel in CHANNELS}


def read_tests(source: str, path: str, known: Known) -> tuple[TestFile | None, list[Problem]]:
    """None if nothing of it can be run. Problems come in file order."""
    node, problems = read_nodes(source, path)
    table = None
    if node is not None:
        table = read_table(node, Said("a test file", "测试文件"), problems, "journey: …")
    tests = _Reading(table, path, known, problems).tests() if table is not None else None
    return tests, sorted(problems, key=lambda problem: (problem.span, problem.code))


class _Reading:
    """One test file while it is being read."""

    def __init__(self, table: Table, path: str, known: Known, problems: list[Problem]) -> None:
        self._options = Options(table, FILE_KEYS, Said("a test file", "测试文件里"), problems)
        self._top = table.entries[0].key.span if table.entries else table.span
        self._path = path
        self._known = known
        self._problems = problems

    def tests(self) -> TestFile | None:
        options = self._options
        for key in FILE_KEYS:
            options.require(key, self._top)
        journey = options.read("journey", self._journey)
        zone = self._known.zone
        clock = options.read("clock", lambda node, problems: read_clock(node, zone, problems))
        if journey is None or clock is None:
            return None
        people = options.read("members", lambda node, _: self._people(node, clock))
        cases = options.read("tests", lambda node, _: self._cases(node, journey, clock, people)) or ()
        return TestFile(self._path, journey.id, clock, cases)

    def _journey(self, node: Node, problems: list[Problem]) -> Journey | None:
        found = scalars.scalar(node, form.word("journey"), problems)
        if found is None:
            return None
        stem = PurePath(self._path).name.removesuffix(SUFFIX)
        if found.text not in self._known.journeys:
            problems.append(misfits.unknown("journey", found.span, found.text, self._known.journeys))
        elif found.text != stem:
            problems.append(mistakes.other_journey(found.span, found.text, stem))
        return self._known.journeys.get(found.text)

    def _people(self, node: Node, clock: datetime) -> Mapping[str, Person] | None:
        table = read_table(node, form.word("members"), self._problems, "members: { 王芳: { sms: yes } }")
        people = {}
        for entry in table.entries if table is not None else ():
            person = read_person(entry.key, entry.value, self._known.catalog, clock, self._problems)
            people[entry.key.text] = person or Person(entry.key.text, entry.key.span)
        return people if table is not None else None

    def _cases(
        self, node: Node, journey: Journey, clock: datetime, people: Mapping[str, Person] | None
    ) -> tuple[Case, ...] | None:
        if not isinstance(node, Listing) or not node.items:
            wanted = Said("a list of tests", "一列测试")
            self._problems.append(form.wrong_shape(node.span, form.word("tests"), wanted))
            return None
        cases: dict[str, Case] = {}
        for item in node.items:
            case = self._case(item, journey, clock, people)
            if case is not None and case.name in cases:
                self._problems.append(mistakes.name_twice(case.span, case.name, cases[case.name].span))
            elif case is not None:
                cases[case.name] = case
        return tuple(cases.values())

    def _case(self, node: Node, journey: Journey, clock: datetime, people: Mapping[str, Person] | None) -> Case | None:
        table = read_table(node, Said("a test", "一个测试"), self._problems, "- name: …")
        if table is None:
            return None
        options = Options(table, CASE_KEYS, Said("a test", "测试里"), self._problems)
        top = table.entries[0].key.span if table.entries else table.span
        for key in ("name", "member", "expect"):
            options.require(key, top)
        name = options.read("name", scalars.text)
        until = options.read("until", read_day)
        person = options.read("member", lambda node, problems: _person(node, people, problems))
        self._fits_start(options, journey)
        deeds = options.read(
            "when",
            lambda node, problems: read_deeds(
                node, person or Person("", top, reaches=_ALL), self._known.catalog, clock, until, problems
            ),
        )
        expected = options.read("expect", lambda node, problems: read_expected(node, self._known, problems))
        start_event = options.read("start_event", lambda node, problems: self._start_event(node, journey, problems))
        values = options.read("var", _passed)
        arms = options.read("arms", lambda node, problems: _arms(node, journey, problems))
        holdout = options.read("holdout", scalars.yes_no)
        if name is None or person is None:
            return None
        return Case(
            name=name,
            span=_name_span(table),
            member=person,
            start_event=start_event or {},
            values=values or {},
            arms=arms or {},
            holdout=bool(holdout),
            until=until,
            deeds=tuple(sorted(deeds or (), key=lambda deed: deed.at)),
            expected=tuple(expected or ()),
        )

    def _fits_start(self, options: Options, journey: Journey) -> None:
        """`start_event` and `var` are for the starts that have them."""
        if "start_event" in options and not isinstance(journey.start, OnEvent):
            why = Said("this journey does not start with an event", "这个旅程不是由事件开始的")
            span = options.key_span("start_event")
            self._problems.append(mistakes.does_not_fit_start(span, "start_event", why))
        if "var" in options and not isinstance(journey.start, Manual):
            why = Said("only a manual start is given values", "只有 manual 开始的旅程才会带入值")
            self._problems.append(mistakes.does_not_fit_start(options.key_span("var"), "var", why))
        if "holdout" in options and journey.holdout == 0:
            why = Said("this journey has no holdout", "这个旅程没有对照组（holdout）")
            self._problems.append(mistakes.does_not_fit_start(options.key_span("holdout"), "holdout", why))

    def _start_event(self, node: Node, journey: Journey, problems: list[Problem]) -> Mapping[str, object] | None:
        table = read_table(node, form.word("start_event"), problems, "start_event: { order_id: A1 }")
        if table is None or not isinstance(journey.start, OnEvent):
            return None
        if journey.start.event not in self._known.catalog.events:
            return None  # the journey's own mistake
        return read_payload(table.entries, journey.start.event, self._known.catalog, problems)


def _person(node: Node, people: Mapping[str, Person] | None, problems: list[Problem]) -> Person | None:
    """`people` None: they could not be read, and that is said already."""
    found = scalars.scalar(node, form.word("member"), problems)
    if found is None or people is None:
        return None
    if found.text not in people:
        problems.append(mistakes.unknown_member(found.span, found.text, people))
    return people.get(found.text)


def _passed(node: Node, problems: list[Problem]) -> Mapping[str, str] | None:
    table = read_table(node, form.word("var"), problems, "var: { why: … }")
    return values_by_name(table, scalars.text, problems) if table is not None else None


def _arms(node: Node, journey: Journey, problems: list[Problem]) -> Mapping[str, str]:
    """Each a split of the journey, and one of its ways."""
    table = read_table(node, form.word("arms"), problems, "arms: { 首触文案: 关怀 }")
    program = Program(journey)
    splits = {i: step for i in program.ids if isinstance(step := program.step(i), Split)}
    arms: dict[str, str] = {}
    for entry in table.entries if table is not None else ():
        split = splits.get(entry.key.text)
        way = entry.value.text if isinstance(entry.value, Scalar) else ""
        ways = tuple(each.name for each in split.ways) if split is not None else ()
        if split is None:
            problems.append(mistakes.unknown_name(entry.key.span, "split", entry.key.text, splits))
        elif way not in ways:
            what = Said("a way of this split", "这个 split 的一条路")
            problems.append(form.not_one_of(entry.value.span, way, what, ways))
        else:
            arms[entry.key.text] = way
    return arms


def _name_span(table: Table) -> Span:
    found = table.get("name")
    return found.span if isinstance(found, Scalar) else table.span
