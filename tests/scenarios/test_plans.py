"""A plan from the look at it to the apply, and back: what stands in its way, who goes on when, pins, stops, undos."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime

import pytest
from on_the_way import PEOPLE, START, A, B, C, in_flight, moves_of, nobody_is_stranded, sent, story
from small_journeys import journey
from sqlalchemy import Connection
from stage import Stage
from stage_wiring import shipped

from engage.core.moving import What
from engage.core.release import Release
from engage.runtime.edits import applying
from engage.runtime.edits.applying import Done, NoSuchPlan, Outcome, Superseded, Unseen, WorldMoved
from engage.runtime.edits.plan import Change, Homeless, NeedsDraft, Rules, SmallerHoldout, Terms, Unreadable
from engage.runtime.edits.undoing import NeverApplied, NotTheLast, Undone, UndoneBefore
from engage.store import advancing
from engage.store.tables import answer, enrolment, enrolment_move, journey_version
from engage.store.tables import plan as plan_table

LONG = story(A, "wait: 9d", B)
SHORT = story(A, "wait: 3d", B)


# --- what stands in the way -------------------------------------------------------------------------------------


def test_a_way_that_is_gone_with_members_on_it_is_refused_until_it_is_said_where_they_go(stage: Stage) -> None:
    in_flight(stage, (A, f"if: {{ tag: VIP }}\nthen:\n  - {C}\nelse:\n  - wait: 9d\n    id: pause", B))
    without = (A, f"if: {{ tag: VIP }}\nthen:\n  - {C}", B)
    made = stage.plans(story(*without))
    assert made.refusals == (Homeless("note", "pause", 3),)
    assert isinstance(stage.applies(made), NoSuchPlan)
    (said,) = stage.plans(story(*without, more="moved_to: { pause: thanks_repeat }\n")).journeys
    assert [step.fate.to for step in said.steps if step.fate.old == "pause"] == ["thanks_repeat"]


def test_a_way_that_is_gone_with_nobody_on_it_is_no_matter(stage: Stage) -> None:
    in_flight(stage, (A, f"if: {{ tag: VIP }}\nthen:\n  - wait: 9d\nelse:\n  - {C}\n  - wait: 8d", B))
    made = stage.plans(story(A, f"if: {{ tag: VIP }}\nthen: []\nelse:\n  - {C}\n  - wait: 8d", B))
    assert made.refusals == ()


def test_a_step_that_looks_like_another_under_a_new_name_is_pointed_out(stage: Stage) -> None:
    in_flight(stage, (A, "wait: 9d\nid: pause", B))
    (one,) = stage.plans(story(A, "wait: 9d\nid: rest", B)).journeys
    (gone,) = one.steps
    assert (gone.fate.old, gone.fate.perhaps, gone.moved) == ("pause", "rest", {What.ONWARD: 3})


def test_a_holdout_may_grow_and_be_given_up_but_not_shrink(stage: Stage) -> None:
    for name in PEOPLE:
        stage.member(name, sms=True)
    stage.apply(story(A, "wait: 9d", B, more="holdout: 80%\n"))
    for name in PEOPLE:
        stage.happens(name, START, store="湖滨店")
    held_out = sum(row.holdout for row in stage.rows(enrolment))
    assert held_out > 0
    smaller = stage.plans(story(A, "wait: 9d", B, more="holdout: 50%\n"))
    assert smaller.refusals == (SmallerHoldout("note", 80, 50, held_out),)
    for holdout in ("99%", "0%"):
        assert stage.plans(story(A, "wait: 9d", B, more=f"holdout: {holdout}\n")).refusals == ()


def test_a_catalog_without_words_that_members_still_need_is_refused(stage: Stage) -> None:
    in_flight(stage, (A, "wait: 9d", "update: { add: { tag: 老友 } }", "send: tips60\nonly_if: { employee: no }"))
    poorer = shipped("catalog", ("  employee: boolean", "  staff: boolean"))
    gone = {"other": journey("coupon_used", A, topic="service")}
    made = stage.plans(gone, catalog=poorer.replace("employee: yes", "staff: yes"))
    ((journey_id, members),) = [(r.journey_id, r.members) for r in made.refusals if isinstance(r, Unreadable)]
    assert (journey_id, members) == ("note", 3)


def test_a_draft_that_a_running_journey_enrols_into_is_missed(stage: Stage) -> None:
    stage.apply(story(A))
    draft = journey("coupon_used", A, topic="service", more="draft: yes\n")
    made = stage.plans(story(A, "enroll: later") | {"later": draft})
    assert [type(refusal) for refusal in made.refusals] == [NeedsDraft]


# --- from the look to the apply ---------------------------------------------------------------------------------


def test_an_edit_that_nobody_on_the_way_notices_is_applied_at_once(stage: Stage) -> None:
    in_flight(stage, (A, "wait: 9d", B))
    longer = story(A, "wait: 9d", C, B)
    outcome = stage.tries(longer)
    assert isinstance(outcome, Done)
    assert moves_of(outcome.plan) == {"wait>thanks_repeat": {What.RENAMED: 3}}
    assert [(one.affected, one.touched) for one in outcome.plan.journeys] == [(0, 0)]


def test_an_edit_that_somebody_notices_waits_for_somebody_to_look(stage: Stage) -> None:
    in_flight(stage, (A, "wait: 9d", B))
    outcome = stage.tries(SHORT)
    assert isinstance(outcome, Unseen)
    assert stage.applied.journeys["note"].version == 1
    assert isinstance(stage.applies(outcome.plan), Done)
    assert stage.applied.journeys["note"].version == 2


def test_a_plan_takes_the_files_as_they_were_when_it_was_shown(stage: Stage) -> None:
    in_flight(stage, (A, "wait: 9d", B))
    made = stage.plans(SHORT)
    stage.plans(story(A, "wait: 1d", C))  # the files have changed since; nobody has applied that
    assert isinstance(stage.applies(made), Done)
    assert [row.source for row in stage.rows(journey_version, version=2)] == [SHORT["note"]]


def test_the_same_plan_made_twice_is_one(stage: Stage) -> None:
    in_flight(stage, (A, "wait: 9d", B))
    assert stage.plans(SHORT).id == stage.plans(SHORT).id
    assert stage.plans(SHORT, Terms(Release.NOW)).id != stage.plans(SHORT).id


def test_a_plan_stops_when_somebody_has_moved_on_meanwhile(stage: Stage) -> None:
    in_flight(stage, (A, "wait: 9d", B))
    made = stage.plans(SHORT)
    stage.run_until(day=9, at="12:00")  # the first one's nine days are over
    outcome = stage.applies(made)
    assert isinstance(outcome, WorldMoved)
    assert outcome.shown["note"]["steps"]["wait>thanks_repeat"]["standing"] == 3
    assert outcome.plan.effect()["note"]["steps"]["wait>thanks_repeat"]["standing"] == 2
    assert stage.applied.journeys["note"].version == 1
    assert isinstance(stage.applies(outcome.plan), Done)


def test_a_plan_does_not_mind_what_happens_elsewhere(stage: Stage) -> None:
    in_flight(stage, (A, "wait: 9d", B))
    made = stage.plans(story(A, "wait: 9d", B, C))
    stage.run_until(day=9, at="12:00")
    assert isinstance(stage.applies(made), Done)


def test_a_plan_stops_when_another_was_applied_meanwhile(stage: Stage) -> None:
    in_flight(stage, (A, "wait: 9d", B))
    made = stage.plans(SHORT)
    stage.apply(LONG, templates={"thanks_repeat.sms": shipped_sms("谢谢您。")})
    assert isinstance(stage.applies(made), Superseded)


def test_a_plan_is_applied_once(stage: Stage) -> None:
    in_flight(stage, (A, "wait: 9d", B))
    made = stage.plans(SHORT)
    stage.applies(made)
    assert stage.applies(made) == NoSuchPlan(done=True)


def test_an_apply_that_dies_half_way_has_done_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    in_flight(stage, (A, "wait: 9d", B))
    made = stage.plans(SHORT)
    before = stage.rows(enrolment)

    def dies(*_: object) -> None:
        raise OSError("the machine is switched off")

    with monkeypatch.context() as patched:
        patched.setattr(applying.plans, "note_applied", dies)
        with pytest.raises(OSError, match="switched off"):
            stage.applies(made)
    assert stage.rows(enrolment) == before
    assert stage.rows(enrolment_move) == []
    assert stage.applied.journeys["note"].version == 1
    assert isinstance(stage.applies(made), Done)


def test_a_worker_that_was_just_looking_at_them_moves_them_by_the_new_version(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has seen that something is due; then somebody applies; then it takes the database to move them."""
    in_flight(stage, (A, "wait: 9d\nid: pause", B))
    made = stage.plans(story(A, "wait: 9d\nid: rest\nwas: pause", B))
    outcomes: list[Outcome] = []
    look, write = advancing.anything_due, stage.database.write

    def looks(connection: Connection, now: datetime) -> bool:
        found = look(connection, now)
        if found:
            monkeypatch.setattr(stage.database, "write", writes)
        return found

    def writes() -> AbstractContextManager[Connection]:
        monkeypatch.setattr(stage.database, "write", write)
        if not outcomes:
            outcomes.append(applying.apply_plan(stage.database, made.id, stage.clock.now(), Rules()))
        return write()

    monkeypatch.setattr(advancing, "anything_due", looks)
    stage.run_until(day=9)
    assert [type(outcome) for outcome in outcomes] == [Done]
    nobody_is_stranded(stage)
    assert sent(stage, "王芳") == ["sorry_personal", "thanks_repeat"]


