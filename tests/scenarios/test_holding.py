"""Starts that would bring too many at once are held back, let go by stages, and stopped when they turn out badly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from broken_door import OurFault, fails_over, fails_over_everybody
from small_journeys import SERVICE
from sqlalchemy import Connection
from stage import OpenStage, Stage
from stage_wiring import shipped

from engage.runtime.edits import approving
from engage.runtime.edits.approving import Approved, NotWaiting
from engage.runtime.enrolling import enrol, holding, passing_of_time
from engage.runtime.enrolling.holding import LettingGo
from engage.runtime.quarantine import Failed, Quarantine
from engage.store import holding as store
from engage.store.databases import continuity
from engage.store.edits import moving
from engage.store.holding import Hold, HoldStatus, Waiting
from engage.store.insight import history, overview

EVERYBODY = 40
CHANGED = "it was changed while it was being let go"


def campaign(audience: str = "{ city: 上海 }", more: str = "", topic: str = "service", text: str = SERVICE) -> str:
    step = "\n".join(f"    {line}" for line in text.splitlines()).strip()
    head = f"journey: 群发\nstart: {{ every: day, at: 11:00 }}\naudience: {audience}\nreentry: always\ntopic: {topic}\n"
    return f"{head}{more}steps:\n  - {step}\n"


def crowd(open_stage: OpenStage, policy: dict[str, Any], text: str | None = None) -> Stage:
    stage = open_stage(policy={"caps": {}} | policy)
    for number in range(EVERYBODY):
        stage.member(f"m{number}", sms=True, city="上海")
    stage.apply({"campaign": text or campaign()})
    stage.run_until(day=0, at="11:01")  # a channel takes so many at once, and the rest a second later
    return stage


def by_segment(open_stage: OpenStage, policy: dict[str, Any], audience: str = "everyone") -> Stage:
    """The journey is started by coming into a segment."""
    stage = open_stage(policy={"caps": {}} | policy)
    for number in range(EVERYBODY):
        stage.member(f"m{number}", sms=True, city="北京")
    in_shanghai = shipped("catalog", ("segments:\n", "segments:\n  沪上: { city: 上海 }\n"))
    stage.apply({"campaign": into_the_segment(audience)}, catalog=in_shanghai)
    return stage


def into_the_segment(audience: str = "everyone", more: str = "") -> str:
    return campaign(audience, more).replace("{ every: day, at: 11:00 }", "{ segment: 沪上 }")


def come(stage: Stage, first: int, last: int) -> None:
    """Those from the first to the last, by one report of the shop's."""
    moved = [{"member": f"M{number + 1:04}", "fields": {"city": "上海"}} for number in range(first, last + 1)]
    stage.posts("/api/members", {"members": moved})


def messages(stage: Stage) -> int:
    return sum(len(stage.phone(f"m{number}")) for number in range(EVERYBODY))


def statuses(stage: Stage) -> Counter[str]:
    return Counter(run.status for number in range(EVERYBODY) for run in stage.runs(f"m{number}"))


def the_hold(stage: Stage) -> Hold:
    with stage.database.read() as connection:
        found = store.get(connection, 1)
    assert found is not None
    return found


def approves(stage: Stage, by: str, digest: str | None = None) -> Approved | NotWaiting:
    came = approves_at_once(stage, by, digest)
    stage.passes("1m")
    return came


def approves_at_once(stage: Stage, by: str = "王芳", digest: str | None = None) -> Approved | NotWaiting:
    """Nothing has been let go yet."""
    policy, now = stage.engine.context.policy, stage.clock.now()
    with stage.database.write() as connection:
        held = store.get(connection, 1)
        assert held is not None
        told = digest or holding.digest_of(connection, held)
        return approving.approve_hold(connection, 1, told, by, policy, now)


def refuses(stage: Stage) -> None:
    refuses_at_once(stage)
    stage.settle()


def refuses_at_once(stage: Stage) -> None:
    """Nobody has been turned away yet."""
    with stage.database.write() as connection:
        approving.refuse_hold(connection, 1, "王芳", stage.clock.now())


GUARD = {"audience_guard": {"count": 10}}
CANARY = {"canary": {"start_from": 20, "stages": [10, 50, 100], "wait": "30m"}}


