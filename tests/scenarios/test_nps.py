"""NPS 回访: asked in the morning, answered on any channel, and something comes of every answer."""

from __future__ import annotations

from typing import Any

import pytest
from stage import OpenStage, Stage
from stage_wiring import shipped

JOURNEYS = {"nps": shipped("nps"), "service_recovery": shipped("service_recovery")}


@pytest.fixture
def morning(open_stage: OpenStage) -> Stage:
    """Nine o'clock on a workday; the journey starts at ten."""
    return open_stage("2026-11-23 09:00")


def asked(stage: Stage, name: str = "王芳", **channels: Any) -> None:
    """A regular customer, who has just been asked. Who is asked on WeChat wrote there half an hour ago."""
    stage.member(name, lifecycle="活跃", **channels)
    stage.history(name, "order_paid", "100d", order_id="A1", amount=168)
    stage.apply(JOURNEYS)
    if channels.get("wechat"):
        stage.run_until(at="09:30")
        stage.types(name, "你们几点开门")
    stage.run_until(at="10:00")


def test_three_points_and_words_are_a_task_within_the_minute(morning: Stage) -> None:
    asked(morning, wechat=True)
    assert morning.got("王芳") == [("day 0 10:00", "wechat")]
    assert "直接回复 0-10 的数字就好" in morning.last("王芳").text
    morning.run_until(at="10:07")
    morning.types("王芳", "3")
    assert "我们怎样能做得更好？" in morning.last("王芳").text
    morning.types("王芳", "包装破了两次")
    task = next(task for task in morning.tasks() if task.kind == "journey")
    assert task.words == "【NPS 贬损者】王芳 打了 3 分：“包装破了两次”。请 24 小时内电话。"
    assert task.opened_at == morning.moment(0, "10:07")
    assert morning.got("王芳")[1:] == [("day 0 10:07", "wechat"), ("day 0 10:07", "wechat")]
    assert "您说的“包装破了两次”，我已经转给店长" in morning.last("王芳").text


def test_without_words_the_task_is_opened_after_ten_minutes(morning: Stage) -> None:
    asked(morning, wechat=True)
    morning.types("王芳", "3")
    morning.run_until(at="10:09")
    assert [task.kind for task in morning.tasks()] == ["inbox"]  # “你们几点开门”
    morning.run_until(at="10:10")
    task = next(task for task in morning.tasks() if task.kind == "journey")
    assert "“—”" in task.words


def test_words_that_come_late_are_kept_with_the_score(morning: Stage) -> None:
    asked(morning, wechat=True)
    morning.types("王芳", "3")
    morning.run_until(at="18:00")
    morning.types("王芳", "包装破了两次")
    (given,) = morning.answers("王芳")
    assert (given.score, given.comment) == (3, "包装破了两次")
    assert given.comment_at == morning.moment(0, "18:00")


def test_nine_points_bring_thanks_and_sharing_brings_tag_and_points(morning: Stage) -> None:
    asked(morning, wechat=True)
    morning.run_until(at="11:00")
    morning.types("王芳", "9")
    morning.types("王芳", "茶很好")
    assert "谢谢您的 9 分，我们念给炒茶的师傅听了" in morning.last("王芳").text
    morning.run_until(day=3, at="20:00")
    assert morning.tags("王芳") == set()
    morning.happens("王芳", "referral_shared")
    assert morning.tags("王芳") == {"推荐官"}
    assert morning.profile("王芳")["points"] == 200
    assert morning.run("王芳", "nps").end_kind == "completed"


def test_sharing_after_a_week_is_too_late_for_the_points(morning: Stage) -> None:
    asked(morning, sms=True)
    morning.types("王芳", "9 茶很好", channel="sms")
    morning.run_until(day=8)
    morning.happens("王芳", "referral_shared")
    assert morning.tags("王芳") == set()


def test_seven_points_are_thanked_for_and_nothing_more(morning: Stage) -> None:
    asked(morning, sms=True)
    morning.types("王芳", "7 快递可以再快点", channel="sms")
    assert "谢谢您打了7分" in morning.last("王芳").text
    morning.run_until(day=10)
    assert len(morning.phone("王芳")) == 2
    assert morning.tasks() == []