# --- when they go on --------------------------------------------------------------------------------------------


def test_who_would_go_on_at_once_is_let_go_over_a_day_inside_sending_hours(stage: Stage) -> None:
    in_flight(stage, (A, "wait: 9d", B))
    made = stage.plans(story(A, "wait: until 2026-11-24 10:00", B))
    (one,) = made.journeys
    assert (one.at_once, one.next_messages.sure) == (3, {"thanks_repeat": 3})
    stage.applies(made)
    # Day 5, ten o'clock: eleven hours are left of today, and one of tomorrow.
    assert [stage.when(row.due_at) for row in stage.rows(enrolment, status="live")] == ["day 5 14:00", "day 5 18:00"]
    stage.run_until(day=6)
    assert [stage.got(name)[-1][0] for name in PEOPLE] == ["day 5 10:00", "day 5 14:00", "day 5 18:00"]


def test_they_may_all_go_now(stage: Stage) -> None:
    in_flight(stage, (A, "wait: 9d", B))
    stage.applies(stage.plans(story(A, "wait: 1d", B), Terms(Release.NOW)))
    assert [stage.got(name)[-1][0] for name in PEOPLE] == ["day 5 10:00"] * 2 + ["day 5 10:00"]


def test_who_waits_for_an_event_and_is_held_back_still_hears_it(stage: Stage) -> None:
    in_flight(stage, (A, f"wait_for: coupon_used\nup_to: 9d\nthen:\n  - {C}", B))
    stage.applies(stage.plans(story(A, f"wait_for: coupon_used\nup_to: 1d\nthen:\n  - {C}", B)))
    stage.happens("韩梅", "coupon_used", code="C1")
    stage.run_until(day=7)
    assert sent(stage, "韩梅") == ["sorry_personal", "tips60", "thanks_repeat"]
    assert sent(stage, "王芳") == ["sorry_personal", "thanks_repeat"]


