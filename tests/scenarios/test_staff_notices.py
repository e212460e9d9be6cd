"""Telling colleagues about their tasks: by the group's robot or by mail, until it is sure that they were told."""

from __future__ import annotations

import json

from small_journeys import journey
from stage import OpenStage, Stage

from engage.core.outcome import SendOutcome
from engage.sandbox.loopback import Answer, HangUp, LoopbackServer, Request, json_answer
from engage.store.tables import notice

TASK = "notify: 客服一组\ntask: 请致电 {{ member.name }}\ndue: 1d\nurgent: yes"
CALLS = {"call": journey("store_visited", TASK, topic="service")}


class Robot:
    """A WeCom group robot on loopback: what it was told, and how it answers, the last answer again and again."""

    def __init__(self, *answers: Answer | HangUp) -> None:
        self.told: list[str] = []
        self._answers = list(answers)
        self.server = LoopbackServer(self.respond)

    def respond(self, request: Request) -> Answer | HangUp:
        self.told.append(json.loads(request.body)["text"]["content"])
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


OK = json_answer({"errcode": 0, "errmsg": "ok"})
BUSY = json_answer({"errcode": 45009, "errmsg": "api freq out of limit"})


def call(open_stage: OpenStage, robot: Robot) -> Stage:
    """A task is opened at ten; the team's robot is this one."""
    robot.server.start()
    stage = open_stage(webhooks={"wecom_cs": {"url": f"{robot.server.url}/robot?key=secret"}})
    stage.owns(robot.server)
    stage.member("王芳", sms=True)
    stage.apply(CALLS)
    stage.happens("王芳", "store_visited", store="湖滨店")
    return stage


def test_the_group_is_told_at_once_what_to_do_and_until_when(open_stage: OpenStage) -> None:
    robot = Robot(OK)
    stage = call(open_stage, robot)
    (task,) = stage.tasks()
    assert robot.told == [
        f"【紧急】请致电 王芳\n请在 11月24日 10:00 前完成\n完成后：engage tasks close {task.id} --outcome “…”"
    ]
    (row,) = stage.rows(notice)
    assert (row.status, row.attempts) == ("sent", 1)
    stage.run_until(day=1)
    assert len(robot.told) == 1


def test_a_busy_robot_is_tried_again_with_longer_and_longer_waits(open_stage: OpenStage) -> None:
    robot = Robot(BUSY, BUSY, BUSY, OK)
    stage = call(open_stage, robot)
    seen = []
    for minute in ("10:01", "10:02", "10:05", "10:06", "10:13", "10:14"):
        stage.run_until(at=minute)
        seen.append(len(robot.told))
    assert seen == [1, 2, 2, 3, 3, 4]  # after 2, 4 and 8 minutes
    stage.run_until(day=1)
    assert len(robot.told) == 4
    assert stage.rows(notice)[0].status == "sent"


def test_a_robot_that_hangs_up_is_told_again_better_twice_than_never(open_stage: OpenStage) -> None:
    robot = Robot(HangUp(), OK)
    stage = call(open_stage, robot)
    stage.run_until(at="10:05")
    assert len(robot.told) == 2


def test_after_eight_tries_somebody_has_to_look(open_stage: OpenStage) -> None:
    robot = Robot(json_answer({"errcode": 93000, "errmsg": "invalid webhook url"}))
    stage = call(open_stage, robot)
    stage.run_until(day=1)
    (row,) = stage.rows(notice)
    assert (row.status, row.attempts, len(robot.told)) == ("failed", 8, 8)
    assert row.reason == "invalid webhook url"
    assert len(stage.tasks()) == 1  # the task is there all the same


def test_a_team_with_an_address_gets_mail(stage: Stage) -> None:
    stage.member("运营", email="ops@example.com", on_file=False)
    stage.member("王芳", sms=True)
    mail = "notify: 会员运营\ntask: 请回访 {{ member.name }}"
    stage.apply({"call": journey("store_visited", mail, topic="service")})
    stage.happens("王芳", "store_visited", store="湖滨店")
    ((when, channel),) = stage.got("运营")
    assert (when, channel) == ("day 0 10:00", "email")
    assert stage.last("运营").text.startswith("请回访 王芳")


def test_a_team_nobody_has_set_up_is_said_so_and_holds_up_nothing(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply({"call": journey("store_visited", TASK, "send: sorry_personal", topic="service")})
    stage.happens("王芳", "store_visited", store="湖滨店")
    (row,) = stage.rows(notice)
    assert (row.status, row.reason) == ("failed", "no webhook or email is set up for this team")
    assert len(stage.phone("王芳")) == 1


class Raises:
    """What no robot is allowed to be."""

    def send(self, text: str, timeout: float) -> SendOutcome:
        raise UnicodeError("label empty or too long")


def test_a_robot_that_raises_is_a_failure_of_its_own_and_the_other_teams_are_told_once(open_stage: OpenStage) -> None:
    robot = Robot(OK)
    robot.server.start()
    stage = open_stage(webhooks={"wecom_cs": {"url": robot.server.url}})
    stage.owns(robot.server)
    stage.member("王芳", sms=True)
    stage.apply({"call": journey("store_visited", TASK + "\ncopy_to: 店长群", topic="service")})
    stage.house.app.context.staff_robots["wecom_stores"] = Raises()  # type: ignore[index]
    stage.happens("王芳", "store_visited", store="湖滨店")
    stage.run_until(day=1)
    assert len(robot.told) == 1
    told = {row.team: (row.status, row.attempts, row.reason) for row in stage.rows(notice)}
    assert told == {"客服一组": ("sent", 1, None), "店长群": ("failed", 8, "UnicodeError while telling")}


def test_copies_go_to_every_team_once(open_stage: OpenStage) -> None:
    first, second = Robot(OK), Robot(OK)
    for robot in (first, second):
        robot.server.start()
    stage = open_stage(webhooks={"wecom_cs": {"url": first.server.url}, "wecom_stores": {"url": second.server.url}})
    stage.owns(first.server)
    stage.owns(second.server)
    stage.member("王芳", sms=True)
    stage.apply({"call": journey("store_visited", TASK + "\ncopy_to: [店长群, 客服一组]", topic="service")})
    stage.happens("王芳", "store_visited", store="湖滨店")
    assert (len(first.told), len(second.told)) == (1, 1)
