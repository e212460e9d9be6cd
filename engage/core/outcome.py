"""What became of a handover to a provider: a closed union, and what follows from each case.

A timeout after the request was written is `Unknown`: it may have reached the member, so it is never repeated blindly.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Failure(StrEnum):
    """Why a provider refused. One table per provider maps its words to these."""

    INVALID_ADDRESS = "invalid_address"  # permanent: suppress the address
    UNREACHABLE = "unreachable"  # unfollowed, blocked, mailbox full: not now
    WINDOW_CLOSED = "window_closed"  # WeChat 45015/45047: our idea of the reply window was wrong
    THROTTLED = "throttled"  # too many calls of ours: the channel backs off
    NOT_NOW = "not_now"  # this message, or this address: try it again later
    QUOTA = "quota"  # what the account may send is used up: the channel rests until the next day in Beijing
    OPTED_OUT = "opted_out"  # the provider knows of a refusal: record it
    QUIET_HOURS = "quiet_hours"  # come back in the morning
    CONTENT = "content"  # the words were refused; says nothing about the member
    CONFIGURATION = "configuration"  # credentials, signature, balance: stop the channel, tell ops
    PROVIDER_ERROR = "provider_error"  # their fault, and surely not sent


# Failures after which the same message may be tried again on the same channel: it was surely not handed over.
RETRYABLE = frozenset(
    {
        Failure.THROTTLED,
        Failure.NOT_NOW,
        Failure.QUOTA,
        Failure.QUIET_HOURS,
        Failure.PROVIDER_ERROR,
        Failure.CONFIGURATION,
    }
)


@dataclass(frozen=True, slots=True)
class Accepted:
    provider_id: str | None
    segments: int = 1
    cost: Decimal = Decimal(0)  # in the currency of the config, for this message


@dataclass(frozen=True, slots=True)
class Rejected:
    failure: Failure
    code: str  # the provider's own code
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may or may not have been accepted."""

    detail: str


SendOutcome = Accepted | Rejected | Unknown
