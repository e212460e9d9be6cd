"""The outbox on a real database: claim, fence, lease, intent, record, and the messages that follow a message."""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import update
from store_bench import DAY, HOUR, MINUTE, NOW, Bench

from engage.core.delivery import LEASE, REPEAT_PAUSE, Recorded, Status
from engage.core.turn import Purpose
from engage.store import dispatching, fallbacks, judging, questions, receiving
from engage.store.dispatching import Claimed, Settled
from engage.store.judging import Hop, Spent
from engage.store.members import MemberRef
from engage.store.questions import Given, NewAnswer
from engage.store.tables import delivery as outbox

SENT = Recorded(Status.SENT)


def record(bench: Bench, claimed: Claimed, recorded: Recorded = SENT, **values: Any) -> Status | None:
    return dispatching.record(bench.connection, [Settled(claimed, recorded, values)]).get(claimed.id)


def sends(bench: Bench, ref: MemberRef, recorded: Recorded = SENT, **message: Any) -> Claimed:
    """One message, all the way to its record."""
    bench.queues(ref, **message)
    claimed = bench.claims_one()
    bench.begins_sending(claimed)
    assert record(bench, claimed, recorded)
    return claimed


def delivery(bench: Bench, key: str, hop: int = 0) -> dict[str, Any]:
    return bench.row("delivery", message_key=key, hop=hop)


# --- queue and claim --------------------------------------------------------------------------------------------


def test_the_same_message_is_queued_once(bench: Bench) -> None:
    ref = bench.member()
    for _ in range(2):
        bench.queues(ref, key="1:hello:0", priority=70)
    assert delivery(bench, "1:hello:0")["priority"] == 70
    bench.queues(ref, key="1:hello:0", hop=1)
    assert [row["hop"] for row in bench.rows("delivery")] == [0, 1]


def test_a_claim_takes_what_is_due_the_most_important_first(bench: Bench) -> None:
    ref = bench.member()
    keys = {
        "low": bench.queues(ref, priority=10),
        "late": bench.queues(ref, due_at=NOW - HOUR),
        "soon": bench.queues(ref, due_at=NOW - MINUTE),
        "high": bench.queues(ref, priority=90),
        "not yet": bench.queues(ref, due_at=NOW + MINUTE),
    }
    assert [c.key for c in bench.claims(3)] == [keys["high"], keys["late"], keys["soon"]]
    assert [c.key for c in bench.claims()] == [keys["low"]]
    assert bench.claims() == []


def test_a_claimed_message_is_held_by_its_fence_until_the_lease_ends(bench: Bench) -> None:
    key = bench.queues(bench.member())
    claimed = bench.claims_one()
    row = delivery(bench, key)
    assert (claimed.fence, row["fence"], row["status"], row["due_at"]) == (1, 1, Status.CLAIMED, NOW + LEASE)
    assert dispatching.still_held(bench.connection, [claimed]) == {claimed.id}
    assert not dispatching.anything_due(bench.connection, NOW)
    assert dispatching.next_due(bench.connection, NOW) == NOW + LEASE


def test_a_claim_nobody_finished_goes_back_and_the_first_holder_can_no_longer_write(bench: Bench) -> None:
    key = bench.queues(bench.member())
    zombie = bench.claims_one()
    bench.now += LEASE
    assert dispatching.expire_leases(bench.connection, bench.now) == 1
    assert bench.status(key) == Status.PENDING
    assert dispatching.still_held(bench.connection, [zombie]) == set()
    second = bench.claims_one()
    assert second.fence == zombie.fence + 1
    bench.begins_sending(zombie)
    dispatching.make(bench.connection, [dispatching.set_aside(zombie, Status.SKIPPED, "late", None)])
    dispatching.make(bench.connection, [dispatching.put_back(zombie, NOW, "late")])
    assert not record(bench, zombie)
    assert bench.status(key) == Status.CLAIMED
    assert dispatching.still_held(bench.connection, [second]) == {second.id}


