"""When messages may arrive: quiet hours put off, by the member's own clock; advertising SMS have hours of their own."""

from __future__ import annotations

from typing import Any

import pytest
from small_journeys import COUPON, SERVICE, journey
from stage import OpenStage, Stage

SERVICE_NOTE = {"note": journey("store_visited", SERVICE, topic="service")}
ADVERT = {"advert": journey("store_visited", COUPON)}


def visit_at(open_stage: OpenStage, starts: str, journeys: dict[str, str], **channels: Any) -> Stage:
    stage = open_stage(starts)
    stage.member("王芳", **channels)
    stage.apply(journeys)
    stage.happens("王芳", "store_visited", store="湖滨店")
    stage.run_until(day=2, at="23:00")
    return stage


@pytest.mark.parametrize(
    ("starts", "arrives"),
    [
        ("2026-11-23 20:59", "day 0 20:59"),
        ("2026-11-23 21:00", "day 1 09:00"),
        ("2026-11-23 23:59", "day 1 09:00"),
        ("2026-11-23 08:59", "day 0 09:00"),
        ("2026-11-23 09:00", "day 0 09:00"),
    ],
)
def test_quiet_hours_put_a_service_message_off_to_nine(open_stage: OpenStage, starts: str, arrives: str) -> None:
    stage = visit_at(open_stage, starts, SERVICE_NOTE, sms=True)
    assert stage.got("王芳") == [(arrives, "sms")]


def test_quiet_hours_are_those_of_the_members_own_zone(open_stage: OpenStage) -> None:
    """15:00 in Shanghai is 08:00 in Paris: an hour too early."""
    stage = visit_at(open_stage, "2026-11-23 15:00", SERVICE_NOTE, email=True, zone="Europe/Paris")
    assert stage.got("王芳") == [("day 0 16:00", "email")]


def test_a_zone_that_does_not_exist_never_opens_the_quiet_hours(open_stage: OpenStage) -> None:
    stage = open_stage("2026-11-23 22:00")
    stage.member("王芳", sms=True)
    stage.apply(SERVICE_NOTE)
    stage.sets_zone("王芳", "Mars/Olympus")
    stage.happens("王芳", "store_visited", store="湖滨店")
    stage.run_until(day=1, at="12:00")
    assert stage.got("王芳") == [("day 1 09:00", "sms")]


@pytest.mark.parametrize(
    ("starts", "arrives"), [("2026-11-23 20:29", "day 0 20:29"), ("2026-11-23 20:30", "day 1 09:00")]
)
def test_advertising_sms_stop_at_half_past_eight(open_stage: OpenStage, starts: str, arrives: str) -> None:
    stage = visit_at(open_stage, starts, ADVERT, sms=True)
    assert stage.got("王芳") == [(arrives, "sms")]


def test_advertising_mail_may_come_until_nine(open_stage: OpenStage) -> None:
    stage = visit_at(open_stage, "2026-11-23 20:45", ADVERT, email=True)
    assert stage.got("王芳") == [("day 0 20:45", "email")]


def test_what_is_put_off_says_so(open_stage: OpenStage) -> None:
    stage = open_stage("2026-11-23 22:00")
    stage.member("王芳", sms=True)
    stage.apply(SERVICE_NOTE)
    stage.happens("王芳", "store_visited", store="湖滨店")
    row = stage.delivery("王芳")
    assert (row.status, row.reason, row.due_at) == ("pending", "outside sending hours", stage.moment(1, "09:00"))


def test_a_service_answer_to_the_members_own_words_comes_at_night(open_stage: OpenStage) -> None:
    stage = open_stage("2026-11-23 23:00")
    stage.member("王芳", wechat=True)
    stage.apply({"note": journey("wechat_followed", SERVICE, topic="service")})
    stage.unfollows("王芳")
    stage.follows("王芳")
    assert stage.got("王芳") == [("day 0 23:00", "wechat")]


def test_the_hours_are_judged_once_more_when_a_busy_night_is_over(open_stage: OpenStage) -> None:
    """Due at nine, but the daemon is down until the next evening."""
    stage = open_stage("2026-11-23 22:00")
    stage.member("王芳", sms=True)
    stage.apply(ADVERT)
    stage.happens("王芳", "store_visited", store="湖滨店")
    with stage.daemon_down():
        stage.run_until(day=1, at="21:30")
    stage.run_until(day=2, at="12:00")
    assert stage.got("王芳") == [("day 2 09:00", "sms")]
