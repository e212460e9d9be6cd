"""The top level of a journey: starts, re-entry, exits, goal, channels and the small options."""

from __future__ import annotations

from datetime import time, timedelta
from decimal import Decimal

import pytest
from journey_desk import catalog, found, found_on_top, good, read, text_of

from engage.core.catalog import Catalog
from engage.core.condition import Between, Compare, ContextValue, HasTag, InSegment, ValueType
from engage.core.journey.model import (
    CalendarChoice,
    ChannelPolicy,
    DayOfMonth,
    ExitOnCondition,
    ExitOnEvent,
    Fallback,
    Feb29,
    Goal,
    LeapMonth,
    Manual,
    OnDate,
    OnEvent,
    OnSchedule,
    OnSegment,
    Reentry,
    Start,
    Unless,
)
from engage.core.journey.reading import read_journey
from engage.core.timing import DaySet

TEN = time(10, 0)


def test_the_smallest_journey_has_the_documented_defaults() -> None:
    journey = good("journey: 欢迎\nstart: manual\nsteps:\n  - send: welcome\n")
    assert (journey.id, journey.title, journey.start) == ("trial", "欢迎", Manual())
    assert (journey.audience, journey.exclude, journey.exit_if, journey.goal, journey.per) == (
        None,
        None,
        (),
        None,
        None,
    )
    assert (journey.reentry, journey.holdout, journey.priority) == (Reentry(never=True), 0, 50)
    assert (journey.topic, journey.channels, journey.draft) == ("marketing", ChannelPolicy(), False)


def test_all_the_plain_options() -> None:
    journey = good(
        text_of(
            "owner: 周敏\nnote: 为什么\ndraft: yes\nholdout: 5%\npriority: 90\ntopic: service\nexclude: { tag: 补救中 }"
        )
    )
    assert (journey.owner, journey.note, journey.draft) == ("周敏", "为什么", True)
    assert (journey.holdout, journey.priority, journey.topic) == (5, 90, "service")
    assert journey.exclude == HasTag(("补救中",))


@pytest.mark.parametrize(
    ("spelt", "expected"),
    [
        ("manual", Manual()),
        ("{ event: order_paid }", OnEvent("order_paid")),
        ("{ event: wechat_followed }", OnEvent("wechat_followed")),
        (
            "{ event: order_paid, where: { event.amount: 100.. } }",
            OnEvent(
                "order_paid", Compare(ContextValue("event", "amount", ValueType.NUMBER), Between(Decimal(100), None))
            ),
        ),
        ("{ segment: VIP }", OnSegment("VIP")),
        ("{ date: birthday, at: 10:00 }", OnDate("birthday", TEN)),
        ("{ date: birthday, at: 00:00 }", OnDate("birthday", time(0, 0))),
        (
            "{ date: birthday, at: 10:00, calendar: lunar, offset: -3d, feb29: mar1, leap_month: skip, catch_up: 2h }",
            OnDate(
                "birthday",
                TEN,
                CalendarChoice.LUNAR,
                timedelta(days=-3),
                Feb29.MAR1,
                LeapMonth.SKIP,
                timedelta(hours=2),
            ),
        ),
        ("{ date: birthday, at: 10:00, offset: +1w }", OnDate("birthday", TEN, offset=timedelta(days=7))),
        ("{ every: day, at: 10:00 }", OnSchedule(DaySet.DAY, (TEN,))),
        ("{ every: workday, at: 10:00 }", OnSchedule(DaySet.WORKDAY, (TEN,))),
        ("{ every: monday, at: 10:00, catch_up: 1h }", OnSchedule(DaySet.MONDAY, (TEN,), timedelta(hours=1))),
        ("{ every: month 1, at: 10:00 }", OnSchedule(DayOfMonth(1), (TEN,))),
    ],
)
def test_every_start(spelt: str, expected: Start) -> None:
    audience = "\naudience: everyone" if "every:" in spelt else ""
    assert good(text_of(f"start: {spelt}{audience}")).start == expected