def test_a_start_of_few_is_none_of_its_business(open_stage: OpenStage) -> None:
    stage = crowd(open_stage, {})
    assert messages(stage) == EVERYBODY


def test_too_many_at_once_wait_for_approval_and_nobody_is_lost(open_stage: OpenStage) -> None:
    stage = crowd(open_stage, GUARD)
    assert (messages(stage), statuses(stage)) == (0, Counter(held=EVERYBODY))
    held = the_hold(stage)
    assert (held.status, held.members, held.why) == ("waiting", EVERYBODY, "40 members at once, 10 allowed")
    approves(stage, "王芳")
    assert messages(stage) == EVERYBODY
    assert the_hold(stage).status is HoldStatus.RELEASED


def test_a_share_of_all_members_is_too_many_unless_everyone_was_said(open_stage: OpenStage) -> None:
    policy = {"audience_guard": {"share": 0.5, "share_from": 10}}
    assert the_hold(crowd(open_stage, policy)).why == "40 of 40 members at once, 50 % allowed"
    assert messages(crowd(open_stage, policy, campaign("everyone"))) == EVERYBODY


def test_the_next_day_the_same_members_do_not_enter_beside_those_who_wait(open_stage: OpenStage) -> None:
    stage = crowd(open_stage, GUARD)
    stage.run_until(day=1, at="12:00")
    assert statuses(stage) == Counter(held=EVERYBODY)


def test_what_happens_meanwhile_wakes_nobody_who_waits(open_stage: OpenStage) -> None:
    stage = crowd(open_stage, GUARD, campaign(more="exit_if: { event: order_paid }\n"))
    stage.happens("m1", "order_paid", order_id="A1", amount=10)
    stage.run_until(day=2)
    assert messages(stage) == 0


def test_whom_the_audience_does_not_let_in_any_more_stays_out_when_it_is_let_go(open_stage: OpenStage) -> None:
    stage = crowd(open_stage, GUARD)
    stage.registers("m3", city="北京")
    approves(stage, "王芳")
    assert (messages(stage), len(stage.phone("m3"))) == (EVERYBODY - 1, 0)
    assert stage.runs("m3")[0].end_reason == "audience or exclude does not let them in"


def test_a_start_that_is_refused_ends_for_all_who_wait(open_stage: OpenStage) -> None:
    stage = crowd(open_stage, GUARD)
    refuses(stage)
    assert (messages(stage), statuses(stage)) == (0, Counter(ended=EVERYBODY))


ONCE = campaign().replace("reentry: always\n", "")  # it takes nobody twice


def test_whom_a_refused_start_has_brought_may_be_brought_by_the_next_one(open_stage: OpenStage) -> None:
    stage = crowd(open_stage, GUARD, ONCE)
    refuses(stage)
    stage.run_until(day=0, at="23:00")
    assert statuses(stage) == Counter(ended=EVERYBODY)
    stage.run_until(day=1, at="12:00")
    assert statuses(stage) == Counter(ended=EVERYBODY, held=EVERYBODY)


def test_so_may_who_had_left_the_audience_when_it_was_let_go(open_stage: OpenStage) -> None:
    stage = crowd(open_stage, GUARD, ONCE)
    stage.registers("m3", city="北京")
    approves(stage, "王芳")
    stage.registers("m3", city="上海")
    stage.run_until(day=1, at="12:00")
    assert messages(stage) == EVERYBODY
    assert [run.end_kind for run in stage.runs("m3")] == ["never_began", "completed"]


def test_a_goal_is_none_of_a_run_that_never_began(open_stage: OpenStage) -> None:
    stage = crowd(open_stage, GUARD, campaign(more="goal: { event: order_paid, within: 14d, count_from: entry }\n"))
    refuses(stage)
    stage.happens("m1", "order_paid", order_id="A1", amount=10)
    assert stage.runs("m1")[0].goal_at is None


def test_a_draining_journey_lets_nobody_in_who_waits(open_stage: OpenStage) -> None:
    stage = crowd(open_stage, GUARD)
    stage.apply({})
    approves(stage, "王芳")
    assert (messages(stage), statuses(stage)) == (0, Counter(ended=EVERYBODY))


