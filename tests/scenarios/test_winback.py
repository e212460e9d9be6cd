"""沉睡客户召回: one channel after the other, never two at once, and never to those it is measured against."""

from __future__ import annotations

from typing import Any

from small_journeys import journey
from stage import OpenStage, Stage
from stage_wiring import dead_mailbox, shipped, unlucky

from engage.core.holdout import is_held_out
from engage.sandbox.faults import Fault

EVERYBODY = {"winback": shipped("winback", ("holdout: 10%", "holdout: 0%"))}


def falls_asleep(stage: Stage, name: str = "王芳", amount: int = 800, **more: Any) -> None:
    """Their last order is ninety days old on day 1, at ten."""
    stage.member(name, **more)
    stage.history(name, "order_paid", "89d", order_id=f"{name}-1", amount=amount)


def test_nobody_answers_and_every_message_tries_the_next_channel_once(stage: Stage) -> None:
    falls_asleep(stage, sms=True, email=True)
    stage.apply(EVERYBODY)
    stage.run_until(day=30)
    assert stage.got("王芳") == [
        ("day 1 10:00", "email"),  # the story
        ("day 3 10:00", "sms"),
        ("day 6 10:00", "email"),  # the gift
        ("day 8 10:00", "sms"),
        ("day 15 10:00", "sms"),  # farewell: no fallback, the step's own channels replace the journey's
    ]
    run = stage.run("王芳", "winback")
    assert (run.end_kind, run.end_reason) == ("exit", "未召回")
    assert stage.when(run.ended_at) == "day 25 10:00"
    assert stage.profile("王芳")["lifecycle"] == "流失"


def test_a_click_keeps_the_second_channel_silent_and_brings_the_gift_next_evening(stage: Stage) -> None:
    falls_asleep(stage, sms=True, email=True)
    stage.apply(EVERYBODY)
    stage.run_until(day=1, at="12:00")
    stage.clicks("王芳")
    stage.run_until(day=4)
    assert stage.got("王芳") == [("day 1 10:00", "email"), ("day 2 20:00", "email")]
    story = stage.deliveries("王芳", step_id="winback_story")
    assert [row.status for row in story] == ["sent", "cancelled"]


def test_an_order_is_the_goal_and_cancels_the_fallback(stage: Stage) -> None:
    falls_asleep(stage, sms=True, email=True)
    stage.apply(EVERYBODY)
    stage.run_until(day=2, at="21:30")
    stage.happens("王芳", "order_paid", order_id="A2", amount=268)
    stage.run_until(day=20)
    assert stage.got("王芳") == [("day 1 10:00", "email")]
    run = stage.run("王芳", "winback")
    assert (run.end_kind, run.goal_at, run.goal_counts) == ("goal", stage.moment(2, "21:30"), True)


def test_an_order_months_after_the_end_is_not_the_journeys_doing_and_one_within_thirty_days_is(stage: Stage) -> None:
    """The farewell goes out on day 15, the run ends on day 25, the window closes on day 45."""
    for name in ("早", "晚"):
        falls_asleep(stage, name, sms=True)
    stage.apply(EVERYBODY)
    stage.run_until(day=44)
    stage.happens("早", "order_paid", order_id="A2", amount=268)
    stage.run_until(day=46)
    stage.happens("晚", "order_paid", order_id="A3", amount=268)
    assert stage.run("早", "winback").goal_at == stage.moment(44, "10:00")
    assert stage.run("早", "winback").goal_counts
    assert stage.run("晚", "winback").goal_at is None


def test_a_chat_reply_keeps_the_second_channel_silent(stage: Stage) -> None:
    falls_asleep(stage, wechat=True, sms=True)
    stage.apply(EVERYBODY)
    stage.run_until(day=0, at="20:00")
    stage.types("王芳", "你好")
    stage.run_until(day=1, at="12:00")
    assert stage.got("王芳") == [("day 1 10:00", "wechat")]  # the window is open, and a chat is worth more
    stage.types("王芳", "最近忙，过阵子来")
    stage.run_until(day=5)
    assert len(stage.phone("王芳")) == 1


def test_the_next_message_takes_the_place_of_the_fallback(stage: Stage) -> None:
    stage.member("王芳", sms=True, email=True)
    story = "send: winback_story\nchannels: { try: [email, sms], fallback: 2d }"
    stage.apply({"two": journey("store_visited", story, "wait: 1d", "send: winback_gift\nchannels: [email]")})
    stage.happens("王芳", "store_visited", store="湖滨店")
    stage.run_until(day=4)
    assert stage.got("王芳") == [("day 0 10:00", "email"), ("day 1 10:00", "email")]
    assert [row.reason for row in stage.deliveries("王芳", hop=1)] == ["overtaken by the next message"]


def test_an_ambiguous_message_is_never_followed_by_another_channel(open_stage: OpenStage) -> None:
    stage = open_stage(faults=True)
    falls_asleep(stage, email=unlucky("email", Fault.HUNG_UP_AFTER), sms=True)
    stage.apply(EVERYBODY)
    stage.run_until(day=5)
    assert stage.got("王芳") == [("day 1 10:00", "email")]
    (story,) = stage.deliveries("王芳")
    assert story.status == "ambiguous"