# --- names ------------------------------------------------------------------------------------------------------


def test_an_answer_is_still_the_answer_of_a_question_that_was_renamed(stage: Stage) -> None:
    for name in PEOPLE:
        stage.member(name, email=True)
    ask = "ask: nps\nid: {}\nquestion: 愿意推荐我们吗？\nchannels: [email]"
    cases = "switch: {}\ncases:\n  0..6:\n    - send: thanks_repeat\n  7..10:\n    - send: tips60\n  no_answer: []"
    stage.apply(story(ask.format("score"), "wait: 9d", cases.format("score")))
    stage.happens("王芳", START, store="湖滨店")
    stage.fills("王芳", 3)
    renamed = ask.format("recommend") + "\nwas: score"
    stage.applies(stage.plans(story(renamed, "wait: 9d", cases.format("recommend"))))
    assert [row.step_id for row in stage.rows(answer)] == ["recommend"]
    stage.run_until(day=12)
    assert stage.trail("王芳", "note")[-2:] == ["switch-recommend: switch", "thanks_repeat: exit"]


def test_a_question_inserted_before_one_of_the_same_name_does_not_take_its_answer(stage: Stage) -> None:
    stage.member("王芳", email=True)
    ask = "ask: csat\nquestion: {}\nchannels: [email]\nanswer_within: 3d"
    stage.apply(story(ask.format("第一次满意吗？"), "wait: 9d", ask.format("第二次满意吗？")))
    stage.happens("王芳", START, store="湖滨店")
    stage.fills("王芳", 4)
    stage.applies(
        stage.plans(
            story(ask.format("还没问过的"), ask.format("第一次满意吗？"), "wait: 9d", ask.format("第二次满意吗？"), C)
        )
    )
    assert [row.step_id for row in stage.rows(answer)] == ["csat~2"]
    stage.run_until(day=10)
    assert stage.run("王芳", "note").step_id == "csat~3"
    assert "第二次满意吗？" in stage.last("王芳").text


