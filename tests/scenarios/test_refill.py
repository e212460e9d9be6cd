"""喝完提醒: a run for each order, two first messages to compare, a coupon from the shop's own system."""

from __future__ import annotations

from typing import Any

from receiver import DOWN, Receiver
from stage import OpenStage, Stage
from stage_wiring import shipped

from engage.core.journey.model import Split
from engage.core.split import way_of
from engage.store.tables import arm

EVERYBODY = {"refill_hard": shipped("refill_hard", ("holdout: 5%", "holdout: 0%"))}
TEA = {"category": "茶叶", "grams": 125, "sku": "DAHONGPAO-125"}


def shop(open_stage: OpenStage) -> tuple[Stage, Receiver]:
    receiver = Receiver()
    stage = open_stage(webhooks={"coupon_issue": receiver.config})
    stage.owns(receiver.server)
    return stage, receiver


def regular(stage: Stage, name: str = "王芳", **more: Any) -> None:
    """Somebody who has bought twice."""
    stage.member(name, **({"sms": True, "email": True} | more))
    for number in (1, 2):
        stage.history(name, "order_paid", f"{30 * number}d", order_id=f"{name}-h{number}", amount=268)


def delivered(stage: Stage, name: str = "王芳", order: str = "A1", **data: Any) -> None:
    stage.happens(name, "order_delivered", **({"order_id": order} | TEA | data))


def first_step(stage: Stage, name: str = "王芳") -> str:
    """The message of the way that the hash gives this member."""
    split = stage.applied.journeys["refill_hard"].program.step("首触文案")
    assert isinstance(split, Split)
    way = way_of(stage.ref(name).id, "refill_hard", split, None).way
    return {"关怀": "refill_soft", "优惠": "refill_offer"}[way]


def steps_sent(stage: Stage, name: str = "王芳") -> list[tuple[str, str]]:
    """(when it was queued, step) of each message, fallbacks left out."""
    return [(stage.when(row.queued_at), row.step_id) for row in stage.deliveries(name, hop=0)]


def test_nobody_answers_a_fallback_and_a_farewell(open_stage: OpenStage) -> None:
    stage, receiver = shop(open_stage)
    regular(stage)
    stage.apply(EVERYBODY)
    delivered(stage)
    stage.run_until(day=40)
    assert steps_sent(stage) == [("day 24 20:00", first_step(stage)), ("day 28 12:00", "refill_last")]
    assert [channel for _, channel in stage.got("王芳")] == ["email", "sms", "email", "sms"]  # each falls back in a day
    run = stage.run("王芳", "refill_hard")
    assert (run.end_kind, run.end_reason) == ("exit", "未复购")
    assert stage.when(run.ended_at) == "day 35 12:00"
    assert receiver.requests == []


def test_a_click_brings_a_coupon_from_the_shop_and_then_the_offer(open_stage: OpenStage) -> None:
    stage, receiver = shop(open_stage)
    regular(stage)
    stage.apply(EVERYBODY)
    delivered(stage)
    stage.run_until(day=25, at="09:30")
    stage.clicks("王芳")
    stage.run_until(day=26)
    (told,) = receiver.told
    assert told == {
        "journey": "refill_hard",
        "step": "webhook-coupon_issue",
        "member": {"id": stage.ref("王芳").id, "external_id": "M0001"},
        "data": {"sku": "DAHONGPAO-125", "off": "10"},
        "at": stage.moment(25, "15:30").isoformat(),
    }
    assert steps_sent(stage)[-1] == ("day 25 15:30", "refill_nudge")  # six hours after the click


def test_a_coupon_system_that_is_down_holds_the_offer_up_for_ten_minutes_at_most(open_stage: OpenStage) -> None:
    stage, receiver = shop(open_stage)
    receiver.answers = [DOWN]
    regular(stage)
    stage.apply(EVERYBODY)
    delivered(stage)
    stage.run_until(day=25, at="09:30")
    stage.clicks("王芳")
    stage.run_until(day=26)
    assert steps_sent(stage)[-1] == ("day 25 15:40", "refill_nudge")
    assert len(receiver.requests) > 3
    assert len(set(receiver.keys)) == 1
    (failed,) = stage.notes("王芳", "refill_hard", "webhook_failed")
    assert failed["why"] == "http 503"


