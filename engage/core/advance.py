"""One run, one step: (run, what is known, now) → what it does next and why. Pure; the runtime loads and writes.

Theory of operation. A run stands *at* a step, in one of three phases. ARRIVING: the step has not begun (with a
deadline, it is not to begin before: an edit let the run go later). WAITING: it has, and something must happen or a
deadline pass. COMMENTING: an ask has its score and gives ten minutes for words. A run never holds a copy of its
journey, only the id of the step. `advance` looks at one run once and returns a `Turn`: stay until a moment, go to
another step, or end. Effects are named, not done; the runtime does them in the transaction that moves the run, which
is what makes each happen exactly once.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, assert_never

from engage.core.duration import format_duration
from engage.core.journey.model import (
    Ask,
    Branch,
    Enroll,
    Exit,
    Goto,
    Notify,
    OnFail,
    OptionCase,
    ScoreCase,
    Send,
    Split,
    Step,
    Survey,
    Switch,
    Update,
    Wait,
    WaitFor,
    Webhook,
    case_name,
)
from engage.core.journey.program import Program
from engage.core.split import Because
from engage.core.timing import UntilField, counts_workdays, wait_deadline
from engage.core.turn import (
    Call,
    CallWebhook,
    ChangeMember,
    End,
    EndKind,
    EnrollElsewhere,
    GivenAnswer,
    Go,
    Jumped,
    Known,
    Note,
    OpenTask,
    Phase,
    Purpose,
    QueueMessage,
    Run,
    Stay,
    TookWay,
    Turn,
)
from engage.core.usual_hour import next_such_hour, usual_hour
from engage.core.webhook_call import CallStatus, tried_for

# How long an ask waits for the words after the score; a later comment is still kept (journey-language: Comment).
COMMENT_WINDOW = timedelta(minutes=10)
# A call should be settled by now, and is not: whoever makes the calls is late. Its word is waited for.
CALL_LATE = timedelta(minutes=10)


# --- the machine ------------------------------------------------------------------------------------------------


def advance(program: Program, run: Run, known: Known, now: datetime) -> Turn:
    step = program.step(run.step_id)
    if run.phase is Phase.ARRIVING:
        if run.deadline_at is not None and now < run.deadline_at:
            return Stay(run.phase, run.deadline_at)  # woken for the sake of its goal and exits
        if not known.only_if:
            return Go(program.after(step.id), note=Note("passed_over", {"why": "only_if does not hold"} | _read(known)))
        return _arrive(program, step, run, known, now)
    return _look_again(program, step, run, known, now)


def _arrive(program: Program, step: Step, run: Run, known: Known, now: datetime) -> Turn:
    onward = program.after(step.id)
    match step:
        case Send():
            return _queue(step, onward, run, known, now)
        case Ask() if known.answer is not None:
            # An edit has led the run to a question that it has answered.
            return _look_at_answer(program, step, Phase.WAITING, known, now, now)
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
        case Split():
            return _take_way(program, step, known)
        case Update():
            return Go(onward, (ChangeMember(step),), Note("update", _changes(step)))
        case Notify():
            return Go(onward, (OpenTask(step),), Note("notify", {"team": step.team}))
        case Webhook():
            return _begin_call(step, onward, run, now)
        case Enroll():
            return Go(onward, (EnrollElsewhere(step),))
        case Goto():
            return _jump(program, step, known)
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
        case Webhook() if known.call is not None:
            return _look_at_call(program, step, known.call, deadline, now)
        case _:
            # An edit put a step that does not wait under the id of one that did: it begins afresh.
            return _arrive(program, step, run, known, now)


# --- sends ------------------------------------------------------------------------------------------------------


def _queue(step: Send, onward: str | None, run: Run, known: Known, now: datetime) -> Turn:
    if not step.at_usual_hour:
        return Go(onward, (QueueMessage(Purpose.SEND, step),))
    usual = usual_hour(known.responses, run.zone)
    if usual is None:
        return Go(onward, (QueueMessage(Purpose.SEND, step),), Note("usual_hour", {"hour": None}))
    planned = next_such_hour(usual.hour, run.due_at or now, run.zone)
    note = Note("usual_hour", {"hour": usual.hour, "responses": usual.responses})
    return Go(onward, (QueueMessage(Purpose.SEND, step, planned_at=planned),), note)


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
    deadline = wait_deadline(
        step.until,
        reached_at=now,
        entered_at=run.entered_at,
        zone=run.zone,
        calendar=run.calendar,
        field_value=known.field_value,
    )
    if deadline is None or deadline <= now:
        why = "the moment to wait for is past"
        if isinstance(step.until, UntilField) and known.field_value is None:
            why = f"no {step.until.field} on file"
        return Go(onward, note=Note("passed_through", {"why": why}))
    detail: dict[str, Any] = {"until": deadline.isoformat()}
    if counts_workdays(step.until) and run.calendar.is_provisional(deadline.astimezone(run.zone).date()):
        detail["assumed"] = True  # the year's holidays are not announced yet
    return Stay(Phase.WAITING, deadline, note=Note("wait", detail))


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


# --- webhooks ---------------------------------------------------------------------------------------------------


def _begin_call(step: Webhook, onward: str | None, run: Run, now: datetime) -> Turn:
    give_up_at = now + tried_for(step.on_fail)
    call, note = CallWebhook(step, give_up_at), Note("webhook", {"name": step.name})
    if run.holdout:  # nothing is called, so there is nothing to wait for
        return Go(onward, (call,), note)
    return Stay(Phase.WAITING, give_up_at, (call,), note)


def _look_at_call(program: Program, step: Webhook, call: Call, deadline: datetime, now: datetime) -> Turn:
    match call.status:
        case CallStatus.OPEN:
            return Stay(Phase.WAITING, deadline if now < deadline else now + CALL_LATE)
        case CallStatus.DONE:
            return Go(program.after(step.id), note=Note("webhook_done", {"name": step.name}))
        case CallStatus.FAILED:
            failed = Note("webhook_failed", {"name": step.name, "why": call.reason or ""})
            if step.on_fail is OnFail.CONTINUE:
                return Go(program.after(step.id), note=failed)
            return End(EndKind.EXIT, f"webhook {step.name} failed", failed)
        case _:
            assert_never(call.status)


# --- choices ----------------------------------------------------------------------------------------------------


def _choose_arm(program: Program, step: Branch, known: Known) -> Turn:
    for arm, holds in zip(step.arms, known.arms, strict=True):
        if holds:
            return Go(program.enter(arm.steps, step.id), note=Note("branch", {"arm": arm.name} | _read(known)))
    return Go(program.after(step.id), note=Note("branch", {"arm": None} | _read(known)))


def _read(known: Known) -> dict[str, Any]:
    return {"read": dict(known.read)} if known.read else {}


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


def _take_way(program: Program, step: Split, known: Known) -> Turn:
    if known.taken is None:
        raise ValueError(f"the way of {step.id} was not looked up")
    way = next(way for way in step.ways if way.name == known.taken.way)
    because = known.taken.because
    memory = None if because is Because.EARLIER else TookWay(step, way.name)
    note = Note("split", {"way": way.name, "because": because})
    return Go(program.enter(way.steps, step.id), note=note, memory=memory)


def _jump(program: Program, step: Goto, known: Known) -> Turn:
    if step.at_most is not None and known.jumps >= step.at_most:
        return Go(program.after(step.id), note=Note("goto_used_up", {"to": step.target, "times": known.jumps}))
    jumped = Jumped(step, back=program.is_behind(step.target, step.id))
    return Go(step.target, note=Note("goto", {"to": step.target}), memory=jumped)


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
