"""The outbox of calls: queued once, held by one process at a time, settled only by whoever holds them."""

from __future__ import annotations

from datetime import timedelta

from store_bench import DAY, MINUTE, NOW, Bench

from engage.core.turn import Call
from engage.core.webhook_call import CALL_LEASE, CallStatus, Settled
from engage.store import advancing, webhook_calls
from engage.store.advancing import RunRow
from engage.store.webhook_calls import CallsOf, DueCall, NewCall

AGAIN = timedelta(seconds=10)
DONE = Settled(CallStatus.DONE)


def run_of(bench: Bench, run_id: int) -> RunRow:
    (row,) = advancing.runs_by_id(bench.connection, [(bench.row("enrolment", id=run_id)["bucket"], run_id)])
    return row


def queues(bench: Bench, run_id: int | None = None, webhook: str = "crm") -> RunRow:
    """A run that stands at its step waits for a call."""
    run = run_of(bench, run_id or bench.enters(bench.member()))
    moves(bench, run, due_at=NOW + DAY)
    call = NewCall(run, run.step_id, webhook, f"key-{run.id}", '{"at": "…"}', NOW + DAY)
    webhook_calls.queue(bench.connection, [call], bench.now)
    return run


def moves(bench: Bench, run: RunRow, **values: object) -> None:
    advancing.save(bench.connection, [{"bucket": run.member.bucket, "id": run.id, **values}])


def claims(bench: Bench, *paused: str) -> list[DueCall]:
    return webhook_calls.claim(bench.connection, bench.now, 10, paused)


def settles(bench: Bench, call: DueCall, result: Settled) -> None:
    webhook_calls.settle(bench.connection, [(call, result)], bench.now)


def test_a_call_is_queued_once_for_a_visit(bench: Bench) -> None:
    run = queues(bench)
    queues(bench, run.id)
    assert len(bench.rows("webhook_call")) == 1
    moves(bench, run, visit=1)
    queues(bench, run.id)
    assert len(bench.rows("webhook_call")) == 2


def test_what_is_held_is_not_due_until_the_lease_ends(bench: Bench) -> None:
    queues(bench)
    assert webhook_calls.anything_due(bench.connection, NOW)
    (call,) = claims(bench)
    assert (call.attempts, call.fence, call.key) == (1, 1, f"key-{call.enrolment_id}")
    assert claims(bench) == []
    assert webhook_calls.next_due(bench.connection, NOW) == NOW + CALL_LEASE
    bench.now += CALL_LEASE
    (again,) = claims(bench)
    assert (again.id, again.attempts, again.fence) == (call.id, 2, 2)


def test_success_wakes_the_run(bench: Bench) -> None:
    run = queues(bench)
    (call,) = claims(bench)
    settles(bench, call, DONE)
    assert run_of(bench, run.id).due_at == NOW
    assert webhook_calls.calls_of(bench.connection, [run], run.step_id) == {run.id: Call(CallStatus.DONE)}
    assert bench.row("webhook_call")["settled_at"] == NOW
    assert webhook_calls.next_due(bench.connection, NOW) is None


def test_a_failed_attempt_leaves_the_run_asleep_and_says_why(bench: Bench) -> None:
    run = queues(bench)
    (call,) = claims(bench)
    settles(bench, call, Settled(CallStatus.OPEN, "http 503", NOW + AGAIN))
    assert run_of(bench, run.id).due_at == NOW + DAY
    assert webhook_calls.next_due(bench.connection, NOW) == NOW + AGAIN
    assert webhook_calls.calls_of(bench.connection, [run], run.step_id) == {run.id: Call(CallStatus.OPEN, "http 503")}


def test_a_process_that_comes_back_from_the_dead_settles_nothing(bench: Bench) -> None:
    run = queues(bench)
    (dead,) = claims(bench)
    bench.now += CALL_LEASE
    (held,) = claims(bench)
    settles(bench, dead, Settled(CallStatus.FAILED, "http 400"))
    assert bench.row("webhook_call")["status"] == "open"
    settles(bench, held, DONE)
    assert bench.row("webhook_call")["status"] == "done"
    assert run_of(bench, run.id).due_at == bench.now


def test_nobody_calls_for_a_run_that_has_ended_or_gone_on(bench: Bench) -> None:
    ended, elsewhere, waits = queues(bench), queues(bench), queues(bench)
    moves(bench, ended, status="ended")
    moves(bench, elsewhere, step_id="other")
    assert [call.enrolment_id for call in claims(bench)] == [waits.id]
    closed = [row for row in bench.rows("webhook_call") if row["status"] == "failed"]
    assert {row["enrolment_id"] for row in closed} == {ended.id, elsewhere.id}


def test_a_paused_journey_holds_its_calls(bench: Bench) -> None:
    queues(bench)
    assert claims(bench, "winback") == []
    assert len(claims(bench, "nps")) == 1


def test_only_the_call_of_this_visit_counts(bench: Bench) -> None:
    run = queues(bench)
    (call,) = claims(bench)
    settles(bench, call, DONE)
    moves(bench, run, visit=1)
    assert webhook_calls.calls_of(bench.connection, [run_of(bench, run.id)], run.step_id) == {}


def test_what_is_in_trouble_is_told_by_webhook(bench: Bench) -> None:
    for webhook in ("crm", "crm", "coupon", "fine", "untried"):
        queues(bench, webhook=webhook)
    first, second, coupon, fine, _ = claims(bench)
    settles(bench, first, Settled(CallStatus.OPEN, "http 503", NOW + AGAIN))
    settles(bench, second, Settled(CallStatus.FAILED, "http 503"))
    settles(bench, coupon, Settled(CallStatus.FAILED, "http 404"))
    settles(bench, fine, DONE)
    told = webhook_calls.in_trouble(bench.connection, NOW - MINUTE)
    assert told == [CallsOf("coupon", 0, 1, "http 404"), CallsOf("crm", 1, 1, "http 503")]
    assert webhook_calls.in_trouble(bench.connection, NOW + MINUTE) == [CallsOf("crm", 1, 0, "http 503")]