def test_a_lease_that_still_runs_is_left_alone(bench: Bench) -> None:
    key = bench.queues(bench.member())
    bench.claims_one()
    assert dispatching.expire_leases(bench.connection, NOW + LEASE - MINUTE) == 0
    assert bench.status(key) == Status.CLAIMED


@pytest.mark.parametrize("drop", [True, False])
def test_a_database_that_was_brought_back_has_nothing_in_hand_however_much_it_was(bench: Bench, drop: bool) -> None:
    """More than the reconciler takes at a time, and with leases that still run."""
    ref, many = bench.member(), dispatching._MOST_ENDED + 1
    for number in range(many):
        bench.queues(ref, key=f"{number}:note:0")
    bench.claims(many)
    key = bench.queues(ref, repeats_left=2)
    bench.begins_sending(bench.claims_one())
    dispatching.take_over(bench.connection, NOW, drop=drop)
    assert Counter((row["status"], row["due_at"]) for row in bench.rows("delivery")) == {
        (Status.PENDING, NOW): many,
        (Status.AMBIGUOUS, None if drop else NOW + REPEAT_PAUSE): 1,
    }
    assert delivery(bench, key)["repeats_left"] == (0 if drop else 2)


# --- intent and record ------------------------------------------------------------------------------------------


def test_the_intent_is_written_before_anything_can_reach_the_member(bench: Bench) -> None:
    ref = bench.member()
    run_id = bench.enters(ref)
    key = bench.queues(ref, enrolment_id=run_id)
    claimed = bench.claims_one()
    bench.now += MINUTE
    bench.begins_sending(claimed, payload_hash="h", cost=0.045)
    row = delivery(bench, key)
    assert (
        row
        | {
            "status": Status.SENDING,
            "attempts": 1,
            "first_sent_at": NOW + MINUTE,
            "sent_at": NOW + MINUTE,
            "due_at": NOW + MINUTE + LEASE,
            "channel": "sms",
            "cost": 0.045,
        }
        == row
    )
    assert bench.row("enrolment", id=run_id)["last_message_at"] == NOW + MINUTE


def test_a_send_nobody_recorded_becomes_ambiguous_and_is_never_claimed_again(bench: Bench) -> None:
    key = bench.queues(bench.member())
    bench.begins_sending(bench.claims_one())
    bench.now += LEASE
    assert dispatching.expire_leases(bench.connection, bench.now) == 1
    row = delivery(bench, key)
    assert (row["status"], row["due_at"]) == (Status.AMBIGUOUS, None)
    assert row["reason"] == "no outcome was recorded in time: the process ended, or the clock jumped"
    assert dispatching.next_due(bench.connection, bench.now) is None
    for later in (LEASE, DAY, 1000 * DAY):
        assert dispatching.expire_leases(bench.connection, bench.now + later) == 0
        assert dispatching.claim(bench.connection, bench.now + later, 10) == []


def test_what_was_surely_accepted_is_sent_though_the_record_comes_after_the_lease(bench: Bench) -> None:
    key = bench.queues(bench.member())
    claimed = bench.claims_one()
    bench.begins_sending(claimed)
    dispatching.expire_leases(bench.connection, NOW + LEASE)
    assert record(bench, claimed, SENT, provider_id="p1") is Status.SENT
    row = delivery(bench, key)
    assert (row["status"], row["reason"], row["due_at"], row["provider_id"]) == (Status.SENT, None, None, "p1")


def test_a_late_record_of_a_send_that_was_given_up_changes_nothing(bench: Bench) -> None:
    key = bench.queues(bench.member())
    claimed = bench.claims_one()
    bench.begins_sending(claimed)
    dispatching.expire_leases(bench.connection, NOW + LEASE)
    assert not record(bench, claimed, Recorded(Status.PENDING, due_at=NOW))
    dispatching.make(bench.connection, [dispatching.put_back(claimed, NOW, "not called in time")])
    assert bench.status(key) == Status.AMBIGUOUS


