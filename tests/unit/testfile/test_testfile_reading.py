"""Test files: read as they are meant, and every mistake told with its place."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engage.content.project import project_files, read_project
from engage.core.fact import Act
from engage.core.problem import Problem
from engage.core.testfile.known import Known
from engage.core.testfile.model import Case, DayTime, Expected, Responds, TestFile, Verb
from engage.core.testfile.reading import read_tests

ROOT = Path(__file__).parents[3]
PATH = "journeys/winback.test.yaml"
CLOCK = datetime(2026, 11, 23, 10, 0, tzinfo=ZoneInfo("Asia/Shanghai"))

RIGHT = """\
journey: winback
clock: 2026-11-23 10:00
members:
  王芳: { wechat: { last_message_at: 30h ago }, sms: yes, email: no, spent: 800, last_order_at: 95d ago }
tests:
  - name: 点开
    member: 王芳
    when:
      - { at: day 0 12:00, event: clicked }
    expect:
      - { at: day 0 10:00, send: winback_story, via: wechat }
      - never: { send: winback_last }
"""


@cache
def known() -> Known:
    project, _ = read_project(project_files(ROOT)[0])
    assert project is not None
    return Known(project.catalog, project.journeys, tuple(project.library.names()))


def read(source: str, path: str = PATH) -> tuple[TestFile | None, list[Problem]]:
    return read_tests(source, path, known())


def the_case(source: str, path: str = PATH) -> Case:
    file, problems = read(source, path)
    assert problems == []
    assert file is not None
    return file.cases[0]


# --- what is meant ----------------------------------------------------------------------------------------------


def test_a_file_says_whom_when_and_what() -> None:
    file, problems = read(RIGHT)
    assert problems == []
    assert file is not None
    assert (file.journey, file.clock) == ("winback", CLOCK)
    case = file.cases[0]
    assert [(deed.at, deed.doing) for deed in case.deeds] == [(DayTime(0, time(12)), Responds("clicked"))]
    send, never = case.expected
    assert (send.verb, send.name, send.at, send.via) == (Verb.SEND, "winback_story", DayTime(0, time(10)), "wechat")
    assert never.never


def test_a_member_is_what_the_shop_would_tell() -> None:
    person = the_case(RIGHT).member
    assert sorted(person.reaches) == ["sms", "wechat"]
    assert person.reaches["wechat"].last_act is Act.MESSAGE
    assert person.reaches["wechat"].last_act_at == CLOCK - timedelta(hours=30)
    assert person.values["name"] == "王芳"
    assert person.values["spent"] == "800"
    assert datetime.fromisoformat(person.values["last_order_at"]) == CLOCK - timedelta(days=95)


@pytest.mark.parametrize(
    ("written", "refused"),
    [
        ("no", {(topic, c) for topic in ("service", "survey", "lifecycle", "marketing") for c in ("sms", "email")}),
        ("{ marketing: no }", {("marketing", "sms"), ("marketing", "email")}),
        ("{ survey: { email: no } }", {("survey", "email")}),
    ],
)
def test_consent_is_given_unless_it_is_refused(written: str, refused: set[tuple[str, str]]) -> None:
    person = the_case(RIGHT.replace("spent: 800", f"consent: {written}")).member
    said_no = {key for key, granted in person.consent.items() if not granted}
    assert {key for key in said_no if key[1] in ("sms", "email")} == refused


def test_birthdays_are_solar_or_lunar() -> None:
    person = the_case(RIGHT.replace("spent: 800", "birthday: lunar 8-15")).member
    assert person.values["birthday"] == {"calendar": "lunar", "month": 8, "day": 15, "leap": False, "year": None}


@pytest.mark.parametrize(
    "written",
    [
        '"add tag=推荐官; add points=200"',
        "{ add: { tag: 推荐官, points: 200 } }",
    ],
)
def test_an_update_is_written_as_the_step_or_in_one_line(written: str) -> None:
    source = RIGHT.replace("{ at: day 0 10:00, send: winback_story, via: wechat }", f"{{ update: {written} }}")
    assert the_case(source).expected[0].changes == {"add tag=推荐官", "add points=200"}


def test_deeds_come_in_the_order_of_their_moments() -> None:
    source = RIGHT.replace(
        "      - { at: day 0 12:00, event: clicked }\n",
        "      - { at: day 3 09:00, text: 您好 }\n      - { at: day 0 12:00, event: clicked }\n",
    )
    assert [str(deed.at) for deed in the_case(source).deeds] == ["day 0 12:00", "day 3 09:00"]


# --- mistakes ---------------------------------------------------------------------------------------------------

MISTAKES = [
    # (what is written, what is written instead, code, line)
    ("journey: winback", "journey: winbak", "E308", 1),
    ("journey: winback", "journey: welcome", "E504", 1),
    ("clock: 2026-11-23 10:00", "clock: monday", "E502", 2),
    ("clock: 2026-11-23 10:00", "clock: 9999-12-31 10:00", "E502", 2),
    ("clock: 2026-11-23 10:00\n", "", "E211", 1),
    ("members:\n  王芳:", "members:\n  - 王芳:", "E205", 4),
    ("sms: yes", "sms: 12345", "E508", 4),
    ("email: no", "email: wang", "E508", 4),
    ("spent: 800", "history: [ { event: order_paid, at: in 3d } ]", "E513", 4),
    ("spent: 800", "contract_end: 0001-01-01", "E502", 4),
    ("members:\n", "menbers:\n", "E210", 3),
    ("last_message_at: 30h ago", "last_mesage_at: 30h ago", "E210", 4),
    ("last_message_at: 30h ago", "last_message_at: yesterday", "E502", 4),
    ("spent: 800", "spend: 800", "E301", 4),
    ("spent: 800", "spent: 很多", "E305", 4),
    ("spent: 800", "lifecycle: 沉没", "E312", 4),
    ("spent: 800", "birthday: 八月十五", "E305", 4),
    ("spent: 800", "segments: 沉睡", "E303", 4),
    ("spent: 800", "consent: { marketting: no }", "E306", 4),
    ("spent: 800", "consent: maybe", "E216", 4),
    ("spent: 800", "timezone: Shanghai", "E512", 4),
    ("spent: 800", "history: [ { event: order_payd, at: 3d ago } ]", "E302", 4),
    ("spent: 800", "history: [ { event: order_paid, at: 3d ago, amout: 3 } ]", "E313", 4),
    ("spent: 800", "history: [ { event: order_paid } ]", "E211", 4),
    ("member: 王芳", "member: 王方", "E503", 7),
    ("  - name: 点开\n", "  - nane: 点开\n", "E210", 6),
    ("at: day 0 12:00, event", "at: day 0, event", "E501", 9),
    ("at: day 0 12:00, event", "at: day 0 09:00, event", "E513", 9),
    ("event: clicked", "event: cliked", "E302", 9),
    ("event: clicked", "event: answered", "E509", 9),
    ("event: clicked", "event: order_paid, amount: 很多", "E305", 9),
    ("event: clicked", "event: clicked, channel: email", "E508", 9),
    ("event: clicked", "event: clicked, channel: fax", "E304", 9),
    ("event: clicked", "event: clicked, link: stroy", "E218", 9),
    ("event: clicked", "set: { spent: 3 }", "E305", 9),
    ("event: clicked", "follow: sms", "E218", 9),
    ("event: clicked", "task_done: 客服组", "E307", 9),
    ("event: clicked", "set: { levl: 3 }", "E301", 9),
    ("event: clicked", "says: 您好", "E506", 9),
    ("send: winback_story", "send: winback_stroy", "E510", 11),
    ("send: winback_story", "exit: 未找回", "E510", 11),
    ("send: winback_story", "notify: 客服组", "E510", 11),
    ("via: wechat", "via: weixin", "E304", 11),
    ("via: wechat", "by: wechat", "E210", 11),
    ("via: wechat", "skipped: winback_story", "E506", 11),
    ("send: winback_story, via: wechat", "update: add VIP", "E511", 11),
    ("never: { send: winback_last }", "never: winback_last", "E205", 12),
    ("    expect:", "    holdouts: yes\n    expect:", "E210", 10),
    ("    expect:", "    start_event: { order_id: A1 }\n    expect:", "E507", 10),
    ("    expect:", "    var: { why: x }\n    expect:", "E507", 10),
    ("    expect:", "    arms: { 文案: 甲 }\n    expect:", "E510", 10),
    ("    expect:", "    until: later\n    expect:", "E501", 10),
    ("at: day 0 12:00, event: clicked }\n", "at: day 9 12:00, event: clicked }\n    until: day 8\n", "E513", 9),
]


@pytest.mark.parametrize(("right", "wrong", "code", "line"), MISTAKES, ids=lambda part: str(part)[:40])
def test_a_mistake_is_told_once_where_it_is(right: str, wrong: str, code: str, line: int) -> None:
    source = RIGHT.replace(right, wrong, 1)
    assert source != RIGHT
    _, problems = read(source)
    assert (code, line) in {(problem.code, problem.span.line) for problem in problems}
    assert {problem.span.line for problem in problems} <= {line, line + 1, 1}  # a missing key is told at the top


def test_a_misspelt_template_is_told_with_what_was_meant() -> None:
    _, problems = read(RIGHT.replace("send: winback_story", "send: winback_stroy"))
    (problem,) = problems
    assert problem.label is not None
    assert "winback_story" in problem.label.en
    assert "winback_story" in problem.label.zh


@pytest.mark.parametrize(
    ("right", "wrong"),
    [(RIGHT.split("    expect:\n")[1], ""), (RIGHT.split("tests:\n")[1], "")],
    ids=["expect", "tests"],
)
def test_a_test_that_cannot_fail_is_none(right: str, wrong: str) -> None:
    before = RIGHT.removesuffix(right).rstrip("\n")
    _, problems = read(f"{before} []{wrong}\n")
    assert [problem.code for problem in problems] == ["E205"]


def test_two_tests_have_two_names() -> None:
    twice = RIGHT + RIGHT[RIGHT.index("  - name") :]
    _, problems = read(twice)
    assert [problem.code for problem in problems] == ["E505"]


def test_a_control_group_is_asked_for_only_where_there_is_one() -> None:
    source = RIGHT.replace("winback", "welcome").replace("welcome_story", "welcome").replace("welcome_last", "welcome")
    _, problems = read(source.replace("    expect:", "    holdout: yes\n    expect:"), "journeys/welcome.test.yaml")
    assert [problem.code for problem in problems] == ["E507"]


@settings(max_examples=150)
@given(st.data())
def test_whatever_a_file_says_every_problem_has_its_place(data: st.DataObject) -> None:
    source = data.draw(st.sampled_from([path.read_text() for path in (ROOT / "journeys").glob("*.test.yaml")]))
    place = data.draw(st.integers(0, len(source)))
    gone = data.draw(st.integers(0, 12))
    new = data.draw(st.text("：，{}[]-:\n abc第3天", max_size=6))
    broken = source[:place] + new + source[place + gone :]
    _, problems = read(broken, "journeys/nps.test.yaml")
    lines = len(broken.splitlines()) + 1
    assert all(1 <= problem.span.line <= lines for problem in problems)


def test_an_expectation_is_compared_by_what_it_says_alone() -> None:
    expected = Expected(Verb.SEND, "welcome", the_case(RIGHT).span)
    assert (expected.at, expected.via, expected.why, expected.until) == (None, None, None, None)
