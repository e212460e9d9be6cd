"""Runs moved by a plan: counted, moved, remembered; what is on record about a step follows it under its new name."""

from __future__ import annotations

from typing import Any

from store_bench import DAY, NOW, Bench, a_journey

from engage.core.condition import ValueType
from engage.store import events, holding, tasks
from engage.store.advancing import save
from engage.store.edits import moving, plans, renaming
from engage.store.edits.moving import Crowd, Move, PastMove
from engage.store.edits.moving_together import Together, move_everyone, rename_places
from engage.store.edits.plans import SavedPlan
from engage.store.events import NewEvent
from engage.store.holding import Hold, HoldStatus
from engage.store.tasks import NewTask

JOURNEY = "winback"


def stands(bench: Bench, run_id: int, **columns: Any) -> tuple[int, int]:
    row = bench.row("enrolment", id=run_id)
    save(bench.connection, [{"bucket": row["bucket"], "id": run_id, **columns}])
    return row["bucket"], run_id


def run_of(bench: Bench, run_id: int) -> dict[str, Any]:
    return bench.row("enrolment", id=run_id)


def a_plan(plan_id: str, digest: str, **more: Any) -> SavedPlan:
    return SavedPlan(plan_id, digest, NOW, "1", {"a": None}, {"a": "1"}, {}, {}, **more)


# --- who is there -----------------------------------------------------------------------------------------------


def test_a_crowd_is_counted_and_who_finishes_an_earlier_version_apart(bench: Bench) -> None:
    live, ended, pinned = (bench.enters(bench.member(), held_out=n == 0) for n in range(3))
    stands(bench, ended, status="ended")
    stands(bench, pinned, pinned_version=1)
    bench.enters(bench.member(), a_journey(id="other"))
    assert moving.crowd(bench.connection, JOURNEY) == Crowd(entered=3, live=2, pinned=1, held_out=1)
    hold = holding.add(bench.connection, Hold(0, JOURNEY, "s", NOW, 1, HoldStatus.WAITING, "too many", [100]))
    stands(bench, bench.enters(bench.member(), held_out=True), status="held", hold_id=hold.id)
    stands(bench, bench.enters(bench.member()), status="ended", end_kind="never_began")
    assert moving.crowd(bench.connection, JOURNEY) == Crowd(entered=3, live=2, pinned=1, held_out=1)
    assert moving.standing_at(bench.connection, JOURNEY) == {"hello": 1}
    assert [run.id for run in moving.standing(bench.connection, JOURNEY, ["hello"])] == [live]
    assert [i for _, i in moving.everyone_in(bench.connection, JOURNEY, pinned=True)] == [live, pinned]
    assert moving.pinned_to(bench.connection, JOURNEY, 1) == 1


def test_dates_of_those_who_stand_at_a_step(bench: Bench) -> None:
    with_date, without = bench.member(contract_end=NOW.date()), bench.member()
    run_id = bench.enters(with_date)
    bench.enters(without)
    found = moving.field_dates(bench.connection, JOURNEY, "hello", "contract_end", ValueType.DATE)
    assert found == {run_id: NOW.date()}


def test_messages_that_wait_are_counted_by_step(bench: Bench) -> None:
    ref = bench.member()
    for step in ("hello", "hello", "bye"):
        bench.queues(ref, journey_id=JOURNEY, step_id=step)
    assert moving.unsent(bench.connection, JOURNEY, ["hello", "nowhere"]) == {"hello": 2}


# --- what is done to them ---------------------------------------------------------------------------------------


def test_a_move_is_carried_out_remembered_and_known_to_stand_until_the_run_goes_on(bench: Bench) -> None:
    keys = [stands(bench, bench.enters(bench.member()), deadline_at=NOW + DAY) for _ in range(2)]
    before, after = {"deadline_at": NOW + DAY, "step_id": "hello"}, {"deadline_at": NOW, "step_id": "bye"}
    moves = [Move(key, "past", before, after) for key in keys]
    moving.carry_out(bench.connection, "plan-1", moves)
    assert [run_of(bench, run_id)["deadline_at"] for _, run_id in keys] == [NOW, NOW]
    stands(bench, keys[1][1], step_id="further")
    assert moving.moves_of(bench.connection, "plan-1", but="renamed") == [
        PastMove(moves[0], stands=True, timezone=None),
        PastMove(moves[1], stands=False, timezone=None),
    ]
    assert moving.moves_of(bench.connection, "plan-2", but="renamed") == []