def test_no_answer_is_reminded_of_once_on_the_next_channel_then_left_alone(morning: Stage) -> None:
    asked(morning, email=True, sms=True)
    morning.run_until(day=12)
    assert morning.got("王芳") == [("day 0 10:00", "email"), ("day 2 10:00", "sms")]
    assert [row.purpose for row in morning.deliveries("王芳")] == ["ask", "remind"]
    run = morning.run("王芳", "nps")
    assert run.ended_at == morning.moment(5, "10:00")
    assert morning.notes("王芳", "nps", "switch") == [{"case": "no_answer"}]


def test_who_has_answered_is_not_reminded(morning: Stage) -> None:
    asked(morning, email=True, sms=True)
    morning.run_until(day=1)
    morning.fills("王芳", 8)
    morning.run_until(day=6)
    assert [row.status for row in morning.deliveries("王芳", purpose="remind")] == ["cancelled"]
    assert [came.channel for came in morning.phone("王芳")] == ["email", "email"]


def test_score_and_words_in_one_sms(morning: Stage) -> None:
    asked(morning, sms=True)
    morning.types("王芳", "3 包装破了", channel="sms")
    (given,) = morning.answers("王芳")
    assert (given.score, given.comment, given.channel) == (3, "包装破了", "sms")
    (task,) = morning.tasks()
    assert "“包装破了”" in task.words


def test_the_page_behind_the_mail_takes_score_and_words_together(morning: Stage) -> None:
    asked(morning, email=True)
    result = morning.fills("王芳", 3, "包装破了两次")
    assert result.status == 200
    (given,) = morning.answers("王芳")
    assert (given.score, given.comment, given.typed) == (3, "包装破了两次", False)
    (task,) = morning.tasks()
    assert task.opened_at == morning.moment(0, "10:00")  # nobody waits for words that have come


def test_opening_the_mails_score_button_alone_answers_nothing(morning: Stage) -> None:
    asked(morning, email=True)
    link = next(link for link in morning.last("王芳").handover.links if link.url.endswith("score=9"))
    assert morning.opens("王芳", link.url).status == 200
    assert morning.answers("王芳") == []


def test_a_score_corrected_within_a_day_changes_the_record_and_not_the_branch(morning: Stage) -> None:
    asked(morning, sms=True)
    morning.types("王芳", "3 手滑", channel="sms")
    morning.run_until(day=1, at="09:30")
    morning.types("王芳", "8", channel="sms")
    (given,) = morning.answers("王芳")
    assert given.score == 8
    assert given.corrected_at == morning.moment(1, "09:30")
    assert len(morning.runs("王芳", "service_recovery")) == 1
    assert morning.notes("王芳", "nps", "switch") == [{"case": "0..6"}]
    assert len(morning.events("王芳", "nps_answered")) == 1


def test_a_correction_after_a_day_is_for_a_person(morning: Stage) -> None:
    asked(morning, sms=True)
    morning.types("王芳", "9 茶很好", channel="sms")
    morning.run_until(day=1, at="10:30")
    morning.types("王芳", "2", channel="sms")
    (given,) = morning.answers("王芳")
    assert given.score == 9
    assert [task.kind for task in morning.tasks()] == ["inbox"]


def test_who_was_asked_is_not_asked_again_for_ninety_days(open_stage: OpenStage) -> None:
    stage = open_stage("2026-11-23 09:00")
    asked(stage, sms=True)
    stage.run_until(day=100)
    asks = [row.queued_at for row in stage.deliveries("王芳", purpose="ask")]
    assert [stage.when(at) for at in asks] == ["day 0 10:00", "day 91 10:00"]


def test_who_bought_first_less_than_eighty_four_days_ago_is_not_asked(morning: Stage) -> None:
    morning.member("王芳", sms=True, lifecycle="新客")
    morning.history("王芳", "order_paid", "80d", order_id="A1", amount=168)
    morning.apply(JOURNEYS)
    morning.run_until(day=3)
    assert morning.runs("王芳") == []
    morning.run_until(day=4, at="10:00")
    assert len(morning.runs("王芳", "nps")) == 1


def test_nobody_is_asked_at_the_weekend(open_stage: OpenStage) -> None:
    stage = open_stage("2026-11-28 09:00")  # a Saturday
    stage.member("王芳", sms=True, lifecycle="活跃")
    stage.history("王芳", "order_paid", "100d", order_id="A1", amount=168)
    stage.apply(JOURNEYS)
    stage.run_until(day=1, at="23:00")
    assert stage.runs("王芳") == []
    stage.run_until(day=2, at="10:00")
    assert stage.got("王芳") == [("day 2 10:00", "sms")]
