"""What the last gate and the holds of starts go by: what was handed over to whom, counts by the minute, and members who
wait to begin."""

from __future__ import annotations

from store_bench import DAY, MINUTE, NOW, Bench, a_journey
from store_plans import explained

from engage.core.turn import EndKind
from engage.store import enrolling, handed_over, holding, tallies
from engage.store.enrolling import Entrant, Waits
from engage.store.holding import Came, Hold, HoldStatus

ADDRESS = ("sms", "+8613800138000")


def test_what_went_to_an_address_is_found_whoever_it_was_meant_for(bench: Bench) -> None:
    for address in ("+8613800138000", "+8613800138000", "+8613800138001"):
        bench.queues(bench.member())
        bench.begins_sending(bench.claims_one(), address=address)
    found = handed_over.lately(bench.connection, [ADDRESS], NOW - DAY)
    assert [(one.at, one.text) for one in found[ADDRESS]] == [(NOW, "t")] * 2
    assert handed_over.lately(bench.connection, [("email", ADDRESS[1])], NOW - DAY) == {}
    assert handed_over.lately(bench.connection, [ADDRESS], NOW) == {}


def test_it_is_found_by_index(bench: Bench) -> None:
    with explained(bench.connection) as plans:
        handed_over.lately(bench.connection, [ADDRESS], NOW - DAY)
        holding.waiting(bench.connection, a_hold(bench), 10)
        holding.came_of(bench.connection, 1)
    assert plans.walked == []


def test_counts_of_several_daemons_add_up_and_are_forgotten(bench: Bench) -> None:
    for slot in (1, 1, 2):
        tallies.add(bench.connection, {"calls:sms": 10, "stopped:same_words:sms": 1}, slot, NOW)
    tallies.add(bench.connection, {"calls:sms": 5}, 1, NOW + MINUTE)
    assert tallies.counted(bench.connection, ["calls:sms", "calls:email"], NOW) == {"calls:sms": 35}
    assert tallies.counted(bench.connection, ["calls:sms"], NOW + MINUTE) == {"calls:sms": 5}
    assert tallies.counted_under(bench.connection, "stopped:", NOW) == {"same_words:sms": 3}
    tallies.forget(bench.connection, NOW + MINUTE)
    assert tallies.counted(bench.connection, ["calls:sms"], NOW) == {"calls:sms": 5}


# --- holds ------------------------------------------------------------------------------------------------------


def a_hold(bench: Bench, status: HoldStatus = HoldStatus.GOING, stage: int = 0) -> Hold:
    return holding.add(bench.connection, Hold(0, "winback", "s", NOW, 0, status, "why", [10, 100], stage))


def enters(bench: Bench, hold: Hold, stage: int) -> int:
    ref = bench.member()
    entrant = Entrant(ref, f"o{bench.number()}", {"event": {}, "var": {}})
    told = {ref.id: Waits(hold.id, stage)}
    (run,) = enrolling.enter(bench.connection, a_journey(), 1, "hello", [(entrant, False)], NOW, told)
    return run


def test_only_who_is_of_the_stage_that_is_let_go_may_begin(bench: Bench) -> None:
    hold = a_hold(bench)
    first, second = enters(bench, hold, 0), enters(bench, hold, 1)
    enters(bench, a_hold(bench), 0)
    assert [run for run, _ in holding.waiting(bench.connection, hold, 10)] == [first]
    refused = a_hold(bench, HoldStatus.REFUSED, -1)
    third = enters(bench, refused, 1)
    assert [run for run, _ in holding.waiting(bench.connection, refused, 10)] == [third]
    holding.change_runs(
        bench.connection, holding.waiting(bench.connection, hold, 10), {"status": "live", "due_at": NOW}
    )
    assert bench.row("enrolment", id=first)["status"] == "live"
    assert bench.row("enrolment", id=second)["status"] == "held"


def test_what_came_of_those_who_were_let_go_is_counted_without_the_others(bench: Bench) -> None:
    hold = a_hold(bench)
    runs = [enters(bench, hold, 0) for _ in range(3)]
    holding.change_runs(bench.connection, holding.waiting(bench.connection, hold, 10), {"status": "live"})
    enters(bench, hold, 1)
    left_out = [(enters(bench, hold, 0), bench.member())]
    holding.change_runs(bench.connection, left_out, {"status": "ended", "end_kind": EndKind.NEVER_BEGAN})
    for run in runs[:2]:
        ref = next(ref for ref in [bench.row("enrolment", id=run)])
        from_run = {"enrolment_id": run, "journey_id": "winback", "step_id": "hello"}
        bench.queues(holding.MemberRef(ref["bucket"], ref["member_id"]), **from_run)
        message = bench.claims_one()
        bench.begins_sending(message)
        bench.responds(message, "unsubscribed")
    assert holding.came_of(bench.connection, hold.id) == Came(3, 0, 0, 0, 2, 0)


def test_holds_are_worked_on_when_they_are_due_and_joined_until_they_are_settled(bench: Bench) -> None:
    hold = a_hold(bench)
    holding.change(bench.connection, hold.id, next_at=NOW + MINUTE)
    assert holding.at_work(bench.connection, NOW) == []
    assert holding.at_work(bench.connection, NOW + MINUTE) == [hold.id]
    assert holding.next_due(bench.connection, NOW) == NOW + MINUTE
    joined = holding.same_start(bench.connection, "winback", "s")
    assert joined is not None
    assert joined.id == hold.id
    holding.change(bench.connection, hold.id, status=HoldStatus.RELEASED, settled_at=NOW)
    assert holding.same_start(bench.connection, "winback", "s") is None


def test_an_approval_counts_once_for_each_name_and_for_what_it_was_given(bench: Bench) -> None:
    for by, digest in (("王芳", "a"), ("王芳", "a"), ("李雷", "b")):
        holding.approve(bench.connection, "hold-1", digest, by, NOW)
    assert holding.approved_by(bench.connection, "hold-1", "a") == ["王芳"]
    assert holding.approved_by(bench.connection, "hold-1", "c") == []
