"""Reply windows and the ways to a follower: pure, so every minute of them can be asked about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engage.channels.contract import Contact, NoWay, Way, Window
from engage.channels.wechat.way import find_way, supports
from engage.channels.wechat.window import closes_at, messages_left, window_after
from engage.core.catalog import TopicClass
from engage.core.fact import Act

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
NOTICE = {"template_message": {"id": "TM_1", "data": {"thing1": "茶"}}}


def a_window(act: Act = Act.MESSAGE, ago: timedelta = HOUR, used: int = 0) -> Window:
    return Window(act, NOW - ago, used)


@pytest.mark.parametrize(
    ("window", "left"),
    [
        (a_window(ago=timedelta(0)), 5),
        (a_window(ago=48 * HOUR - SECOND), 5),
        (a_window(ago=48 * HOUR), 0),
        (a_window(used=4), 1),
        (a_window(used=5), 0),
        (a_window(used=9), 0),
        (a_window(ago=-30 * SECOND), 5),  # their clock is ahead of ours
        (a_window(Act.MENU, 59 * SECOND), 3),
        (a_window(Act.MENU, MINUTE), 0),
        (a_window(Act.FOLLOW, 10 * SECOND, used=3), 0),
        (a_window(Act.SCAN, 10 * SECOND, used=1), 2),
    ],
)
def test_messages_left(window: Window, left: int) -> None:
    assert messages_left(window, NOW) == left


@pytest.mark.parametrize("act", list(Act))
def test_a_first_act_opens_its_window(act: Act) -> None:
    assert window_after(None, act, NOW) == Window(act, NOW)


def test_a_message_renews_the_window_and_its_count() -> None:
    assert window_after(a_window(used=5), Act.MESSAGE, NOW) == Window(Act.MESSAGE, NOW, 0)


def test_a_tap_does_not_take_the_place_of_48_hours() -> None:
    open_window = a_window(used=4)
    assert window_after(open_window, Act.MENU, NOW) == open_window


def test_a_tap_opens_a_minute_when_48_hours_are_used_up_or_over() -> None:
    assert window_after(a_window(used=5), Act.MENU, NOW) == Window(Act.MENU, NOW)
    assert window_after(a_window(ago=49 * HOUR), Act.MENU, NOW) == Window(Act.MENU, NOW)


def test_a_late_callback_does_not_wind_the_window_back() -> None:
    for used in (0, 2, 5):
        newer = a_window(ago=MINUTE, used=used)
        assert window_after(newer, Act.MESSAGE, NOW - HOUR) == newer


def test_a_message_told_after_the_tap_that_followed_it_still_opens_its_48_hours() -> None:
    tap = a_window(Act.MENU, ago=30 * SECOND, used=1)
    assert window_after(tap, Act.MESSAGE, NOW - MINUTE) == Window(Act.MESSAGE, NOW - MINUTE, used=1)
    assert window_after(tap, Act.MESSAGE, NOW - 49 * HOUR) == tap


@given(st.permutations([(Act.MESSAGE, 0), (Act.MENU, 20), (Act.SCAN, 50), (Act.MESSAGE, 90), (Act.MENU, 100)]))
def test_any_order_of_callbacks_ends_in_the_same_window(acts: list[tuple[Act, int]]) -> None:
    window = None
    for act, second in acts:
        window = window_after(window, act, NOW + second * SECOND)
    assert window == Window(Act.MESSAGE, NOW + 90 * SECOND)


@given(
    st.lists(st.tuples(st.sampled_from(Act), st.integers(0, 200_000)), min_size=1, max_size=8),
    st.integers(0, 200_000),
)
def test_an_act_never_shortens_what_was_open(acts: list[tuple[Act, int]], asked: int) -> None:
    """Whatever the order of callbacks: the window kept closes no earlier than any that still had messages."""
    window = None
    for act, second in acts:
        before = window
        window = window_after(window, act, NOW + second * SECOND)
        if before and messages_left(before, NOW + second * SECOND):
            assert closes_at(window) >= closes_at(before)
    assert window is not None
    assert 0 <= messages_left(window, NOW + asked * SECOND) <= 5


def way(window: Window | None, topic_class: TopicClass = TopicClass.MARKETING, **front: object) -> Way | NoWay:
    return find_way(front, Contact("openid", window), topic_class, NOW)


def test_in_the_window_a_customer_service_message() -> None:
    assert way(a_window(ago=31 * HOUR, used=4)) == Way(
        mode="customer_service",
        why="客服消息 (wrote to us 1d7h ago, 1/5 left)",
        uses_window=True,
        valid_until=NOW + 17 * HOUR,
    )


def test_the_window_is_used_before_a_template_message() -> None:
    found = way(a_window(), TopicClass.SERVICE, **NOTICE)
    assert isinstance(found, Way)
    assert found.mode == "customer_service"


def test_outside_the_window_service_may_use_a_template_message() -> None:
    assert way(a_window(ago=50 * HOUR), TopicClass.SERVICE, **NOTICE) == Way(
        mode="template",
        why="模板消息 (48h reply window closed 2h ago)",
        repeat_within=timedelta(minutes=5),
    )


@pytest.mark.parametrize(
    ("window", "why"),
    [
        (
            a_window(ago=timedelta(hours=54, minutes=30)),
            "48h reply window closed 6h30m ago; marketing may not use template messages",
        ),
        (None, "no reply window is open; marketing may not use template messages"),
        (a_window(used=5), "the reply window's 5 messages are used up; marketing may not use template messages"),
        (
            a_window(Act.FOLLOW, 90 * SECOND),
            "1m reply window closed just now; marketing may not use template messages",
        ),
    ],
)
def test_marketing_outside_the_window_has_no_way_even_with_a_template(window: Window | None, why: str) -> None:
    assert way(window, TopicClass.MARKETING, **NOTICE) == NoWay(why)


def test_service_without_a_template_says_so() -> None:
    assert way(None, TopicClass.SERVICE) == NoWay("no reply window is open; this template has no template_message")


def test_just_now() -> None:
    found = way(a_window(Act.FOLLOW, 5 * SECOND, used=1))
    assert isinstance(found, Way)
    assert found.why == "客服消息 (followed us just now, 2/3 left)"


@pytest.mark.parametrize(
    ("front", "topic_class", "expected"),
    [
        ({}, TopicClass.MARKETING, True),
        ({"kind": "msgmenu"}, TopicClass.MARKETING, True),
        ({"kind": "miniprogram"}, TopicClass.MARKETING, False),
        ({"kind": "miniprogram"} | NOTICE, TopicClass.MARKETING, False),
        ({"kind": "miniprogram"} | NOTICE, TopicClass.SERVICE, True),
    ],
)
def test_supports(front: dict[str, object], topic_class: TopicClass, expected: bool) -> None:
    assert supports(front, topic_class) is expected
    assert isinstance(find_way(front, Contact("o", a_window()), topic_class, NOW), Way) is expected
