"""Journeys edited while members are on their way: what the plan said is what happens, and nobody is stranded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from on_the_way import PEOPLE, START, A, B, C, in_flight, moves_of, nobody_is_stranded, sent, story
from small_journeys import journey
from stage import Stage

from engage.core.moving import What
from engage.core.release import Release
from engage.runtime.edits import applying
from engage.runtime.edits.applying import Done
from engage.runtime.edits.plan import Terms
from engage.runtime.edits.planning import Planned
from engage.store.tables import enrolment, enrolment_move


@dataclass(frozen=True)
class Edit:
    """Three members enter on day 0, 2 and 4; on day 5 the steps change. `moved`: what the plan says of each old step;
    `got`: the templates that each is sent in the end."""

    before: tuple[str, ...]
    after: tuple[str, ...]
    moved: Mapping[str, Mapping[What, int]] = field(default_factory=dict)
    got: Mapping[str, list[str]] = field(default_factory=dict)
    more: str = ""
    release: Release = Release.DAY


def asked_to_wait(up_to: str, *inside: str, verb: str = "wait_for: clicked") -> str:
    lines = [verb, f"up_to: {up_to}", *inside]
    return "\n".join(lines)


ALL_ABC = {name: ["sorry_personal", "thanks_repeat", "tips60"] for name in PEOPLE}
ALL_AB = {name: ["sorry_personal", "thanks_repeat"] for name in PEOPLE}
BRANCH = "if: {{ tag: VIP }}\nthen:\n  - {0}\nelse:\n  - {1}\n  - {2}"

EDITS = {
    "nothing but the words of people": Edit((A, "wait: 9d", B), (A, "wait: 9d", B), more="owner: 周敏\n", got=ALL_AB),
    "a step added ahead": Edit((A, "wait: 9d", B), (A, "wait: 9d", B, C), got=ALL_ABC),
    "a step added behind": Edit((A, "wait: 9d", B), (C, A, "wait: 9d", B), got=ALL_AB),
    "a step added between a wait and what it is named after": Edit(
        (A, "wait: 9d", B),
        (A, "wait: 9d", C, B),
        {"wait>thanks_repeat": {What.RENAMED: 3}},
        {name: ["sorry_personal", "tips60", "thanks_repeat"] for name in PEOPLE},
    ),
    "a wait added after the one they are in": Edit(
        (A, "wait: 9d", B),
        (A, "wait: 9d", C, "wait: 1d", B),
        {"wait>thanks_repeat": {What.RENAMED: 3}},
        {name: ["sorry_personal", "tips60", "thanks_repeat"] for name in PEOPLE},
    ),
    "a wait added before the one they are in": Edit((A, "wait: 9d", B), (A, "wait: 1d", C, "wait: 9d", B), got=ALL_AB),
    "a wait made shorter": Edit(
        (A, "wait: 9d", B),
        (A, "wait: 3d", B),
        {"wait>thanks_repeat": {What.PAST: 2, What.RETIMED: 1}},
        ALL_AB,
    ),
    "a wait made longer": Edit(
        (A, "wait: 9d", B), (A, "wait: 12d", B), {"wait>thanks_repeat": {What.RETIMED: 3}}, ALL_AB
    ),
    "a wait made shorter, the old times kept": Edit(
        (A, "wait: 9d", B), (A, "wait: 3d", B), got=ALL_AB, release=Release.KEEP
    ),
    "a wait that ends at another time of day": Edit(
        (A, "wait: 9d", B), (A, "wait: 9d at 20:00", B), {"wait>thanks_repeat": {What.RETIMED: 3}}, ALL_AB
    ),
    "a wait until a day of the journey": Edit(
        (A, "wait: 9d", B),
        (A, "wait: until day 4 at 12:00", B),
        {"wait>thanks_repeat": {What.PAST: 1, What.RETIMED: 2}},
        ALL_AB,
    ),
    "a wait until a moment that is over": Edit(
        (A, "wait: 9d", B),
        (A, "wait: until 2026-11-24 10:00", B),
        {"wait>thanks_repeat": {What.PAST: 3}},
        ALL_AB,
    ),
    "a wait for an event made shorter": Edit(
        (A, asked_to_wait("9d", "else:", "  - send: tips60"), B),
        (A, asked_to_wait("2d", "else:", "  - send: tips60"), B),
        {"wait_for-clicked": {What.PAST: 2, What.RETIMED: 1}},
        {name: ["sorry_personal", "tips60", "thanks_repeat"] for name in PEOPLE},
    ),
    "a step renamed": Edit(
        (A, "wait: 9d\nid: pause", B),
        (A, "wait: 9d\nid: rest\nwas: pause", B),
        {"pause": {What.RENAMED: 3}},
        ALL_AB,
    ),
    "a step renamed and made shorter": Edit(
        (A, "wait: 9d\nid: pause", B),
        (A, "wait: 3d\nid: rest\nwas: pause", B),
        {"pause": {What.PAST: 2, What.RETIMED: 1}},
        ALL_AB,
    ),
    "a send renamed that they have had": Edit(
        (A, "wait: 9d", B), ("send: tips60\nwas: sorry_personal", "wait: 9d", B), got=ALL_AB
    ),
    "a step removed that nobody is at": Edit(
        (A, "wait: 9d", B, "wait: 1d", C),
        (A, "wait: 9d", B),
        got=ALL_AB,
    ),
    "the step removed that they are at": Edit(
        (A, "wait: 9d\nid: pause", B, C), (A, B, C), {"pause": {What.ONWARD: 3}}, ALL_ABC
    ),
    "the last step removed": Edit(
        (A, "wait: 9d\nid: pause"), (A,), {"pause": {What.ENDED: 3}}, {name: ["sorry_personal"] for name in PEOPLE}
    ),
    "a step removed inside a way: on with the parent's next, never the next line": Edit(
        (A, BRANCH.format("wait: 1d", "wait: 9d\n    id: pause", C), "wait: 1d", B),
        (A, BRANCH.format("wait: 1d", "exit: 完", C).replace("  - exit: 完\n", ""), "wait: 1d", B),
        {"pause": {What.ONWARD: 3}},
        {name: ["sorry_personal", "tips60", "thanks_repeat"] for name in PEOPLE},
    ),
    "the last of a way removed": Edit(
        (A, BRANCH.format(C, "update: { add: { tag: 普通 } }", "wait: 9d\n    id: pause"), B),
        (A, BRANCH.format(C, "update: { add: { tag: 普通 } }", "X").replace("  - X", "").rstrip(), B),
        {"pause": {What.ONWARD: 3}},
        ALL_AB,
    ),
    "a whole choice removed": Edit(
        (A, BRANCH.format(C, "wait: 9d\n    id: pause", C), B), (A, B), {"pause": {What.ONWARD: 3}}, ALL_AB
    ),
    "a way removed, and where its members go is said": Edit(
        (A, BRANCH.format(C, "wait: 9d\n    id: pause", C), B),
        (A, f"if: {{ tag: VIP }}\nthen:\n  - {C}", B),
        {"pause": {What.ONWARD: 3}},
        ALL_AB,
        more="moved_to: { pause: thanks_repeat }\n",
    ),
    "steps wrapped in a choice": Edit(
        (A, "wait: 9d", B), (A, BRANCH.format("wait: 9d\n  - send: thanks_repeat", C, C)), got=ALL_AB
    ),
    "steps put in another order: nobody gets one twice": Edit(
        (A, "wait: 9d", B), (B, "wait: 9d", A), {"wait>thanks_repeat": {What.ONWARD: 3}}, ALL_AB
    ),
    "a wait that has become a question": Edit(
        (A, "wait: 9d\nid: pause", B),
        (A, "ask: csat\nid: pause\nquestion: 还满意吗？\nanswer_within: 2d", B),
        {"pause": {What.AFRESH: 3}},
        {name: ["sorry_personal", "ask-csat", "thanks_repeat"] for name in PEOPLE},
    ),
    "a condition that decides later": Edit(
        (A, "wait: 9d", BRANCH.format(B, C, "wait: 1d")),
        (A, "wait: 9d", BRANCH.format(B, C, "wait: 1d").replace("VIP", "普通")),
        got={name: ["sorry_personal", "tips60"] for name in PEOPLE},
    ),
    "who may enter": Edit((A, "wait: 9d", B), (A, "wait: 9d", B), more="audience: { tag: 没有人 }\n", got=ALL_AB),
    "another step of the same kind before theirs": Edit(
        (A, "wait: 9d", "exit: 完"),
        (A, BRANCH.format("exit: 完", "update: { add: { tag: 普通 } }", "wait: 1d"), "wait: 9d", "exit: 完"),
        {"wait>exit-完": {What.RENAMED: 3}},
        {name: ["sorry_personal"] for name in PEOPLE},
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_the_plan_is_what_happens(stage: Stage, name: str) -> None:
    edit = EDITS[name]
    in_flight(stage, edit.before)
    made = stage.plans(story(*edit.after, more=edit.more), Terms(edit.release))
    assert moves_of(made) == {step: dict(moved) for step, moved in edit.moved.items()}
    assert stage.rows(enrolment_move) == []  # a plan moves nobody
    assert isinstance(stage.applies(made), Done)
    moved = Counter(row.what for row in stage.rows(enrolment_move, plan_id=made.id))
    assert moved == sum((Counter(step) for step in edit.moved.values()), Counter())
    nobody_is_stranded(stage)
    stage.run_until(day=30)
    assert [row.status for row in stage.rows(enrolment)] == ["ended"] * 3
    assert {name: sent(stage, name) for name in PEOPLE} == dict(edit.got)


MINDS = {
    "exit_if": "exit_if: [ { tag: VIP }, { event: refund_completed } ]\n",
    "goal": "goal: { event: order_paid, where: { event.amount: 1000.. }, within: 30d }\n",
}


@pytest.mark.parametrize("minds", MINDS)
@pytest.mark.parametrize("release", [Release.KEEP, Release.DAY])
def test_what_happens_meanwhile_lets_nobody_go_early(stage: Stage, minds: str, release: Release) -> None:
    """Entered on day 0, 2 and 4, for nine days; on day 5 the wait is gone."""
    in_flight(stage, (A, "wait: 9d", B))
    stage.applies(stage.plans(story(A, B, more=MINDS[minds]), Terms(release)))
    stage.passes("1m")
    let_go = {row.id: row.due_at for row in stage.rows(enrolment)}
    assert len(set(let_go.values())) == 3
    for name in PEOPLE:
        stage.happens(name, "order_paid", order_id=name, amount=5)
    stage.passes("1m")
    assert {row.id: row.due_at for row in stage.rows(enrolment)} == let_go
    stage.run_until(day=14)
    assert {name: sent(stage, name) for name in PEOPLE} == ALL_AB


def test_nor_does_what_happened_just_before_the_edit(stage: Stage) -> None:
    in_flight(stage, (A, "wait: 9d", B))
    stage.apply(story(A, "wait: 9d", B, more=MINDS["exit_if"]))
    with stage.daemon_down():
        stage.happens("王芳", "order_paid", order_id="1", amount=5)
        _only_enrol(stage)
        stage.applies(stage.plans(story(A, B, more=MINDS["exit_if"]), Terms(Release.KEEP)))
    stage.passes("1m")
    assert sent(stage, "王芳") == ["sorry_personal"]


def _only_enrol(stage: Stage) -> None:
    """What was told wakes the runs, and nobody has looked at them yet."""
    while stage.engine.receive.tick() or stage.engine.enrol.tick():
        pass


def test_a_goal_or_an_exit_is_heard_by_those_who_are_let_go_later(stage: Stage) -> None:
    in_flight(stage, (A, "wait: 9d", B))
    stage.applies(stage.plans(story(A, B, more="".join(MINDS.values())), Terms(Release.KEEP)))
    stage.happens("王芳", "order_paid", order_id="1", amount=5000)
    stage.happens("李雷", "refund_completed")
    stage.passes("1m")
    assert [row.end_kind for row in stage.rows(enrolment)] == ["goal", "exit", None]


def test_nobody_waits_while_a_plan_is_worked_out(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    in_flight(stage, (A, "wait: 9d", B))
    make_plan = applying.make_plan

    def works_out(*given: Any) -> Planned:
        planned = make_plan(*given)
        stage.pauses("journey:note")
        return planned

    monkeypatch.setattr(applying, "make_plan", works_out)
    assert moves_of(stage.plans(story(A, "wait: 12d", B))) == {"wait>thanks_repeat": {What.RETIMED: 3}}


def test_a_pin_holds_until_the_last_message_of_its_runs_is_out(stage: Stage) -> None:
    in_flight(stage, (A, "wait: 9d", B))
    stage.applies(stage.plans(story(C, more="on_edit: pin\n")))
    stage.run_until(day=13, at="09:30")
    stage.pauses("journey:note")
    stage.run_until(day=13, at="10:30")
    assert not stage.rows(enrolment, status="live")
    assert sent(stage, PEOPLE[-1]) == ["sorry_personal"]
    stage.apply({**story(C, more="on_edit: pin\n"), "other": journey("coupon_used", A, topic="service")})
    stage.resumes("journey:note")
    stage.passes("2h")
    assert all(sent(stage, name) == ["sorry_personal", "thanks_repeat"] for name in PEOPLE)


def test_nobody_is_sent_into_a_journey_that_takes_nobody_new(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    note = journey(START, "wait: 3d", "enroll: other", topic="service")
    stage.apply({"note": note, "other": journey("coupon_used", A, topic="service")})
    stage.happens("王芳", START, store="湖滨店")
    stage.apply({})
    stage.run_until(day=5)
    assert stage.runs("王芳", "other") == []
    assert stage.notes("王芳", "note", "enroll")[0]["refused"] == "the journey takes nobody new any more"