@pytest.mark.parametrize(
    ("recorded", "due_at"),
    [
        (SENT, None),
        (Recorded(Status.FAILED, "content (E1)", failover=True), None),
        (Recorded(Status.AMBIGUOUS, "no answer"), None),
        (Recorded(Status.PENDING, "throttled (429)", due_at=NOW + 5 * MINUTE), NOW + 5 * MINUTE),
    ],
)
def test_the_record_says_what_became_of_it_and_when_to_look_again(
    bench: Bench, recorded: Recorded, due_at: object
) -> None:
    key = bench.queues(bench.member())
    claimed = bench.claims_one()
    bench.begins_sending(claimed)
    assert record(bench, claimed, recorded, provider_id="p1")
    row = delivery(bench, key)
    assert (row["status"], row["reason"], row["due_at"]) == (recorded.status, recorded.reason, due_at)
    assert row["provider_id"] == "p1"
    # Only what was not known can still turn out to have been sent.
    assert record(bench, claimed) is (Status.SENT if recorded.status is Status.AMBIGUOUS else None)


def test_what_was_refused_for_now_is_claimed_again_with_its_attempts_counted(bench: Bench) -> None:
    ref = bench.member()
    sends(bench, ref, Recorded(Status.PENDING, "throttled", due_at=NOW + MINUTE))
    bench.now += MINUTE
    claimed = bench.claims_one()
    assert (claimed.attempts, claimed.fence, claimed.repeat) == (1, 2, False)
    bench.begins_sending(claimed)
    row = bench.row("delivery")
    assert (row["attempts"], row["first_sent_at"], row["sent_at"]) == (2, NOW + MINUTE, NOW + MINUTE)


def test_what_is_about_the_account_uses_up_no_attempt(bench: Bench) -> None:
    throttled = Recorded(Status.PENDING, "throttled (45011)", due_at=NOW + MINUTE, counts=False)
    key = sends(bench, bench.member(), throttled).key
    assert delivery(bench, key)["attempts"] == 0


def test_a_receipt_before_our_record_keeps_the_message_sent_and_in_the_cap(bench: Bench) -> None:
    key = bench.queues(bench.member())
    claimed = bench.claims_one()
    bench.begins_sending(claimed)
    told = update(outbox).where(outbox.c.id == claimed.id, outbox.c.bucket == claimed.member.bucket)
    bench.connection.execute(told.values(status=Status.SENT))
    stands = record(bench, claimed, Recorded(Status.PENDING, "throttled (45011)", due_at=NOW + MINUTE, counts=False))
    row = delivery(bench, key)
    assert stands is Status.SENT
    assert (row["status"], row["reason"], row["due_at"]) == (Status.SENT, None, None)
    assert (row["attempts"], row["first_sent_at"]) == (1, row["sent_at"])


def test_a_message_uses_the_cap_from_the_call_that_may_have_reached_the_member(bench: Bench) -> None:
    """Refused for hours and accepted at last: counted from the first try, the next one would come too soon."""
    ref = bench.member()
    sends(bench, ref, Recorded(Status.PENDING, "throttled", due_at=NOW + 3 * HOUR))
    assert judging.recent_messages(bench.connection, [ref], NOW - DAY) == {}
    bench.now += 3 * HOUR
    claimed = bench.claims_one()
    bench.begins_sending(claimed)
    record(bench, claimed)
    assert judging.recent_messages(bench.connection, [ref], NOW - DAY) == {
        ref.id: [Spent(claimed.key, "marketing", NOW + 3 * HOUR)]
    }


