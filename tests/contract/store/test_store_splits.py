"""The ways that runs keep, how they are counted, and a decision that is made once."""

from __future__ import annotations

import pytest
from store_bench import DAY, MINUTE, NOW, Bench

from engage.core.journey.model import WinBy
from engage.core.split import Tally
from engage.store import advancing, splits
from engage.store.advancing import RunRow
from engage.store.insight.reporting import Period
from engage.store.members import MemberRef
from engage.store.splits import WayTaken

J, S = "winback", "文案"


def runs(bench: Bench, *run_ids: int) -> list[RunRow]:
    pairs = [(bench.row("enrolment", id=run_id)["bucket"], run_id) for run_id in run_ids]
    return advancing.runs_by_id(bench.connection, pairs)


def takes(bench: Bench, way: str, ref: MemberRef | None = None, **entering: bool) -> int:
    """A run takes this way now."""
    run_id = bench.enters(ref or bench.member(), **entering)
    (run,) = runs(bench, run_id)
    splits.keep_ways(bench.connection, [(run, S, way)], bench.now)
    return run_id


def reaches_goal(bench: Bench, run_id: int, *, counts: bool = True, at: int = 0) -> None:
    (run,) = runs(bench, run_id)
    values = {"goal_at": bench.now + at * DAY, "goal_counts": counts}
    advancing.save(bench.connection, [{"bucket": run.member.bucket, "id": run_id, **values}])


def responds(bench: Bench, run_id: int, name: str) -> None:
    (run,) = runs(bench, run_id)
    bench.now += MINUTE
    bench.queues(run.member, enrolment_id=run_id, journey_id=J, step_id="hello")
    bench.responds(bench.claims_one(), name)


def counted(bench: Bench, by: WinBy) -> dict[str, Tally]:
    return splits.tallies(bench.connection, J, S, by)


# --- ways -------------------------------------------------------------------------------------------------------


def test_a_run_keeps_its_way_and_others_have_none(bench: Bench) -> None:
    first, second = takes(bench, "A"), takes(bench, "B")
    third = bench.enters(bench.member())
    assert splits.ways_of(bench.connection, runs(bench, first, second, third), S) == {first: "A", second: "B"}
    assert splits.ways_of(bench.connection, runs(bench, first), "标题") == {}


def test_the_first_member_sets_the_clock_and_the_holdout_does_not(bench: Bench) -> None:
    takes(bench, "A", held_out=True)
    assert splits.known(bench.connection) == []
    takes(bench, "A")
    bench.now = NOW + DAY
    takes(bench, "B")
    (known,) = splits.known(bench.connection, undecided=True)
    assert (known.journey_id, known.split_id, known.first_at) == (J, S, NOW)


def test_a_way_that_is_gone_is_taken_anew(bench: Bench) -> None:
    run_id = takes(bench, "A")
    splits.keep_ways(bench.connection, [(runs(bench, run_id)[0], S, "B")], bench.now)
    assert splits.ways_of(bench.connection, runs(bench, run_id), S) == {run_id: "B"}


# --- counting ---------------------------------------------------------------------------------------------------


def test_goals_count_inside_their_window_and_after_the_split(bench: Bench) -> None:
    reaches_goal(bench, takes(bench, "A"))
    reaches_goal(bench, takes(bench, "A"), counts=False)
    reaches_goal(bench, takes(bench, "B"), at=-1)
    takes(bench, "B")
    assert counted(bench, WinBy.GOAL) == {"A": Tally(2, 1), "B": Tally(2, 0)}


@pytest.mark.parametrize("by", [WinBy.CLICKED, WinBy.REPLIED])
def test_responses_count_for_their_own_run_and_after_the_split(bench: Bench, by: WinBy) -> None:
    responds(bench, takes(bench, "A"), by)
    before = bench.enters(bench.member())
    responds(bench, before, by)
    splits.keep_ways(bench.connection, [(runs(bench, before)[0], S, "A")], bench.now)
    responds(bench, takes(bench, "B"), "delivered")
    assert counted(bench, by) == {"A": Tally(2, 1), "B": Tally(1, 0)}


def test_members_are_counted_not_runs(bench: Bench) -> None:
    ref = bench.member()
    for _ in range(3):
        reaches_goal(bench, takes(bench, "A", ref))
    assert counted(bench, WinBy.GOAL) == {"A": Tally(1, 1)}


def test_the_holdout_is_not_counted(bench: Bench) -> None:
    takes(bench, "A")
    reaches_goal(bench, takes(bench, "A", held_out=True))
    assert counted(bench, WinBy.GOAL) == {"A": Tally(1, 0)}


def test_a_report_counts_those_who_passed_in_its_period(bench: Bench) -> None:
    takes(bench, "A")
    bench.now = NOW + 2 * DAY
    run_id = takes(bench, "B")
    reaches_goal(bench, run_id)
    responds(bench, run_id, "clicked")
    period = Period(NOW + DAY, NOW + 3 * DAY)
    assert splits.ways_taken(bench.connection, period) == [WayTaken(J, S, "B", 1, 1, 1, 0)]


# --- decisions --------------------------------------------------------------------------------------------------


def test_a_decision_is_made_once(bench: Bench) -> None:
    takes(bench, "A")
    (known,) = splits.known(bench.connection, undecided=True)
    assert splits.winner(bench.connection, J, None, S) is None
    assert splits.record_decision(bench.connection, known, "won", "A", {"by": "goal"}, NOW)
    assert not splits.record_decision(bench.connection, known, "won", "B", {}, NOW)
    assert splits.winner(bench.connection, J, None, S) == "A"
    assert splits.known(bench.connection, undecided=True) == []
    (decided,) = splits.known(bench.connection)
    assert (decided.ruling, decided.decided_at, decided.figures) == ("won", NOW, {"by": "goal"})
