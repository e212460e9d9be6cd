"""A segment that is deleted, or in which nobody is, lets nobody in; nothing that runs changes its meaning by that."""

from __future__ import annotations

from small_journeys import SERVICE, journey
from stage import OpenStage, Stage
from stage_scene import files_with
from stage_wiring import shipped

from engage.content.project import read_project
from engage.runtime.edits import approving
from engage.runtime.edits.plan import Unreadable
from engage.runtime.enrolling.holding import digest_of
from engage.store import holding

WITH = shipped("catalog", ("segments:\n", "segments:\n  沪上: { city: 上海 }\n"))
DAILY = (
    "journey: 群发\nstart: { every: day, at: 11:00 }\naudience: { segment: 沪上 }\nreentry: always\ntopic: service\n"
    "steps:\n  - send: sorry_personal\n"
)
OTHER = {"other": journey("coupon_used", SERVICE, topic="service")}


def entering(segment: str = "沪上") -> str:
    head = f"journey: 入群\nstart: {{ segment: {segment} }}\nreentry: always\ntopic: service\n"
    return head + "steps:\n  - send: sorry_personal\n"


def test_a_journey_whose_segment_is_deleted_with_it_drains_and_the_rest_goes_on(stage: Stage) -> None:
    """Nobody is in it: it stays known without its words."""
    stage.member("王芳", sms=True, city="北京")
    stage.apply({"daily": DAILY, "entering": entering(), **OTHER}, catalog=WITH)
    stage.run_until(day=1)
    stage.apply(OTHER)
    stage.registers("王芳", city="上海")
    stage.run_until(day=2)
    stage.happens("王芳", "coupon_used", code="C1")
    assert [run.journey_id for run in stage.runs("王芳")] == ["other"]
    assert len(stage.phone("王芳")) == 1


def test_a_message_that_waits_for_the_morning_keeps_its_words_though_its_run_has_ended(stage: Stage) -> None:
    """Without the segment its `only_if` could not be read, and the member in it would get what it kept from them."""
    kept_from = "send: sorry_personal\ntopic: service\nonly_if: { not: { segment: 沪上 } }"
    stage.member("王芳", sms=True, city="北京")
    stage.apply({"note": journey("store_visited", "wait: 12h", kept_from, topic="service"), **OTHER}, catalog=WITH)
    stage.happens("王芳", "store_visited", store="湖滨店")
    stage.run_until(day=0, at="23:00")
    assert stage.run("王芳", "note").status == "ended"
    stage.registers("王芳", city="上海")
    made = stage.plans(OTHER)
    assert [(refusal.journey_id, refusal.members) for refusal in made.refusals if isinstance(refusal, Unreadable)] == [
        ("note", 1)
    ]
    stage.run_until(day=1)
    assert stage.phone("王芳") == []
    assert stage.plans(OTHER).refusals == ()


def test_whoever_waits_in_a_start_and_leaves_its_segment_does_not_enter(open_stage: OpenStage) -> None:
    stage = open_stage(policy={"caps": {}, "audience_guard": {"count": 1}})
    for name in ("王芳", "李雷"):
        stage.member(name, sms=True, city="北京")
    stage.apply({"entering": entering()}, catalog=WITH)
    for name in ("王芳", "李雷"):
        stage.registers(name, city="上海")
    assert [stage.run(name, "entering").status for name in ("王芳", "李雷")] == ["ended", "held"]
    stage.registers("李雷", city="北京")
    with stage.database.write() as connection:
        held = holding.get(connection, 1)
        assert held is not None
        approving.approve_hold(
            connection, 1, digest_of(connection, held), "周敏", stage.engine.context.policy, stage.clock.now()
        )
    stage.passes("1m")
    assert (stage.run("李雷", "entering").end_reason, stage.phone("李雷")) == (
        "audience or exclude does not let them in",
        [],
    )


def test_a_segment_that_nobody_is_in_lets_nobody_in_and_shuts_nobody_out(stage: Stage) -> None:
    shut_out = DAILY.replace("audience: { segment: 沪上 }", "audience: everyone\nexclude: { segment: 沪上 }")
    stage.member("王芳", sms=True, city="北京")
    stage.apply({"daily": DAILY, "entering": entering(), "rest": shut_out}, catalog=WITH)
    stage.run_until(day=1)
    assert {run.journey_id for run in stage.runs("王芳")} == {"rest"}


def test_a_segment_whose_condition_is_empty_is_no_segment() -> None:
    """It would be everybody, or, excluded, nobody."""
    for condition in ("{}", "", "~", "[]", "{ any: [] }", "{ all: [] }", "{ not: {} }", "{ tag: [] }", "{ did: {} }"):
        files = files_with({"daily": DAILY}, catalog=WITH.replace("{ city: 上海 }", condition))
        assert read_project(files)[0] is None, condition
