"""A call to a system of the business: what an attempt may come to, how long it is tried, and when again.

Unlike a message, a call may be repeated after an unknown outcome: every attempt carries the same idempotency key, and
the receiver drops what it has had before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from engage.core.journey.model import OnFail


class CallStatus(StrEnum):
    OPEN = "open"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Done:
    """The receiver said 2xx."""


@dataclass(frozen=True, slots=True)
class Refused:
    """For good: the same call would be refused again."""

    why: str


@dataclass(frozen=True, slots=True)
class Unsettled:
    """Not reached, busy, or no clear answer: to be tried again."""

    why: str


CallOutcome = Done | Refused | Unsettled

# A lease outlives an attempt, connecting included; the batch that holds it, too.
CALL_LEASE = timedelta(minutes=3)
_FIRST_PAUSE = timedelta(seconds=10)  # doubled with every attempt
_LONGEST_PAUSE = timedelta(hours=1)
_TRIED_FOR = {
    OnFail.RETRY: timedelta(hours=24),
    OnFail.CONTINUE: timedelta(minutes=10),
    OnFail.EXIT: timedelta(minutes=10),
}


def tried_for(on_fail: OnFail) -> timedelta:
    """How long a call is tried before it is given up."""
    return _TRIED_FOR[on_fail]


@dataclass(frozen=True, slots=True)
class Settled:
    """What one attempt makes of a call. `due_at`: of the next attempt."""

    status: CallStatus
    reason: str | None = None
    due_at: datetime | None = None


def settle(outcome: CallOutcome, *, attempts: int, give_up_at: datetime, now: datetime) -> Settled:
    """`attempts`: those made, this one included. The last one is made at `give_up_at`."""
    match outcome:
        case Done():
            return Settled(CallStatus.DONE)
        case Refused(why):
            return Settled(CallStatus.FAILED, why)
        case Unsettled(why) if now >= give_up_at:
            return Settled(CallStatus.FAILED, why)
        case Unsettled(why):
            pause = min(_FIRST_PAUSE * 2 ** min(attempts - 1, 16), _LONGEST_PAUSE)
            return Settled(CallStatus.OPEN, why, min(now + pause, give_up_at))
        case _:
            assert_never(outcome)
