"""`send … at: usual_hour`: within a day, at the hour at which a member usually responds; at once if none is known."""

from __future__ import annotations

import pytest
from small_journeys import COUPON, journey
from stage import OpenStage, Stage

USUAL = "send: sorry_personal\nat: usual_hour"
LETTER = journey("order_paid", COUPON)
EVENINGS = ("20:05", "20:30", "20:40")


def with_habits(open_stage: OpenStage, *clicks: str, note: str = USUAL, more: str = "", then: int = 3) -> Stage:
    """王芳 has a letter, and has clicked on it at these times, one a day. On day `then` she visits at ten."""
    stage = open_stage("2026-11-20 10:00")
    stage.member("王芳", email=True)
    stage.apply({"letter": LETTER, "note": journey("store_visited", note, topic="service", more=more)})
    stage.happens("王芳", "order_paid", order_id="A1", amount=120)
    for day, clock in enumerate(clicks):
        stage.run_until(day=day, at=clock)
        stage.clicks("王芳")
    stage.run_until(day=then)
    visits(stage)
    return stage


def visits(stage: Stage) -> None:
    stage.happens("王芳", "store_visited", store="湖滨店")


def notes(stage: Stage) -> list[str]:
    """When the messages of the journey `note` came: all but the letter."""
    return [when for when, _ in stage.got("王芳")][1:]


def told(stage: Stage) -> dict[str, object]:
    (detail,) = stage.notes("王芳", "note", "usual_hour")
    return dict(detail)


def test_the_message_waits_for_the_members_own_hour(open_stage: OpenStage) -> None:
    stage = with_habits(open_stage, *EVENINGS)
    stage.run_until(day=5)
    assert notes(stage) == ["day 3 20:00"]
    assert told(stage) == {"hour": 20, "responses": 3}


@pytest.mark.parametrize(("clicks", "then"), [((), 3), (EVENINGS[:2], 3), (EVENINGS, 185)])
def test_it_goes_at_once_to_somebody_of_whom_too_little_is_known(
    open_stage: OpenStage, clicks: tuple[str, ...], then: int
) -> None:
    """Nothing, too little, or nothing in the last 180 days."""
    stage = with_habits(open_stage, *clicks, then=then)
    assert notes(stage) == [f"day {then} 10:00"]
    assert told(stage) == {"hour": None}


def test_quiet_hours_hold_whatever_somebody_is_used_to(open_stage: OpenStage) -> None:
    """A night owl's eleven o'clock waits for the morning."""
    stage = with_habits(open_stage, "23:05", "23:30", "23:40")
    stage.run_until(day=5)
    assert told(stage)["hour"] == 23
    assert notes(stage) == ["day 4 09:00"]


@pytest.mark.parametrize(("up_again", "sent"), [("20:30", True), ("20:31", False)])
def test_late_is_counted_from_the_planned_hour(open_stage: OpenStage, up_again: str, sent: bool) -> None:
    stage = with_habits(open_stage, *EVENINGS, note=f"{USUAL}\nlate: 30m")
    with stage.daemon_down():
        stage.run_until(day=3, at=up_again)
    assert notes(stage) == ([f"day 3 {up_again}"] if sent else [])


def test_a_goal_that_comes_before_the_hour_cancels_the_message(open_stage: OpenStage) -> None:
    stage = with_habits(open_stage, *EVENINGS, more="goal: { event: coupon_used }\n")
    stage.run_until(day=3, at="15:00")
    stage.happens("王芳", "coupon_used", code="A1")
    stage.run_until(day=5)
    assert notes(stage) == []