def test_what_was_never_called_goes_back_with_its_attempt_taken_back(bench: Bench) -> None:
    key = bench.queues(bench.member())
    claimed = bench.claims_one()
    bench.begins_sending(claimed)
    dispatching.make(
        bench.connection, [dispatching.put_back(claimed, NOW + HOUR, "not called in time", [{"channel": "sms"}])]
    )
    row = delivery(bench, key)
    assert (row["status"], row["attempts"], row["due_at"]) == (Status.PENDING, 0, NOW + HOUR)
    assert row["first_sent_at"] is None
    assert (row["reason"], row["decision"]) == ("not called in time", [{"channel": "sms"}])


@pytest.mark.parametrize("status", [Status.SKIPPED, Status.CANCELLED])
def test_what_is_set_aside_keeps_its_reason_and_is_done(bench: Bench, status: Status) -> None:
    key = bench.queues(bench.member())
    dispatching.make(
        bench.connection, [dispatching.set_aside(bench.claims_one(), status, "no consent " * 50, [{"channel": "sms"}])]
    )
    row = delivery(bench, key)
    assert (row["status"], row["due_at"], len(row["reason"])) == (status, None, 300)
    assert not dispatching.anything_due(bench.connection, NOW + DAY)


def test_a_message_that_was_cancelled_under_its_holder_is_not_sent(bench: Bench) -> None:
    ref = bench.member()
    run_id = bench.enters(ref)
    key = bench.queues(ref, enrolment_id=run_id, hop=1)
    claimed = bench.claims_one()
    fallbacks.drop_fallbacks(bench.connection, [(ref.bucket, run_id)], "overtaken")
    assert dispatching.still_held(bench.connection, [claimed]) == set()
    bench.begins_sending(claimed)
    assert bench.status(key, 1) == Status.CANCELLED


# --- keyed repeats ----------------------------------------------------------------------------------------------


def ambiguous(bench: Bench, *, window_minutes: int = 5) -> Claimed:
    bench.queues(bench.member())
    claimed = bench.claims_one()
    bench.begins_sending(claimed, repeat_until=NOW + window_minutes * MINUTE)
    assert record(bench, claimed, Recorded(Status.AMBIGUOUS, "no answer", due_at=NOW + MINUTE))
    return claimed


def test_an_ambiguous_message_is_claimed_for_a_repeat_inside_its_window(bench: Bench) -> None:
    first = ambiguous(bench)
    assert bench.claims() == []
    bench.now += MINUTE
    again = bench.claims_one()
    assert (again.repeat, again.fence, again.payload, again.address) == (True, 2, {"to": "x"}, "+8613800138000")
    assert bench.status(first.key) == Status.AMBIGUOUS
    assert bench.claims() == []
    bench.begins_sending(again)
    assert record(bench, again)
    assert bench.status(first.key) == Status.SENT


def test_once_its_window_has_closed_an_ambiguous_message_waits_for_ever(bench: Bench) -> None:
    first = ambiguous(bench)
    bench.now += 5 * MINUTE
    assert bench.claims() == []
    assert dispatching.anything_due(bench.connection, bench.now)
    dispatching.expire_leases(bench.connection, bench.now)
    assert not dispatching.anything_due(bench.connection, bench.now + DAY)
    assert (bench.status(first.key), delivery(bench, first.key)["due_at"]) == (Status.AMBIGUOUS, None)


def test_a_repeat_whose_holder_died_can_be_taken_up_while_its_window_is_open(bench: Bench) -> None:
    ambiguous(bench, window_minutes=10)
    bench.now += MINUTE
    zombie = bench.claims_one()
    bench.now += LEASE
    dispatching.expire_leases(bench.connection, bench.now)
    again = bench.claims_one()
    assert (again.repeat, again.fence) == (True, zombie.fence + 1)
    bench.begins_sending(zombie)
    assert bench.status(again.key) == Status.AMBIGUOUS


def test_a_repeat_that_is_not_made_leaves_an_ambiguous_message(bench: Bench) -> None:
    first = ambiguous(bench)
    bench.now += MINUTE
    dispatching.make(bench.connection, [dispatching.leave_ambiguous(bench.claims_one())])
    row = delivery(bench, first.key)
    assert (row["status"], row["repeat_until"], row["due_at"]) == (Status.AMBIGUOUS, None, None)
    assert bench.claims() == []