# --- approvals --------------------------------------------------------------------------------------------------

FOUR_EYES = {"approvals": {"topics": ["service"], "by": 2, "start_from": 5}}


def test_as_many_people_as_the_policy_says_and_the_same_one_counts_once(open_stage: OpenStage) -> None:
    stage = crowd(open_stage, FOUR_EYES)
    assert the_hold(stage).why == "starts of this topic need approval"
    for _ in range(2):
        assert approves(stage, "王芳") == Approved(["王芳"], 2, False)
    assert messages(stage) == 0
    assert approves(stage, "李雷") == Approved(["王芳", "李雷"], 2, True)
    assert messages(stage) == EVERYBODY


def test_an_edit_after_the_first_approval_voids_it(open_stage: OpenStage) -> None:
    stage = crowd(open_stage, FOUR_EYES)
    approves(stage, "王芳")
    stage.apply({"campaign": campaign(more="note: 改过\n")})
    assert approves(stage, "李雷") == Approved(["李雷"], 2, False)
    assert messages(stage) == 0


def test_what_was_shown_is_what_is_approved(open_stage: OpenStage) -> None:
    stage = crowd(open_stage, {"approvals": {"topics": ["service"], "start_from": 5}})
    shown = "of something else"
    assert approves(stage, "王芳", shown) == Approved([], 1, False)


def test_an_edit_between_two_stages_voids_the_approval_and_stops_it(open_stage: OpenStage) -> None:
    stage = crowd(open_stage, FOUR_EYES | CANARY)
    approves(stage, "王芳")
    approves(stage, "李雷")
    let_go = messages(stage)
    assert 0 < let_go < EVERYBODY
    stage.apply({"campaign": campaign(more="note: 改过\n")})
    stage.run_until(day=0, at="18:00")
    assert messages(stage) == let_go
    assert (the_hold(stage).status, the_hold(stage).why) == ("waiting", CHANGED)


def test_an_edit_in_the_midst_of_a_stage_is_approved_anew_and_that_stage_goes_on(
    open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "BATCH", 10)
    stage = crowd(open_stage, GUARD)
    approves_at_once(stage)
    assert LettingGo(stage.engine.context).tick() == 10
    stage.apply({"campaign": campaign(more="note: 改过\n")})
    stage.passes("1m")
    assert (the_hold(stage).why, the_hold(stage).percent, messages(stage)) == (CHANGED, 0, 10)
    approves_at_once(stage)
    assert the_hold(stage).percent == 100
    stage.passes("1h")
    assert (the_hold(stage).status, messages(stage)) == (HoldStatus.RELEASED, EVERYBODY)


# --- who comes into a segment ------------------------------------------------------------------------------------


@pytest.fixture
def few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enrol, "BATCH", 5)
    monkeypatch.setattr(holding, "_ENOUGH_TO_SAY", 5)


@pytest.mark.usefixtures("few_at_a_time")
def test_who_come_into_a_segment_together_are_counted_together(open_stage: OpenStage) -> None:
    """However few of them are looked at at a time; and with those who came within the hour."""
    stage = by_segment(open_stage, {"audience_guard": {"count": 15}})
    come(stage, 0, 9)
    assert (statuses(stage), messages(stage)) == ({"ended": 10}, 10)
    come(stage, 10, EVERYBODY - 1)
    assert (statuses(stage), messages(stage)) == ({"ended": 10, "held": 30}, 10)
    assert the_hold(stage).why == f"{EVERYBODY} members at once, 15 allowed"


@pytest.mark.usefixtures("few_at_a_time")
def test_whom_the_time_brings_into_a_segment_are_counted_before_the_first_of_them_enters(
    open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passing_of_time, "BATCH", 5)
    stage = open_stage(policy={"caps": {}} | GUARD)
    for number in range(EVERYBODY):
        stage.member(f"m{number}", sms=True, contract_end="2026-12-05")
    ending = shipped("catalog", ("segments:\n", "segments:\n  沪上: { contract_end: next 7d }\n"))
    stage.apply({"campaign": into_the_segment()}, catalog=ending)
    stage.run_until(day=6, at="00:30")
    assert statuses(stage) == {"held": EVERYBODY}
    assert the_hold(stage).why == f"{EVERYBODY} members at once, 10 allowed"


