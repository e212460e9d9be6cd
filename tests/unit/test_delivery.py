"""The send protocol's table: what each outcome makes of a delivery, and which moves exist at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engage.core.delivery import (
    CALL_TIMEOUT,
    LEASE,
    MOST_ATTEMPTS,
    MOVES,
    REPEAT_AFTER,
    REPEAT_PAUSE,
    WIRE_DEADLINE,
    Recorded,
    Status,
    quota_resets_at,
    record,
)
from engage.core.outcome import RETRYABLE, Accepted, Failure, Rejected, SendOutcome, Unknown

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

_failures = st.builds(Rejected, st.sampled_from(Failure), st.text(max_size=8), st.text(max_size=20))
_outcomes: st.SearchStrategy[SendOutcome] = st.one_of(
    st.builds(Accepted, st.none() | st.text(max_size=8), st.just(1), st.just(Decimal(0))),
    _failures,
    st.builds(Unknown, st.text(max_size=20)),
)
_attempts = st.integers(1, MOST_ATTEMPTS + 2)
_windows = st.none() | st.integers(-60, 600).map(lambda seconds: NOW + timedelta(seconds=seconds))


def what_became(
    outcome: SendOutcome, *, attempts: int = 1, repeat: bool = False, repeat_until: datetime | None = None
) -> Recorded:
    return record(outcome, attempts=attempts, repeat=repeat, repeat_until=repeat_until, now=NOW)


# --- repeats that the step asks for ----------------------------------------------------------------------------


def asked_for(outcome: SendOutcome, *, repeats_left: int, **more: Any) -> Recorded:
    given = {"attempts": 1, "repeat": False, "repeat_until": None} | more
    return record(outcome, repeats_left=repeats_left, now=NOW, **given)


def test_an_ambiguous_message_is_due_again_after_the_pause_while_repeats_are_left() -> None:
    assert asked_for(Unknown("timeout"), repeats_left=2).due_at == NOW + REPEAT_PAUSE
    assert asked_for(Unknown("timeout"), repeats_left=0).due_at is None


def test_the_providers_own_key_comes_first() -> None:
    sheltered = asked_for(Unknown("timeout"), repeats_left=2, repeat_until=NOW + 5 * MINUTE)
    assert sheltered.due_at == NOW + REPEAT_AFTER
    too_late = asked_for(Unknown("timeout"), repeats_left=2, repeat_until=NOW + MINUTE)
    assert too_late.due_at == NOW + REPEAT_PAUSE


@given(outcome=_outcomes, attempts=_attempts, repeat=st.booleans(), repeat_until=_windows, left=st.integers(0, 2))
def test_asking_for_repeats_changes_only_when_an_ambiguous_message_is_looked_at_again(
    outcome: SendOutcome, attempts: int, repeat: bool, repeat_until: datetime | None, left: int
) -> None:
    held = asked_for(outcome, repeats_left=0, attempts=attempts, repeat=repeat, repeat_until=repeat_until)
    asked = asked_for(outcome, repeats_left=left, attempts=attempts, repeat=repeat, repeat_until=repeat_until)
    assert replace(asked, due_at=None) == replace(held, due_at=None)
    if held.status is not Status.AMBIGUOUS or held.due_at is not None or left == 0:
        assert asked == held


# --- outcomes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("repeat", [False, True])
def test_accepted_is_sent_on_the_first_call_and_on_a_repeat(repeat: bool) -> None:
    assert what_became(Accepted("m1"), repeat=repeat) == Recorded(Status.SENT)


@pytest.mark.parametrize("failure", sorted(set(Failure) - RETRYABLE - {Failure.WINDOW_CLOSED}))
def test_a_definite_refusal_that_no_wait_cures_fails_and_frees_the_next_channel(failure: Failure) -> None:
    expected = Recorded(Status.FAILED, f"{failure} (E1) no", failover=True)
    assert what_became(Rejected(failure, "E1", "no")) == expected


@pytest.mark.parametrize("failure", sorted(RETRYABLE - {Failure.QUOTA, Failure.THROTTLED}))
@pytest.mark.parametrize(("attempts", "minutes"), [(1, 1), (2, 5), (3, 15), (4, 60), (5, 180)])
def test_a_refusal_that_time_may_cure_is_tried_again_with_growing_patience(
    failure: Failure, attempts: int, minutes: int
) -> None:
    recorded = what_became(Rejected(failure, "429"), attempts=attempts)
    assert recorded == Recorded(Status.PENDING, f"{failure} (429)", due_at=NOW + minutes * MINUTE)


@pytest.mark.parametrize("attempts", [1, MOST_ATTEMPTS + 1])
def test_being_throttled_is_about_the_account_and_ends_soon(attempts: int) -> None:
    recorded = what_became(Rejected(Failure.THROTTLED, "45011", "slow down"), attempts=attempts)
    assert (recorded.status, recorded.due_at) == (Status.PENDING, NOW + timedelta(seconds=15))
    assert not recorded.counts


@pytest.mark.parametrize("failure", sorted({*RETRYABLE, Failure.WINDOW_CLOSED} - {Failure.QUOTA, Failure.THROTTLED}))
def test_after_the_last_attempt_it_has_failed(failure: Failure) -> None:
    recorded = what_became(Rejected(failure, "429"), attempts=MOST_ATTEMPTS)
    assert (recorded.status, recorded.failover, recorded.due_at) == (Status.FAILED, True, None)


@pytest.mark.parametrize("attempts", [1, MOST_ATTEMPTS, MOST_ATTEMPTS + 1])
def test_a_used_up_quota_waits_for_midnight_in_beijing_and_costs_no_attempt(attempts: int) -> None:
    recorded = what_became(Rejected(Failure.QUOTA, "45009", "reach max api daily quota limit"), attempts=attempts)
    midnight = datetime(2026, 11, 23, 16, tzinfo=UTC)
    said = "quota (45009) reach max api daily quota limit"
    assert recorded == Recorded(Status.PENDING, said, due_at=midnight, counts=False)


@pytest.mark.parametrize(
    ("now", "midnight"),
    [("2026-11-23T15:59:59", "2026-11-23T16:00"), ("2026-11-23T16:00", "2026-11-24T16:00"),
     ("2026-12-31T20:00", "2027-01-01T16:00")],
    ids=["a second before", "at midnight, a day later", "over the year's end"],
)  # fmt: skip
def test_quotas_begin_anew_at_midnight_in_beijing(now: str, midnight: str) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert quota_resets_at(moment) == datetime.fromisoformat(midnight).replace(tzinfo=UTC)


def test_a_closed_reply_window_is_judged_again_at_once() -> None:
    """Another way or another channel may be open; there is nothing to wait for."""
    recorded = what_became(Rejected(Failure.WINDOW_CLOSED, "45015"))
    assert recorded == Recorded(Status.PENDING, "window closed (45015)", due_at=NOW)


@pytest.mark.parametrize(("detail", "reason"), [("timed out", "timed out"), ("", "no answer")])
def test_an_unknown_outcome_without_a_dedupe_window_waits_for_a_receipt_or_a_person(detail: str, reason: str) -> None:
    assert what_became(Unknown(detail)) == Recorded(Status.AMBIGUOUS, reason)


def test_an_unknown_outcome_is_repeated_only_where_the_repeat_surely_ends_inside_the_window() -> None:
    """One minute of patience, 20 s to reach the wire, 10 s for the call: all of it has to fit."""
    needed = REPEAT_AFTER + WIRE_DEADLINE + CALL_TIMEOUT
    just = what_became(Unknown("?"), repeat_until=NOW + needed)
    enough = what_became(Unknown("?"), repeat_until=NOW + needed + timedelta(seconds=1))
    assert (just.status, just.due_at) == (Status.AMBIGUOUS, None)
    assert (enough.status, enough.due_at) == (Status.AMBIGUOUS, NOW + REPEAT_AFTER)


def test_a_refusal_of_a_repeat_says_nothing_about_the_first_call() -> None:
    recorded = what_became(Rejected(Failure.THROTTLED, "45011", "slow down"), repeat=True)
    assert recorded == Recorded(Status.AMBIGUOUS, "refused on repeat: throttled 45011 slow down")


# --- what can never be ------------------------------------------------------------------------------------------


@given(_outcomes, _attempts, _windows)
def test_whatever_a_repeat_brings_it_is_sent_or_ambiguous(
    outcome: SendOutcome, attempts: int, repeat_until: datetime | None
) -> None:
    recorded = what_became(outcome, attempts=attempts, repeat=True, repeat_until=repeat_until)
    assert recorded.status in (Status.SENT, Status.AMBIGUOUS)
    assert not recorded.failover


@given(st.text(max_size=20), _attempts, st.booleans(), _windows)
def test_no_answer_is_never_a_reason_to_send_again_as_new(
    detail: str, attempts: int, repeat: bool, repeat_until: datetime | None
) -> None:
    recorded = what_became(Unknown(detail), attempts=attempts, repeat=repeat, repeat_until=repeat_until)
    assert recorded.status is Status.AMBIGUOUS
    assert not recorded.failover


@given(_outcomes, _attempts, st.booleans(), _windows)
def test_every_record_is_a_move_the_table_knows(
    outcome: SendOutcome, attempts: int, repeat: bool, repeat_until: datetime | None
) -> None:
    recorded = what_became(outcome, attempts=attempts, repeat=repeat, repeat_until=repeat_until)
    assert recorded.status in MOVES[Status.SENDING]
    assert recorded.failover == (recorded.status is Status.FAILED)
    assert (recorded.status is not Status.PENDING) or recorded.due_at is not None


@given(_failures)
def test_a_message_that_is_tried_again_and_again_settles_in_the_end_unless_the_account_is_shut(
    refused: Rejected,
) -> None:
    last = what_became(refused, attempts=MOST_ATTEMPTS)
    of_the_account = refused.failure in (Failure.QUOTA, Failure.THROTTLED)
    assert last.status is (Status.PENDING if of_the_account else Status.FAILED)


def test_the_table_names_every_status() -> None:
    assert set(MOVES) == set(Status)
    assert all(to <= set(Status) for to in MOVES.values())


@pytest.mark.parametrize("status", [Status.SENT, Status.FAILED, Status.SKIPPED, Status.CANCELLED])
def test_what_is_settled_stays_settled(status: Status) -> None:
    assert MOVES[status] == frozenset()


def test_an_ambiguous_message_never_waits_to_be_sent_as_new() -> None:
    reachable, edge = {Status.AMBIGUOUS}, {Status.AMBIGUOUS}
    while edge := {to for status in edge for to in MOVES[status]} - reachable - {Status.SENDING}:
        reachable |= edge
    assert reachable == {Status.AMBIGUOUS, Status.SENT, Status.FAILED}


def test_only_an_intent_leads_to_the_wire() -> None:
    """`sent` and `ambiguous` are reached from `sending`, and `sending` from what a process holds."""
    assert {s for s in Status if Status.SENDING in MOVES[s]} == {Status.CLAIMED, Status.AMBIGUOUS}
    assert {s for s in Status if Status.AMBIGUOUS in MOVES[s]} == {Status.SENDING}
    assert {s for s in Status if Status.SENT in MOVES[s]} == {Status.SENDING, Status.AMBIGUOUS}


def test_a_lease_outlives_the_slowest_call() -> None:
    assert LEASE > WIRE_DEADLINE + CALL_TIMEOUT
