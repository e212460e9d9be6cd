"""The life of one delivery: its states, and the only moves between them. The send protocol is this table.

    pending ──claim──▶ claimed ──intent──▶ sending ──record──▶ sent · failed · ambiguous · pending (definite, try later)
       ▲                  │                   │
       └──lease expired───┘                   └──lease expired──▶ ambiguous, never pending

An intent is committed before the wire is touched, and an unknown outcome is `ambiguous`: it may have reached the
member. Only a receipt, a person, or a repeat with the same key inside the provider's own dedupe window resolves it;
and, where its step says so, a repeat that may arrive a second time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import assert_never
from zoneinfo import ZoneInfo

from engage.core.outcome import RETRYABLE, Accepted, Failure, Rejected, SendOutcome, Unknown


class Status(StrEnum):
    PENDING = "pending"
    CLAIMED = "claimed"
    SENDING = "sending"
    SENT = "sent"
    AMBIGUOUS = "ambiguous"
    FAILED = "failed"
    SKIPPED = "skipped"  # a deliberate non-send, with its reason: not a failure
    CANCELLED = "cancelled"  # overtaken: goal, exit, a response, a newer message


MOVES: dict[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.CLAIMED, Status.CANCELLED}),
    Status.CLAIMED: frozenset({Status.SENDING, Status.PENDING, Status.SKIPPED, Status.CANCELLED}),
    Status.SENDING: frozenset({Status.SENT, Status.FAILED, Status.AMBIGUOUS, Status.PENDING}),
    Status.AMBIGUOUS: frozenset({Status.SENDING, Status.SENT, Status.FAILED}),
    Status.SENT: frozenset(),
    Status.FAILED: frozenset(),
    Status.SKIPPED: frozenset(),
    Status.CANCELLED: frozenset(),
}

# No call is made later than this after its intent was committed: consent may have changed since.
WIRE_DEADLINE = timedelta(seconds=20)
# A call itself may take this long; with WIRE_DEADLINE it bounds the lease.
CALL_TIMEOUT = timedelta(seconds=10)
LEASE = timedelta(minutes=2)
# A repeat with the same key stays this far inside the provider's dedupe window.
REPEAT_AFTER = timedelta(minutes=1)
# A step may ask that an ambiguous message be sent again (`on_ambiguous: repeat`): this often, and no sooner than this
# after the last call, so that a receipt can come first.
MOST_REPEATS = 2
REPEAT_PAUSE = timedelta(minutes=10)
MOST_ATTEMPTS = 6
BACK_OFF = timedelta(seconds=15)  # of a channel whose provider says that it is called too fast
_BACKOFF = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1), timedelta(hours=3))
# WeChat's daily quotas and Aliyun's daily limit begin anew at 00:00 there, wherever the business is.
_BEIJING = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True, slots=True)
class Recorded:
    """What one outcome makes of a delivery in `sending`."""

    status: Status
    reason: str | None = None
    due_at: datetime | None = None
    counts: bool = True  # as one of the message's attempts
    failover: bool = False  # known not to have arrived: the next channel may be tried, where the journey asks for it


def record(
    outcome: SendOutcome,
    *,
    attempts: int,
    repeat: bool,
    repeat_until: datetime | None,
    now: datetime,
    repeats_left: int = 0,
) -> Recorded:
    """`repeat`: this attempt repeated an ambiguous one; a refusal then says nothing about the first call.
    `repeats_left`: how often the step wants it sent again without the shelter of a provider's key."""
    match outcome:
        case Accepted():
            return Recorded(Status.SENT)
        case Unknown(detail):
            return _unresolved(detail, repeat_until, repeats_left, now)
        case Rejected(failure, code, detail) if repeat:
            said = f"refused on repeat: {failure} {code} {detail}".strip()
            return _unresolved(said, repeat_until, repeats_left, now)
        case Rejected(Failure.WINDOW_CLOSED, code, _) if attempts < MOST_ATTEMPTS:
            return Recorded(Status.PENDING, f"window closed ({code})", due_at=now)
        case Rejected(Failure.QUOTA, code, detail):
            # About the account, not about this message, as being throttled is: it uses up none of its attempts.
            reason = f"quota ({code}) {detail}".strip()
            return Recorded(Status.PENDING, reason, due_at=quota_resets_at(now), counts=False)
        case Rejected(Failure.THROTTLED, code, detail):
            reason = f"throttled ({code}) {detail}".strip()
            return Recorded(Status.PENDING, reason, due_at=now + BACK_OFF, counts=False)
        case Rejected(failure, code, detail) if failure in RETRYABLE and attempts < MOST_ATTEMPTS:
            wait = _BACKOFF[min(attempts, len(_BACKOFF)) - 1]
            return Recorded(Status.PENDING, f"{failure} ({code}) {detail}".strip(), due_at=now + wait)
        case Rejected(failure, code, detail):
            return Recorded(Status.FAILED, f"{failure} ({code}) {detail}".strip(), failover=True)
        case _:
            assert_never(outcome)


def quota_resets_at(now: datetime) -> datetime:
    """The next midnight in Beijing. A monthly limit is asked again every day: nobody tells when its month began."""
    tomorrow = now.astimezone(_BEIJING).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), _BEIJING).astimezone(UTC)


def _unresolved(detail: str, repeat_until: datetime | None, repeats_left: int, now: datetime) -> Recorded:
    again = now + REPEAT_AFTER
    sheltered = repeat_until is not None and again + WIRE_DEADLINE + CALL_TIMEOUT < repeat_until
    asked_for = now + REPEAT_PAUSE if repeats_left > 0 else None
    return Recorded(Status.AMBIGUOUS, detail or "no answer", due_at=again if sheltered else asked_for)
