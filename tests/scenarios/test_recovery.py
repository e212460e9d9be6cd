"""服务补救: a task that somebody does, or that moves on to the store; and a second question at the end."""

from __future__ import annotations

import pytest
from stage import OpenStage, Stage
from stage_wiring import shipped

JOURNEYS = {"nps": shipped("nps"), "service_recovery": shipped("service_recovery")}


@pytest.fixture
def unhappy(open_stage: OpenStage) -> Stage:
    """王芳 has given three points at half past ten on day 0."""
    stage = open_stage("2026-11-23 09:00")
    stage.member("王芳", sms=True, lifecycle="活跃")
    stage.history("王芳", "order_paid", "100d", order_id="A1", amount=168)
    stage.apply(JOURNEYS)
    stage.run_until(at="10:30")
    stage.types("王芳", "3 包装破了", channel="sms")
    return stage


def test_a_closed_task_wakes_the_journey_which_asks_again_a_week_later(unhappy: Stage) -> None:
    unhappy.run_until(day=1, at="15:00")
    (task,) = unhappy.tasks()
    unhappy.closes_task(task, "已致歉，补寄一份")
    assert unhappy.tasks() == []
    assert unhappy.notes("王芳", "service_recovery", "happened")[0]["event"] == "task_done"
    unhappy.run_until(day=8, at="10:00")
    assert unhappy.last("王芳").when == "day 8 10:00"
    assert "上次您提的问题，解决得怎么样" in unhappy.last("王芳").text
    unhappy.types("王芳", "5 很满意", channel="sms")
    assert unhappy.tags("王芳") == set()
    assert unhappy.tasks() == []
    assert unhappy.run("王芳", "service_recovery").end_kind == "completed"


def test_a_task_nobody_does_is_given_to_the_store_after_two_days(unhappy: Stage) -> None:
    unhappy.run_until(day=2, at="10:29")
    assert [task.team for task in unhappy.tasks()] == ["客服一组"]
    unhappy.run_until(day=2, at="10:30")
    escalated = next(task for task in unhappy.tasks() if task.team == "店长群")
    assert escalated.words == "客服两天未联系 王芳，请店长今天亲自致电。"
    assert escalated.urgent
    unhappy.closes_task(escalated, "店长已致电")
    assert unhappy.notes("王芳", "service_recovery", "happened")[0]["event"] == "task_done"


def test_someone_elses_closed_task_wakes_nobody(open_stage: OpenStage) -> None:
    stage = open_stage("2026-11-23 09:00")
    for name in ("王芳", "李雷"):
        stage.member(name, sms=True, lifecycle="活跃")
        stage.history(name, "order_paid", "100d", order_id=name, amount=168)
    stage.apply(JOURNEYS)
    stage.run_until(at="10:30")
    for name in ("王芳", "李雷"):
        stage.types(name, "3 包装破了", channel="sms")
    stage.closes_task(next(task for task in stage.tasks() if task.name == "李雷"), "已致歉")
    assert stage.notes("王芳", "service_recovery", "happened") == []
    assert len(stage.notes("李雷", "service_recovery", "happened")) == 1


def test_still_unhappy_after_all_goes_to_the_store(unhappy: Stage) -> None:
    unhappy.closes_task(unhappy.tasks()[0], "已致歉")
    unhappy.run_until(day=7, at="10:30")
    unhappy.types("王芳", "2 还是没解决", channel="sms")
    (task,) = unhappy.tasks()
    assert (task.team, task.words) == ("店长群", "补救后仍不满意：王芳（2 分）还是没解决")


SOUR = """\
journey: 又一次
start: { event: store_visited }
reentry: always
topic: service
steps:
  - enroll: service_recovery
    with: { why: 到店, score: "2", comment: 等太久 }
"""


def test_nobody_is_recovered_twice_within_thirty_days(open_stage: OpenStage) -> None:
    stage = open_stage()
    stage.member("王芳", sms=True)
    stage.apply(JOURNEYS | {"sour": SOUR})
    stage.happens("王芳", "store_visited", store="湖滨店")
    assert stage.notes("王芳", "sour", "enroll") == [{"journey": "service_recovery"}]
    stage.passes("1d")
    stage.happens("王芳", "store_visited", store="湖滨店")
    assert stage.notes("王芳", "sour", "enroll")[-1]["refused"] == "already in this journey"
    stage.passes("28d")
    stage.happens("王芳", "store_visited", store="湖滨店")
    assert stage.notes("王芳", "sour", "enroll")[-1]["refused"] == "was in this journey too recently"
    stage.passes("2d")
    stage.happens("王芳", "store_visited", store="湖滨店")
    assert len(stage.runs("王芳", "service_recovery")) == 2