def test_a_message_whose_name_another_one_had_is_sent_all_the_same(stage: Stage) -> None:
    """The first of two is removed: the second takes over its name, and has not been sent yet."""
    stage.member("王芳", sms=True)
    stage.apply(story(A, "wait: 2d", A, "wait: 2d", B))
    stage.happens("王芳", START, store="湖滨店")
    stage.applies(stage.plans(story("wait: 2d", A, "wait: 2d", B)))
    stage.run_until(day=10)
    assert [came.when for came in stage.phone("王芳")] == ["day 0 10:00", "day 2 10:00", "day 4 10:00"]


def test_what_was_done_for_a_member_is_not_done_again_when_its_step_comes_later_now(stage: Stage) -> None:
    in_flight(stage, ("update: { add: { points: 5 } }\nid: gift", "wait: 9d\nid: pause", A))
    renamed = "update: { add: { points: 5 } }\nid: present\nwas: gift"
    stage.applies(stage.plans(story("wait: 9d\nid: pause", A, renamed)))
    stage.run_until(day=30)
    assert [sent(stage, name) for name in PEOPLE] == [["sorry_personal"]] * 3
    assert [stage.profile(name)["points"] for name in PEOPLE] == [5, 5, 5]


# --- pins -------------------------------------------------------------------------------------------------------


def test_a_pinned_journey_is_finished_as_it_was_entered(stage: Stage) -> None:
    in_flight(stage, (A, "wait: 9d", B))
    made = stage.plans(story(C, more="on_edit: pin\n"))
    assert (made.journeys[0].pins, moves_of(made)) == (3, {})
    stage.applies(made)
    stage.run_until(day=30)
    assert {name: sent(stage, name) for name in PEOPLE} == {
        name: ["sorry_personal", "thanks_repeat"] for name in PEOPLE
    }
    stage.happens("王芳", START, store="湖滨店")
    assert sent(stage, "王芳")[-1] == "tips60"
    assert {row.pinned_version for row in stage.rows(enrolment)} == {1, None}


def test_a_pinned_run_is_asked_and_answered_by_its_own_version(stage: Stage) -> None:
    stage.member("王芳", email=True)
    ask = "ask: nps\nquestion: 愿意推荐我们吗？\nchannels: [email]"
    stage.apply(story(ask, "send: thanks_repeat\nonly_if: { nps.score: 9.. }"))
    stage.happens("王芳", START, store="湖滨店")
    stage.applies(stage.plans(story(C, more="on_edit: pin\n")))
    stage.fills("王芳", 10)
    assert sent(stage, "王芳") == ["ask-nps", "thanks_repeat"]
    assert stage.run("王芳", "note").end_kind == "completed"


