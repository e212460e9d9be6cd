"""A name that an earlier version gave to one step, and a later one gives to another: whoever had the old one gets the
new one, nobody gets a step again that is only called otherwise, and an undo leaves nothing of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from on_the_way import START, nobody_is_stranded, sent, story
from receiver import Receiver
from small_journeys import journey
from stage import OpenStage, Stage

from engage.core.journey.model import WinBy
from engage.runtime.edits.applying import Done, apply_plan
from engage.runtime.edits.plan import Rules, Terms
from engage.runtime.edits.undoing import Undone, undo
from engage.store import splits
from engage.store.tables import answer, arm, delivery, enrolment, event, split_decision, task, webhook_call

REST, LATER, GAP = "wait: 30d\nid: rest", "wait: 3d\nid: later", "wait: 1h\nid: gap"
ELSEWHERE = {
    "elsewhere": "journey: 别处\nstart: manual\nreentry: always\nsteps: [ { update: { add: { tag: 来过 } } } ]\n"
}
ON_RECORD = (enrolment, delivery, answer, arm, event, task, webhook_call, split_decision)


@dataclass(frozen=True, slots=True)
class Kind:
    """Two steps of a kind, how the member answers each, and what is to be seen once each was done once."""

    one: str
    other: str
    seen: Callable[[Stage, Receiver], list[Any]]
    done: list[Any]
    answers: tuple[str, str] | None = None


def ask(question: str) -> str:
    return f"ask: csat\nquestion: {question}\nchannels: [sms]\ntopic: service\nanswer_within: 5d"


def split(sure: int, *sends: str) -> str:
    """Everybody goes the same way."""
    ways = zip("甲乙", (sure, 100 - sure), sends, strict=True)
    told = ", ".join(f"{name}: {{ share: {share}%, steps: [ {{ send: {send} }} ] }}" for name, share, send in ways)
    return f"split: 开场\nways: {{ {told} }}"


def call(word: str) -> str:
    return f"webhook: coupon_issue\nwith: {{ word: {word} }}"


KINDS = {
    "send": Kind(
        "send: sorry_personal", "send: tips60", lambda stage, _: sent(stage, "王芳"), ["sorry_personal", "tips60"]
    ),
    "ask": Kind(
        ask("茶好吗？"),
        ask("送货快吗？"),
        lambda stage, _: [row.payload["score"] for row in stage.events("王芳", "csat_answered")],
        [5, 4],
        answers=("5", "4"),
    ),
    "notify": Kind(
        "notify: 客服一组\ntask: 一",
        "notify: 客服一组\ntask: 二",
        lambda stage, _: sorted(row.words for row in stage.tasks()),
        ["一", "二"],
    ),
    "update": Kind(
        "update: { add: { points: 1 } }",
        "update: { add: { points: 10 } }",
        lambda stage, _: [stage.profile("王芳")["points"]],
        [11],
    ),
    "split": Kind(
        split(100, "sorry_personal", "birthday_coupon"),
        split(0, "first_order_coupon", "tips60"),
        lambda stage, _: sent(stage, "王芳"),
        ["sorry_personal", "tips60"],
    ),
    "webhook": Kind(
        call("一"),
        call("二"),
        lambda _, receiver: [told["data"]["word"] for told in receiver.told][: len(set(receiver.keys))],
        ["一", "二"],
    ),
    "enroll": Kind(
        "enroll: elsewhere",
        "enroll: elsewhere",
        lambda stage, _: [row.journey_id for row in stage.runs("王芳", "elsewhere")],
        ["elsewhere", "elsewhere"],
    ),
}


def opened(open_stage: OpenStage) -> tuple[Stage, Receiver]:
    receiver = Receiver()
    stage = open_stage(webhooks={"coupon_issue": receiver.config}, policy={"caps": {}})
    stage.owns(receiver.server)
    stage.member("王芳", sms=True, points=0)
    return stage, receiver


def answers(stage: Stage, kind: Kind, number: int) -> None:
    if kind.answers is not None:
        stage.types("王芳", kind.answers[number], "sms")


def applied(stage: Stage, *steps: str) -> None:
    stage.apply(story(*steps) | ELSEWHERE)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_another_step_under_the_name_of_a_removed_one_is_a_new_step(open_stage: OpenStage, kind: Kind) -> None:
    stage, receiver = opened(open_stage)
    applied(stage, f"{kind.one}\nid: name", REST)
    stage.happens("王芳", START, store="湖滨店")
    answers(stage, kind, 0)
    stage.run_until(day=1)
    applied(stage, REST)
    stage.run_until(day=2)
    applied(stage, REST, f"{kind.other}\nid: name", LATER)
    stage.run_until(day=31)
    answers(stage, kind, 1)
    stage.run_until(day=35)
    assert kind.seen(stage, receiver) == kind.done
    assert stage.run("王芳", "note").status == "ended"


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_step_renamed_to_the_name_of_a_removed_one_keeps_what_it_did(open_stage: OpenStage, kind: Kind) -> None:
    stage, receiver = opened(open_stage)
    applied(stage, f"{kind.one}\nid: name", GAP, f"{kind.other}\nid: other", REST)
    stage.happens("王芳", START, store="湖滨店")
    answers(stage, kind, 0)
    stage.passes("2h")
    answers(stage, kind, 1)
    stage.run_until(day=1)
    applied(stage, GAP, f"{kind.other}\nid: other", REST)
    stage.run_until(day=2)
    renamed = story(REST, f"{kind.other}\nid: name\nwas: other", LATER) | ELSEWHERE
    before = [stage.rows(table) for table in ON_RECORD]
    made = stage.plans(renamed)
    now = stage.clock.now()
    assert isinstance(apply_plan(stage.database, made.id, now, Rules()), Done)
    assert isinstance(undo(stage.database, made.id, now, Terms(), Rules()), Undone)
    assert [stage.rows(table) for table in ON_RECORD] == before
    stage.apply(renamed)
    nobody_is_stranded(stage)
    stage.run_until(day=35)
    assert kind.seen(stage, receiver) == kind.done
    assert stage.run("王芳", "note").status == "ended"


def test_what_is_taken_back_gives_the_names_back(open_stage: OpenStage) -> None:
    """Also when another step has borne the name meanwhile, and has been done."""
    stage, _ = opened(open_stage)
    rest = "wait: 3d\nid: rest"
    stage.apply(story("send: sorry_personal\nid: name", rest, LATER))
    stage.happens("王芳", START, store="湖滨店")
    stage.run_until(day=1)
    (before,) = stage.deliveries("王芳")
    removed = story(rest, LATER)
    made = stage.plans(removed)
    assert isinstance(stage.applies(made), Done)
    assert stage.delivery("王芳").step_id == "name@1"
    assert isinstance(stage.undoes(made), Undone)
    assert stage.delivery("王芳") == before
    stage.apply(removed)
    made = stage.plans(story(rest, "send: tips60\nid: name", LATER))
    assert isinstance(stage.applies(made), Done)
    stage.run_until(day=4)
    assert sent(stage, "王芳") == ["sorry_personal", "tips60"]
    assert isinstance(stage.undoes(made), Undone)
    assert [row.step_id for row in stage.deliveries("王芳")] == ["name@3", "name@5"]
    nobody_is_stranded(stage)


def experiment(name: str, after: str, more: str = "") -> dict[str, str]:
    steps = f"""split: {name}
