"""What a behaviour file says of people: who they are, what they do by themselves, and what they do about messages.

Shares are fractions, 0 to 1. Nothing here is drawn or decided: that is `simulation`'s, with a seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Literal

MESSAGE = "message"  # what an event may follow, besides other events: a message that arrived

Act = Literal["click", "reply", "answer", "unsubscribe", "bounce"]
ACTS: tuple[Act, ...] = ("click", "reply", "answer", "unsubscribe", "bounce")


# --- values -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Between:
    """A whole number from `low` to `high`; small ones as likely as large ones on a logarithmic scale, as prices are."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of these values, by weight. Weights that do not add up to 1 leave the rest without a value."""

    values: Sequence[Any]
    weights: Sequence[float]


@dataclass(frozen=True, slots=True)
class New:
    """A new id each time."""


@dataclass(frozen=True, slots=True)
class Same:
    """What the event it follows has under the same key."""


Draw = Between | OneOf | New | Same


# --- people -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class People:
    """Synthetic members. A field that is not named stays empty; a share alone (of an anniversary) is who has one."""

    channels: Mapping[str, float] = field(default_factory=dict)
    consents: Mapping[str, float] = field(default_factory=dict)  # by topic: who has granted it
    fields: Mapping[str, OneOf | float] = field(default_factory=dict)
    new_per_day: float = 0.0  # newcomers, as a share of the members there are
    writes_every: timedelta | None = None  # how often somebody writes in the chat out of the blue


# --- what they do about messages --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares of the messages that arrived (`bounce`: that did not; `answer`: of those that ask). None: not said."""

    click: float | None = None
    reply: float | None = None
    answer: float | None = None
    unsubscribe: float | None = None
    bounce: float | None = None

    def over(self, other: Rates) -> Rates:
        """These, and where they are silent the other's."""
        said = {act: getattr(self, act) for act in ACTS if getattr(self, act) is not None}
        return replace(other, **said)


@dataclass(frozen=True, slots=True)
class Delay:
    """How long people take: half of them less than `median`, nobody longer than `longest`. Log-normal."""

    median: timedelta = timedelta(minutes=40)
    longest: timedelta = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Answers:
    """Scores by weight, by survey, and the share who add words."""

    nps: OneOf = OneOf((9, 8, 3), (0.57, 0.28, 0.15))
    csat: OneOf = OneOf((5, 4, 3, 2, 1), (0.5, 0.3, 0.12, 0.05, 0.03))
    comment: float = 0.4


@dataclass(frozen=True, slots=True)
class Staff:
    """What colleagues do with tasks: the share they close, and how soon."""

    close: float = 0.8
    within: timedelta = timedelta(days=1)


# --- what they do by themselves ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cause:
    """The event follows another one, or a message, for this share, so much later."""

    share: float
    soonest: timedelta
    latest: timedelta


@dataclass(frozen=True, slots=True)
class Habit:
    """A business event: how often members do it by themselves, and what else leads to it. `once`: at most once for each
    member."""

    every: timedelta | None = None
    members: float = 1.0  # the share of members who do it at all
    after: Mapping[str, Cause] = field(default_factory=dict)
    values: Mapping[str, Draw] = field(default_factory=dict)
    once: bool = False


# --- all of it --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Rates of a topic or journey are of one channel, or (None) of every one. A journey's word goes over its topic's,
    that one over the channel's."""

    people: People = People()
    channels: Mapping[str, Rates] = field(default_factory=dict)
    topics: Mapping[tuple[str, str | None], Rates] = field(default_factory=dict)
    journeys: Mapping[tuple[str, str | None], Rates] = field(default_factory=dict)
    delay: Delay = Delay()
    answers: Answers = Answers()
    staff: Staff = Staff()
    habits: Mapping[str, Habit] = field(default_factory=dict)

    def rates(self, channel: str, topic: str, journey: str | None) -> Rates:
        found = self.channels.get(channel, Rates())
        for group, name in ((self.topics, topic), (self.journeys, journey or "")):
            found = group.get((name, None), Rates()).over(found)
            found = group.get((name, channel), Rates()).over(found)
        return found

    def followers_of(self, cause: str) -> Sequence[tuple[str, Habit, Cause]]:
        """The events that may follow this one, or a message."""
        return [(name, habit, habit.after[cause]) for name, habit in self.habits.items() if cause in habit.after]
