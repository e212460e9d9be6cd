"""新客90天陪伴: questions, branches and ends over ninety days."""

from __future__ import annotations

from stage import OpenStage, Stage
from stage_wiring import shipped

# The NPS journey without its own start: here only the onboarding brings members to it.
JOURNEYS = {
    "onboarding_90d": shipped("onboarding_90d"),
    "service_recovery": shipped("service_recovery"),
    "nps": shipped("nps", ("start: { every: workday, at: 10:00 }", "start: manual")),
}


def first_order(stage: Stage, name: str = "王芳") -> None:
    """It arrives on day 0."""
    stage.happens(name, "first_order_delivered", order_id="A1")


def test_the_messages_of_the_first_month_come_on_their_days(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply(JOURNEYS)
    first_order(stage)
    stage.run_until(day=40)
    texts = [(came.when, came.text) for came in stage.phone("王芳")]
    assert [when for when, _ in texts] == ["day 3 10:00", "day 7 10:00", "day 30 10:00"]
    assert "茶泡得顺手吗" in texts[0][1]
    assert "收到茶一周了，喝着还满意吗" in texts[1][1]
    assert "把水温降到90度" in texts[2][1]


def test_two_points_with_words_bring_the_member_to_the_service_team(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply(JOURNEYS)
    first_order(stage)
    stage.run_until(day=7, at="20:00")
    stage.types("王芳", "2 茶有点受潮", channel="sms")
    (task,) = stage.tasks()
    assert task.words == "【第7天满意度】王芳 打了 2 分：“茶有点受潮”。请 24 小时内电话。"
    assert task.urgent
    assert task.team == "客服一组"
    assert task.due_at == stage.moment(8, "20:00")
    assert stage.last("王芳").when == "day 7 20:00"  # the apology at once: they are there
    assert "非常抱歉" in stage.last("王芳").text
    assert stage.tags("王芳") == {"补救中"}


def test_four_points_bring_nobody_to_the_service_team(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply(JOURNEYS)
    first_order(stage)
    stage.run_until(day=7, at="20:00")
    stage.types("王芳", "4", channel="sms")
    stage.run_until(day=12)
    assert stage.tasks() == []
    assert stage.runs("王芳", "service_recovery") == []


def test_a_question_nobody_answers_is_closed_after_three_days_and_the_journey_goes_on(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply(JOURNEYS)
    first_order(stage)
    stage.run_until(day=9)
    assert stage.run("王芳", "onboarding_90d").step_id == "csat_7"
    stage.run_until(day=11)
    assert stage.notes("王芳", "onboarding_90d", "no_answer") == [{"after": "3d"}]
    assert stage.answers("王芳") == []
    stage.types("王芳", "2", channel="sms")  # too late: a person looks at it
    assert stage.answers("王芳") == []
    assert [task.kind for task in stage.tasks()] == ["inbox"]


def test_day_thirty_calls_the_quiet_thanks_the_loyal_and_writes_to_the_others(stage: Stage) -> None:
    for name in ("安静", "投诉", "回头", "其他"):
        stage.member(name, sms=True)
        stage.history(name, "order_paid", "3d", order_id=f"{name}-1", amount=100)
    stage.apply(JOURNEYS)
    for name in ("安静", "投诉", "回头", "其他"):
        first_order(stage, name)
    stage.run_until(day=20, at="12:00")
    stage.happens("投诉", "complaint_opened", reason="快递太慢")
    stage.happens("回头", "order_paid", order_id="回头-2", amount=200)
    for name in ("投诉", "其他"):
        stage.happens(name, "store_visited", store="湖滨店")
    stage.run_until(day=30, at="10:01")
    assert sorted(task.name or "" for task in stage.tasks()) == ["安静", "投诉"]
    assert {task.words for task in stage.tasks()} == {
        f"【第30天关怀】{name} 两周没有动静或有过投诉，请电话问候，别推销。" for name in ("安静", "投诉")
    }
    assert "谢谢您又回来了" in stage.last("回头").text
    assert "把水温降到90度" in stage.last("其他").text
    assert stage.last("回头").when == stage.last("其他").when == "day 30 10:00"
    arms = {name: stage.notes(name, "onboarding_90d", "branch")[-1]["arm"] for name in ("安静", "投诉", "回头", "其他")}
    assert arms == {"安静": "1", "投诉": "1", "回头": "2", "其他": "else"}


def test_day_sixty_writes_only_to_those_who_were_active_lately(stage: Stage) -> None:
    stage.member("在", sms=True)
    stage.member("不在", sms=True)
    stage.apply(JOURNEYS)
    for name in ("在", "不在"):
        first_order(stage, name)
    stage.run_until(day=40)
    stage.happens("在", "store_visited", store="湖滨店")
    stage.run_until(day=61)
    assert "第二个月的茶" in stage.last("在").text
    assert "第二个月的茶" not in stage.last("不在").text
    assert "tips60: passed_over" in stage.trail("不在", "onboarding_90d")


def test_a_refund_ends_it(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply(JOURNEYS)
    first_order(stage)
    stage.run_until(day=5)
    stage.happens("王芳", "refund_completed", order_id="A1", amount=168)
    run = stage.run("王芳", "onboarding_90d")
    assert (run.status, run.end_kind, run.end_reason) == ("ended", "exit", "refund_completed")
    stage.run_until(day=40)
    assert stage.got("王芳") == [("day 3 10:00", "sms")]


def test_a_refund_takes_back_what_waits_for_the_morning(open_stage: OpenStage) -> None:
    stage = open_stage(policy={"quiet_hours": {"start": "21:00", "end": "11:00"}})
    stage.member("王芳", sms=True)
    stage.apply(JOURNEYS)
    first_order(stage)
    stage.run_until(day=3, at="10:30")
    assert stage.delivery("王芳").status == "pending"
    stage.happens("王芳", "refund_completed", order_id="A1", amount=168)
    assert stage.delivery("王芳").reason == "the run ended: refund_completed"
    stage.run_until(day=4, at="12:00")
    assert stage.phone("王芳") == []


def test_on_day_eighty_five_the_member_is_asked_how_likely_they_recommend_us(stage: Stage) -> None:
    stage.member("王芳", sms=True, lifecycle="新客")
    stage.history("王芳", "order_paid", "3d", order_id="A1", amount=100)
    stage.apply(JOURNEYS)
    first_order(stage)
    stage.run_until(day=20, at="12:00")
    stage.happens("王芳", "order_paid", order_id="A2", amount=200)
    stage.run_until(day=91)
    assert stage.run("王芳", "nps").entered_at == stage.moment(85, "10:00")
    asked = next(came for came in stage.phone("王芳") if "请直接回复0-10" in came.text)
    assert asked.when == "day 85 10:00"
    assert stage.profile("王芳")["lifecycle"] == "活跃"
    assert stage.run("王芳", "onboarding_90d").end_kind == "completed"


def test_who_complains_is_not_asked_and_the_trail_says_why(stage: Stage) -> None:
    stage.member("王芳", sms=True, lifecycle="新客")
    stage.history("王芳", "order_paid", "3d", order_id="A1", amount=100)
    stage.apply(JOURNEYS)
    first_order(stage)
    stage.run_until(day=80)
    stage.happens("王芳", "complaint_opened", reason="快递太慢")
    stage.run_until(day=91)
    assert stage.runs("王芳", "nps") == []
    assert stage.notes("王芳", "onboarding_90d", "enroll") == [
        {"journey": "nps", "refused": "audience or exclude does not let them in"}
    ]
    assert "lifecycle" not in stage.profile("王芳") or stage.profile("王芳")["lifecycle"] == "新客"


def test_nobody_is_onboarded_twice(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply(JOURNEYS)
    first_order(stage)
    stage.run_until(day=1)
    stage.happens("王芳", "first_order_delivered", order_id="A1")
    assert len(stage.runs("王芳", "onboarding_90d")) == 1
