"""Inbound facts, normalised: what every provider callback, page and API call is turned into.

Closed union: the receive loop matches on it. A provider's parser never decides what a fact means to a journey.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from engage.core.outcome import Failure

UNTOLD = datetime(9999, 1, 1, tzinfo=UTC)  # a moment that cannot be read from what was told
_NOTHING_BEFORE = datetime(2000, 1, 1, tzinfo=UTC)  # that providers tell of: what is, is a default of their software
_CLOCKS_DIFFER = timedelta(days=1)  # a provider's and ours, zones mistaken for each other included


def moment_told(read: Callable[[], datetime]) -> datetime:
    """When a provider says that it was. No opt-out is lost because nobody can read its date."""
    try:
        moment = read().astimezone(UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        return UNTOLD
    return moment if moment >= _NOTHING_BEFORE else UNTOLD


class Arrival(StrEnum):
    """How far a message got, by the provider's word."""

    DELIVERED = "delivered"
    DEFERRED = "deferred"  # soft: the provider still tries
    BOUNCED = "bounced"  # will not arrive


@dataclass(frozen=True, slots=True)
class Receipt:
    """A delivery receipt. `delivery_id` where the provider echoes our own reference, else `provider_id`."""

    channel: str
    arrival: Arrival
    at: datetime
    delivery_id: int | None = None
    provider_id: str | None = None
    address: str | None = None
    failure: Failure | None = None
    code: str = ""


class Act(StrEnum):
    """What a follower did in a chat, as far as reply windows care."""

    MESSAGE = "message"
    MENU = "menu"
    FOLLOW = "follow"
    SCAN = "scan"


@dataclass(frozen=True, slots=True)
class Typed:
    """Words a member wrote. `act` tells which reply window they open, where the channel has one."""

    channel: str
    address: str
    text: str
    at: datetime
    act: Act = Act.MESSAGE
    menu_id: str | None = None


@dataclass(frozen=True, slots=True)
class Followed:
    channel: str
    address: str
    at: datetime
    scene: str | None = None
    act: Act = Act.FOLLOW


@dataclass(frozen=True, slots=True)
class Unfollowed:
    channel: str
    address: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Clicked:
    delivery_id: int
    link: str
    at: datetime
    machine: bool = False  # a scanner or prefetcher, by its looks: recorded, never acted on


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer given on the survey page, tied to its delivery by a signed token."""

    delivery_id: int
    at: datetime
    score: int | None = None
    choice: str | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class OptedOut:
    """A refusal, by page, one-click header or complaint. `topic` None: all that is not `service`, on that channel."""

    channel: str
    at: datetime
    how: str  # evidence: "one-click", "page", "complaint"
    delivery_id: int | None = None
    address: str | None = None
    topic: str | None = None


@dataclass(frozen=True, slots=True)
class Happened:
    """A business event from the shop, the API or a file."""

    member: str  # the outside's own id of the member
    event: str
    payload: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class MemberGiven:
    """A member as the outside knows them. Absent keys leave what is on file."""

    member: str
    at: datetime
    values: Mapping[str, Any]  # by catalog field
    addresses: Mapping[str, str]  # by channel
    consents: Mapping[tuple[str, str], bool]  # (topic, channel) → granted?
    evidence: str = ""  # where those consents come from: a form, a file and its row
    tags: tuple[str, ...] = ()
    timezone: str | None = None
    announce: bool = True  # whether a new member is the event `member_created`


Fact = Receipt | Typed | Followed | Unfollowed | Clicked | Answered | OptedOut | Happened | MemberGiven


def read_at(fact: Fact, now: datetime) -> Fact:
    """The fact as it is taken when it is read. Whoever tells of a moment far ahead is mistaken, and what follows from
    it (a reply window, a member's last act) would hold until then: it happened now."""
    return replace(fact, at=now) if fact.at > now + _CLOCKS_DIFFER else fact
