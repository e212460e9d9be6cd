"""`advance`: what each kind of step makes of a run, in each phase. One journey, one look at it, one expected turn."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from engage.core.advance import CALL_LATE, COMMENT_WINDOW, advance
from engage.core.condition import HasTag
from engage.core.journey.model import (
    Arm,
    Ask,
    Branch,
    Enroll,
    Exit,
    Goto,
    Journey,
    Manual,
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
    Way,
    Webhook,
    Words,
)
from engage.core.journey.program import Program
from engage.core.problem import Span
from engage.core.split import Because, Taken
from engage.core.timing import DaySet, For, ForWorkdays, UntilDays, UntilEntryDay, UntilField, WaitSpec
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
    Seen,
    Stay,
    TookWay,
    Turn,
)
from engage.core.webhook_call import CallStatus
from engage.core.workdays import AnnouncedYear, WorkCalendar

SPAN = Span("journeys/j.yaml", 1, 1, 1, 1)
SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)  # Monday 10:00 in Shanghai
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def words(source: str) -> Words:
    return Words(source, SPAN)


def a_send(id: str = "hello", **more: Any) -> Send:
    return Send(id=id, span=SPAN, template=id, values={}, **more)


def an_ask(id: str = "nps", survey: Survey = Survey.NPS, **more: Any) -> Ask:
    return Ask(id=id, span=SPAN, survey=survey, question=words("?"), **more)


def a_wait_for(**more: Any) -> WaitFor:
    return WaitFor(id="click", span=SPAN, events=("clicked", "replied"), up_to=2 * DAY, **more)


def program(*steps: Step) -> Program:
    return Program(Journey(id="j", title="J", start=Manual(), steps=steps))


def a_run(step: Step, phase: Phase = Phase.ARRIVING, deadline_at: datetime | None = None) -> Run:
    return Run(step.id, phase, NOW - 3 * DAY, SHANGHAI, deadline_at)


def look(
    step: Step,
    known: Known | None = None,
    *,
    phase: Phase = Phase.ARRIVING,
    deadline_at: datetime | None = None,
    now: datetime = NOW,
) -> Turn:
    """One look at a run that stands at `step`, with the step `next` after it."""
    return advance(program(step, a_send("next")), a_run(step, phase, deadline_at), known or Known(), now)


def an_answer(minutes_ago: float = 0, **more: Any) -> GivenAnswer:
    given = {"score": 9, "choice": None, "has_comment": False, "typed_on": "wechat"} | more
    return GivenAnswer(at=NOW - timedelta(minutes=minutes_ago), **given)


# --- steps that do not wait -------------------------------------------------------------------------------------


def test_a_send_queues_its_message_and_goes_on_at_once() -> None:
    step = a_send()
    assert look(step) == Go("next", (QueueMessage(Purpose.SEND, step),))


EVENINGS = tuple(NOW - days * DAY + timedelta(hours=10, minutes=20) for days in (2, 4, 6))  # 20:20 in Shanghai


def test_a_send_at_the_usual_hour_is_planned_for_it_and_goes_on_at_once() -> None:
    step = a_send(at_usual_hour=True)
    planned = datetime(2026, 11, 23, 12, tzinfo=UTC)
    note = Note("usual_hour", {"hour": 20, "responses": 3})
    effect = QueueMessage(Purpose.SEND, step, planned_at=planned)
    assert look(step, Known(responses=EVENINGS)) == Go("next", (effect,), note)


def test_the_usual_hour_is_looked_for_from_when_the_run_was_due_not_from_when_a_late_daemon_came() -> None:
    """Due on Monday morning, looked at on Wednesday: it was planned for Monday evening, and `late` may drop it."""
    step = a_send(at_usual_hour=True)
    run = a_run(step)._replace(due_at=NOW)
    turn = advance(program(step), run, Known(responses=EVENINGS), NOW + 2 * DAY)
    assert isinstance(turn, Go)
    assert turn.effects == (QueueMessage(Purpose.SEND, step, planned_at=datetime(2026, 11, 23, 12, tzinfo=UTC)),)


def test_without_a_usual_hour_it_goes_at_once_and_says_so() -> None:
    step = a_send(at_usual_hour=True)
    expected = Go("next", (QueueMessage(Purpose.SEND, step),), Note("usual_hour", {"hour": None}))
    assert look(step, Known(responses=EVENINGS[:2])) == expected


def test_an_update_changes_the_member_and_the_trail_says_how() -> None:
    step = Update(id="u", span=SPAN, set={"lifecycle": "活跃"}, add={"points": 200.0}, remove_tags=("新客",))
    turn = look(step)
    assert turn == Go(
        "next",
        (ChangeMember(step),),
        Note("update", {"set": {"lifecycle": "活跃"}, "add": {"points": 200.0}, "remove_tags": ["新客"]}),
    )


def test_a_notify_opens_a_task() -> None:
    step = Notify(id="n", span=SPAN, team="客服一组", task=words("回电"))
    assert look(step) == Go("next", (OpenTask(step),), Note("notify", {"team": "客服一组"}))


def test_an_enroll_offers_the_member_elsewhere_and_goes_on() -> None:
    step = Enroll(id="e", span=SPAN, journey="nps", values={})
    assert look(step) == Go("next", (EnrollElsewhere(step),))


def test_who_is_let_go_later_does_not_begin_the_step_before_whatever_wakes_the_run() -> None:
    at = NOW + DAY
    assert look(a_send(), deadline_at=at) == Stay(Phase.ARRIVING, at)
    assert look(a_send(), Known(only_if=False), deadline_at=at) == Stay(Phase.ARRIVING, at)
    assert look(a_send(), deadline_at=at, now=at) == look(a_send())


def test_an_exit_ends_the_run_with_its_reason() -> None:
    assert look(Exit(id="x", span=SPAN, reason="未召回")) == End(EndKind.EXIT, "未召回")


def test_after_the_last_step_a_run_goes_to_nowhere() -> None:
    step = a_send()
    assert advance(program(step), a_run(step), Known(), NOW) == Go(None, (QueueMessage(Purpose.SEND, step),))


@pytest.mark.parametrize(
    "step",
    [
        a_send(only_if=HasTag(("VIP",))),
        an_ask(only_if=HasTag(("VIP",))),
        Wait(id="w", span=SPAN, until=For(DAY), only_if=HasTag(("VIP",))),
        a_wait_for(then=(a_send("inside"),), only_if=HasTag(("VIP",))),
        Exit(id="x", span=SPAN, reason="r", only_if=HasTag(("VIP",))),
    ],
    ids=lambda step: type(step).__name__,
)
def test_a_step_whose_only_if_does_not_hold_is_passed_over_with_nothing_done(step: Step) -> None:
    assert look(step, Known(only_if=False)) == Go("next", note=Note("passed_over", {"why": "only_if does not hold"}))


def test_only_if_is_read_when_a_step_is_reached_and_not_again_while_it_waits() -> None:
    step = an_ask(only_if=HasTag(("VIP",)))
    later = look(step, Known(only_if=False), phase=Phase.WAITING, deadline_at=NOW + DAY)
    assert later == Stay(Phase.WAITING, NOW + DAY)


def test_a_step_this_program_does_not_have_is_a_fault() -> None:
    with pytest.raises(KeyError):
        advance(program(a_send()), a_run(a_send("gone")), Known(), NOW)


# --- asks -------------------------------------------------------------------------------------------------------


def test_an_ask_puts_its_question_and_waits_until_the_answer_is_due() -> None:
    step = an_ask(answer_within=3 * DAY)
    turn = look(step)
    assert turn == Stay(
        Phase.WAITING,
        NOW + 3 * DAY,
        (QueueMessage(Purpose.ASK, step),),
        Note("ask", {"until": (NOW + 3 * DAY).isoformat()}),
    )


def test_a_reminder_is_queued_with_the_question_for_later() -> None:
    step = an_ask(remind=2 * DAY)
    turn = look(step)
    assert isinstance(turn, Stay)
    assert turn.effects == (QueueMessage(Purpose.ASK, step), QueueMessage(Purpose.REMIND, step, after=2 * DAY))


@pytest.mark.parametrize("late", [timedelta(0), DAY])
def test_no_answer_by_the_deadline_goes_on_and_says_so(late: timedelta) -> None:
    turn = look(an_ask(), phase=Phase.WAITING, deadline_at=NOW - late)
    assert turn == Go("next", note=Note("no_answer", {"after": "7d"}))


def test_an_ask_that_is_woken_early_by_something_else_goes_on_waiting() -> None:
    assert look(an_ask(), phase=Phase.WAITING, deadline_at=NOW + MINUTE) == Stay(Phase.WAITING, NOW + MINUTE)


def test_an_answer_that_came_in_on_the_last_day_counts_although_it_is_looked_at_late() -> None:
    turn = look(an_ask(), Known(answer=an_answer(30)), phase=Phase.WAITING, deadline_at=NOW - MINUTE)
    assert turn == Go("next", note=Note("answered", {"score": 9, "choice": None}))


def test_a_typed_score_is_followed_by_the_open_question_on_the_same_channel() -> None:
    step = an_ask(comment=words("为什么？"))
    turn = look(step, Known(answer=an_answer(1, typed_on="sms")), phase=Phase.WAITING, deadline_at=NOW + DAY)
    assert turn == Stay(
        Phase.COMMENTING,
        NOW - MINUTE + COMMENT_WINDOW,
        (QueueMessage(Purpose.COMMENT, step, channel="sms"),),
        Note("answered", {"score": 9, "choice": None}),
    )


@pytest.mark.parametrize(
    ("step", "given", "why"),
    [
        (an_ask(), an_answer(), "there is no open question"),
        (an_ask(comment=words("?")), an_answer(has_comment=True), "the words came with the score"),
        (an_ask(comment=words("?")), an_answer(typed_on=None), "a page takes score and words together"),
        (an_ask(comment=words("?")), an_answer(10), "the ten minutes have passed"),
        (an_ask(survey=Survey.TEXT, comment=words("?")), an_answer(score=None), "the answer is the words"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_open_question_is_not_put_when(step: Ask, given: GivenAnswer, why: str) -> None:
    turn = look(step, Known(answer=given), phase=Phase.WAITING, deadline_at=NOW + DAY)
    assert isinstance(turn, Go), why
    assert (turn.to, turn.effects) == ("next", ())


def test_a_choice_is_told_in_the_trail() -> None:
    given = an_answer(score=None, choice="绿茶")
    turn = look(an_ask(survey=Survey.CHOICE, options=("绿茶", "白茶")), Known(answer=given), phase=Phase.WAITING)
    assert turn == Go("next", note=Note("answered", {"score": None, "choice": "绿茶"}))


def test_while_commenting_a_run_stays_until_the_ten_minutes_are_over() -> None:
    until = NOW + 4 * MINUTE
    turn = look(an_ask(comment=words("?")), Known(answer=an_answer(6)), phase=Phase.COMMENTING, deadline_at=until)
    assert turn == Stay(Phase.COMMENTING, until)


@pytest.mark.parametrize(
    ("has_comment", "deadline"),
    [(True, NOW + 4 * MINUTE), (False, NOW), (False, NOW - DAY)],
    ids=["the words came", "ten minutes are over", "looked at a day late"],
)
def test_commenting_is_over_when(has_comment: bool, deadline: datetime) -> None:
    """A comment that comes later is kept by the store; it never holds a run back."""
    known = Known(answer=an_answer(6, has_comment=has_comment))
    assert look(an_ask(comment=words("?")), known, phase=Phase.COMMENTING, deadline_at=deadline) == Go("next")


# --- waits ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "until"),
    [
        (For(3 * DAY), NOW + 3 * DAY),
        (UntilDays(DaySet.DAY, time(20)), datetime(2026, 11, 23, 12, tzinfo=UTC)),
        (UntilEntryDay(30, time(10)), datetime(2026, 12, 20, 2, tzinfo=UTC)),
    ],
)
def test_a_wait_stays_until_its_deadline(spec: WaitSpec, until: datetime) -> None:
    turn = look(Wait(id="w", span=SPAN, until=spec))
    assert turn == Stay(Phase.WAITING, until, note=Note("wait", {"until": until.isoformat()}))


@pytest.mark.parametrize(
    ("spec", "field_value", "why"),
    [
        (UntilEntryDay(2), None, "the moment to wait for is past"),
        (UntilField("contract_end", -30 * DAY), None, "no contract_end on file"),
        (UntilField("contract_end", -30 * DAY), date(2026, 12, 1), "the moment to wait for is past"),
    ],
    ids=["a day since entry that is past", "no such date on file", "a date that is past"],
)
def test_a_wait_for_a_moment_that_will_not_come_passes_straight_through(
    spec: WaitSpec, field_value: date | None, why: str
) -> None:
    turn = look(Wait(id="w", span=SPAN, until=spec), Known(field_value=field_value))
    assert turn == Go("next", note=Note("passed_through", {"why": why}))


def test_a_wait_for_a_date_of_the_member_uses_the_date_on_file() -> None:
    step = Wait(id="w", span=SPAN, until=UntilField("contract_end", -30 * DAY, time(10)))
    turn = look(step, Known(field_value=date(2027, 3, 1)))
    assert isinstance(turn, Stay)
    assert turn.deadline_at == datetime(2027, 1, 30, 2, tzinfo=UTC)


@pytest.mark.parametrize(("minutes", "over"), [(1, False), (0, True), (-60, True)])
def test_a_wait_is_over_at_its_deadline_and_not_before(minutes: int, over: bool) -> None:
    deadline = NOW + minutes * MINUTE
    turn = look(Wait(id="w", span=SPAN, until=For(DAY)), phase=Phase.WAITING, deadline_at=deadline)
    assert turn == (Go("next") if over else Stay(Phase.WAITING, deadline))


def test_a_wait_counted_in_workdays_of_a_year_nobody_has_announced_says_so() -> None:
    step = Wait(id="w", span=SPAN, until=ForWorkdays(2, time(10)))
    assumed = look(step, now=datetime(2090, 1, 30, 2, tzinfo=UTC))
    assert isinstance(assumed, Stay)
    assert assumed.note == Note("wait", {"until": "2090-02-01T02:00:00+00:00", "assumed": True})
    announced = look(step)
    assert isinstance(announced, Stay)
    assert announced.note == Note("wait", {"until": announced.deadline_at.isoformat()})


def test_a_wait_counts_workdays_by_the_calendar_it_is_given() -> None:
    holidays = WorkCalendar({2090: AnnouncedYear(frozenset({date(2090, 1, 31)}))})
    step = Wait(id="w", span=SPAN, until=ForWorkdays(1, time(10)))
    run = a_run(step)._replace(calendar=holidays)
    turn = advance(program(step), run, Known(), datetime(2090, 1, 30, 2, tzinfo=UTC))
    assert turn == Stay(
        Phase.WAITING, datetime(2090, 2, 1, 2, tzinfo=UTC), note=Note("wait", {"until": "2090-02-01T02:00:00+00:00"})
    )


# --- waits for events -------------------------------------------------------------------------------------------

THEN, OTHERWISE = a_send("then"), a_send("otherwise")


def test_a_wait_for_says_what_it_waits_for_and_until_when() -> None:
    turn = look(a_wait_for())
    note = Note("wait_for", {"events": ["clicked", "replied"], "until": (NOW + 2 * DAY).isoformat()})
    assert turn == Stay(Phase.WAITING, NOW + 2 * DAY, note=note)


def test_woken_for_nothing_it_waits_on_without_another_line_in_the_trail() -> None:
    turn = look(a_wait_for(), phase=Phase.WAITING, deadline_at=NOW + MINUTE)
    assert turn == Stay(Phase.WAITING, NOW + MINUTE)


@pytest.mark.parametrize("phase", [Phase.ARRIVING, Phase.WAITING])
@pytest.mark.parametrize(("then", "to"), [((THEN,), "then"), ((), "next")])
def test_the_event_leads_into_then_also_if_it_came_before_the_wait(
    phase: Phase, then: tuple[Step, ...], to: str
) -> None:
    known = Known(seen=Seen("clicked", NOW - MINUTE))
    deadline = NOW + DAY if phase is Phase.WAITING else None
    turn = look(a_wait_for(then=then, otherwise=(OTHERWISE,)), known, phase=phase, deadline_at=deadline)
    assert turn == Go(to, note=Note("happened", {"event": "clicked", "at": (NOW - MINUTE).isoformat()}))


@pytest.mark.parametrize(("otherwise", "to"), [((OTHERWISE,), "otherwise"), ((), "next")])
def test_the_deadline_leads_into_else(otherwise: tuple[Step, ...], to: str) -> None:
    turn = look(a_wait_for(then=(THEN,), otherwise=otherwise), phase=Phase.WAITING, deadline_at=NOW)
    assert turn == Go(to, note=Note("timeout", {"events": ["clicked", "replied"]}))


def test_an_event_that_is_seen_only_after_the_deadline_still_counts() -> None:
    """It happened in time; a daemon that was down must not turn it into silence."""
    known = Known(seen=Seen("clicked", NOW - 2 * DAY))
    turn = look(a_wait_for(then=(THEN,)), known, phase=Phase.WAITING, deadline_at=NOW - DAY)
    assert isinstance(turn, Go)
    assert turn.to == "then"


def test_the_last_step_of_a_nested_block_leads_to_what_follows_its_parent() -> None:
    step = a_wait_for(then=(THEN,))
    turn = advance(program(step, a_send("next")), a_run(THEN), Known(), NOW)
    assert isinstance(turn, Go)
    assert turn.to == "next"


# --- choices ----------------------------------------------------------------------------------------------------

BRANCH = Branch(
    id="b",
    span=SPAN,
    arms=(
        Arm("1", HasTag(("VIP",)), (a_send("vip"),)),
        Arm("2", HasTag(("新客",)), ()),
        Arm("else", None, (a_send("rest"),)),
    ),
)


@pytest.mark.parametrize(
    ("arms", "to", "arm"),
    [
        ((True, False, True), "vip", "1"),
        ((True, True, True), "vip", "1"),
        ((False, True, True), "next", "2"),
        ((False, False, True), "rest", "else"),
        ((False, False, False), "next", None),
    ],
)
def test_a_branch_takes_the_first_arm_that_holds(arms: tuple[bool, ...], to: str, arm: str | None) -> None:
    assert look(BRANCH, Known(arms=arms)) == Go(to, note=Note("branch", {"arm": arm}))


def test_a_branch_with_an_arm_nobody_evaluated_is_a_fault_not_a_choice() -> None:
    with pytest.raises(ValueError, match="zip"):
        look(BRANCH, Known(arms=(False,)))


SCORES = Switch(
    id="s",
    span=SPAN,
    answer="nps",
    cases=(ScoreCase(0, 6, (a_send("low"),)), ScoreCase(7, 8, ()), ScoreCase(9, 10, (a_send("high"),))),
    no_answer=(a_send("silent"),),
    otherwise=(a_send("other"),),
)
OPTIONS = Switch(
    id="s",
    span=SPAN,
    answer="nps",
    cases=(OptionCase("绿茶", (a_send("green"),)),),
    otherwise=(a_send("other"),),
)


@pytest.mark.parametrize(
    ("step", "given", "to", "case"),
    [
        (SCORES, an_answer(score=0), "low", "0..6"),
        (SCORES, an_answer(score=6), "low", "0..6"),
        (SCORES, an_answer(score=7), "next", "7..8"),
        (SCORES, an_answer(score=9), "high", "9..10"),
        (SCORES, an_answer(score=10), "high", "9..10"),
        (SCORES, an_answer(score=None), "other", "else"),
        (SCORES, None, "silent", "no_answer"),
        (OPTIONS, an_answer(score=None, choice="绿茶"), "green", "绿茶"),
        (OPTIONS, an_answer(score=None, choice="白茶"), "other", "else"),
        (OPTIONS, None, "next", "no_answer"),
    ],
)
def test_a_switch_goes_by_the_earlier_answer(step: Switch, given: GivenAnswer | None, to: str, case: str) -> None:
    known = Known(answers={"nps": given} if given is not None else {}, answer=an_answer(score=3))
    assert look(step, known) == Go(to, note=Note("switch", {"case": case}))


# --- edits under a standing run ---------------------------------------------------------------------------------


def test_a_run_that_waited_under_an_id_that_no_longer_waits_begins_that_step() -> None:
    step = a_send()
    turn = look(step, phase=Phase.WAITING, deadline_at=NOW + DAY)
    assert turn == Go("next", (QueueMessage(Purpose.SEND, step),))


# --- splits -----------------------------------------------------------------------------------------------------

SPLIT = Split(id="s", span=SPAN, ways=(Way("A", 50, (a_send("soft"),)), Way("B", 50, ())))


def test_a_split_leads_into_the_way_taken_and_the_run_remembers_it() -> None:
    note = Note("split", {"way": "A", "because": Because.SHARE})
    assert look(SPLIT, Known(taken=Taken("A", Because.SHARE))) == Go("soft", note=note, memory=TookWay(SPLIT, "A"))


def test_an_empty_way_goes_on_below() -> None:
    turn = look(SPLIT, Known(taken=Taken("B", Because.WINNER)))
    assert isinstance(turn, Go)
    assert (turn.to, turn.memory) == ("next", TookWay(SPLIT, "B"))


def test_a_way_taken_before_is_not_taken_anew() -> None:
    turn = look(SPLIT, Known(taken=Taken("A", Because.EARLIER)))
    assert isinstance(turn, Go)
    assert turn.memory is None


# --- webhooks ---------------------------------------------------------------------------------------------------


def a_webhook(on_fail: OnFail = OnFail.RETRY) -> Webhook:
    return Webhook(id="w", span=SPAN, name="crm", values={}, on_fail=on_fail)


@pytest.mark.parametrize(
    ("on_fail", "tried_for"), [(OnFail.RETRY, DAY), (OnFail.CONTINUE, 10 * MINUTE), (OnFail.EXIT, 10 * MINUTE)]
)
def test_a_webhook_is_called_and_waited_for(on_fail: OnFail, tried_for: timedelta) -> None:
    step = a_webhook(on_fail)
    calls = (CallWebhook(step, NOW + tried_for),)
    assert look(step) == Stay(Phase.WAITING, NOW + tried_for, calls, Note("webhook", {"name": "crm"}))


def test_a_call_that_succeeded_lets_the_run_go_on() -> None:
    turn = look(a_webhook(), Known(call=Call(CallStatus.DONE)), phase=Phase.WAITING, deadline_at=NOW + DAY)
    assert turn == Go("next", note=Note("webhook_done", {"name": "crm"}))


@pytest.mark.parametrize("on_fail", [OnFail.RETRY, OnFail.EXIT])
def test_a_call_given_up_ends_the_run_with_its_reason(on_fail: OnFail) -> None:
    turn = look(a_webhook(on_fail), Known(call=Call(CallStatus.FAILED, "http 503")), phase=Phase.WAITING)
    assert turn == End(EndKind.EXIT, "webhook crm failed", Note("webhook_failed", {"name": "crm", "why": "http 503"}))


def test_or_lets_it_go_on_where_the_journey_says_so() -> None:
    turn = look(a_webhook(OnFail.CONTINUE), Known(call=Call(CallStatus.FAILED, "http 422")), phase=Phase.WAITING)
    assert turn == Go("next", note=Note("webhook_failed", {"name": "crm", "why": "http 422"}))


def test_a_call_that_is_not_settled_by_its_deadline_is_waited_for() -> None:
    """A daemon that was down: the call is tried before anybody gives it up."""
    still = Known(call=Call(CallStatus.OPEN))
    before = look(a_webhook(), still, phase=Phase.WAITING, deadline_at=NOW + DAY)
    after = look(a_webhook(), still, phase=Phase.WAITING, deadline_at=NOW - DAY)
    assert (before, after) == (Stay(Phase.WAITING, NOW + DAY), Stay(Phase.WAITING, NOW + CALL_LATE))


def test_a_webhook_under_the_id_of_another_step_is_called_all_the_same() -> None:
    turn = look(a_webhook(), phase=Phase.WAITING, deadline_at=NOW - DAY)
    assert isinstance(turn, Stay)
    assert turn.effects


def test_the_control_group_does_not_wait_for_a_call_that_is_never_made() -> None:
    step = a_webhook()
    run = a_run(step)._replace(holdout=True)
    turn = advance(program(step, a_send("next")), run, Known(), NOW)
    assert isinstance(turn, Go)
    assert turn.to == "next"


# --- goto -------------------------------------------------------------------------------------------------------


def jump(step: Goto, jumps: int = 0) -> Turn:
    return advance(program(a_send("first"), step, a_send("next"), a_send("last")), a_run(step), Known(jumps=jumps), NOW)


def test_a_jump_back_is_counted_and_begins_a_new_visit() -> None:
    back = Goto(id="g", span=SPAN, target="first", at_most=2)
    for times in (0, 1):
        assert jump(back, times) == Go("first", note=Note("goto", {"to": "first"}), memory=Jumped(back, back=True))
    assert jump(back, 2) == Go("next", note=Note("goto_used_up", {"to": "first", "times": 2}))


def test_a_jump_ahead_needs_no_bound_and_visits_nothing_anew() -> None:
    ahead = Goto(id="g", span=SPAN, target="last")
    assert jump(ahead, 7) == Go("last", note=Note("goto", {"to": "last"}), memory=Jumped(ahead, back=False))
