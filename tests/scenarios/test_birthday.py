"""生日祝福: once in every cycle year, on the right day, whichever calendar the member lives by."""

from __future__ import annotations

import pytest
from stage import OpenStage, Stage
from stage_wiring import shipped


def days(stage: Stage, name: str) -> list[str]:
    """The dates on which something reached them."""
    return [stage.local(came.handover.at).date().isoformat() for came in stage.phone(name)]


def apply_birthday(stage: Stage) -> None:
    stage.apply({"birthday": shipped("birthday")})


# By the calendars of the Purple Mountain Observatory. Lunar 2028 has a leap fifth month; the twelfth months of lunar
# 2026 and 2027 end with the 29th.
BIRTHDAYS = {
    "公历": ("05-12", ["2027-05-12", "2028-05-12"]),
    "闰日": ("1992-02-29", ["2027-02-28", "2028-02-29"]),
    "中秋": ("农历八月十五", ["2027-09-15", "2028-10-03"]),
    "除夕": ("农历腊月三十", ["2027-02-05", "2028-01-25"]),
    "闰五月": ("农历闰五月初十", ["2027-06-14", "2028-07-02"]),
    "正月": ("农历正月初一", ["2027-02-06", "2028-01-26"]),
}


def test_every_birthday_once_in_each_cycle_year_at_nine(open_stage: OpenStage) -> None:
    stage = open_stage("2026-12-20 12:00")
    for name, (birthday, _) in BIRTHDAYS.items():
        stage.member(name, sms=True, birthday=birthday)
    apply_birthday(stage)
    stage.run_to(stage.moment_of("2028-10-10 12:00"))
    assert {name: days(stage, name) for name in BIRTHDAYS} == {name: when for name, (_, when) in BIRTHDAYS.items()}
    assert {f"{stage.local(c.handover.at):%H:%M}" for name in BIRTHDAYS for c in stage.phone(name)} == {"09:00"}


def test_the_coupon_comes_three_days_ahead_to_those_of_level_two_and_up(open_stage: OpenStage) -> None:
    stage = open_stage("2027-05-01 12:00")
    stage.member("王芳", sms=True, birthday="05-12", level=3)
    stage.member("李雷", sms=True, birthday="05-12", level=1)
    stage.member("陈晨", sms=True, birthday="05-12", level=3)
    apply_birthday(stage)
    stage.happens("陈晨", "complaint_opened", reason="少发了一罐")
    stage.run_until(day=15)
    assert stage.got("王芳") == [("day 8 10:00", "sms"), ("day 11 09:00", "sms")]
    assert stage.got("李雷") == [("day 11 09:00", "sms")]
    assert stage.got("陈晨") == []  # who is complaining is left alone


def test_a_member_in_another_zone_is_greeted_at_nine_of_their_own_morning(open_stage: OpenStage) -> None:
    stage = open_stage("2027-05-01 12:00")
    stage.member("王芳", email=True, birthday="05-12", zone="America/Los_Angeles")
    apply_birthday(stage)
    stage.run_until(day=15)
    assert stage.got("王芳") == [("day 12 00:00", "email")]


@pytest.mark.parametrize(("up_again", "greeted"), [("14:59", True), ("15:01", False)])
def test_a_greeting_later_than_six_hours_is_not_sent(open_stage: OpenStage, up_again: str, greeted: bool) -> None:
    stage = open_stage("2027-05-08 12:00")
    stage.member("王芳", sms=True, birthday="05-12")
    apply_birthday(stage)
    stage.run_until(day=4, at="08:00")
    with stage.daemon_down():
        stage.run_until(day=4, at=up_again)
    stage.run_until(day=6)
    assert len(stage.phone("王芳")) == greeted
    if not greeted:
        assert stage.delivery("王芳").reason == "late: its time has passed"


@pytest.mark.parametrize(("hours", "started"), [("21:59", 1), ("22:01", 0)])
def test_a_start_missed_by_more_than_twelve_hours_is_not_made_up_for(
    open_stage: OpenStage, hours: str, started: int
) -> None:
    """The start was at 10:00 on day 1; `catch_up` is twelve hours."""
    stage = open_stage("2027-05-08 09:00")
    stage.member("王芳", sms=True, birthday="05-12")
    apply_birthday(stage)
    stage.run_until(day=1, at="09:00")
    with stage.daemon_down():
        stage.run_until(day=1, at=hours)
    stage.run_until(day=3)
    assert len(stage.runs("王芳")) == started


def test_the_words_name_the_lunar_day(open_stage: OpenStage) -> None:
    stage = open_stage("2027-09-10 12:00")
    stage.member("王芳", email=True, birthday="农历1990年八月十五")
    apply_birthday(stage)
    stage.run_until(day=6)
    assert "今天是农历八月十五" in stage.last("王芳").text
    assert stage.run("王芳", "birthday").context["event"]["age"] == 37