def test_a_later_edit_leaves_the_pinned_ones_alone(stage: Stage) -> None:
    in_flight(stage, (A, "wait: 9d", B))
    stage.applies(stage.plans(story(A, "wait: 9d", C, more="on_edit: pin\n")))
    made = stage.plans(story(A, "wait: 1d", C))
    assert (made.journeys[0].crowd.pinned, moves_of(made)) == (3, {})
    stage.applies(made)
    stage.run_until(day=30)
    assert [sent(stage, name)[-1] for name in PEOPLE] == ["thanks_repeat"] * 3


# --- the file is gone -------------------------------------------------------------------------------------------

OTHER = {"other": journey("coupon_used", A, topic="service")}


def test_a_journey_without_a_file_can_be_stopped(stage: Stage) -> None:
    in_flight(stage, (A, "wait: 9d", B))
    drained = stage.plans(OTHER)
    assert [(one.id, one.change, one.crowd.live) for one in drained.journeys] == [
        ("other", Change.NEW, 0),
        ("note", Change.DRAINED, 3),
    ]
    made = stage.plans(OTHER, Terms(stop=("note",)))
    assert [one.stops for one in made.journeys if one.id == "note"] == [3]
    stage.applies(made)
    assert {(row.status, row.end_reason) for row in stage.rows(enrolment)} == {("ended", "stopped")}
    stage.run_until(day=20)
    assert [sent(stage, name) for name in PEOPLE] == [["sorry_personal"]] * 3


def test_a_draft_can_be_stopped_as_well(stage: Stage) -> None:
    in_flight(stage, (A, "wait: 9d", B))
    draft = OTHER | {"note": LONG["note"].replace("steps:", "draft: yes\nsteps:")}
    assert stage.plans(draft).those(Change.DRAINED) == ("note",)
    made = stage.plans(draft, Terms(stop=("note",)))
    assert (made.refusals, made.those(Change.STOPPED)) == ((), ("note",))
    stage.applies(made)
    assert {(row.status, row.end_reason) for row in stage.rows(enrolment)} == {("ended", "stopped")}


def test_a_file_that_comes_back_takes_members_in_again(stage: Stage) -> None:
    in_flight(stage, (A, "wait: 9d", B))
    stage.applies(stage.plans(OTHER))
    made = stage.plans(LONG | OTHER)
    assert made.those(Change.RETURNED) == ("note",)
    stage.applies(made)
    assert not stage.applied.journeys["note"].draining


# --- taken back -------------------------------------------------------------------------------------------------


def test_an_undo_puts_back_who_still_stands_there_and_leaves_who_has_gone_on(stage: Stage) -> None:
    in_flight(stage, (A, "wait: 9d", B, "wait: 5d", C))
    made = stage.plans(story(A, "wait: 3d", B, "wait: 5d", C), Terms(Release.NOW))
    deadlines = [row.deadline_at for row in stage.rows(enrolment)]
    stage.applies(made)  # the first two go on; 韩梅, who came on day 4, waits until day 7
    outcome = stage.undoes(made)
    assert isinstance(outcome, Undone)
    assert (outcome.restored, outcome.gone_on) == (1, 2)
    assert stage.applied.journeys["note"].version == 3
    assert stage.rows(enrolment)[2].deadline_at == deadlines[2]
    stage.run_until(day=30)
    assert {name: sent(stage, name) for name in PEOPLE} == {
        name: ["sorry_personal", "thanks_repeat", "tips60"] for name in PEOPLE
    }
    assert stage.got("韩梅")[1][0] == "day 13 10:00"


