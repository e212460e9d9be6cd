"""What a journey is, once read: frozen dataclasses, and the `Step` union every part of Engage matches on.

A new step kind is a dataclass here, a reader in `syntax`, and a case in `core.advance`; the type checker then lists
every other place that must know it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from enum import StrEnum

from engage.core.condition import Condition
from engage.core.cron import CronDays
from engage.core.problem import Span
from engage.core.timing import DaySet, WaitSpec

# --- words with variables ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Words:
    """Jinja source that a person will read (`text`, `task`, `with`). The only place in a journey where Jinja runs."""

    source: str
    span: Span


# --- start ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OnEvent:
    event: str
    where: Condition | None = None  # over `event.<key>`


@dataclass(frozen=True, slots=True)
class OnSegment:
    """On entering the segment."""

    segment: str


class CalendarChoice(StrEnum):
    AUTO = "auto"  # as the member's own field says
    SOLAR = "solar"
    LUNAR = "lunar"


class Feb29(StrEnum):
    FEB28 = "feb28"
    MAR1 = "mar1"
    SKIP = "skip"


class LeapMonth(StrEnum):
    """Born in a leap lunar month: the leap month where the year has it, else the plain one; always the plain one; or
    only in years that have it."""

    LEAP_THEN_PLAIN = "leap_then_plain"
    PLAIN = "plain"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class OnDate:
    """A yearly date of the member, solar or lunar; once per cycle year."""

    field: str
    at: time
    calendar: CalendarChoice = CalendarChoice.AUTO
    offset: timedelta = timedelta(0)  # whole days; negative is before
    feb29: Feb29 = Feb29.FEB28
    leap_month: LeapMonth = LeapMonth.LEAP_THEN_PLAIN
    catch_up: timedelta = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class DayOfMonth:
    """`every: month 31`: the last day of shorter months, because monthly is every month."""

    day: int


@dataclass(frozen=True, slots=True)
class OnSchedule:
    """`every: workday, at: 10:00`: member-local, one occurrence per local date; with cron one for each of its times."""

    days: DaySet | DayOfMonth | CronDays
    times: tuple[time, ...]
    catch_up: timedelta = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Manual:
    """Only `enroll:` steps, and people."""


Start = OnEvent | OnSegment | OnDate | OnSchedule | Manual

# --- who may come back ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reentry:
    """Counted from entry, per (member, `per` value). Exactly one of the three holds."""

    never: bool = False
    after: timedelta | None = None  # zero: always

    @classmethod
    def always(cls) -> Reentry:
        return cls(after=timedelta(0))


# --- ends -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ExitOnEvent:
    event: str
    where: Condition | None = None


@dataclass(frozen=True, slots=True)
class ExitOnCondition:
    condition: Condition


ExitRule = ExitOnEvent | ExitOnCondition


@dataclass(frozen=True, slots=True)
class Goal:
    event: str
    within: timedelta | None = None  # limits attribution only
    where: Condition | None = None
    count_from_entry: bool = False  # default: from the last message
    then_exit: bool = True


# --- channels ---------------------------------------------------------------------------------------------------


class Unless(StrEnum):
    RESPONDED = "responded"  # clicked, replied or answered
    DELIVERED = "delivered"


@dataclass(frozen=True, slots=True)
class Fallback:
    """Try the next channel, once each, when nothing came of this one."""

    after: timedelta
    unless: Unless = Unless.RESPONDED


@dataclass(frozen=True, slots=True)
class ChannelPolicy:
    """`order` None is `auto`: ranked by what a message on each channel is worth."""

    order: tuple[str, ...] | None = None
    fallback: Fallback | None = None


# --- steps ------------------------------------------------------------------------------------------------------


class Survey(StrEnum):
    NPS = "nps"
    CSAT = "csat"
    CHOICE = "choice"
    TEXT = "text"


# Lowest and highest score a survey takes. NPS: 0-10 (Reichheld 2003); CSAT here: 1-5.
SCORE_RANGE: Mapping[Survey, tuple[int, int]] = {Survey.NPS: (0, 10), Survey.CSAT: (1, 5)}


@dataclass(frozen=True, slots=True, kw_only=True)
class StepBase:
    id: str
    span: Span
    was: tuple[str, ...] = ()  # ids it had in earlier versions
    label: str | None = None
    only_if: Condition | None = None


class OnAmbiguous(StrEnum):
    """A message of which nobody knows whether it arrived: leave it at that, or send it again (service topics only)."""

    HOLD = "hold"
    REPEAT = "repeat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Send(StepBase):
    """Queues one message and goes on at once. Exactly one of `template` and `text` is set."""

    template: str | None = None
    text: Words | None = None
    values: Mapping[str, Words]  # `with`
    channels: ChannelPolicy | None = None  # replaces the journey's as a whole
    topic: str | None = None
    late: timedelta | None = None
    at_usual_hour: bool = False  # within a day, at the hour at which the member usually responds
    on_ambiguous: OnAmbiguous = OnAmbiguous.HOLD


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask(StepBase):
    """Queues a question and waits for the answer until `answer_within` has passed."""

    survey: Survey
    question: Words
    comment: Words | None = None
    options: tuple[str, ...] = ()
    answer_within: timedelta = timedelta(days=7)
    remind: timedelta | None = None
    channels: ChannelPolicy | None = None
    topic: str = "survey"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(StepBase):
    until: WaitSpec


class Since(StrEnum):
    LAST_MESSAGE = "last_message"
    HERE = "here"
    START = "start"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitFor(StepBase):
    """Waits for the first of the events, until `up_to` has passed. `since` None: `last_message` for responses,
    `here` for other events, event by event."""

    events: tuple[str, ...]
    up_to: timedelta
    where: Condition | None = None
    since: Since | None = None
    then: tuple[Step, ...] = ()
    otherwise: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of a branch; `condition` None is `else`."""

    name: str  # "then", "else", "1", "2": stable within the step, for traces
    condition: Condition | None
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch(StepBase):
    """`if` and `branch`: the first arm whose condition holds; none of them: go on."""

    arms: tuple[Arm, ...]


