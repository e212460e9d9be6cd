"""Any edit, at any place, while members stand everywhere: what the plan says is what is done, and what is done is
right."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from on_the_way import START
from rewriting import EDITS, SAYS, STEPS, UNNOTICED, Edit, edited, written
from stage import OpenStage, Stage
from stage_wiring import Setup

from engage.core.moving import What
from engage.core.release import Release
from engage.runtime.edits.applying import Done, NoSuchPlan, Outcome, Superseded, apply_plan
from engage.runtime.edits.plan import Homeless, Plan, Rules, Terms
from engage.runtime.edits.undoing import Undone, undo
from engage.store.tables import answer, arm, delivery, enrolment, enrolment_move, event

PEOPLE = [f"会员{number}" for number in range(6)]
BEFORE = written(STEPS)
_HALF_A_DAY = timedelta(hours=12)
LAST_ACT = 17
BEGINS = "2026-11-23 00:00"


def lives_through(stage: Stage, days: float) -> None:
    """One after the other comes in at noon or midnight; two of three answer what they are asked, one of three uses a
    coupon."""
    while (half_days := _half_days(stage)) < 2 * days:
        for number, name in enumerate(PEOPLE):
            since = half_days - 3 * number
            if since == 0:
                stage.happens(name, START, store="湖滨店")
            if number % 3 == 0 and since == 9 + 2 * number:
                stage.happens(name, "coupon_used", code=f"C{number}")
            if number % 3 and since > 0:
                _answers(stage, name, 1 + 2 * (number % 3))
        stage.run_to(stage.began + _HALF_A_DAY * (half_days + 1))


def _half_days(stage: Stage) -> int:
    return (stage.clock.now() - stage.began) // _HALF_A_DAY


def _answers(stage: Stage, name: str, score: int) -> None:
    """What they were asked most of a day ago."""
    came = stage.phone(name)
    asked = came and "〔2〕" in came[-1].text and not stage.answers(name)
    if asked and stage.clock.now() - came[-1].handover.at > timedelta(hours=15):
        stage.fills(name, score)


def begun(stage: Stage) -> Stage:
    for name in PEOPLE:
        stage.member(name, email=True)
    stage.apply(BEFORE)
    return stage


def said(stage: Stage) -> dict[str, list[tuple[str, str]]]:
    """What reached whom, when, by the sandbox's truth. What goes out at the same moment is in no order."""
    return {name: sorted((came.when, SAYS.findall(came.text)[0]) for came in stage.phone(name)) for name in PEOPLE}


# --- what is done -------------------------------------------------------------------------------------------------


def planned(stage: Stage, files: Mapping[str, str], terms: Terms) -> Plan:
    """The plan; if it asks where people belong, the one that is told: at the last message."""
    made = stage.plans(files, terms)
    if not made.refusals:
        return made
    homeless = [refusal.step_id for refusal in made.refusals if isinstance(refusal, Homeless)]
    assert len(homeless) == len(made.refusals), made.refusals
    assert isinstance(stage.applies(made), NoSuchPlan)
    told = json.loads(files["note"]) | {"moved_to": dict.fromkeys(homeless, "bye")}
    return stage.plans({"note": json.dumps(told, ensure_ascii=False)}, terms)


def on_record(stage: Stage) -> list[list[Any]]:
    """Where everybody stands, and what is known of what was done for them."""
    return [stage.rows(table) for table in (enrolment, delivery, answer, arm, event)]


def applied_at_once(stage: Stage, made: Plan) -> Outcome:
    """Before anybody takes a step."""
    return apply_plan(stage.database, made.id, stage.clock.now(), Rules())


def as_planned(stage: Stage, made: Plan, before: list[Any]) -> None:
    """Those whom the plan names have moved, as it says, and nobody else has."""
    old, moves = {row.id: row for row in before}, stage.rows(enrolment_move, plan_id=made.id)
    (journey,) = made.journeys
    told = Counter({(step.fate.old, what): n for step in journey.steps for what, n in step.moved.items()})
    told[None, What.PINNED] = journey.pins
    done = Counter((None if row.what == What.PINNED else old[row.enrolment_id].step_id, row.what) for row in moves)
    assert done == +told
    assert {row.id for row in stage.rows(enrolment) if row != old[row.id]} == {row.enrolment_id for row in moves}
    live = Counter(row.step_id for row in before if row.status == "live")
    assert all(step.standing == live[step.fate.old] for step in journey.steps if not journey.pins)
    assert journey.crowd.live == live.total()