@pytest.mark.usefixtures("few_at_a_time")
def test_whom_the_audience_keeps_out_is_not_counted(open_stage: OpenStage) -> None:
    stage = by_segment(open_stage, GUARD, audience="{ name: m7 }")
    come(stage, 0, EVERYBODY - 1)
    assert (statuses(stage), messages(stage)) == ({"ended": 1}, 1)


def test_whoever_comes_while_a_start_waits_waits_with_the_others(open_stage: OpenStage) -> None:
    """Also if a stage, in which they would be, is through."""
    stage = by_segment(open_stage, {"canary": {"start_from": 10, "stages": [50, 100], "wait": "30m"}})
    come(stage, 0, 19)
    first = [name for name in (f"m{n}" for n in range(EVERYBODY)) if stage.phone(name)]
    for name in first[:3]:
        stage.types(name, "TD", channel="sms")
    stage.passes("40m")
    assert the_hold(stage).why.startswith("unsubscribed")
    so_far = messages(stage)
    come(stage, 20, EVERYBODY - 1)
    assert (messages(stage), the_hold(stage).members) == (so_far, EVERYBODY)
    approves(stage, "王芳")
    assert statuses(stage)["held"] == 0


def test_whoever_comes_after_it_was_refused_is_refused(open_stage: OpenStage) -> None:
    stage = by_segment(open_stage, GUARD)
    come(stage, 0, 19)
    refuses_at_once(stage)
    come(stage, 20, EVERYBODY - 1)
    assert (statuses(stage), messages(stage)) == ({"ended": EVERYBODY}, 0)


def test_a_start_that_goes_by_itself_stops_when_too_many_have_joined_it(open_stage: OpenStage) -> None:
    going = {"canary": {"start_from": 10, "stages": [50, 100], "wait": "30m"}}
    stage = by_segment(open_stage, going | {"audience_guard": {"count": 20}})
    come(stage, 0, 11)
    so_far = messages(stage)
    assert (the_hold(stage).status, 0 < so_far < 12) == (HoldStatus.GOING, True)
    come(stage, 12, EVERYBODY - 1)
    stage.passes("2h")
    assert (the_hold(stage).why, messages(stage)) == (f"{EVERYBODY} members at once, 20 allowed", so_far)


def test_words_that_were_not_tried_do_not_go_to_newcomers_either(open_stage: OpenStage) -> None:
    stage = by_segment(open_stage, {"canary": {"start_from": 10, "stages": [50, 100], "wait": "30m"}})
    come(stage, 0, 19)
    so_far = messages(stage)
    in_shanghai = shipped("catalog", ("segments:\n", "segments:\n  沪上: { city: 上海 }\n"))
    stage.apply({"campaign": into_the_segment(more="note: 改过\n")}, catalog=in_shanghai)
    come(stage, 20, EVERYBODY - 1)
    assert (the_hold(stage).why, messages(stage)) == (CHANGED, so_far)


@pytest.mark.parametrize(("newcomers", "goes_on"), [(2, True), (3, False)])
def test_a_few_more_may_join_a_start_that_was_approved(
    open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch, newcomers: int, goes_on: bool
) -> None:
    stage = by_segment(open_stage, GUARD)
    come(stage, 0, 19)
    monkeypatch.setattr(LettingGo, "tick", lambda _: 0)
    assert approves(stage, "王芳") == Approved(["王芳"], 1, True)
    come(stage, 20, 19 + newcomers)
    monkeypatch.undo()
    stage.passes("1h")
    why = f"{20 + newcomers} members by now, 20 were approved"
    assert (the_hold(stage).why == why, messages(stage)) == (not goes_on, (20 + newcomers) * goes_on)


def test_one_more_does_not_void_what_the_first_of_two_has_approved(open_stage: OpenStage) -> None:
    stage = by_segment(open_stage, FOUR_EYES)
    come(stage, 0, 19)
    approves(stage, "王芳")
    come(stage, 20, 20)
    assert approves(stage, "李雷") == Approved(["王芳", "李雷"], 2, True)


