"""One run, one step: (run, what is known, now) → what it does next and why. Pure; the runtime loads and writes.

Theory of operation. A run stands *at* a step, in one of three phases. ARRIVING: the step has not begun. WAITING: it
has, and something must happen or a deadline pass. COMMENTING: an ask has its score and gives ten minutes for words.
A run never holds a copy of its journey, only the id of the step. `advance` looks at one run once and returns a
`Turn`: stay until a moment, go to another step, or end. Effects are named, not done; the runtime does them in the
transaction that moves the run, which is what makes each happen exactly once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, assert_never
from zoneinfo import ZoneInfo

from engage.core.duration import format_duration
from engage.core.journey.model import (
    Ask,
    Branch,
    Enroll,
    Exit,
    Notify,
    OptionCase,
    ScoreCase,
    Send,
    Step,
    Survey,
    Switch,
    Update,
    Wait,
    WaitFor,
    case_name,
)
from engage.core.journey.program import Program
from engage.core.timing import UntilField, wait_deadline

# How long an ask waits for the words after the score; a later comment is still kept (journey-language: Comment).
COMMENT_WINDOW = timedelta(minutes=10)


class Phase(StrEnum):
    ARRIVING = "arriving"
    WAITING = "waiting"
    COMMENTING = "commenting"


class EndKind(StrEnum):
    GOAL = "goal"
    EXIT = "exit"  # an `exit` step or an `exit_if` rule
    COMPLETED = "completed"  # the steps came to their natural end


@dataclass(frozen=True, slots=True)
class Run:
    """Where one enrolment stands."""

    step_id: str
    phase: Phase
    entered_at: datetime
    zone: ZoneInfo
    deadline_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """The answer to an ask, as far as it is known."""

    at: datetime
    score: int | None
    choice: str | None
    has_comment: bool
    typed_on: str | None  # the channel it was typed on; None if a page took it, comment included


@dataclass(frozen=True, slots=True)
class Seen:
    """An event that a wait was for."""

    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Known:
    """What the database says about this run at this step. Only what the step asks about is loaded."""

    only_if: bool = True
    arms: tuple[bool, ...] = ()  # of a branch, in order; the `else` arm is True
    seen: Seen | None = None
    answer: GivenAnswer | None = None
    answers: Mapping[str, GivenAnswer] = field(default_factory=dict)  # of earlier asks, by step id
    field_value: date | datetime | None = None


# --- what follows -----------------------------------------------------------------------------------------------


class Purpose(StrEnum):
    SEND = "send"
    ASK = "ask"
    REMIND = "remind"  # the same question again, once
    COMMENT = "comment"  # the open question after a typed score
    CONFIRM = "confirm"  # that an opt-out was heard


@dataclass(frozen=True, slots=True)
class QueueMessage:
    purpose: Purpose
    step: Send | Ask
    after: timedelta = timedelta(0)
    channel: str | None = None  # a reply goes where the member wrote


@dataclass(frozen=True, slots=True)
class ChangeMember:
    step: Update


@dataclass(frozen=True, slots=True)
class OpenTask:
    step: Notify


@dataclass(frozen=True, slots=True)
class EnrollElsewhere:
    step: Enroll


Effect = QueueMessage | ChangeMember | OpenTask | EnrollElsewhere


@dataclass(frozen=True, slots=True)
class Note:
    """One line of the trail `engage explain` reads back."""

    what: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stay:
    """Look again at the deadline, or when something happens."""

    phase: Phase
    deadline_at: datetime
    effects: tuple[Effect, ...] = ()
    note: Note | None = None


@dataclass(frozen=True, slots=True)
class Go:
    """On to another step, at once; None is past the last one."""

    to: str | None
    effects: tuple[Effect, ...] = ()
    note: Note | None = None


@dataclass(frozen=True, slots=True)
class End:
    kind: EndKind
    reason: str


Turn = Stay | Go | End


# --- the machine ------------------------------------------------------------------------------------------------


def advance(program: Program, run: Run, known: Known, now: datetime) -> Turn:
    step = program.step(run.step_id)
    if run.phase is Phase.ARRIVING:
        if not known.only_if:
            return Go(program.after(step.id), note=Note("passed_over", {"why": "only_if does not hold"}))
        return _arrive(program, step, run, known, now)
    return _look_again(program, step, run, known, now)


def _arrive(program: Program, step: Step, run: Run, known: Known, now: datetime) -> Turn:
    onward = program.after(step.id)
    match step:
        case Send():
            return Go(onward, (QueueMessage(Purpose.SEND, step),))
        case Ask():
            return _put_question(step, now)
        case Wait():
            return _begin_wait(step, onward, run, known, now)
        case WaitFor():
            return _look_for(program, step, known, now, deadline=now + step.up_to, arriving=True)
        case Branch():
            return _choose_arm(program, step, known)
        case Switch():
            return _choose_case(program, step, known)
        case Update():
            return Go(onward, (ChangeMember(step),), Note("update", _changes(step)))
        case Notify():
            return Go(onward, (OpenTask(step),), Note("notify", {"team": step.team}))
        case Enroll():
            return Go(onward, (EnrollElsewhere(step),))
        case Exit():
            return End(EndKind.EXIT, step.reason)
        case _:
            assert_never(step)


def _look_again(program: Program, step: Step, run: Run, known: Known, now: datetime) -> Turn:
    """A run that waits was woken, or its deadline has passed."""
    deadline = run.deadline_at or now
    match step:
        case Ask():
            return _look_at_answer(program, step, run.phase, known, deadline, now)
        case WaitFor():
            return _look_for(program, step, known, now, deadline=deadline, arriving=False)
        case Wait():
            return Go(program.after(step.id)) if now >= deadline else Stay(Phase.WAITING, deadline)
        case _:
            # An edit put a step that does not wait under the id of one that did: it begins afresh.
            return _arrive(program, step, run, known, now)


# --- asks -------------------------------------------------------------------------------------------------------


def _put_question(step: Ask, now: datetime) -> Turn:
    messages = [QueueMessage(Purpose.ASK, step)]
    if step.remind is not None:
        messages.append(QueueMessage(Purpose.REMIND, step, after=step.remind))
    deadline = now + step.answer_within
    return Stay(Phase.WAITING, deadline, tuple(messages), Note("ask", {"until": deadline.isoformat()}))


def _look_at_answer(program: Program, step: Ask, phase: Phase, known: Known, deadline: datetime, now: datetime) -> Turn:
    onward = program.after(step.id)
    given = known.answer
    if given is None:
        if now < deadline:
            return Stay(Phase.WAITING, deadline)
        return Go(onward, note=Note("no_answer", {"after": format_duration(step.answer_within)}))
    if phase is Phase.COMMENTING:
        return Go(onward) if given.has_comment or now >= deadline else Stay(phase, deadline)
    note = Note("answered", {"score": given.score, "choice": given.choice})
    until = given.at + COMMENT_WINDOW
    asks_for_words = step.comment is not None and step.survey is not Survey.TEXT
    if not asks_for_words or given.has_comment or given.typed_on is None or now >= until:
        return Go(onward, note=note)
    prompt = QueueMessage(Purpose.COMMENT, step, channel=given.typed_on)
    return Stay(Phase.COMMENTING, until, (prompt,), note)


# --- waits ------------------------------------------------------------------------------------------------------


def _begin_wait(step: Wait, onward: str | None, run: Run, known: Known, now: datetime) -> Turn:
    value = known.field_value if isinstance(step.until, UntilField) else None
    deadline = wait_deadline(step.until, reached_at=now, entered_at=run.entered_at, zone=run.zone, field_value=value)
    if deadline is None or deadline <= now:
        return Go(onward, note=Note("passed_through", {"why": "the moment to wait for is past or not on file"}))
    return Stay(Phase.WAITING, deadline, note=Note("wait", {"until": deadline.isoformat()}))


def _look_for(
    program: Program, step: WaitFor, known: Known, now: datetime, *, deadline: datetime, arriving: bool
) -> Turn:
    if known.seen is not None:
        note = Note("happened", {"event": known.seen.name, "at": known.seen.at.isoformat()})
        return Go(program.enter(step.then, step.id), note=note)
    if now >= deadline:
        note = Note("timeout", {"events": list(step.events)})
        return Go(program.enter(step.otherwise, step.id), note=note)
    waits = Note("wait_for", {"events": list(step.events), "until": deadline.isoformat()}) if arriving else None
    return Stay(Phase.WAITING, deadline, note=waits)


# --- choices ----------------------------------------------------------------------------------------------------


def _choose_arm(program: Program, step: Branch, known: Known) -> Turn:
    for arm, holds in zip(step.arms, known.arms, strict=True):
        if holds:
            return Go(program.enter(arm.steps, step.id), note=Note("branch", {"arm": arm.name}))
    return Go(program.after(step.id), note=Note("branch", {"arm": None}))


def _choose_case(program: Program, step: Switch, known: Known) -> Turn:
    given = known.answers.get(step.answer)
    if given is None:
        return Go(program.enter(step.no_answer, step.id), note=Note("switch", {"case": "no_answer"}))
    for case in step.cases:
        if _fits(case, given):
            return Go(program.enter(case.steps, step.id), note=Note("switch", {"case": case_name(case)}))
    return Go(program.enter(step.otherwise, step.id), note=Note("switch", {"case": "else"}))


def _fits(case: ScoreCase | OptionCase, given: GivenAnswer) -> bool:
    match case:
        case ScoreCase(low, high):
            return given.score is not None and low <= given.score <= high
        case OptionCase(option):
            return given.choice == option
        case _:
            assert_never(case)


def _changes(step: Update) -> dict[str, Any]:
    return {
        name: value
        for name, value in (
            ("set", dict(step.set)),
            ("add", dict(step.add)),
            ("add_tags", list(step.add_tags)),
            ("remove_tags", list(step.remove_tags)),
        )
        if value
    }