def all_is_well(stage: Stage) -> None:
    """Everybody stands somewhere, and is looked at again."""
    applied = stage.applied
    for row in stage.rows(enrolment, status="live"):
        active = applied.followed_by("note", row.pinned_version)
        assert active is not None
        assert row.step_id in active.program.ids
        assert row.due_at is not None


def nobody_got_it_twice(stage: Stage) -> None:
    """A step says what it says once each time a `goto` leads to it."""
    gone_out = Counter(
        (row.enrolment_id, row.visit, SAYS.findall(row.text)[0]) for row in stage.deliveries(status="sent")
    )
    assert [one for one, times in gone_out.items() if times > 1] == []


def lives_on(stage: Stage) -> None:
    """To the end of every run."""
    all_is_well(stage)
    lives_through(stage, LAST_ACT)
    all_is_well(stage)
    for day in range(LAST_ACT + 1, LAST_ACT + 30):
        if not stage.rows(enrolment, status="live"):
            return
        stage.run_until(day)
    raise AssertionError("somebody is still on the way")


@pytest.fixture(scope="module")
def unedited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[tuple[str, str]]]]:
    """What reaches whom when nobody edits anything."""
    stage = begun(Stage(tmp_path_factory.mktemp("unedited"), BEGINS, False, Setup()))
    lives_on(stage)
    yield said(stage)
    stage.close()


@pytest.mark.parametrize("days", [3, 5.5, 8])
def test_each_edit_does_what_its_plan_says_and_taken_back_it_has_never_been(open_stage: OpenStage, days: float) -> None:
    chance = random.Random(days)
    stage = begun(open_stage(BEGINS))
    lives_through(stage, days)
    before = on_record(stage)
    for edit in EDITS:
        made = planned(stage, edited(chance, edit), Terms(chance.choice(list(Release))))
        stale = planned(stage, written(STEPS, owner="别人"), Terms())
        assert isinstance(applied_at_once(stage, made), Done)
        assert isinstance(applied_at_once(stage, stale), Superseded)
        as_planned(stage, made, before[0])
        assert isinstance(undo(stage.database, made.id, stage.clock.now(), Terms(), Rules()), Undone)
        assert on_record(stage) == before, edit.__name__


@pytest.mark.parametrize("edit", [edit for edit in EDITS if edit not in UNNOTICED], ids=lambda edit: edit.__name__)
def test_wherever_they_stand_nobody_is_stranded_or_gets_a_step_twice(open_stage: OpenStage, edit: Edit) -> None:
    chance = random.Random(edit.__name__)
    stage = begun(open_stage(BEGINS))
    lives_through(stage, chance.randint(6, 18) / 2)
    made = planned(stage, edited(chance, edit), Terms(chance.choice(list(Release))))
    assert isinstance(stage.applies(made), Done)
    lives_on(stage)
    nobody_got_it_twice(stage)


@pytest.mark.parametrize("edit", UNNOTICED, ids=lambda edit: edit.__name__)
def test_where_nothing_changes_for_them_they_get_what_they_would_have_got(
    open_stage: OpenStage, unedited: dict[str, list[tuple[str, str]]], edit: Edit
) -> None:
    chance = random.Random(edit.__name__)
    stage = begun(open_stage(BEGINS))
    lives_through(stage, chance.randint(6, 18) / 2)
    on_the_way = [name for name in PEOPLE if stage.runs(name)]
    made = planned(stage, edited(chance, edit), Terms())
    assert isinstance(applied_at_once(stage, made), Done)
    lives_on(stage)
    assert {name: said(stage)[name] for name in on_the_way} == {name: unedited[name] for name in on_the_way}


@pytest.mark.parametrize("seed", range(2))
def test_one_edit_after_the_other_strands_nobody(open_stage: OpenStage, seed: int) -> None:
    chance = random.Random(seed)
    stage = begun(open_stage(BEGINS))
    for day in (4, 6, 8):
        lives_through(stage, day)
        made = planned(stage, edited(chance, *chance.sample(EDITS, 2)), Terms(chance.choice(list(Release))))
        before = stage.rows(enrolment)
        assert isinstance(applied_at_once(stage, made), Done)
        as_planned(stage, made, before)
        if chance.random() < 0.3:
            lives_through(stage, day + 1)
            assert isinstance(stage.undoes(made), Undone)
    lives_on(stage)
