"""`goto`: back to an earlier step, so many times for each run; what is done again is done anew."""

from __future__ import annotations

from datetime import timedelta

from small_journeys import SERVICE, journey
from stage import OpenStage, Stage

from engage.store.enrolling import MOST_ENTRIES_A_DAY
from engage.store.insight import overview

REMIND = f"{SERVICE}\nid: remind"
WAIT = "wait_for: order_paid\nup_to: 2d\nthen: [ { exit: 已下单 } ]"
AGAIN = "goto: remind\nat_most: 2"


def test_it_goes_back_as_often_as_it_may_and_then_passes_on(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply({"loop": journey("store_visited", REMIND, WAIT, AGAIN, "exit: 算了", topic="service")})
    stage.happens("王芳", "store_visited", store="湖滨店")
    stage.run_until(day=10)
    assert stage.got("王芳") == [("day 0 10:00", "sms"), ("day 2 10:00", "sms"), ("day 4 10:00", "sms")]
    run = stage.run("王芳", "loop")
    assert (run.end_reason, run.jumps, run.visit) == ("算了", {"goto-remind": 2}, 2)
    assert stage.notes("王芳", "loop", "goto_used_up") == [{"to": "remind", "times": 2}]


def test_an_event_leads_out_of_the_loop(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply({"loop": journey("store_visited", REMIND, WAIT, AGAIN, topic="service")})
    stage.happens("王芳", "store_visited", store="湖滨店")
    stage.run_until(day=3)
    stage.happens("王芳", "order_paid", order_id="A1", amount=1)
    stage.run_until(day=8)
    assert len(stage.phone("王芳")) == 2
    assert stage.run("王芳", "loop").end_reason == "已下单"


def test_a_question_that_is_put_again_wants_an_answer_of_its_own_and_a_task_is_a_new_one(stage: Stage) -> None:
    ask = "ask: csat\nquestion: 这次喝着还满意吗？\nanswer_within: 1d\ntopic: service"
    again = "{ wait: 1d }, { goto: csat, at_most: 1 }"
    low = f"if: {{ csat.score: ..3 }}\nthen: [ {{ notify: 客服一组, task: 请回访 }}, {again} ]"
    stage.member("王芳", sms=True)
    stage.apply({"loop": journey("store_visited", ask, low, "exit: 问完", topic="service")})
    stage.happens("王芳", "store_visited", store="湖滨店")
    stage.types("王芳", "2", "sms")
    stage.run_until(day=1, at="10:30")
    assert stage.run("王芳", "loop").step_id == "csat"  # waits: the answer of the first time is not one to this
    stage.types("王芳", "1", "sms")
    stage.run_until(day=3)
    assert [(answer.visit, answer.score) for answer in stage.answers("王芳")] == [(0, 2), (1, 1)]
    assert len(stage.tasks()) == 2
    assert stage.run("王芳", "loop").end_reason == "问完"


def test_what_was_said_the_time_before_does_not_stand_in_for_an_answer(stage: Stage) -> None:
    ask = "ask: csat\nquestion: 这次喝着还满意吗？\nanswer_within: 1d\ntopic: service"
    again = "if: { csat.score: ..3 }\nthen: [ { wait: 1d }, { goto: csat, at_most: 5 } ]"
    cases = "cases: { 1..3: [ { exit: 不满意 } ], 4..5: [ { exit: 满意 } ], no_answer: [ { exit: 没有回答 } ] }"
    source = journey("store_visited", ask, again, f"switch: csat\n{cases}", topic="service")
    for name in ("好了", "没说"):
        stage.member(name, sms=True)
    stage.apply({"loop": source})
    for name in ("好了", "没说"):
        stage.happens(name, "store_visited", store="湖滨店")
        stage.types(name, "2", "sms")
    stage.run_until(day=1, at="11:00")
    stage.types("好了", "5", "sms")
    stage.run_until(day=4)
    assert stage.run("好了", "loop").end_reason == "满意"
    assert stage.run("没说", "loop").end_reason == "没有回答"


def test_a_jump_ahead_leaves_out_what_lies_between(stage: Stage) -> None:
    ahead = "if: { tag: VIP }\nthen: [ { goto: bye } ]"
    stage.member("王芳", sms=True, tags="VIP")
    stage.member("李雷", sms=True)
    end = "exit: 再见\nid: bye"
    stage.apply({"skip": journey("store_visited", ahead, SERVICE, end, topic="service")})
    for name in ("王芳", "李雷"):
        stage.happens(name, "store_visited", store="湖滨店")
    assert (len(stage.phone("王芳")), len(stage.phone("李雷"))) == (0, 1)
    assert {stage.run(name, "skip").end_reason for name in ("王芳", "李雷")} == {"再见"}
    assert stage.run("王芳", "skip").visit == 0


def test_journeys_that_bring_a_member_to_each_other_come_to_an_end(stage: Stage) -> None:
    """Neither file is wrong by itself."""
    there = journey("store_visited", "enroll: back")
    back = there.replace("start: { event: store_visited }", "start: manual").replace("enroll: back", "enroll: there")
    stage.member("王芳", sms=True)
    stage.apply({"there": there, "back": back})
    stage.happens("王芳", "store_visited", store="湖滨店")
    assert len(stage.runs("王芳", "there")) == len(stage.runs("王芳", "back")) == MOST_ENTRIES_A_DAY
    why = "has entered this journey too often today: journeys may be bringing members to each other in circles"
    assert stage.notes("王芳", "back", "enroll")[-1]["refused"] == why
    stage.run_until(day=2)
    stage.happens("王芳", "store_visited", store="湖滨店")
    assert len(stage.runs("王芳", "there")) == 2 * MOST_ENTRIES_A_DAY


# --- the last guard -----------------------------------------------------------------------------------------------

ROUND = ("wait: 30m\nid: pause", "goto: pause\nat_most: 1000")


def test_a_run_that_goes_round_and_round_rests_until_the_next_day(open_stage: OpenStage) -> None:
    stage = open_stage(policy={"limits": {"steps_per_day": 10}})
    stage.member("王芳", sms=True)
    stage.apply({"loop": journey("store_visited", *ROUND, topic="service")})
    stage.happens("王芳", "store_visited", store="湖滨店")
    stage.run_until(day=0, at="23:30")
    run = stage.run("王芳", "loop")
    assert (run.jumps, run.status) == ({"goto-pause": 5}, "live")
    [rest] = stage.notes("王芳", "loop", "rest")
    assert rest == {"steps": 10, "until": "2026-11-23T16:00:00+00:00"}  # midnight in Shanghai
    with stage.database.read() as connection:
        assert overview.tired(connection, stage.clock.now() - timedelta(days=1)) == {"loop": 1}
    stage.run_until(day=1, at="01:00")
    assert stage.run("王芳", "loop").jumps == {"goto-pause": 7}  # at 00:30, and at 01:00


def test_what_happens_meanwhile_ends_its_run_and_does_not_end_its_rest(open_stage: OpenStage) -> None:
    stage = open_stage(policy={"limits": {"steps_per_day": 4}})
    again = "goto: visit\nat_most: 1000"
    wait = "wait_for: store_visited\nup_to: 30m\nid: visit"
    more = "exit_if: { event: order_paid }\n"
    source = journey("coupon_used", wait, again, topic="service", more=more)
    stage.member("王芳", sms=True)
    stage.apply({"loop": source})
    stage.happens("王芳", "coupon_used", code="C1")
    for _ in range(5):
        stage.happens("王芳", "store_visited", store="湖滨店")
    assert stage.run("王芳", "loop").jumps == {"goto-visit": 2}
    assert len(stage.notes("王芳", "loop", "rest")) == 1
    stage.happens("王芳", "order_paid", order_id="A1", amount=1)
    assert stage.run("王芳", "loop").status == "ended"


def test_a_journey_that_never_leads_back_is_not_counted(open_stage: OpenStage) -> None:
    stage = open_stage(policy={"limits": {"steps_per_day": 1}})
    stage.member("王芳", sms=True)
    stage.apply({"straight": journey("store_visited", "wait: 1m", "wait: 2m", "exit: 走完", topic="service")})
    stage.happens("王芳", "store_visited", store="湖滨店")
    stage.run_until(day=0, at="11:00")
    assert stage.run("王芳", "straight").end_reason == "走完"