def test_a_keyed_repeat_that_was_never_called_is_as_it_was_found(bench: Bench) -> None:
    claimed = ambiguous(bench)
    found = delivery(bench, claimed.key)
    bench.now += MINUTE
    repeat = bench.claims_one()
    bench.begins_sending(repeat, repeat_until=repeat.repeat_until)
    dispatching.make(bench.connection, [dispatching.as_found(repeat, bench.now)])
    row = delivery(bench, claimed.key)
    kept = ("status", "repeat_until", "repeats_left", "attempts", "first_sent_at")
    assert [row[name] for name in kept] == [found[name] for name in kept]
    assert bench.claims_one().repeat_until == found["repeat_until"]


def test_a_repeat_that_crashed_after_its_intent_may_be_repeated_inside_the_window_only(bench: Bench) -> None:
    first = ambiguous(bench, window_minutes=4)
    bench.now += MINUTE
    bench.begins_sending(bench.claims_one(), repeat_until=NOW + 4 * MINUTE)
    bench.now += LEASE  # three minutes after the first call
    dispatching.expire_leases(bench.connection, bench.now)
    assert bench.claims_one().repeat
    bench.now += LEASE
    dispatching.expire_leases(bench.connection, bench.now)
    assert bench.claims() == []
    assert bench.status(first.key) == Status.AMBIGUOUS


# --- repeats that a step asks for ---------------------------------------------------------------------------------


def asked_to_repeat(bench: Bench, *, repeats: int = 2, until: datetime | None = None) -> Claimed:
    """Ambiguous, of a step with `on_ambiguous: repeat`; `until`: the provider knows its key so long."""
    bench.queues(bench.member(), repeats_left=repeats)
    claimed = bench.claims_one()
    bench.begins_sending(claimed, repeat_until=until)
    assert record(bench, claimed, Recorded(Status.AMBIGUOUS, "no answer", due_at=NOW + REPEAT_PAUSE))
    return claimed


def test_a_message_that_may_be_repeated_is_claimed_after_the_pause_with_its_own_bytes(bench: Bench) -> None:
    asked_to_repeat(bench)
    bench.now += REPEAT_PAUSE - MINUTE
    assert bench.claims() == []
    bench.now += MINUTE
    dispatching.expire_leases(bench.connection, bench.now)
    again = bench.claims_one()
    assert (again.unsheltered, again.payload, again.repeats_left_then) == (True, {"to": "x"}, 1)


def test_each_repeat_without_a_key_uses_one_up_and_none_is_left_after_the_last(bench: Bench) -> None:
    first = asked_to_repeat(bench, repeats=1)
    bench.now += REPEAT_PAUSE
    again = bench.claims_one()
    bench.begins_sending(again)
    assert delivery(bench, first.key)["repeats_left"] == 0
    bench.now += LEASE  # nobody recorded it
    dispatching.expire_leases(bench.connection, bench.now)
    row = delivery(bench, first.key)
    assert (row["status"], row["due_at"]) == (Status.AMBIGUOUS, None)


def test_a_repeat_under_the_providers_key_uses_none_up(bench: Bench) -> None:
    first = asked_to_repeat(bench, until=NOW + REPEAT_PAUSE + HOUR)
    bench.now += REPEAT_PAUSE
    again = bench.claims_one()
    assert not again.unsheltered
    bench.begins_sending(again)
    assert delivery(bench, first.key)["repeats_left"] == 2