@pytest.mark.parametrize(
    ("spelt", "expected"),
    [
        ("never", [("E218", "never")]),
        ("[manual]", [("E205", "[manual]")]),
        ("{}", [("E205", "{}")]),
        ("{ when: monday }", [("E210", "when")]),
        ("{ event: order_payed }", [("E302", "order_payed")]),
        ("{ event: order_paid, at: 10:00 }", [("E210", "at")]),
        ("{ segment: VIPS }", [("E303", "VIPS")]),
        ("{ date: birthdya, at: 10:00 }", [("E301", "birthdya")]),
        ("{ date: contract_end, at: 10:00 }", [("E305", "contract_end")]),
        ("{ date: birthday }", [("E211", "date")]),
        ("{ date: birthday, at: 10:00, calendar: moon }", [("E218", "moon")]),
        ("{ date: birthday, at: 10:00, offset: 3h }", [("E213", "3h")]),
        ("{ date: birthday, at: 10:00, offset: 前三天 }", [("E213", "前三天")]),
        ("{ every: workday }", [("E211", "every")]),
        ("{ every: fortnight, at: 10:00 }", [("E218", "fortnight")]),
        ("{ every: month 32, at: 10:00 }", [("E222", "month 32")]),
        ('{ every: cron "0 10 * * 1", at: 10:00 }', [("E219", "at")]),
    ],
)
def test_starts_that_cannot_be(spelt: str, expected: list[tuple[str, str]]) -> None:
    assert found_on_top(f"start: {spelt}\naudience: everyone") == expected


def test_a_calendar_start_must_say_for_whom() -> None:
    assert found_on_top("start: { every: day, at: 10:00 }") == [("E331", "start")]


def test_audience_everyone_or_a_condition() -> None:
    assert good(text_of("audience: everyone")).audience is None
    assert good(text_of("audience: { segment: VIP }")).audience == InSegment("VIP", HasTag(("VIP",)))
    assert found_on_top("audience: everybody") == [("E218", "everybody")]
    assert found_on_top("audience: [ { tag: a } ]") == [("E205", "[ { tag: a } ]")]


@pytest.mark.parametrize(
    ("spelt", "expected"),
    [
        ("never", Reentry(never=True)),
        ("always", Reentry.always()),
        ("after 90d", Reentry(after=timedelta(days=90))),
    ],
)
def test_reentry(spelt: str, expected: Reentry) -> None:
    assert good(text_of(f"reentry: {spelt}")).reentry == expected


def test_a_yearly_date_comes_round_unless_told_otherwise() -> None:
    assert good(text_of("start: { date: birthday, at: 10:00 }")).reentry == Reentry.always()
    assert good(text_of("start: { date: birthday, at: 10:00 }\nreentry: never")).reentry == Reentry(never=True)


def test_reentry_that_cannot_be() -> None:
    assert found_on_top("reentry: sometimes") == [("E218", "sometimes")]
    assert found_on_top("reentry: after 三个月") == [("E213", "三个月")]


def test_exits() -> None:
    journey = good(
        text_of(
            "exit_if:\n  - { event: order_paid, where: { event.amount: 100.. } }\n"
            "  - { event: clicked }\n  - { tag: a }"
        )
    )
    assert journey.exit_if == (
        ExitOnEvent(
            "order_paid", Compare(ContextValue("event", "amount", ValueType.NUMBER), Between(Decimal(100), None))
        ),
        ExitOnEvent("clicked"),
        ExitOnCondition(HasTag(("a",))),
    )
    assert found_on_top("exit_if: order_paid") == [("E205", "order_paid")]
    assert found_on_top("exit_if: { event: order_paid, tag: a }") == [("E210", "tag")]


def test_goal() -> None:
    everything = (
        "goal: { event: order_paid, where: { event.gift: no }, within: 14d, count_from: entry, then: continue }"
    )
    goal = good(text_of(everything)).goal
    assert goal is not None
    assert (goal.event, goal.within, goal.count_from_entry, goal.then_exit) == (
        "order_paid",
        timedelta(days=14),
        True,
        False,
    )
    assert goal.where is not None
    assert good(text_of("goal: { event: order_paid, count_from: message, then: exit }")).goal == Goal("order_paid")
    assert found_on_top("goal: order_paid") == [("E205", "order_paid")]
    assert found_on_top("goal: { within: 14d }") == [("E211", "within")]
    assert found_on_top("goal: { event: order_paid, then: stop }") == [("E218", "stop")]


