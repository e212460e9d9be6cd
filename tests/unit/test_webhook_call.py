"""What an attempt makes of a call: done, refused, or tried again, longer and longer, until it is given up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from engage.core.journey.model import OnFail
from engage.core.webhook_call import CallStatus, Done, Refused, Settled, Unsettled, settle, tried_for

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
DOWN = Unsettled("http 503")


def attempts(on_fail: OnFail) -> list[timedelta]:
    """When a receiver that is down is tried, counted from the start, until the call is given up."""
    give_up_at, now, made = NOW + tried_for(on_fail), NOW, [timedelta(0)]
    while (settled := settle(DOWN, attempts=len(made), give_up_at=give_up_at, now=now)).due_at is not None:
        assert settled.status is CallStatus.OPEN
        assert settled.due_at > now
        now = settled.due_at
        made.append(now - NOW)
    assert settled == Settled(CallStatus.FAILED, "http 503")
    return made


def test_success_and_refusal_settle_it_at_once() -> None:
    assert settle(Done(), attempts=1, give_up_at=NOW, now=NOW) == Settled(CallStatus.DONE)
    later = NOW + timedelta(hours=1)
    assert settle(Refused("http 404"), attempts=1, give_up_at=later, now=NOW) == Settled(CallStatus.FAILED, "http 404")


def test_pauses_double_and_the_last_try_is_at_the_very_end() -> None:
    seconds = [made.total_seconds() for made in attempts(OnFail.CONTINUE)]
    assert seconds == [0, 10, 30, 70, 150, 310, 600]
    assert attempts(OnFail.EXIT) == attempts(OnFail.CONTINUE)


def test_for_a_day_it_is_tried_hourly() -> None:
    made = attempts(OnFail.RETRY)
    assert made[-1] == timedelta(hours=24)
    assert max(later - earlier for earlier, later in pairwise(made)) == timedelta(hours=1)
    assert len(made) < 40


def test_after_a_downtime_it_is_tried_once_before_it_is_given_up() -> None:
    settled = settle(DOWN, attempts=1, give_up_at=NOW - timedelta(days=3), now=NOW)
    assert settled.status is CallStatus.FAILED