def test_when_a_key_has_expired_unnoticed_the_pause_is_kept_all_the_same(bench: Bench) -> None:
    """A keyed repeat was due after a minute; the daemon was down until the provider had forgotten the key."""
    bench.queues(bench.member(), repeats_left=2)
    claimed = bench.claims_one()
    bench.begins_sending(claimed, repeat_until=NOW + 5 * MINUTE)
    assert record(bench, claimed, Recorded(Status.AMBIGUOUS, "no answer", due_at=NOW + MINUTE))
    bench.now += 6 * MINUTE
    dispatching.expire_leases(bench.connection, bench.now)
    assert bench.claims() == []
    bench.now += REPEAT_PAUSE
    dispatching.expire_leases(bench.connection, bench.now)
    assert bench.claims_one().unsheltered


def test_a_repeat_that_crashed_after_its_intent_waits_for_the_pause_again(bench: Bench) -> None:
    first = asked_to_repeat(bench)
    bench.now += REPEAT_PAUSE
    bench.begins_sending(bench.claims_one())
    bench.now += LEASE
    dispatching.expire_leases(bench.connection, bench.now)
    row = delivery(bench, first.key)
    assert (row["status"], row["due_at"], row["repeats_left"]) == (Status.AMBIGUOUS, bench.now + REPEAT_PAUSE, 1)


def test_a_repeat_that_is_put_off_keeps_its_count_and_one_that_is_given_up_waits_for_a_person(bench: Bench) -> None:
    first = asked_to_repeat(bench)
    bench.now += REPEAT_PAUSE
    again = bench.claims_one()
    dispatching.make(bench.connection, [dispatching.leave_ambiguous(again, bench.now + HOUR)])
    row = delivery(bench, first.key)
    assert (row["due_at"], row["repeats_left"]) == (bench.now + HOUR, 2)
    bench.now += HOUR
    dispatching.make(bench.connection, [dispatching.leave_ambiguous(bench.claims_one())])
    assert delivery(bench, first.key)["due_at"] is None


def test_without_the_steps_word_nothing_is_claimed_for_a_repeat_however_long_it_waits(bench: Bench) -> None:
    first = asked_to_repeat(bench, repeats=0)
    bench.now += REPEAT_PAUSE
    dispatching.expire_leases(bench.connection, bench.now)
    assert bench.claims() == []
    dispatching.make(bench.connection, [dispatching.leave_ambiguous(first, bench.now + HOUR)])
    assert delivery(bench, first.key)["due_at"] is None


# --- fallbacks --------------------------------------------------------------------------------------------------


def next_hop(bench: Bench, claimed: Claimed, due_at: Any) -> None:
    fallbacks.queue_next_hop(bench.connection, claimed.member, claimed.id, due_at, bench.now)


def test_the_next_hop_is_the_same_message_without_a_channel(bench: Bench) -> None:
    ref = bench.member()
    run_id = bench.enters(ref)
    wanted: dict[str, Any] = {
        "enrolment_id": run_id,
        "journey_id": "winback",
        "step_id": "hello",
        "visit": 0,
        "version": 3,
    }
    first = sends(bench, ref, priority=70, late_at=NOW + 9 * DAY, **wanted)
    next_hop(bench, first, NOW + 2 * DAY)
    row = delivery(bench, first.key, 1)
    assert row | wanted == row
    assert row | {"status": Status.PENDING, "due_at": NOW + 2 * DAY, "priority": 70, "late_at": NOW + 11 * DAY} == row
    assert (row["channel"], row["payload"], row["attempts"], row["fence"]) == (None, None, 0, 0)


def test_a_next_hop_that_waits_is_brought_forward_and_never_put_off(bench: Bench) -> None:
    first = sends(bench, bench.member())
    for days, expected in ((2, 2), (5, 2), (1, 1)):
        next_hop(bench, first, NOW + days * DAY)
        assert delivery(bench, first.key, 1)["due_at"] == NOW + expected * DAY
    assert len(bench.rows("delivery")) == 2


