"""What is known of one run at one step, and what may follow: the words in which `advance` is asked, and answers.

Effects are named here, not done; the runtime does them in the transaction that moves the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from engage.core.journey.model import Ask, Enroll, Goto, Notify, Send, Split, Update, Webhook
from engage.core.split import Taken
from engage.core.webhook_call import CallStatus
from engage.core.workdays import MAINLAND, WorkCalendar


class Phase(StrEnum):
    ARRIVING = "arriving"
    WAITING = "waiting"
    COMMENTING = "commenting"


class EndKind(StrEnum):
    GOAL = "goal"
    EXIT = "exit"  # an `exit` step or an `exit_if` rule
    COMPLETED = "completed"  # the steps came to their natural end
    NEVER_BEGAN = "never_began"  # held back at the start, and not let in: it counts for nothing


class Run(NamedTuple):
    """Where one enrolment stands."""

    step_id: str
    phase: Phase
    entered_at: datetime
    zone: ZoneInfo
    deadline_at: datetime | None = None
    due_at: datetime | None = None  # when it was to be looked at, however late that is done
    holdout: bool = False
    calendar: WorkCalendar = MAINLAND


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """The answer to an ask, as far as it is known."""

    at: datetime
    score: int | None
    choice: str | None
    has_comment: bool
    typed_on: str | None  # the channel it was typed on; None if a page took it, comment included
    visit: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """An event that a wait was for. `number`: its place among the member's events; 0 if it is none of them."""

    name: str
    at: datetime
    number: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """How the call of a webhook step stands."""

    status: CallStatus
    reason: str | None = None


class Known(NamedTuple):
    """What the database says about this run at this step. Only what the step asks about is loaded."""

    only_if: bool = True
    arms: tuple[bool, ...] = ()  # of a branch, in order; the `else` arm is True
    seen: Seen | None = None
    answer: GivenAnswer | None = None  # to this step, on this visit
    answers: Mapping[str, GivenAnswer] = {}  # of earlier asks, by step id
    field_value: date | datetime | None = None
    responses: tuple[datetime, ...] = ()  # of the member, of late: for their usual hour
    taken: Taken | None = None  # the way of a split
    call: Call | None = None  # of a webhook step, on this visit
    jumps: int = 0  # how often this run has jumped from this `goto`
    read: Mapping[str, Any] = {}  # how its conditions read, line by line: for the trail


# --- what follows -----------------------------------------------------------------------------------------------


class Purpose(StrEnum):
    SEND = "send"
    ASK = "ask"
    REMIND = "remind"  # the same question again, once
    COMMENT = "comment"  # the open question after a typed score
    CONFIRM = "confirm"  # that an opt-out was heard

    @property
    def is_reply(self) -> bool:
        """It answers the member's own act: no grant, no cap, no quiet hours; they are waiting for it."""
        return self in (Purpose.COMMENT, Purpose.CONFIRM)


class QueueMessage(NamedTuple):
    purpose: Purpose
    step: Send | Ask
    after: timedelta = timedelta(0)
    channel: str | None = None  # a reply goes where the member wrote
    planned_at: datetime | None = None  # for the member's usual hour; else it is due when the run is


@dataclass(frozen=True, slots=True)
class ChangeMember:
    step: Update


@dataclass(frozen=True, slots=True)
class OpenTask:
    step: Notify


@dataclass(frozen=True, slots=True)
class EnrollElsewhere:
    step: Enroll


@dataclass(frozen=True, slots=True)
class CallWebhook:
    step: Webhook
    give_up_at: datetime


Effect = QueueMessage | ChangeMember | OpenTask | EnrollElsewhere | CallWebhook


@dataclass(frozen=True, slots=True)
class TookWay:
    """The run keeps this way of the split from now on."""

    split: Split
    way: str


@dataclass(frozen=True, slots=True)
class Jumped:
    """Counted for this run and `goto`. After a jump back the steps are visited anew: what they do, they do again."""

    goto: Goto
    back: bool


# What a run remembers of its way. Unlike an effect it touches nobody, and the control group has it, too.
Memory = TookWay | Jumped


class Note(NamedTuple):
    """One line of the trail `engage explain` reads back."""

    what: str
    detail: Mapping[str, Any] = {}


class Stay(NamedTuple):
    """Look again at the deadline, or when something happens."""

    phase: Phase
    deadline_at: datetime
    effects: tuple[Effect, ...] = ()
    note: Note | None = None


class Go(NamedTuple):
    """On to another step, at once; None is past the last one."""

    to: str | None
    effects: tuple[Effect, ...] = ()
    note: Note | None = None
    memory: Memory | None = None


class End(NamedTuple):
    kind: EndKind
    reason: str
    note: Note | None = None


Turn = Stay | Go | End