ways:
  甲: {{ share: 50%, steps: [ {{ send: birthday_coupon }} ] }}
  乙: {{ share: 50%, steps: [ {{ send: first_order_coupon }} ] }}
winner: {{ by: clicked, after: {after}, at_least: 1, confidence: 95% }}
{more}"""
    return {"note": journey(START, "wait: 2d\nid: first", steps, more="on_edit: pin\n")}


@pytest.mark.parametrize("after", ["1d", "60h"], ids=["decided before the edits", "decided after the edits"])
def test_who_finishes_in_an_earlier_version_hears_of_the_winner_under_its_new_name(
    open_stage: OpenStage, after: str
) -> None:
    stage = open_stage(policy={"caps": {}})
    early, late = [f"会员{number}" for number in range(30)], [f"迟到{number}" for number in range(6)]
    for name in early + late:
        stage.member(name, email=True)
    stage.apply(experiment("旧名", after))
    for name in early:
        stage.happens(name, START, store="湖滨店")
    stage.run_until(day=2, at="11:00")
    for name in early:
        if stage.notes(name, "note", "split")[-1]["way"] == "甲":
            stage.clicks(name)
    stage.run_until(day=3, at="12:00")
    for name in late:
        stage.happens(name, START, store="湖滨店")
    stage.apply(experiment("新名", after, "was: 旧名"))
    stage.apply({"note": experiment("名", after, "was: 新名")["note"].replace("on_edit: pin\n", "")})
    assert {stage.run(name, "note").pinned_version for name in late} == {1}
    stage.run_until(day=6)
    assert [stage.notes(name, "note", "split")[-1] for name in late] == 6 * [{"way": "甲", "because": "winner"}]
    with stage.database.read() as connection:
        (decided,) = splits.known(connection)
        counted = splits.tallies(connection, "note", "名", WinBy.CLICKED)
    assert (decided.split_id, decided.winner) == ("名", "甲")
    assert sum(way.members for way in counted.values()) == len(early) + len(late)
