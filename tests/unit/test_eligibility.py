"""Gates in their order with their words, hours, and frequency caps."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engage.core.catalog import TopicClass
from engage.core.eligibility import (
    REPLY_WINDOW,
    CapRule,
    DailySpan,
    HoursRule,
    Standing,
    may_send_from,
    over_cap,
    refusal,
)

MARKETING, SERVICE = TopicClass.MARKETING, TopicClass.SERVICE
SHANGHAI = ZoneInfo("Asia/Shanghai")
NEW_YORK = ZoneInfo("America/New_York")
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)  # Monday 10:00 in Shanghai
OPEN = Standing("sms", has_template=True, address="+8613800138000", consent=True)

# Each gate shut, in the order of the language page §6; `no address` and `refused` have variants of their own below.
SHUT: tuple[tuple[dict[str, Any], str], ...] = (
    ({"has_template": False}, "template has no sms version"),
    ({"address": None}, "no address on file"),
    ({"suppressed": "complained"}, "suppressed: complained"),
    ({"status": "bounced"}, "hard bounce"),
    ({"consent": None}, "no consent on file for marketing on sms"),
    ({"closed": "48h reply window closed 2h ago"}, "48h reply window closed 2h ago"),
    ({"resting": "provider is out of order"}, "provider is out of order"),
    ({"tried": True}, "already tried"),
)


def why(standing: Standing, topic_class: TopicClass = MARKETING, *, is_reply: bool = False) -> str | None:
    return refusal(standing, topic_class.value, topic_class, is_reply=is_reply)


# --- gates ------------------------------------------------------------------------------------------------------


def test_with_every_gate_open_nothing_is_refused() -> None:
    assert why(OPEN) is None


@pytest.mark.parametrize(("shut", "words"), SHUT)
def test_each_gate_says_why_it_is_shut(shut: dict[str, Any], words: str) -> None:
    assert why(replace(OPEN, **shut)) == words


@pytest.mark.parametrize("first", range(len(SHUT)))
def test_the_first_shut_gate_is_the_reason(first: int) -> None:
    standing = OPEN
    for shut, _ in SHUT[first:]:
        standing = replace(standing, **shut)
    assert why(standing) == SHUT[first][1]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("active", None),
        ("bounced", "hard bounce"),
        ("invalid", "address is invalid"),
        ("unfollowed", "unfollowed"),
        ("unreachable", "unreachable"),
    ],
)
def test_only_an_active_address_is_written_to(status: str, words: str | None) -> None:
    assert why(replace(OPEN, status=status)) == words


@pytest.mark.parametrize(
    ("topic_class", "consent", "words"),
    [
        (MARKETING, True, None),
        (MARKETING, None, "no consent on file for marketing on sms"),
        (MARKETING, False, "refused marketing on sms"),
        (SERVICE, True, None),
        (SERVICE, None, None),
        (SERVICE, False, "refused service on sms"),
    ],
)
def test_marketing_needs_a_grant_and_service_only_that_nobody_refused(
    topic_class: TopicClass, consent: bool | None, words: str | None
) -> None:
    assert why(replace(OPEN, consent=consent), topic_class) == words


@pytest.mark.parametrize("consent", [True, False, None])
def test_a_reply_to_the_members_own_act_needs_no_grant(consent: bool | None) -> None:
    """Someone who opts out is told once that they were heard."""
    assert why(replace(OPEN, consent=consent), SERVICE, is_reply=True) is None


def test_a_reply_does_not_pass_a_suppressed_address() -> None:
    assert why(replace(OPEN, suppressed="complained"), SERVICE, is_reply=True) == "suppressed: complained"


@given(st.booleans(), st.sampled_from([None, True, False]), st.sampled_from(TopicClass), st.booleans())
def test_nobody_suppressed_is_ever_written_to(
    has_template: bool, consent: bool | None, topic_class: TopicClass, is_reply: bool
) -> None:
    standing = replace(OPEN, has_template=has_template, consent=consent, suppressed="blacklist")
    assert why(standing, topic_class, is_reply=is_reply) is not None


# --- hours ------------------------------------------------------------------------------------------------------

# The defaults: quiet 21:00-09:00; SMS marketing 09:00-20:30.
RULE = HoursRule(DailySpan(time(21), time(9)), DailySpan(time(9), time(20, 30)))


def at(clock: str, day: int = 23, zone: ZoneInfo = SHANGHAI) -> datetime:
    return datetime.combine(date(2026, 11, day), time.fromisoformat(clock), zone).astimezone(UTC)


def sent_at(
    now: datetime,
    topic_class: TopicClass = MARKETING,
    *,
    rule: HoursRule = RULE,
    acted: datetime | None = None,
    zone: ZoneInfo = SHANGHAI,
) -> datetime:
    return may_send_from(now, zone, rule, topic_class, acted)


def test_an_act_that_a_clock_set_back_has_left_ahead_opens_no_night() -> None:
    night = at("03:00")
    assert may_send_from(night, SHANGHAI, HoursRule(DailySpan(time(21), time(9))), SERVICE, at("03:01")) == night
    ahead = at("10:00", 24)
    assert may_send_from(night, SHANGHAI, HoursRule(DailySpan(time(21), time(9))), SERVICE, ahead) == at("09:00")


@pytest.mark.parametrize(
    ("now", "topic_class", "expected"),
    [
        (at("10:00"), MARKETING, at("10:00")),
        (at("20:29"), MARKETING, at("20:29")),
        (at("20:30"), MARKETING, at("09:00", 24)),
        (at("20:45"), SERVICE, at("20:45")),
        (at("21:00"), SERVICE, at("09:00", 24)),
        (at("03:00"), SERVICE, at("09:00")),
        (at("08:59"), MARKETING, at("09:00")),
        (at("09:00"), MARKETING, at("09:00")),
    ],
)
def test_hours_defer_to_the_next_open_moment(now: datetime, topic_class: TopicClass, expected: datetime) -> None:
    assert sent_at(now, topic_class) == expected


def test_a_channel_without_marketing_hours_knows_only_the_quiet_ones() -> None:
    assert sent_at(at("20:45"), rule=replace(RULE, marketing=None)) == at("20:45")


def test_the_hours_are_those_of_the_members_own_clock() -> None:
    """10:00 in Shanghai is 21:00 the evening before in New York."""
    assert sent_at(NOW, zone=NEW_YORK) == at("09:00", zone=NEW_YORK)


@pytest.mark.parametrize(
    ("minutes_ago", "topic_class", "expected"),
    [
        (0, SERVICE, at("23:00")),
        (5, SERVICE, at("23:00")),
        (5.1, SERVICE, at("09:00", 24)),
        (0, MARKETING, at("09:00", 24)),
    ],
    ids=["at once", "five minutes", "a little more", "marketing is no answer"],
)
def test_a_service_answer_within_five_minutes_ignores_the_night(
    minutes_ago: float, topic_class: TopicClass, expected: datetime
) -> None:
    now = at("23:00")
    assert sent_at(now, topic_class, acted=now - timedelta(minutes=minutes_ago)) == expected


def test_the_answer_window_is_five_minutes() -> None:
    assert timedelta(minutes=5) == REPLY_WINDOW


@given(
    st.timedeltas(timedelta(0), timedelta(days=730)),
    st.sampled_from(TopicClass),
    st.sampled_from([SHANGHAI, NEW_YORK, ZoneInfo("Australia/Lord_Howe")]),
)
def test_no_deferred_message_lands_in_the_quiet_hours(
    passed: timedelta, topic_class: TopicClass, zone: ZoneInfo
) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC) + passed
    moment = sent_at(now, topic_class, zone=zone)
    clock = moment.astimezone(zone).time()
    assert moment >= now
    assert time(9) <= clock < (time(20, 30) if topic_class is MARKETING else time(21))


# --- caps -------------------------------------------------------------------------------------------------------

DAILY, WEEKLY = CapRule(1, timedelta(days=1)), CapRule(3, timedelta(days=7))


def hours_ago(*hours: float) -> list[datetime]:
    return [NOW - timedelta(hours=h) for h in hours]


@pytest.mark.parametrize(
    ("rules", "earlier", "expected"),
    [
        ([], hours_ago(1, 2, 3), None),
        ([DAILY], [], None),
        ([DAILY], hours_ago(23), "frequency cap: 1 in 1d, 1 allowed"),
        ([DAILY], hours_ago(24), None),
        ([DAILY, WEEKLY], hours_ago(30, 60), None),
        ([DAILY, WEEKLY], hours_ago(30, 60, 90), "frequency cap: 3 in 7d, 3 allowed"),
        ([DAILY, WEEKLY], hours_ago(30, 60, 90, 100), "frequency cap: 4 in 7d, 3 allowed"),
        ([DAILY, WEEKLY], hours_ago(30, 60, 168), None),
        ([CapRule(0, timedelta(days=1))], [], "frequency cap: 0 in 1d, 0 allowed"),
    ],
)
def test_caps(rules: list[CapRule], earlier: list[datetime], expected: str | None) -> None:
    assert over_cap(rules, earlier, NOW) == expected


@given(st.lists(st.integers(1, 400), max_size=60))
def test_under_a_cap_no_window_ever_holds_more_than_it_allows(gaps: list[int]) -> None:
    """Messages wanted at any rhythm; those the cap lets through never crowd, wherever the window is laid."""
    sent: list[datetime] = []
    moment = NOW
    for gap in gaps:
        moment += timedelta(minutes=gap * 10)
        if over_cap([DAILY, WEEKLY], sent, moment) is None:
            sent.append(moment)
    for rule in (DAILY, WEEKLY):
        for start in sent:
            assert sum(1 for other in sent if start <= other < start + rule.within) <= rule.count