def test_an_undo_gives_steps_and_what_is_on_record_their_names_back(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply(story(A, "wait: 2d", A, "wait: 2d", B))
    stage.happens("王芳", START, store="湖滨店")
    before = [(row.message_key, row.step_id) for row in stage.deliveries()]
    made = stage.plans(story("wait: 2d\nid: rest", A, "wait: 2d", B))
    stage.applies(made)
    assert [(row.message_key, row.step_id) for row in stage.deliveries()] != before
    stage.undoes(made)
    assert [(row.message_key, row.step_id) for row in stage.deliveries()] == before
    stage.run_until(day=10)
    assert sent(stage, "王芳") == ["sorry_personal", "sorry_personal", "thanks_repeat"]


def test_an_undo_moves_members_off_steps_that_are_gone_again(stage: Stage) -> None:
    in_flight(stage, (A, "wait: 9d", B))
    made = stage.plans(story(A, "wait: 1d", C, "wait: 8d\nid: new", B), Terms(Release.NOW))
    stage.applies(made)
    assert {row.step_id for row in stage.rows(enrolment)} == {"new"}
    assert isinstance(stage.undoes(made), Undone)
    nobody_is_stranded(stage)
    stage.run_until(day=30)
    assert [sent(stage, name) for name in PEOPLE] == [["sorry_personal", "tips60", "thanks_repeat"]] * 3


def test_an_undo_frees_those_who_were_pinned_and_brings_back_those_who_were_stopped(stage: Stage) -> None:
    in_flight(stage, (A, "wait: 9d", B))
    pinned = stage.plans(story(C, more="on_edit: pin\n"))
    stage.applies(pinned)
    assert isinstance(stage.undoes(pinned), Undone)
    assert {row.pinned_version for row in stage.rows(enrolment)} == {None}
    stopped = stage.plans(OTHER, Terms(stop=("note",)))
    stage.applies(stopped)
    assert isinstance(stage.undoes(stopped), Undone)
    stage.run_until(day=30)
    assert [sent(stage, name) for name in PEOPLE] == [["sorry_personal", "thanks_repeat"]] * 3


def test_only_what_was_applied_last_is_taken_back_and_only_once(stage: Stage) -> None:
    in_flight(stage, (A, "wait: 9d", B))
    first, never = stage.plans(SHORT), stage.plans(story(C))
    stage.applies(first)
    second = stage.plans(story(A, "wait: 4d", B))
    stage.applies(second)
    assert isinstance(stage.undoes(never), NeverApplied)
    assert isinstance(stage.undoes(first), NotTheLast)
    undone = stage.undoes(second)
    assert isinstance(undone, Undone)
    assert stage.undoes(second) == UndoneBefore(undone.plan.id)
    assert isinstance(stage.undoes(undone.plan), Undone)  # an undo is a version like any other


# --- what is told of it -----------------------------------------------------------------------------------------


def test_the_trail_tells_of_the_move(stage: Stage) -> None:
    in_flight(stage, (A, "wait: 9d", B))
    made = stage.plans(SHORT)
    stage.applies(made)
    (told,) = stage.notes("韩梅", "note", "moved")
    assert (told["plan"], told["edit"], told["times"]) == (made.id, "retimed", ["9d", "3d"])
    assert told["until"] == stage.moment(7, "10:00").isoformat()


def test_every_version_says_which_plan_brought_it(stage: Stage) -> None:
    in_flight(stage, (A, "wait: 9d", B))
    made = stage.plans(SHORT)
    stage.applies(made)
    assert [row.plan_id for row in stage.rows(journey_version)][-1] == made.id
    assert [row.applied_at for row in stage.rows(plan_table) if row.id == made.id] == [stage.clock.now()]


def test_members_already_in_a_new_segment_are_counted_and_stay_out(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.history("王芳", "order_paid", "100d", order_id="A1", amount=100)
    nobody_sleeps = shipped("catalog", ("  沉睡90天: { last_order_at: over 90d ago, orders: 1.. }\n", ""))
    stage.apply(LONG, catalog=nobody_sleeps)
    made = stage.plans(LONG | {"winback": shipped("winback")})
    assert [one.would_enter for one in made.journeys if one.id == "winback"] == [1]
    assert stage.rows(enrolment) == []


def shipped_sms(words: str) -> str:
    return f"---\nsms_template: SMS_1\n---\n{words}\n"