# --- the canary -------------------------------------------------------------------------------------------------


def test_a_large_start_goes_by_stages(open_stage: OpenStage) -> None:
    stage = crowd(open_stage, CANARY)
    first = messages(stage)
    assert 0 < first < EVERYBODY / 2
    stage.run_until(day=0, at="11:29")
    assert messages(stage) == first
    stage.run_until(day=0, at="11:31")
    second = messages(stage)
    assert first < second < EVERYBODY
    stage.run_until(day=0, at="12:02")
    assert messages(stage) == EVERYBODY
    assert the_hold(stage).status is HoldStatus.RELEASED


def test_words_that_were_not_tried_on_a_few_do_not_go_to_the_rest(open_stage: OpenStage) -> None:
    stage = crowd(open_stage, CANARY)
    first = messages(stage)
    stage.apply({"campaign": campaign(more="note: 改过\n")})
    stage.run_until(day=0, at="18:00")
    assert (the_hold(stage).status, the_hold(stage).why, messages(stage)) == ("waiting", CHANGED, first)
    approves(stage, "王芳")
    assert first < messages(stage) < EVERYBODY
    stage.run_until(day=0, at="20:00")
    assert messages(stage) == EVERYBODY


def test_the_same_members_are_first_whenever_it_is_asked(open_stage: OpenStage) -> None:
    one, other = ([len(s.phone(f"m{n}")) for n in range(EVERYBODY)] for s in (crowd(open_stage, CANARY) for _ in "ab"))
    assert one == other


def test_a_journey_may_say_that_it_goes_at_once(open_stage: OpenStage) -> None:
    assert messages(crowd(open_stage, CANARY, campaign(more="canary: no\n"))) == EVERYBODY


def test_it_stops_by_itself_when_too_many_unsubscribe_and_goes_on_by_approval(open_stage: OpenStage) -> None:
    policy = {"canary": {"start_from": 20, "stages": [30, 100], "wait": "30m"}}
    stage = crowd(open_stage, policy)
    first = [name for name in (f"m{n}" for n in range(EVERYBODY)) if stage.phone(name)]
    for name in first[:3]:
        stage.types(name, "TD", channel="sms")
    so_far = messages(stage)
    stage.run_until(day=0, at="18:00")
    assert messages(stage) == so_far
    held = the_hold(stage)
    assert (held.status, held.why) == ("waiting", f"unsubscribed: 3 of {len(first)}, 2.0 % allowed")
    approves(stage, "王芳")
    assert statuses(stage)["held"] == 0


def test_a_stage_of_which_nothing_is_known_yet_is_waited_for(open_stage: OpenStage) -> None:
    """Its journey begins with a wait: that an hour has passed says nothing."""
    late = campaign(text="wait: 1d\n- send: sorry_personal\n  topic: service").replace("    - send", "  - send")
    stage = crowd(open_stage, CANARY, late.replace("      topic", "    topic"))
    stage.run_until(day=1, at="10:00")
    assert the_hold(stage).stage == 0
    stage.run_until(day=2, at="18:00")
    assert the_hold(stage).stage > 0


