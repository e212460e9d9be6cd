"""Which faults a world meets, and how often. Each seed has a weather of its own: some are calm but for one thing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from tests.harness.dice import Dice


class Fault(StrEnum):
    """What may befall a call at a provider."""

    NONE = "none"
    LOST_BEFORE = "lost before it was taken"
    LOST_AFTER = "lost after it was taken"
    RAISED_AFTER = "taken, and the channel raises"
    ERROR = "5xx"
    THROTTLED = "429"
    QUOTA = "45009"
    NO_SUCH_ADDRESS = "no such address"
    WINDOW_CLOSED = "45015"
    REFUSED = "the words are refused"


@dataclass(frozen=True, slots=True)
class Weather:
    """Chances: of each fault of a call; at each boundary; at each moment of rest."""

    calls: Mapping[Fault, float]
    crash: float = 0.0
    zombie: float = 0.0
    database: float = 0.0
    broken: float = 0.0  # that a batch of things fails for the sake of one of them
    seconds: float = 0.0  # that some pass while workers are at work
    jump: float = 0.0
    acts: float = 0.0
    edits: float = 0.0
    receipts: Mapping[str, float] = field(default_factory=dict)
    early: float = 0.0  # that a receipt is told before the call is answered
    against: float = 0.0  # that what should stop a message comes while it is being worded
    meanwhile: float = 0.0  # that something changes while the outcome of a call is unknown
    throng: float = 0.0  # that what happens, happens to one and the same member


_RECEIPTS = {"delivered": 6.0, "bounced": 1.0, "deferred, delivered": 1.0, "delivered, bounced": 0.5, "none": 3.0}
CALM = Weather({Fault.NONE: 1.0})
STORM = Weather(
    calls={
        Fault.NONE: 3.0,
        Fault.LOST_BEFORE: 0.5,
        Fault.LOST_AFTER: 2.0,
        Fault.RAISED_AFTER: 0.3,
        Fault.THROTTLED: 0.5,
        Fault.ERROR: 1.5,
        Fault.QUOTA: 0.03,
        Fault.NO_SUCH_ADDRESS: 0.1,
        Fault.WINDOW_CLOSED: 0.1,
        Fault.REFUSED: 0.1,
    },
    crash=0.01,
    zombie=0.03,
    database=0.005,
    seconds=0.2,
    acts=0.3,
    receipts=_RECEIPTS,
    early=0.2,
    against=0.2,
    meanwhile=0.5,
    throng=0.4,
)
"""All that the protocol is there for, much of it at once: what mutants are put out into."""


TROUBLE = replace(STORM, calls={Fault.NONE: 1.0, Fault.ERROR: 6.0, Fault.THROTTLED: 3.0, Fault.QUOTA: 0.1})
"""Providers that take next to nothing."""
LEAP = replace(STORM, jump=0.1, zombie=0.06)
"""The servers' clock is set, and workers sleep meanwhile."""
FROST = replace(STORM, zombie=0.1, against=0.0)
"""Workers sleep, for longer than their leases."""
OUTAGE = replace(STORM, database=0.05, against=0.0)
"""The database comes and goes."""


def of(dice: Dice) -> Weather:
    faults = [fault for fault in Fault if fault is not Fault.NONE]
    rough: dict[Fault, float] = {fault: dice.one_of([0.0, 0.0, 0.5, 2.0]) for fault in faults}
    rough |= {fault: rough[fault] / 10 for fault in (Fault.QUOTA, Fault.NO_SUCH_ADDRESS, Fault.REFUSED)}
    return Weather(
        calls={Fault.NONE: dice.one_of([1.0, 4.0, 12.0]), **rough},
        crash=dice.one_of([0.0, 0.01, 0.04]),
        zombie=dice.one_of([0.0, 0.01, 0.04]),
        database=dice.one_of([0.0, 0.0, 0.02]),
        broken=dice.one_of([0.0, 0.0, 0.05]),
        seconds=dice.one_of([0.02, 0.1, 0.3]),
        jump=dice.one_of([0.0, 0.0, 0.03]),
        acts=dice.one_of([0.05, 0.2]),
        edits=dice.one_of([0.0, 0.0, 0.02]),
        receipts=_RECEIPTS,
        early=dice.one_of([0.0, 0.3]),
        against=dice.one_of([0.0, 0.02, 0.1]),
        meanwhile=dice.one_of([0.0, 0.3]),
        throng=dice.one_of([0.0, 0.0, 0.6]),
    )