def test_a_coupon_used_meanwhile_makes_the_offer_needless(open_stage: OpenStage) -> None:
    stage, _ = shop(open_stage)
    regular(stage)
    stage.apply(EVERYBODY)
    delivered(stage)
    stage.run_until(day=25, at="09:30")
    stage.clicks("王芳")
    stage.happens("王芳", "coupon_used", code="X")
    stage.run_until(day=26)
    assert "refill_nudge: passed_over" in stage.trail("王芳", "refill_hard")


def test_each_order_has_its_run_and_a_refund_ends_that_one_only(open_stage: OpenStage) -> None:
    stage, _ = shop(open_stage)
    regular(stage)
    stage.apply(EVERYBODY)
    delivered(stage, order="A1")
    stage.run_until(day=3)
    delivered(stage, order="B1")
    stage.run_until(day=5)
    stage.happens("王芳", "refund_completed", order_id="A1", amount=268)
    stage.run_until(day=30)
    runs = {run.per_value: (run.status, run.end_reason) for run in stage.runs("王芳", "refill_hard")}
    assert runs["A1"] == ("ended", "refund_completed")
    assert runs["B1"][0] == "live"
    assert steps_sent(stage) == [("day 27 20:00", first_step(stage))]


def test_an_order_ends_every_run_and_counts_for_the_one_that_could_send(open_stage: OpenStage) -> None:
    """The frequency cap lets one of two messages through; whoever got none is counted from entry."""
    stage, _ = shop(open_stage)
    regular(stage)
    stage.apply(EVERYBODY)
    delivered(stage, order="A1")
    delivered(stage, order="B1")
    stage.run_until(day=26)
    stage.happens("王芳", "order_paid", order_id="C1", amount=268, category="茶叶")
    runs = stage.runs("王芳", "refill_hard")
    assert [(run.end_kind, run.goal_counts, run.last_message_at is not None) for run in runs] == [
        ("goal", True, True),
        ("goal", False, False),
    ]


def test_light_orders_and_first_buyers_are_left_alone(open_stage: OpenStage) -> None:
    stage, _ = shop(open_stage)
    regular(stage)
    stage.member("新客", sms=True)
    stage.apply(EVERYBODY)
    delivered(stage, grams=50)
    delivered(stage, category="茶具")
    delivered(stage, "新客")
    assert stage.runs("王芳") == stage.runs("新客") == []


def test_members_part_by_their_hash_and_both_ways_are_taken(open_stage: OpenStage) -> None:
    stage, _ = shop(open_stage)
    names = [f"会员{number}" for number in range(1, 13)]
    for name in names:
        regular(stage, name, email=False)
    stage.apply(EVERYBODY)
    for name in names:
        delivered(stage, name, order=f"{name}-A")
    stage.run_until(day=25, at="12:00")
    taken = {name: steps_sent(stage, name)[0][1] for name in names}
    assert taken == {name: first_step(stage, name) for name in names}
    assert set(taken.values()) == {"refill_soft", "refill_offer"}
    assert len(stage.rows(arm)) == len(names)


def test_the_holdout_calls_nobody(open_stage: OpenStage) -> None:
    stage, receiver = shop(open_stage)
    regular(stage)
    stage.apply({"refill_hard": shipped("refill_hard", ("holdout: 5%", "holdout: 99%"))})
    delivered(stage)
    stage.run_until(day=24, at="21:00")
    stage.happens("王芳", "store_visited", store="湖滨店")
    stage.run_until(day=40)
    assert stage.run("王芳", "refill_hard").holdout
    assert stage.trail("王芳", "refill_hard").count("webhook-coupon_issue: webhook") == 1
    assert stage.notes("王芳", "refill_hard", "webhook")[0]["withheld"]
    assert (receiver.requests, stage.phone("王芳")) == ([], [])