def test_after_the_second_channel_comes_the_third(bench: Bench) -> None:
    first = sends(bench, bench.member())
    next_hop(bench, first, NOW)
    second = bench.claims_one()
    bench.begins_sending(second)
    record(bench, second, Recorded(Status.FAILED, "content", failover=True))
    next_hop(bench, second, NOW)
    assert (second.hop, bench.claims_one().hop) == (1, 2)


def test_a_reminder_that_waits_is_no_fallback_of_the_question(bench: Bench) -> None:
    ref = bench.member()
    first = sends(bench, ref, key="q", purpose=Purpose.ASK)
    bench.queues(ref, key="q", purpose=Purpose.REMIND, hop=1, due_at=NOW + 5 * DAY)
    next_hop(bench, first, NOW + DAY)
    rows = bench.rows("delivery", message_key="q")
    assert [(row["hop"], row["purpose"]) for row in rows] == [(0, "ask"), (1, "remind"), (2, "ask")]


def test_the_next_message_of_a_run_drops_the_fallbacks_of_its_earlier_ones(bench: Bench) -> None:
    ref = bench.member()
    run_id, other = bench.enters(ref), bench.enters(ref, occurrence="other")
    kept = {
        "a first message": (bench.queues(ref, enrolment_id=run_id), 0),
        "a reminder": (bench.queues(ref, enrolment_id=run_id, hop=1, purpose=Purpose.REMIND), 1),
        "of another run": (bench.queues(ref, enrolment_id=other, hop=1), 1),
    }
    sending = bench.queues(ref, enrolment_id=run_id, hop=1, priority=99)
    bench.begins_sending(bench.claims(1)[0])
    dropped = bench.queues(ref, enrolment_id=run_id, hop=1)
    fallbacks.drop_fallbacks(bench.connection, [(ref.bucket, run_id)], "overtaken by the next message")
    fallbacks.drop_fallbacks(bench.connection, [], "nothing")
    row = delivery(bench, dropped, 1)
    assert (row["status"], row["reason"]) == (Status.CANCELLED, "overtaken by the next message")
    assert {name: bench.status(*place) for name, place in kept.items()} == dict.fromkeys(kept, Status.PENDING)
    assert bench.status(sending, 1) == Status.SENDING


# --- what a decision reads --------------------------------------------------------------------------------------


def test_earlier_hops_are_those_before_this_one_of_the_same_message(bench: Bench) -> None:
    ref = bench.member()
    sends(bench, ref)
    first = sends(bench, ref)
    next_hop(bench, first, NOW)
    second = bench.claims_one()
    assert judging.earlier_hops(bench.connection, [second]) == {first.key: [Hop("sms", Status.SENT)]}
    assert judging.earlier_hops(bench.connection, [first]) == {}


@pytest.mark.parametrize(
    ("event", "taken_up"), [("clicked", True), ("replied", True), ("answered", True), ("delivered", False)]
)
def test_a_message_is_taken_up_by_what_the_member_does_with_any_hop(bench: Bench, event: str, taken_up: bool) -> None:
    ref = bench.member()
    first = sends(bench, ref, enrolment_id=bench.enters(ref))
    next_hop(bench, first, NOW)
    second = bench.claims_one()
    assert judging.taken_up(bench.connection, [second]) == set()
    bench.responds(first, event)
    assert judging.taken_up(bench.connection, [second]) == ({first.key} if taken_up else set())
    assert judging.taken_up(bench.connection, [first]) == set()


def test_a_run_is_in_conversation_from_an_answer_to_its_own_question_until_its_reply(bench: Bench) -> None:
    ref, other = bench.member(), bench.member()
    silent, answered, replied = (bench.enters(who, occurrence=str(n)) for n, who in enumerate((ref, ref, other)))
    asked = {run_id: _asks(bench, who, run_id) for run_id, who in ((silent, ref), (answered, ref), (replied, other))}
    _answers(bench, asked[replied], NOW)
    bench.now += HOUR
    sends(bench, other, enrolment_id=replied)
    _answers(bench, asked[answered], NOW + 2 * HOUR)  # of another run: it opens no conversation of theirs again
    batch = list(asked.values())
    assert judging.in_conversation(bench.connection, batch, NOW - DAY) == {answered}
    assert judging.in_conversation(bench.connection, batch, NOW + 2 * HOUR) == set()


