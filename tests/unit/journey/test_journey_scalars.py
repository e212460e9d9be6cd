"""Durations, times, waits, percentages, yes/no: what is understood, and what is said about the rest."""

from __future__ import annotations

from datetime import datetime, time, timedelta

import pytest
from journey_desk import found_in_steps, found_on_top, good, good_step, read, text_of

from engage.core.journey import guesses
from engage.core.journey.model import Notify, Wait, WaitFor
from engage.core.journey.scalars import parse_wait
from engage.core.timing import (
    DaySet,
    For,
    ForWorkdays,
    UntilDays,
    UntilEntryDay,
    UntilField,
    UntilMoment,
    WaitSpec,
)

TEN = time(10, 0)


@pytest.mark.parametrize(
    ("spelt", "expected"),
    [
        ("3d", For(timedelta(days=3))),
        ("1d12h", For(timedelta(days=1, hours=12))),
        ("2w", For(timedelta(weeks=2))),
        ("3d at 10:00", For(timedelta(days=3), TEN)),
        ('"3d at 10:00"', For(timedelta(days=3), TEN)),
        ("2 workdays at 10:00", ForWorkdays(2, TEN)),
        ("1 workday", ForWorkdays(1)),
        ("until 10:00", UntilDays(DaySet.DAY, TEN)),
        ("until workday 10:00", UntilDays(DaySet.WORKDAY, TEN)),
        ("until weekend 9:30", UntilDays(DaySet.WEEKEND, time(9, 30))),
        ("until friday 18:00", UntilDays(DaySet.FRIDAY, time(18, 0))),
        ("until day 30 at 10:00", UntilEntryDay(30, TEN)),
        ("until day 30", UntilEntryDay(30)),
        ("until 2027-02-06 09:00", UntilMoment(datetime(2027, 2, 6, 9, 0))),  # noqa: DTZ001 - member-local
        ("until contract_end -30d at 10:00", UntilField("contract_end", timedelta(days=-30), TEN)),
        ("until contract_end +1d", UntilField("contract_end", timedelta(days=1))),
        ("until last_order_at at 10:00", UntilField("last_order_at", timedelta(0), TEN)),
    ],
)
def test_every_form_of_a_wait(spelt: str, expected: WaitSpec) -> None:
    step = good_step(f"  - wait: {spelt}")
    assert isinstance(step, Wait)
    assert step.until == expected


@pytest.mark.parametrize(
    ("spelt", "help"),
    [
        ("3 days", "write 3d"),
        ("5天", "write 5d"),
        ("until workdays 10:00", "did you mean `until workday 10:00`?"),
        ("untill friday 18:00", "did you mean `until friday 18:00`?"),
        ("friday 18:00", "did you mean `until friday 18:00`?"),
        ("3d 10:00", "did you mean `3d at 10:00`?"),
        ("2 workdays 10:00", "did you mean `2 workdays at 10:00`?"),
        ("until friday 25:00", None),
        ("until 2026-02-29 09:00", "did you mean `until 2026-02-28 09:00`?"),
        ("soon", None),
        ("3d at 10", None),
    ],
)
def test_a_wait_that_is_not_understood(spelt: str, help: str | None) -> None:
    _, problems = read(text_of(steps=f"  - wait: {spelt}"))
    assert [problem.code for problem in problems] == ["E213"]
    assert [said.en for said in problems[0].help] == ([help] if help else [])
    assert "waits look like" in problems[0].notes[0].en


def test_a_wait_for_a_field_points_at_the_field() -> None:
    assert found_in_steps("  - wait: until contract_ende -30d") == [("E301", "contract_ende")]
    assert found_in_steps("  - wait: until city at 10:00") == [("E305", "city")]


def test_a_wait_for_a_yearly_date_says_how_to_start_at_one() -> None:
    _, problems = read(text_of(steps="  - wait: until birthday -3d at 10:00"))
    (problem,) = problems
    assert problem.message.en == "`birthday` comes every year, and a wait is for one date"
    assert "start: { date: birthday, at: 10:00 }" in problem.help[0].en


@pytest.mark.parametrize(
    ("spelt", "guess"),
    [
        ("5天", "5d"),
        ("两周", "2w"),
        ("３小时", "3h"),
        ("10 minutes", "10m"),
        ("3个星期", "3w"),
        ("五百", None),
        ("x", None),
    ],
)
def test_durations_in_everyday_words_are_guessed(spelt: str, guess: str | None) -> None:
    assert guesses.duration(spelt) == guess


def test_a_guess_is_never_longer_than_the_file() -> None:
    assert guesses.wait("until " * 1000, lambda spelt: parse_wait(spelt) is not None) is None


@pytest.mark.parametrize(
    ("spelt", "expected"),
    [
        ("5天", [("E213", "5天")]),
        ("soon", [("E213", "soon")]),
        ("0d", [("E222", "0d")]),
        ("99999w", [("E222", "99999w")]),
        ("[1d]", [("E205", "[1d]")]),
        ("", [("E206", "up_to")]),
        ("１d", [("E101", "１d")]),
        ("٣d", [("E213", "٣d")]),
        ("1d" * 30, [("E213", "1d" * 30)]),
    ],
)
def test_durations_that_cannot_be(spelt: str, expected: list[tuple[str, str]]) -> None:
    assert found_in_steps(f"  - wait_for: order_paid\n    up_to: {spelt}") == expected


def test_full_width_values_are_understood_and_reported() -> None:
    journey, problems = read(text_of("goal: { event: order_paid, within: １４ｄ }"))
    assert journey.goal is not None
    assert journey.goal.within == timedelta(days=14)
    assert [(problem.code, problem.help[0].en) for problem in problems] == [("E101", "write 14d")]


@pytest.mark.parametrize(("word", "value"), [("yes", True), ("no", False), ("true", True), ("False", False)])
def test_yes_and_no(word: str, value: bool) -> None:
    step = good_step(f"  - notify: 客服一组\n    task: 打电话\n    urgent: {word}")
    assert isinstance(step, Notify)
    assert step.urgent is value


def test_neither_yes_nor_no() -> None:
    assert found_on_top("draft: 是") == [("E216", "是")]
    assert found_on_top("draft: maybe") == [("E216", "maybe")]


def test_percent_and_priority() -> None:
    journey = good(text_of("holdout: 10%\npriority: 0"))
    assert (journey.holdout, journey.priority) == (10, 0)
    assert found_on_top("holdout: 10") == [("E215", "10")]
    assert found_on_top("holdout: 101%") == [("E222", "101%")]
    assert found_on_top("priority: high") == [("E215", "high")]
    assert found_on_top("priority: 101") == [("E222", "101")]


@pytest.mark.parametrize(
    ("spelt", "help"),
    [
        ("10点", "write 10:00"),
        ("9:5", "write 09:05"),
        ("8pm", "write 20:00"),
        ("24:00", "write 00:00"),
        ("10：30", "write 10:30"),
    ],
)
def test_times_of_day_that_are_not(spelt: str, help: str | None) -> None:
    _, problems = read(text_of(f"start: {{ every: day, at: {spelt} }}\naudience: everyone"))
    assert [problem.code for problem in problems] == ["E101" if "：" in spelt else "E214"]
    assert [said.en for said in problems[0].help] == ([help] if help else [])


def test_a_step_that_waits_keeps_its_limit() -> None:
    step = good_step("  - wait_for: order_paid\n    up_to: 1d12h")
    assert isinstance(step, WaitFor)
    assert step.up_to == timedelta(hours=36)