@dataclass(frozen=True, slots=True)
class ScoreCase:
    low: int
    high: int
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class OptionCase:
    option: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch(StepBase):
    """By the answer of an earlier ask. `check` holds that the cases leave no gap and do not overlap."""

    answer: str  # the ask's step id
    cases: tuple[ScoreCase | OptionCase, ...]
    no_answer: tuple[Step, ...] = ()
    otherwise: tuple[Step, ...] = ()


class WinBy(StrEnum):
    """What makes a way the better one."""

    GOAL = "goal"
    CLICKED = "clicked"
    REPLIED = "replied"


@dataclass(frozen=True, slots=True, kw_only=True)
class WinnerRule:
    """When and by what a split is decided: once, `after` the first member passed it."""

    by: WinBy
    after: timedelta
    at_least: int = 100  # members in each way; with fewer there is no winner
    confidence: int = 95  # percent
    keep_exploring: int = 0  # percent of those who come later that still go by the shares


@dataclass(frozen=True, slots=True)
class Way:
    name: str
    share: int  # percent
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split(StepBase):
    """Members part by a stable hash. The shares add to 100."""

    ways: tuple[Way, ...]
    winner: WinnerRule | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Update(StepBase):
    """`set` fields, `add` to number fields, add and remove tags. Idempotent per enrolment, step and visit."""

    set: Mapping[str, str]
    add: Mapping[str, float]
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify(StepBase):
    """Opens a task for a team; closing it is the event `task_done`."""

    team: str
    task: Words
    due: timedelta | None = None
    urgent: bool = False
    copy_to: tuple[str, ...] = ()


class OnFail(StrEnum):
    """What becomes of a run whose call has failed for good."""

    RETRY = "retry"  # keep trying for a day, then exit
    CONTINUE = "continue"
    EXIT = "exit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook(StepBase):
    """Calls a system of the business, and waits until the call has succeeded or is given up."""

    name: str  # in `webhooks` of the catalog, and of the config
    values: Mapping[str, Words]  # `with`
    on_fail: OnFail = OnFail.RETRY


@dataclass(frozen=True, slots=True, kw_only=True)
class Enroll(StepBase):
    journey: str
    values: Mapping[str, Words]  # `with`, read there as `var.<key>`


@dataclass(frozen=True, slots=True, kw_only=True)
class Goto(StepBase):
    """On to another step; back to an earlier one only so many times for each run."""

    target: str  # a step's id
    at_most: int | None = None  # then the run passes on


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit(StepBase):
    reason: str


Step = Send | Ask | Wait | WaitFor | Branch | Switch | Split | Update | Notify | Webhook | Enroll | Goto | Exit


def blocks_of(step: Step) -> tuple[tuple[str, tuple[Step, ...]], ...]:
    """The named lists of steps nested in a step, in file order. Empty for plain steps."""
    match step:
        case WaitFor(then=then, otherwise=otherwise):
            return (("then", then), ("else", otherwise))
        case Branch(arms=arms):
            return tuple((arm.name, arm.steps) for arm in arms)
        case Switch(cases=cases, no_answer=no_answer, otherwise=otherwise):
            named = tuple((case_name(case), case.steps) for case in cases)
            return (*named, ("no_answer", no_answer), ("else", otherwise))
        case Split(ways=ways):
            return tuple((way.name, way.steps) for way in ways)
        case _:
            return ()


def case_name(case: ScoreCase | OptionCase) -> str:
    match case:
        case ScoreCase(low, high):
            return str(low) if low == high else f"{low}..{high}"
        case OptionCase(option):
            return option


# --- edits ------------------------------------------------------------------------------------------------------


class OnEdit(StrEnum):
    """What a new version is to members on their way: they go on in it, or finish the version they are in."""

    MOVE = "move"
    PIN = "pin"


# --- the whole --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    id: str
    title: str
    start: Start
    steps: tuple[Step, ...]
    audience: Condition | None = None  # None: whoever the start brings
    exclude: Condition | None = None
    reentry: Reentry = Reentry(never=True)
    exit_if: tuple[ExitRule, ...] = ()
    goal: Goal | None = None
    holdout: int = 0  # percent
    canary: bool = True  # a start that brings very many is let go by stages
    priority: int = 50
    topic: str = "marketing"
    channels: ChannelPolicy = ChannelPolicy()
    on_edit: OnEdit = OnEdit.MOVE
    moved_to: Mapping[str, str] = field(default_factory=dict)  # where members of removed steps go on
    per: str | None = None  # a key of the starting event: one run for each value
    draft: bool = False
    owner: str | None = None
    note: str | None = None
