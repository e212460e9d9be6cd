"""A plan that touches what the policy asks approval for is applied once enough people have approved it, as it was."""

from __future__ import annotations

from dataclasses import replace

from small_journeys import COUPON, SERVICE, journey
from stage import Stage
from stage_scene import files_with
from stage_wiring import read_files

from engage.config import Policy
from engage.runtime.edits import approving
from engage.runtime.edits.applying import Done, Outcome, Unapproved, apply, apply_plan
from engage.runtime.edits.plan import Rules

POLICY = Policy.model_validate({"approvals": {"topics": ["marketing"], "by": 2}})
RULES = Rules.of(POLICY, guarded=True)
BEFORE = {"advert": journey("store_visited", COUPON), "note": journey("coupon_used", SERVICE, topic="service")}


def tries(stage: Stage, journeys: dict[str, str], rules: Rules = RULES) -> Outcome:
    return apply(stage.database, read_files(files_with(journeys, {}, None)), stage.clock.now(), rules=rules)


def approves(stage: Stage, plan_id: str, by: str) -> bool:
    with stage.database.write() as connection:
        came = approving.approve_plan(connection, plan_id, by, POLICY, stage.clock.now())
    assert came is not None
    return came.goes_on


def edited(text: str, note: str = "改过") -> str:
    return text.replace("steps:\n", f"note: {note}\nsteps:\n")


def test_it_waits_for_as_many_as_the_policy_says(stage: Stage) -> None:
    stage.apply(BEFORE)
    files = BEFORE | {"advert": edited(BEFORE["advert"])}
    first = tries(stage, files)
    assert isinstance(first, Unapproved)
    assert (list(first.approved_by), first.needed) == ([], 2)
    assert not approves(stage, first.plan.id, "王芳")
    assert not approves(stage, first.plan.id, "王芳")
    again = tries(stage, files)
    assert isinstance(again, Unapproved)
    assert list(again.approved_by) == ["王芳"]
    assert approves(stage, first.plan.id, "李雷")
    assert isinstance(apply_plan(stage.database, first.plan.id, stage.clock.now(), RULES), Done)


def test_another_edit_needs_another_approval(stage: Stage) -> None:
    stage.apply(BEFORE)
    first = tries(stage, BEFORE | {"advert": edited(BEFORE["advert"])})
    assert isinstance(first, Unapproved)
    for name in ("王芳", "李雷"):
        approves(stage, first.plan.id, name)
    other = tries(stage, BEFORE | {"advert": edited(BEFORE["advert"], "又改了")})
    assert isinstance(other, Unapproved)
    assert list(other.approved_by) == []


def test_members_who_move_on_meanwhile_do_not_void_it(stage: Stage) -> None:
    wait = journey("store_visited", "wait: 1d", COUPON)
    stage.member("王芳", sms=True)
    stage.apply(BEFORE | {"advert": wait})
    files = BEFORE | {"advert": wait.replace("1d", "2d")}
    first = tries(stage, files)
    assert isinstance(first, Unapproved)
    for name in ("王芳", "李雷"):
        approves(stage, first.plan.id, name)
    stage.happens("王芳", "store_visited", store="湖滨店")
    assert isinstance(tries(stage, files), Done)


def test_other_topics_are_applied_as_ever(stage: Stage) -> None:
    stage.apply(BEFORE)
    assert isinstance(tries(stage, BEFORE | {"note": edited(BEFORE["note"])}), Done)


def test_an_edit_that_calls_it_something_else_is_asked_about_like_any_other(stage: Stage) -> None:
    stage.apply(BEFORE)
    renamed = BEFORE["advert"].replace("topic: marketing", "topic: service")
    assert isinstance(tries(stage, BEFORE | {"advert": renamed}), Unapproved)


def test_nor_does_a_catalog_that_makes_the_topic_a_service_go_round_it(stage: Stage) -> None:
    greets = {"greets": journey("store_visited", COUPON, topic="lifecycle")}
    stage.apply(greets)
    files = files_with(greets, {}, None)
    catalog = files["journeys/catalog.yaml"]
    softer = catalog.replace("lifecycle: { class: marketing", "lifecycle: { class: service")
    assert softer != catalog
    outcome = apply(
        stage.database, read_files(files | {"journeys/catalog.yaml": softer}), stage.clock.now(), rules=RULES
    )
    assert isinstance(outcome, Unapproved)


def test_nor_does_taking_it_away_and_bringing_it_back_as_something_else(stage: Stage) -> None:
    stage.apply(BEFORE)
    assert isinstance(tries(stage, {"note": BEFORE["note"]}), Done)
    renamed = BEFORE["advert"].replace("topic: marketing", "topic: service")
    assert isinstance(tries(stage, BEFORE | {"advert": renamed}), Unapproved)


def test_nor_does_taking_it_away_and_making_its_topic_a_service(stage: Stage) -> None:
    greets = {"greets": journey("store_visited", COUPON, topic="lifecycle")}
    stage.apply(BEFORE | greets)
    files = files_with({"note": BEFORE["note"]}, {}, None)
    softer = files["journeys/catalog.yaml"].replace("lifecycle: { class: marketing", "lifecycle: { class: service")
    files |= {"journeys/catalog.yaml": softer}
    assert isinstance(apply(stage.database, read_files(files), stage.clock.now(), rules=RULES), Unapproved)


def test_a_step_with_a_topic_of_its_own_is_asked_about(stage: Stage) -> None:
    stage.apply(BEFORE)
    with_an_advert = journey("coupon_used", SERVICE, f"{COUPON}\ntopic: marketing", topic="service")
    assert isinstance(tries(stage, BEFORE | {"note": with_an_advert}), Unapproved)


def test_a_rule_for_a_topic_that_nobody_knows_asks_about_everything(stage: Stage) -> None:
    stage.apply(BEFORE)
    mistyped = Rules.of(Policy.model_validate({"approvals": {"topics": ["markting"]}}), guarded=True)
    assert isinstance(tries(stage, BEFORE | {"note": edited(BEFORE["note"])}, mistyped), Unapproved)


def test_where_nobody_could_approve_nothing_is_asked(stage: Stage) -> None:
    stage.apply(BEFORE)
    files = BEFORE | {"advert": edited(BEFORE["advert"])}
    assert isinstance(tries(stage, files, replace(RULES, policy=None)), Done)