def test_places_are_renamed_together_and_names_may_change_places(bench: Bench) -> None:
    first, second, pinned = (bench.enters(bench.member()) for _ in range(3))
    stands(bench, first, step_id="a")
    stands(bench, second, step_id="b")
    stands(bench, pinned, step_id="a", pinned_version=1)
    told = {"plan": "plan-1", "from": "b"}
    renames = {
        "a": Together("renamed", {"step_id": "a"}, {"step_id": "b"}),
        "b": Together("renamed", {"step_id": "b"}, {"step_id": "a"}, "a", told=told),
    }
    rename_places(bench.connection, "plan-1", JOURNEY, renames, NOW)
    assert [run_of(bench, run_id)["step_id"] for run_id in (first, second, pinned)] == ["b", "a", "a"]
    assert {row["enrolment_id"]: row["after"] for row in bench.rows("enrolment_move")} == {
        first: {"step_id": "b"},
        second: {"step_id": "a"},
    }
    line = bench.row("decision", what="moved")
    assert (line["enrolment_id"], line["step_id"], line["detail"], line["at"]) == (second, "a", told, NOW)
    assert moving.moves_of(bench.connection, "plan-1", but="renamed") == []


def test_everyone_is_moved_alike_and_each_is_remembered(bench: Bench) -> None:
    live, ended, pinned = (bench.enters(bench.member()) for _ in range(3))
    stands(bench, ended, status="ended")
    stands(bench, pinned, pinned_version=1)
    move_everyone(
        bench.connection,
        "plan-1",
        JOURNEY,
        Together("pinned", {"pinned_version": None}, {"pinned_version": 2}),
        NOW,
        pinned=False,
    )
    assert [run_of(bench, run_id)["pinned_version"] for run_id in (live, ended, pinned)] == [2, None, 1]
    stop = Together(
        "stopped", {"ended_at": None}, {"status": "ended", "ended_at": NOW}, line="exit", told={"kind": "exit"}
    )
    move_everyone(bench.connection, "plan-2", JOURNEY, stop, NOW, pinned=True)
    assert {row["enrolment_id"] for row in bench.rows("decision", what="exit")} == {live, pinned}
    done = moving.moves_of(bench.connection, "plan-2", but="renamed")
    assert {(past.move.run[1], past.stands, past.move.after["ended_at"]) for past in done} == {
        (live, True, NOW),
        (pinned, True, NOW),
    }


def test_messages_follow_the_version_their_run_finishes_in(bench: Bench) -> None:
    ref = bench.member()
    runs = [bench.enters(ref), bench.enters(ref)]
    keys = [bench.queues(ref, enrolment_id=run_id, journey_id=JOURNEY) for run_id in runs]
    moving.pin_messages(bench.connection, [(ref.bucket, runs[0])], 3)
    assert [bench.row("delivery", message_key=key)["pinned_version"] for key in keys] == [3, None]


# --- names ------------------------------------------------------------------------------------------------------


def queued(bench: Bench, ref: Any, run_id: int, step: str, more: str = "") -> None:
    bench.queues(ref, f"{run_id}:{step}:0{more}", enrolment_id=run_id, journey_id=JOURNEY, step_id=step)


def keys_and_steps(bench: Bench, run_id: int) -> set[tuple[str, str]]:
    return {(row["message_key"], row["step_id"]) for row in bench.rows("delivery", enrolment_id=run_id)}