def test_an_ambiguous_message_that_a_receipt_settles_is_followed_by_the_next_channel_after_all(
    open_stage: OpenStage,
) -> None:
    stage = open_stage(faults=True)
    falls_asleep(stage, sms=unlucky("sms", Fault.HUNG_UP_AFTER), email=True)
    sms_first = ("channels: { try: auto, fallback: 2d }", "channels: { try: [sms, email], fallback: 2d }")
    stage.apply({"winback": shipped("winback", ("holdout: 10%", "holdout: 0%"), sms_first)})
    stage.run_until(day=4)
    assert [channel for _, channel in stage.got("王芳")] == ["sms", "email"]
    assert stage.last("王芳").when == "day 3 10:00"


def test_a_mailbox_refused_at_the_door_fails_over_at_once(stage: Stage) -> None:
    falls_asleep(stage, email=dead_mailbox(at_the_door=True), sms=True, mailbox_dead=True)
    stage.apply(EVERYBODY)
    stage.run_until(day=2)
    assert stage.got("王芳") == [("day 1 10:00", "sms")]
    first, second, *_ = stage.deliveries("王芳")
    assert [(row.channel, row.status) for row in (first, second)] == [("email", "failed"), ("sms", "sent")]


def test_a_mail_that_bounces_later_fails_over_when_it_bounces(stage: Stage) -> None:
    falls_asleep(stage, email=dead_mailbox(at_the_door=False), sms=True, mailbox_dead=True)
    stage.apply(EVERYBODY)
    stage.run_until(day=1, at="10:06")
    ((when, channel),) = stage.got("王芳")
    assert channel == "sms"
    assert "day 1 10:00" < when <= "day 1 10:05"
    assert stage.deliveries("王芳")[0].arrival == "bounced"
    stage.run_until(day=5)
    assert len(stage.phone("王芳")) == 1


def test_a_receipt_that_says_not_delivered_fails_over(stage: Stage) -> None:
    falls_asleep(stage, sms=True, email=True, phone_dead=True)
    sms_first = ("channels: { try: auto, fallback: 2d }", "channels: { try: [sms, email], fallback: 2d }")
    stage.apply({"winback": shipped("winback", ("holdout: 10%", "holdout: 0%"), sms_first)})
    stage.run_until(day=1, at="10:01")
    assert stage.got("王芳") == [("day 1 10:00", "email")]
    assert stage.deliveries("王芳")[0].arrival == "bounced"


def test_high_spenders_get_a_call_instead_of_a_farewell(stage: Stage) -> None:
    falls_asleep(stage, "陈总", amount=5200, sms=True)
    stage.apply(EVERYBODY)
    stage.run_until(day=15, at="12:00")
    (task,) = stage.tasks()
    assert (task.team, task.due_at) == ("会员运营", stage.moment(18, "10:00"))
    assert task.words.startswith("召回电话：陈总，累计")
    assert "5,200" in task.words
    stage.closes_task(task, "下周来店")
    stage.run_until(day=26)
    assert len(stage.phone("陈总")) == 2  # story and gift
    assert stage.when(stage.run("陈总", "winback").ended_at) == "day 25 12:00"


def test_a_coupon_used_without_an_order_is_not_a_loss(stage: Stage) -> None:
    falls_asleep(stage, sms=True)
    stage.apply(EVERYBODY)
    stage.run_until(day=8)
    stage.happens("王芳", "coupon_used", code="LC8")
    stage.run_until(day=20)
    assert stage.run("王芳", "winback").end_reason == "到店未购"
    assert "lifecycle" not in stage.profile("王芳")


def test_those_in_the_holdout_get_nothing_and_their_goal_is_measured(stage: Stage) -> None:
    names = [f"会员{number}" for number in range(1, 31)]
    for name in names:
        falls_asleep(stage, name, sms=True)
    stage.apply({"winback": shipped("winback")})
    stage.run_until(day=16)
    held = {name for name in names if stage.run(name, "winback").holdout}
    assert held == {name for name in names if is_held_out(stage.ref(name).id, "winback", 10)}
    assert 0 < len(held) < 10
    assert {name for name in names if not stage.phone(name)} == held
    assert [row for name in held for row in stage.deliveries(name)] == []
    control = sorted(held)[0]
    # The farewell would have gone out on day 15: thirty days later still count.
    stage.run_until(day=44)
    stage.happens(control, "order_paid", order_id="A2", amount=100)
    run = stage.run(control, "winback")
    assert (run.goal_at, run.goal_counts) == (stage.moment(44, "10:00"), True)
    assert "lifecycle" not in stage.profile(control)  # they are changed by nothing, either


def test_who_comes_back_and_sleeps_again_is_left_alone_for_half_a_year(stage: Stage) -> None:
    falls_asleep(stage, sms=True)
    stage.apply(EVERYBODY)
    stage.run_until(day=2)
    stage.happens("王芳", "order_paid", order_id="A2", amount=100)
    stage.run_until(day=100)
    assert len(stage.runs("王芳", "winback")) == 1
    assert [e.payload["segment"] for e in stage.events("王芳", "segment_entered")] == ["沉睡90天", "沉睡90天"]


def test_members_under_recovery_and_staff_are_left_out(stage: Stage) -> None:
    falls_asleep(stage, "补救", sms=True, tags="补救中")
    falls_asleep(stage, "员工", sms=True, employee="yes")
    falls_asleep(stage, "黑名单", sms=True, tags="黑名单")
    stage.apply(EVERYBODY)
    stage.run_until(day=3)
    assert [stage.runs(name) for name in ("补救", "员工", "黑名单")] == [[], [], []]