def test_per() -> None:
    assert good(text_of("start: { event: order_paid }\nper: event.order_id")).per == "order_id"
    assert found_on_top("start: { event: order_paid }\nper: order_id") == [("E205", "order_id")]
    assert found_on_top("start: { event: order_paid }\nper: event.order") == [("E313", "event.order")]
    assert found_on_top("per: event.order_id") == [("E316", "event.order_id")]


@pytest.mark.parametrize(
    ("spelt", "expected"),
    [
        ("auto", ChannelPolicy()),
        ("[wechat, email]", ChannelPolicy(("wechat", "email"))),
        ("{ try: auto, fallback: 2d }", ChannelPolicy(None, Fallback(timedelta(days=2)))),
        (
            "{ try: [sms, email], fallback: { after: 6h, unless: delivered } }",
            ChannelPolicy(("sms", "email"), Fallback(timedelta(hours=6), Unless.DELIVERED)),
        ),
        ("{ fallback: { after: 6h, unless: responded } }", ChannelPolicy(None, Fallback(timedelta(hours=6)))),
    ],
)
def test_channels(spelt: str, expected: ChannelPolicy) -> None:
    assert good(text_of(f"channels: {spelt}")).channels == expected


@pytest.mark.parametrize(
    ("spelt", "expected"),
    [
        ("sms", [("E205", "sms")]),
        ("[]", [("E205", "[]")]),
        ("[微信]", [("E304", "微信")]),
        ("[sms, sms]", [("E219", "sms")]),
        ("[wechat，sms]", [("E101", "，")]),
        ("{ try: [sms], fallback: 两天 }", [("E213", "两天")]),
        ("{ fallback: { unless: delivered } }", [("E211", "{ unless: delivered }")]),
        ("{ fallback: { after: 6h, unless: read } }", [("E219", "read")]),
        ("{ fallback: { after: 6h, unless: seen } }", [("E218", "seen")]),
        ("{ fallback: [1d] }", [("E205", "[1d]")]),
        ("{ order: [sms] }", [("E210", "order")]),
    ],
)
def test_channels_that_cannot_be(spelt: str, expected: list[tuple[str, str]]) -> None:
    assert found_on_top(f"channels: {spelt}") == expected


def test_a_chinese_channel_name_is_understood_as_a_suggestion() -> None:
    _, problems = read(text_of("channels: [短信]"))
    assert problems[0].label is not None
    assert problems[0].label.en == "did you mean `sms`?"


def test_what_is_required() -> None:
    assert found("owner: 周敏\n") == [("E211", "owner")] * 3
    assert found("journey: a\nstart: manual\nsteps: []\n") == [("E205", "[]")]
    assert found("journey:\nstart: manual\nsteps:\n  - send: a\n") == [("E206", "journey")]


def test_misspelt_words() -> None:
    _, problems = read(text_of("audiance: everyone"))
    assert [(problem.code, problem.label and problem.label.en) for problem in problems] == [
        ("E210", "did you mean `audience`?")
    ]


def test_unknown_topic() -> None:
    assert found_on_top("topic: marketting") == [("E306", "marketting")]


def test_a_default_topic_must_exist_too() -> None:
    bare = Catalog(catalog().brand, "Asia/Shanghai")
    _, problems = read_journey("journey: a\nstart: manual\nsteps:\n  - wait: 1d\n", "a.yaml", bare)
    assert [problem.code for problem in problems] == ["E306"]


def test_the_file_name_is_the_id() -> None:
    journey, problems = read(text_of(), "journeys/新客欢迎.yaml")
    assert (journey.id, problems) == ("新客欢迎", [])
    _, problems = read(text_of(), "journeys/new customer.yaml")
    assert [problem.code for problem in problems] == ["E220"]


def test_problems_come_in_file_order_and_once() -> None:
    _, problems = read(text_of("topic: x\naudience: { a: b }\nholdout: y"))
    assert [problem.span.line for problem in problems] == sorted(problem.span.line for problem in problems)
    assert len(problems) == len(set(problems)) == 3
