"""新客欢迎: the first week of a new member."""

from __future__ import annotations

from stage import OpenStage, Stage


def test_following_at_night_is_answered_at_once_and_later_messages_avoid_the_night(open_stage: OpenStage) -> None:
    stage = open_stage("2026-11-23 22:15")
    stage.stranger("小李")
    stage.apply()
    stage.follows("小李")
    assert stage.got("小李") == [("day 0 22:15", "wechat")]
    assert stage.delivery("小李").mode == "customer_service"
    assert "回复【1】领一份 5 泡试饮装" in stage.last("小李").text
    stage.run_until(day=10)
    # Marketing has neither a grant nor a way to a follower who never wrote: the coupon is skipped, and says why.
    assert stage.got("小李") == [("day 0 22:15", "wechat"), ("day 2 10:00", "wechat")]
    coupon = stage.delivery("小李", step_id="first_order_coupon")
    assert (coupon.status, coupon.reason) == ("skipped", "no channel can be used")
    why = {line["channel"]: line["why"] for line in coupon.decision}
    assert why == {
        "wechat": "no consent on file for marketing on wechat",
        "sms": "no address on file",
        "email": "no address on file",
    }


def test_the_answer_to_a_follow_is_late_after_a_minute_and_becomes_a_template_in_the_morning(
    open_stage: OpenStage,
) -> None:
    stage = open_stage("2026-11-23 22:15")
    stage.stranger("小李")
    stage.apply()
    with stage.daemon_down():
        stage.follows("小李")
        stage.passes("6m")
    stage.run_until(day=1, at="08:59")
    assert stage.phone("小李") == []
    stage.run_until(day=1, at="12:00")
    assert stage.got("小李") == [("day 1 09:00", "wechat")]
    assert stage.delivery("小李").mode == "template"


def test_a_member_registered_at_night_in_the_shop_is_welcomed_in_the_morning(open_stage: OpenStage) -> None:
    stage = open_stage("2026-11-23 22:15")
    stage.member("小李", sms=True, on_file=False)
    stage.apply()
    stage.registers("小李")
    stage.run_until(day=8)
    # Waits run from the moment the step was reached, however late the message before it went out.
    assert stage.got("小李") == [("day 1 09:00", "sms"), ("day 2 10:00", "sms")]


def test_a_follower_whom_the_shop_registers_later_is_one_member_and_welcomed_once(stage: Stage) -> None:
    stage.member("小李", wechat=True, sms=True, on_file=False, follows=False)
    stage.apply()
    stage.follows("小李")
    stage.passes("5m")
    stage.registers("小李", consents=["marketing"])
    stage.run_until(day=1)
    assert stage.got("小李") == [("day 0 10:00", "wechat")]
    assert len(stage.runs("小李", "welcome")) == 1
    assert stage.profile("小李")["lifecycle"] == "新客"


def test_the_first_order_is_the_goal_and_stops_the_coupon(stage: Stage) -> None:
    stage.member("小李", wechat=True, sms=True, on_file=False)
    stage.apply()
    stage.registers("小李", consents=["marketing"])
    stage.run_until(day=4, at="12:00")
    stage.happens("小李", "order_paid", order_id="A1", amount=168)
    stage.run_until(day=12)
    assert stage.got("小李") == [("day 0 10:00", "wechat"), ("day 2 10:00", "wechat")]
    run = stage.run("小李", "welcome")
    assert (run.status, run.end_kind, run.goal_counts) == ("ended", "goal", True)
    assert stage.when(run.ended_at) == "day 4 12:00"


def test_without_an_order_the_coupon_comes_by_a_channel_that_has_a_grant(stage: Stage) -> None:
    stage.member("小李", wechat=True, sms=True, on_file=False)
    stage.apply()
    stage.registers("小李", consents=["marketing"])
    stage.run_until(day=12)
    assert stage.got("小李")[-1] == ("day 7 10:00", "sms")
    assert "第一单给您减20元" in stage.last("小李").text
    assert stage.run("小李", "welcome").end_kind == "completed"


def test_an_order_between_the_queueing_and_the_sending_of_the_coupon_takes_it_back(open_stage: OpenStage) -> None:
    """The coupon is due at 10:00, but held back until quiet hours end; the order comes before."""
    stage = open_stage(policy={"quiet_hours": {"start": "21:00", "end": "11:00"}})
    stage.member("小李", sms=True, on_file=False)
    stage.apply()
    stage.registers("小李", consents=["marketing"])
    stage.run_until(day=7, at="10:30")
    assert stage.delivery("小李", step_id="first_order_coupon").status == "pending"
    stage.happens("小李", "order_paid", order_id="A1", amount=168)
    stage.run_until(day=8, at="12:00")
    assert stage.delivery("小李", step_id="first_order_coupon").status == "cancelled"
    assert [came.when for came in stage.phone("小李")] == ["day 0 11:00", "day 2 11:00"]