def test_what_is_on_record_about_a_step_follows_its_name(bench: Bench) -> None:
    ref = bench.member()
    run_id = bench.enters(ref)
    queued(bench, ref, run_id, "gift")
    queued(bench, ref, run_id, "gift", ":comment")
    stands(bench, run_id, jumps={"gift": 2, "other": 1})
    told = NewEvent(ref, "member_updated", NOW, f"member_updated:{run_id}:gift:0", {}, enrolment_id=run_id)
    of_no_run = NewEvent(ref, "nps_answered", NOW, f"nps_answered:{run_id}:gift:0", {"score": 9})
    by_the_shop = NewEvent(ref, "member_updated", NOW, "in:7", {})
    events.record(bench.connection, bench.catalog, [told, of_no_run, by_the_shop], NOW)
    notify = NewTask(ref, f"{run_id}:gift:0", "journey", None, "?", enrolment_id=run_id, step_id="gift")
    tasks.open_all(bench.connection, [notify], NOW)
    bench.enters(ref, a_journey(id="led into"), occurrence=f"enroll:{run_id}:gift:0")
    renaming.rename_steps(bench.connection, JOURNEY, {"gift": "sample", "other": "other"}, NOW)
    assert keys_and_steps(bench, run_id) == {
        (f"{run_id}:sample:0", "sample"),
        (f"{run_id}:sample:0:comment", "sample"),
    }
    assert run_of(bench, run_id)["jumps"] == {"sample": 2, "other": 1}
    assert {row["dedupe_key"] for row in bench.rows("event")} == {
        f"member_updated:{run_id}:sample:0",
        f"nps_answered:{run_id}:sample:0",
        "in:7",
    }
    (opened,) = bench.rows("task")
    assert (opened["step_id"], opened["key"]) == ("sample", f"{run_id}:sample:0")
    assert bench.row("enrolment", journey_id="led into")["occurrence"] == f"enroll:{run_id}:sample:0"


def test_names_may_change_places(bench: Bench) -> None:
    """`a~2` is `a` now and the other way round: neither may run into the other half-way."""
    ref = bench.member()
    run_id = bench.enters(ref)
    for step in ("a", "a~2"):
        queued(bench, ref, run_id, step)
    before = {row["id"]: row["step_id"] for row in bench.rows("delivery")}
    renaming.rename_steps(bench.connection, JOURNEY, {"a": "a~2", "a~2": "a"}, NOW)
    after = {row["id"]: (row["step_id"], row["message_key"]) for row in bench.rows("delivery")}
    other = {"a": "a~2", "a~2": "a"}
    assert after == {i: (other[step], f"{run_id}:{other[step]}:0") for i, step in before.items()}


def test_runs_that_cannot_act_any_more_and_pinned_ones_keep_the_names_of_their_day(bench: Bench) -> None:
    ref = bench.member()
    long_ago, pinned, lately = (bench.enters(ref) for _ in range(3))
    for run_id in (long_ago, pinned, lately):
        queued(bench, ref, run_id, "gift")
    stands(bench, long_ago, status="ended", ended_at=NOW - 40 * DAY)
    stands(bench, lately, status="ended", ended_at=NOW - DAY)
    stands(bench, pinned, pinned_version=1)
    renaming.rename_steps(bench.connection, JOURNEY, {"gift": "sample"}, NOW)
    steps = {row["enrolment_id"]: row["step_id"] for row in bench.rows("delivery")}
    assert steps == {long_ago: "gift", pinned: "gift", lately: "sample"}


# --- plans ------------------------------------------------------------------------------------------------------


def test_a_plan_is_kept_once_and_noted_when_it_is_applied_and_taken_back(bench: Bench) -> None:
    for _ in range(2):
        plans.save(bench.connection, a_plan("plan-3f9c", "3f9c00"))
    plans.note_applied(bench.connection, "plan-3f9c", NOW)
    plans.note_undone(bench.connection, "plan-3f9c", "plan-77aa")
    assert plans.get(bench.connection, "plan-3f9c") == a_plan(
        "plan-3f9c", "3f9c00", applied_at=NOW, undone_by="plan-77aa"
    )
    assert plans.get(bench.connection, "plan-0000") is None


def test_an_id_is_as_short_as_it_can_be_and_never_another_plan_s(bench: Bench) -> None:
    plans.save(bench.connection, a_plan("plan-3f9c", "3f9c00"))
    assert plans.free_id(bench.connection, "3f9c00") == "plan-3f9c"
    assert plans.free_id(bench.connection, "3f9c11") == "plan-3f9c1"