def _asks(bench: Bench, ref: MemberRef, run_id: int) -> Claimed:
    return sends(bench, ref, purpose=Purpose.ASK, enrolment_id=run_id, step_id="nps", visit=0, journey_id="winback")


def _answers(bench: Bench, question: Claimed, at: datetime) -> None:
    row = receiving.delivery_by_id(bench.connection, question.id)
    assert row is not None
    assert questions.put_answers(bench.connection, [NewAnswer(row, "nps", Given(score=3), at)]) == [True]


def test_recent_messages_are_logical_ones_by_their_first_intent(bench: Bench) -> None:
    ref, other = bench.member(), bench.member()
    first = sends(bench, ref, topic="marketing")
    next_hop(bench, first, NOW)
    bench.now += HOUR
    second = bench.claims_one()
    bench.begins_sending(second)
    asked = sends(bench, ref, topic="survey", purpose=Purpose.ASK)
    sends(bench, ref, topic="service", purpose=Purpose.CONFIRM)
    sends(bench, ref, topic="service", purpose=Purpose.COMMENT)
    sends(bench, ref, Recorded(Status.FAILED, "content"))
    sends(bench, ref, Recorded(Status.PENDING, "throttled", due_at=NOW + DAY))
    bench.queues(ref, due_at=NOW + DAY)
    sends(bench, other)

    def found(since: Any) -> list[Spent]:
        spent = judging.recent_messages(bench.connection, [ref], since).get(ref.id, [])
        return sorted(spent, key=lambda each: each.at)

    assert found(NOW - MINUTE) == [
        Spent(first.key, "marketing", NOW),
        Spent(asked.key, "survey", NOW + HOUR),
    ]
    assert [each.key for each in found(NOW)] == [first.key, asked.key]  # its second hop is younger
    assert found(NOW + HOUR) == []


def test_an_ambiguous_message_uses_the_cap_for_it_may_have_arrived(bench: Bench) -> None:
    ref = bench.member()
    sends(bench, ref, Recorded(Status.AMBIGUOUS, "no answer"))
    assert len(judging.recent_messages(bench.connection, [ref], NOW - MINUTE)[ref.id]) == 1


# --- any order of things ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_however_processes_crash_and_wake_nothing_is_on_the_wire_twice(bench: Bench, seed: int) -> None:
    """Random claims, crashes, zombies and records; the wire is counted here, and the trigger watches every move."""
    rng = random.Random(seed)
    ref = bench.member()
    for _ in range(4):
        bench.queues(ref)
    calls: dict[int, int] = {}
    held: list[Claimed] = []
    sending: list[Claimed] = []
    for _ in range(120):
        bench.now += rng.choice([MINUTE / 6, MINUTE, LEASE])
        match rng.randrange(5):
            case 0:
                held += bench.claims(2)
            case 1 if held:
                claimed = held.pop(rng.randrange(len(held)))
                if dispatching.still_held(bench.connection, [claimed]):
                    bench.begins_sending(claimed)
                    calls[claimed.id] = calls.get(claimed.id, 0) + 1
                    sending.append(claimed)
            case 2 if sending:
                claimed = sending.pop(rng.randrange(len(sending)))
                record(
                    bench, claimed, rng.choice([SENT, Recorded(Status.AMBIGUOUS, "?"), Recorded(Status.FAILED, "x")])
                )
            case 3 if held:
                held.pop(rng.randrange(len(held)))  # the process died
            case _:
                dispatching.expire_leases(bench.connection, bench.now)
    assert max(calls.values()) == 1
    assert {row["attempts"] for row in bench.rows("delivery")} <= {0, 1}
