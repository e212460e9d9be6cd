"""Members on their way through a small journey that is about to be edited, and what became of them."""

from __future__ import annotations

from small_journeys import journey
from stage import Stage

from engage.core.moving import What
from engage.runtime.edits.plan import Plan
from engage.store.tables import enrolment

# Members enter one after the other, two days apart, so that the same edit finds them at different places.
PEOPLE = ("王芳", "李雷", "韩梅")
START = "store_visited"

A, B, C = "send: sorry_personal", "send: thanks_repeat", "send: tips60"


def story(*steps: str, more: str = "") -> dict[str, str]:
    return {"note": journey(START, *steps, topic="service", more=more)}


def in_flight(stage: Stage, steps: tuple[str, ...]) -> None:
    for name in PEOPLE:
        stage.member(name, sms=True)
    stage.apply(story(*steps))
    for day, name in enumerate(PEOPLE):
        stage.run_until(day=2 * day)
        stage.happens(name, START, store="湖滨店")
    stage.run_until(day=5)


def moves_of(made: Plan) -> dict[str, dict[What, int]]:
    return {step.fate.old: dict(step.moved) for one in made.journeys for step in one.steps if step.moved}


def nobody_is_stranded(stage: Stage) -> None:
    active = stage.applied.journeys["note"]
    for row in stage.rows(enrolment, status="live"):
        assert row.step_id in active.program.ids
        assert row.due_at is not None


def sent(stage: Stage, name: str) -> list[str]:
    return [row.template for row in stage.deliveries(name, status="sent")]