def test_one_over_whom_the_code_fails_is_waited_for_and_the_others_are_let_go(
    open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = crowd(open_stage, GUARD)
    with monkeypatch.context() as patch:
        fails_over(stage, patch, "m3")
        approves(stage, "王芳")
        assert (the_hold(stage).status, messages(stage)) == (HoldStatus.GOING, EVERYBODY - 1)
        assert stage.runs("m3")[0].status == "held"
        with stage.database.read() as connection:
            assert overview.set_aside(connection, stage.began) == {"letting_go": 1}
    stage.passes("15m")
    assert (the_hold(stage).status, messages(stage)) == (HoldStatus.RELEASED, EVERYBODY)


def test_but_not_for_ever(open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next stage waits for them."""
    stage = crowd(open_stage, GUARD)
    fails_over(stage, monkeypatch, "m3", "m5")
    approves(stage, "王芳")
    for _ in range(19):
        stage.passes("10m")
    assert (the_hold(stage).status, messages(stage)) == (HoldStatus.RELEASED, EVERYBODY - 2)
    for name in ("m3", "m5"):
        (run,) = stage.runs(name)
        assert (run.status, run.end_reason) == ("ended", "letting them in has failed; the log says why")


def test_a_fault_over_all_who_are_let_go_ends_nobodys_run(
    open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One has left the audience meanwhile, and is turned away without a fault."""
    stage = crowd(open_stage, GUARD)
    stage.registers("m3", city="杭州")
    change_runs = store.change_runs

    def failing(connection: Connection, runs: Sequence[Waiting], values: Mapping[str, Any]) -> None:
        if runs and values["status"] == "live":
            raise TypeError("a bad release")
        change_runs(connection, runs, values)

    with monkeypatch.context() as patch:
        patch.setattr(store, "change_runs", failing)
        approves(stage, "王芳")
    assert statuses(stage) == {"ended": 1, "held": EVERYBODY - 1}
    stage.passes("15m")
    assert statuses(stage) == {"ended": EVERYBODY}
    assert stage.runs("m5")[0].end_kind == "completed"


def test_a_stage_that_was_due_in_the_time_a_restore_has_lost_is_dropped_like_anything_else(
    open_stage: OpenStage,
) -> None:
    """Half of them had their message at half past eleven, from the database that was lost at ten to twelve."""
    stage = crowd(open_stage, CANARY)
    first = messages(stage)
    with stage.daemon_down():
        stage.run_until(day=0, at="11:50")
        with stage.database.write() as connection:
            continuity.take_for_true(stage.database, connection, 0, stage.clock.now(), drop_due=True)
        stage.passes_seconds(1)  # to the next bell
    stage.run_until(day=0, at="12:10")
    assert (the_hold(stage).stage, messages(stage)) == (1, first)


def test_a_run_that_has_gone_on_is_not_let_go_again(open_stage: OpenStage) -> None:
    """As by two daemons, one of which comes later than it knows."""
    stage = crowd(open_stage, GUARD)
    approves(stage, "王芳")
    run = stage.runs("m1")[0]
    with stage.database.write() as connection:
        store.change_runs(connection, [Waiting(run.id, stage.ref("m1"))], {"status": "live", "due_at": run.entered_at})
    assert stage.runs("m1")[0].status == "ended"


def test_what_was_held_and_let_go_is_in_the_trail(open_stage: OpenStage) -> None:
    stage = crowd(open_stage, GUARD)
    approves(stage, "王芳")
    run = stage.runs("m1")[0]
    with stage.database.read() as connection:
        lines = history.trail(connection, stage.ref("m1"), [run.id])[run.id]
    assert [line.what for line in lines][:2] == ["held", "let_go"]


def test_a_fault_over_all_who_wait_is_nobodys_own_and_they_are_let_go_when_it_is_mended(
    open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = crowd(open_stage, GUARD)
    with stage.daemon_down(), monkeypatch.context() as patch:
        approves_at_once(stage, "王芳")
        fails_over_everybody(patch)
        with pytest.raises(OurFault):
            stage.engine.letting_go.tick()
        assert statuses(stage) == {"held": EVERYBODY}
    for _ in range(2):  # a minute later; and the channel takes so many at once
        stage.passes("1m")
    assert messages(stage) == EVERYBODY


def test_whom_another_daemon_has_let_go_meanwhile_is_not_set_aside(
    open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = crowd(open_stage, GUARD)
    leave_out = Quarantine._leave_out

    def late(quarantine: Quarantine[Any], failed: Sequence[Failed[Any]]) -> None:
        if failed:
            monkeypatch.undo()
            assert LettingGo(stage.engine.context).tick()
        leave_out(quarantine, failed)

    fails_over(stage, monkeypatch, "m3")
    monkeypatch.setattr(Quarantine, "_leave_out", late)
    approves(stage, "王芳")
    assert (stage.runs("m3")[0].end_kind, messages(stage)) == ("completed", EVERYBODY)


def test_in_plans_who_was_never_let_in_has_not_entered(open_stage: OpenStage) -> None:
    stage = crowd(open_stage, GUARD)
    refuses(stage)
    stage.passes("1m")
    with stage.database.read() as connection:
        assert moving.crowd(connection, "campaign").entered == 0
