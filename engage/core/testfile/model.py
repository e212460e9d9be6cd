"""What a test file says, once read: frozen dataclasses.

Times are days and clock times in the member's own zone; day 0 is the date of `clock`. What a member is, is data as the
shop would tell it, with every “95d ago” already reckoned from the clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from enum import StrEnum
from typing import Any

from engage.core.fact import Act
from engage.core.problem import Span


@dataclass(frozen=True, slots=True, order=True)
class DayTime:
    """`day 2 09:00`."""

    day: int
    at: time

    def __str__(self) -> str:
        return f"day {self.day} {self.at:%H:%M}"


# --- members ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reach:
    """A channel of a member. `address` None: one of the test's own making."""

    address: str | None = None
    follows: bool = True
    last_act: Act | None = None  # what they did there last, which may have opened a reply window
    last_act_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PastEvent:
    event: str
    at: datetime
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Person:
    """A member as the shop knows them when the test begins. Every topic is granted, but for `consent`."""

    name: str
    span: Span
    reaches: Mapping[str, Reach] = field(default_factory=dict)  # by channel
    values: Mapping[str, Any] = field(default_factory=dict)  # by catalog field, as JSON data
    tags: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()  # they must be in these, by their values
    segments_span: Span | None = None
    consent: Mapping[tuple[str, str], bool] = field(default_factory=dict)  # (topic, channel) → granted?
    history: tuple[PastEvent, ...] = ()
    timezone: str | None = None


# --- what happens -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Responds:
    """Something follows the last message that reached them: clicked, delivered, bounced, unsubscribed, complained."""

    event: str
    channel: str | None = None
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Happens:
    """The shop reports an event."""

    event: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answers:
    """An answer to the last question, where it was asked or on another channel; or words after a score."""

    answer: str | None
    comment: str | None = None
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class Says:
    """Words that are no answer, exactly as typed."""

    text: str
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class Follows:
    channel: str
    follows: bool


@dataclass(frozen=True, slots=True)
class ClosesTask:
    """A colleague has done what the team was asked to."""

    team: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Changes:
    """The shop tells news of the member."""

    values: Mapping[str, Any]
    tags: tuple[str, ...] = ()


Doing = Responds | Happens | Answers | Says | Follows | ClosesTask | Changes


@dataclass(frozen=True, slots=True)
class Deed:
    """One line of `when`."""

    at: DayTime
    doing: Doing
    span: Span


# --- what is expected -------------------------------------------------------------------------------------------


class Verb(StrEnum):
    """The journey's own verbs, and what became of them."""

    ENTER = "enter"
    SEND = "send"
    ASK = "ask"
    SKIPPED = "skipped"
    DEFERRED = "deferred"
    CANCELLED = "cancelled"
    ANSWERED = "answered"
    NO_ANSWER = "no_answer"
    UPDATE = "update"
    NOTIFY = "notify"
    ENROLL = "enroll"
    WEBHOOK = "webhook"
    SPLIT = "split"
    PASSED_OVER = "passed_over"
    EXIT = "exit"


@dataclass(frozen=True, slots=True)
class Expected:
    """One line of `expect`. Only what is written is looked at.

    `name`: of the template, step, team, journey or reason; None for `update`, whose `changes` are its subject: a set of
    words such as `set lifecycle=活跃`, `add tag=推荐官`.
    """

    verb: Verb
    name: str | None
    span: Span
    at: DayTime | None = None
    via: str | None = None
    why: str | None = None  # part of the reason
    until: DayTime | None = None  # of what is deferred, and `due` of a task
    words: str | None = None  # part of a task's words; the way of a split
    flags: Mapping[str, bool] = field(default_factory=dict)  # `urgent` of a task, `counts` of a goal
    changes: frozenset[str] = frozenset()
    never: bool = False


# --- the whole --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """One test."""

    name: str
    span: Span
    member: Person
    start_event: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)  # `var`
    arms: Mapping[str, str] = field(default_factory=dict)  # split → way
    holdout: bool = False
    until: int | None = None  # the last day; None: until nothing is left to happen
    deeds: tuple[Deed, ...] = ()
    expected: tuple[Expected, ...] = ()


@dataclass(frozen=True, slots=True)
class TestFile:
    path: str
    journey: str
    clock: datetime  # aware, in the zone of the catalog
    cases: tuple[Case, ...] = ()

    __test__ = False  # pytest takes classes of this name for tests of its own
