"""`engage explain` over the real engine: what is told of those who got something, and why others did not."""

from __future__ import annotations

from typing import Any

import pytest
from every_row import every_row
from small_journeys import COUPON, journey
from stage import OpenStage, Stage
from test_holding import GUARD, crowd, refuses
from test_winback import EVERYBODY, falls_asleep

from engage.cli.explain_pages import show_story
from engage.cli.explain_words import step_words
from engage.cli.message_words import aftermath, ahead_words, message_words
from engage.cli.screen import Screen
from engage.core.holdout import is_held_out
from engage.core.problem import Lang
from engage.runtime.insight.door import Door, Part
from engage.runtime.insight.explaining import Question, Story, explain
from engage.runtime.insight.foresight import Ahead
from engage.store.statements.readings import Reading

EN = Screen(Lang.EN)


def told(stage: Stage, name: str, journey: str | None = None, **more: Any) -> Story:
    question = Question(**({"at": stage.clock.now(), "journey_id": journey} | more))
    with stage.database.read() as connection:
        return explain(stage.house.app.context, connection, stage.ref(name), question)


def lines(stage: Stage, story: Story) -> list[str]:
    """The only run, line by line: (day, time) and words."""
    (run,) = story.runs
    return [f"{stage.when(line.at)}  {_words(story, line)}" for line in run.lines]


def _words(story: Story, line: Any) -> str:
    if line.message is None:
        return step_words(EN, story, line)
    return message_words(EN, story, line.message).plain.rpartition(" · delivery")[0]


def ahead(stage: Stage, story: Story) -> list[str]:
    (run,) = story.runs
    return [f"{stage.when(one.at)}  {_words_ahead(story, one)}" for one in run.ahead]


def _words_ahead(story: Story, one: Ahead) -> str:
    return step_words(EN, story, one) if one.message is None else ahead_words(EN, story, one).plain


def door(story: Story) -> Door:
    (found,) = story.doors
    return found


def in_the_way(story: Story) -> list[tuple[str, str]]:
    return [(check.part.value, check.why) for check in door(story).checks if check.holds is False]


def reads(found: Door, part: Part) -> list[tuple[str, bool, Any]]:
    (check,) = [check for check in found.checks if check.part is part]
    return [as_told(line) for line in check.lines]


def as_told(line: Reading) -> tuple[str, bool, Any]:
    return line.line, line.holds, line.value


# --- what happened ----------------------------------------------------------------------------------------------


def test_a_winback_is_told_in_the_order_it_happened(stage: Stage) -> None:
    falls_asleep(stage, wechat=True, sms=True, email=True)
    stage.apply(EVERYBODY)
    stage.run_until(day=1, at="12:00")
    stage.clicks("王芳")
    stage.run_until(day=12)
    assert lines(stage, told(stage, "王芳", "winback")) == [
        "day 1 10:00  enter",
        "day 1 10:00  send winback_story via email",
        "day 1 10:00  wait for clicked  until 11-29 10:00",
        "day 1 12:00  happened clicked",
        "day 1 12:00  wait  until 11-25 20:00",
        "day 2 20:00  fall back with winback_story — cancelled: overtaken by the next message",
        "day 2 20:00  send winback_gift via email",
        "day 2 20:00  wait for coupon_used  until 12-04 20:00",
        "day 4 20:00  fall back with winback_gift via sms (delivered)",
        "day 6 20:00  fall back with winback_gift — skipped: no channel left to fall back to",
        "day 11 20:00  timeout coupon_used",
        "day 11 20:00  branch: else",
        "day 11 20:00  send winback_last via sms (delivered)",
        "day 11 20:00  wait  until 12-14 20:00",
    ]


def test_a_decision_keeps_how_its_condition_read_when_it_was_taken(stage: Stage) -> None:
    falls_asleep(stage, amount=800, sms=True)
    stage.apply(EVERYBODY)
    stage.run_until(day=15, at="12:00")
    stage.imports([{"member": "M0001", "city": "上海"}], [])
    (note,) = stage.notes("王芳", "winback", "branch")
    assert note == {"arm": "else", "read": {"1": [{"line": "spent: 3000..", "holds": False, "is": 800}]}}


def test_what_turned_a_step_away_is_kept_with_it(stage: Stage) -> None:
    stage.member("王芳", sms=True, city="上海", tags="VIP")
    only = "send: birthday_coupon\nonly_if: { city: [北京, 广州], not: { tag: VIP } }"
    stage.apply({"visit": journey("store_visited", only)})
    stage.happens("王芳", "store_visited", store="湖滨店")
    (note,) = stage.notes("王芳", "visit", "passed_over")
    assert note["read"]["only_if"] == [
        {"line": "city: [北京, 广州]", "holds": False, "is": "上海"},
        {"line": "not: { tag: VIP }", "holds": False, "is": ["VIP"]},
    ]


def test_an_exit_by_condition_keeps_what_held(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    more = "exit_if: { did: { coupon_used: { times: 2.. } } }\n"
    stage.apply({"visit": journey("store_visited", "wait: 9d", COUPON, more=more)})
    stage.happens("王芳", "store_visited", store="湖滨店")
    for number in range(3):
        stage.happens("王芳", "coupon_used", code=f"C{number}")
    (note,) = stage.notes("王芳", "visit", "exit")
    assert note["read"] == {"exit_if": [{"line": "did: { coupon_used: { times: 2.. } }", "holds": True, "is": 2}]}


def test_as_of_an_earlier_moment_the_rest_is_not_told(stage: Stage) -> None:
    falls_asleep(stage, sms=True)
    stage.apply(EVERYBODY)
    stage.run_until(day=12)
    story = told(stage, "王芳", "winback", at=stage.moment(1, "12:00"))
    assert lines(stage, story)[-1] == "day 1 10:00  wait for clicked  until 11-29 10:00"
    assert ahead(stage, story) == []


def test_one_step_alone(stage: Stage) -> None:
    falls_asleep(stage, sms=True)
    stage.apply(EVERYBODY)
    stage.run_until(day=12)
    story = told(stage, "王芳", "winback", step_id="winback_gift")
    assert {line.step_id for line in story.runs[0].lines} == {"winback_gift"}
    assert told(stage, "王芳", "winback", step_id="winback_last").runs[0].lines == ()


def test_what_had_used_up_the_frequency_cap_is_named(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply({"advert": journey("store_visited", COUPON), "other": journey("coupon_used", "send: winback_gift")})
    stage.happens("王芳", "coupon_used", code="C1")
    stage.run_until(at="12:00")
    stage.happens("王芳", "store_visited", store="湖滨店")
    story = told(stage, "王芳", "advert")
    (skipped,) = [line for line in story.runs[0].lines if line.message is not None]
    assert skipped.message is not None
    assert skipped.message.reason == "frequency cap: 1 in 1d, 1 allowed"
    assert [(spent.journey_id, spent.template) for spent in skipped.spent_on] == [("other", "winback_gift")]
    assert [text.plain for text in aftermath(EN, story, skipped)] == ["used up by other › winback_gift 11-23 10:00"]


def test_what_had_held_a_message_back_is_told_after_it_has_gone_out(open_stage: OpenStage) -> None:
    stage = open_stage("2026-11-23 22:00")
    stage.member("王芳", sms=True)
    stage.apply({"advert": journey("store_visited", COUPON)})
    stage.happens("王芳", "store_visited", store="湖滨店")
    waiting = told(stage, "王芳", "advert")
    assert "waits until 11-24 09:00: outside sending hours" in "\n".join(lines(stage, waiting))
    stage.run_until(day=1)
    sent = "day 0 22:00  send birthday_coupon via sms (went out 11-24 09:00 (outside sending hours), delivered)"
    assert sent in lines(stage, told(stage, "王芳", "advert"))


@pytest.mark.parametrize(
    ("person", "prepare", "why"),
    [
        ({"sms": True, "consents": ""}, None, "no consent on file for marketing on sms"),
        ({"sms": True}, lambda stage: stage.refuses("王芳", "marketing", "sms"), "refused marketing on sms"),
        ({"sms": True}, lambda stage: stage.suppress("王芳", "sms", "投诉"), "suppressed: 投诉"),
        ({"wechat": True}, None, "no reply window is open; marketing may not use template messages"),
        ({"email": True, "on_file": True, "wechat": True}, lambda stage: stage.pauses("channel:email"), "paused"),
    ],
    ids=["no consent", "refused", "suppressed", "no window", "channel paused"],
)
def test_why_a_message_did_not_go_out_is_told_for_each_channel(
    stage: Stage, person: dict[str, Any], prepare: Any, why: str
) -> None:
    stage.member("王芳", **person)
    stage.apply({"advert": journey("store_visited", COUPON)})
    if prepare is not None:
        prepare(stage)
    stage.happens("王芳", "store_visited", store="湖滨店")
    (message,) = [line.message for line in told(stage, "王芳", "advert").runs[0].lines if line.message is not None]
    assert message.decision is not None
    reasons = [str(line["why"]) for line in message.decision if not line["open"]]
    assert any(why in reason for reason in reasons), reasons


def test_consents_are_told_with_their_evidence_and_what_is_missing(stage: Stage) -> None:
    stage.member("王芳", sms=True, consents="")
    stage.apply({"advert": journey("store_visited", COUPON)})
    stage.refuses("王芳", "marketing", "sms")
    (way,) = told(stage, "王芳").ways
    assert [(c.topic, c.granted, c.evidence) for c in way.consents] == [("marketing", False, "柜台")]
    assert set(way.unconsented) >= {"survey", "lifecycle"}


# --- what did not happen ----------------------------------------------------------------------------------------


def test_who_is_not_in_the_segment_is_told_line_by_line(stage: Stage) -> None:
    stage.member("李雷", sms=True)
    stage.history("李雷", "order_paid", "10d", order_id="A1", amount=268)
    stage.apply(EVERYBODY)
    story = told(stage, "李雷", "winback")
    assert in_the_way(story) == [("start", "segment_not_in")]
    assert reads(door(story), Part.START) == [
        ("last_order_at: over 90d ago", False, stage.moment_of("2026-11-13 10:00").isoformat()),
        ("orders: 1..", True, 1),
    ]


def test_who_is_excluded_is_told_by_what(stage: Stage) -> None:
    falls_asleep(stage, "员工", sms=True, employee="yes")
    stage.apply(EVERYBODY)
    stage.run_until(day=3)
    story = told(stage, "员工", "winback")
    assert in_the_way(story) == [("exclude", "exclude_yes")]
    assert ("employee: yes", True, True) in reads(door(story), Part.EXCLUDE)


def test_who_is_not_of_the_audience_is_told_what_is_on_file(stage: Stage) -> None:
    stage.member("王芳", sms=True, city="上海")
    stage.apply({"visit": journey("store_visited", COUPON, more="audience: { city: 北京, orders: 2.. }\n")})
    stage.happens("王芳", "store_visited", store="湖滨店")
    story = told(stage, "王芳", "visit")
    assert in_the_way(story) == [("audience", "audience_no")]
    assert reads(door(story), Part.AUDIENCE) == [("city: 北京", False, "上海"), ("orders: 2..", False, 0)]


def test_the_start_says_which_part_of_it_is_missing(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    big = journey("order_paid", COUPON).replace("order_paid }", "order_paid, where: { event.amount: 500.. } }")
    stage.apply({"big": big, "visit": journey("store_visited", COUPON)})
    stage.happens("王芳", "order_paid", order_id="A1", amount=268)
    assert in_the_way(told(stage, "王芳", "visit")) == [("start", "event_never")]
    story = told(stage, "王芳", "big")
    assert in_the_way(story) == [("start", "event_misses")]
    assert [(line, holds) for line, holds, _ in reads(door(story), Part.START)] == [("event.amount: 500..", False)]


def test_what_happened_long_before_it_was_told_starts_nothing_and_says_so(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply({"order": journey("order_paid", COUPON)})
    stage.imports([], [{"id": "h1", "member": "M0001", "event": "order_paid", "at": "2026-11-20T10:00:00+08:00"}])
    assert in_the_way(told(stage, "王芳", "order")) == [("start", "event_before")]


def test_a_birthday_that_is_not_on_file_and_one_that_is(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.member("李雷", sms=True, birthday="12-01")
    stage.apply()
    assert in_the_way(told(stage, "王芳", "birthday"))[0] == ("start", "date_unknown")
    start = next(check for check in door(told(stage, "李雷", "birthday")).checks if check.part is Part.START)
    assert start.holds is None
    assert stage.local(start.facts["next"]).date().isoformat() == "2026-11-28"


def test_who_may_not_come_back_is_told_so(stage: Stage) -> None:
    falls_asleep(stage, sms=True)
    stage.apply(EVERYBODY)
    stage.run_until(day=2)
    stage.happens("王芳", "order_paid", order_id="A2", amount=100)
    stage.run_until(day=40)
    barred = [check for check in door(told(stage, "王芳", "winback")).checks if check.part is Part.REENTRY]
    assert [(check.holds, check.facts["reason"]) for check in barred] == [(False, "was in this journey too recently")]


def test_who_was_held_back_and_not_let_in_has_never_entered(
    open_stage: OpenStage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = crowd(open_stage, GUARD)
    refuses(stage)
    story = told(stage, "m1")
    assert lines(stage, story)[-1].endswith("did not begin: the start was not approved")
    assert door(story).journey_id == "campaign"
    assert in_the_way(story) == []
    show_story(Screen(Lang.EN), told(stage, "m1", "campaign"), Question(stage.clock.now(), "campaign"))
    assert "never entered" in capsys.readouterr().out


def test_the_holdout_is_told_and_what_is_withheld(stage: Stage) -> None:
    names = [f"会员{number}" for number in range(1, 31)]
    for name in names:
        falls_asleep(stage, name, sms=True)
    stage.apply({"winback": EVERYBODY["winback"].replace("holdout: 0%", "holdout: 10%")})
    stage.run_until(day=2)
    held = next(name for name in names if is_held_out(stage.ref(name).id, "winback", 10))
    story = told(stage, held, "winback")
    assert story.runs[0].run.holdout
    assert not [line for line in story.runs[0].lines if line.message is not None]
    assert ahead(stage, story)[-1].endswith("send winback_gift — withheld: holdout")


def test_a_pause_is_told(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply({"visit": journey("store_visited", COUPON)})
    stage.pauses("journey:visit")
    assert [pause.scope for pause in told(stage, "王芳", "visit").pauses] == ["journey:visit"]


# --- what comes next --------------------------------------------------------------------------------------------


def test_what_was_foreseen_is_what_then_happens(stage: Stage) -> None:
    """At every stop of a long journey: the next message, its moment and its channel."""
    falls_asleep(stage, sms=True, email=True)
    stage.apply(EVERYBODY)
    stage.run_until(day=1, at="10:01")
    checked = 0
    while any(run.status == "live" for run in stage.runs("王芳", "winback")):
        (run,) = told(stage, "王芳", "winback").runs
        expected = next((one for one in run.ahead if one.message is not None), None)
        before = len(stage.phone("王芳"))
        stage.run_to(min((one.at for one in run.ahead), default=stage.clock.now()))
        if expected is not None and expected.at == stage.clock.now():
            (came,) = stage.phone("王芳")[before:] or [None]
            assert (came.channel if came else None) == getattr(expected.verdict, "channel", None)
            checked += 1
    assert checked >= 4


def test_a_message_that_the_night_will_defer_is_foreseen_in_the_morning(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply({"advert": journey("store_visited", "wait: 14h", COUPON)})
    stage.happens("王芳", "store_visited", store="湖滨店")
    assert (
        ahead(stage, told(stage, "王芳", "advert"))[-1] == "day 1 09:00  send birthday_coupon — would be sent via sms"
    )


def test_nothing_is_changed_by_asking(stage: Stage) -> None:
    falls_asleep(stage, sms=True, email=True)
    stage.member("李雷", sms=True)
    stage.apply()
    stage.run_until(day=2)
    before = _everything(stage)
    for name in ("王芳", "李雷"):
        told(stage, name, everything=True)
    assert _everything(stage) == before


def _everything(stage: Stage) -> dict[str, list[dict[str, Any]]]:
    with stage.database.read() as connection:
        return every_row(connection, unnumbered=())


# --- how it looks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", list(Lang))
def test_the_page_is_plain_and_aligned_in_a_pipe(stage: Stage, lang: Lang, capsys: pytest.CaptureFixture[str]) -> None:
    falls_asleep(stage, wechat=True, sms=True, email=True)
    stage.member("李雷", sms=True)
    stage.apply(EVERYBODY)
    stage.run_until(day=16)
    for name, asked in (("王芳", "winback"), ("李雷", "winback"), ("李雷", None)):
        show_story(Screen(lang), told(stage, name, asked), Question(stage.clock.now(), asked))
    page = capsys.readouterr().out
    assert "\x1b" not in page
    assert "Asia/Shanghai" in page
    assert all(line == line.rstrip() for line in page.splitlines())
    channels = [line for line in page.splitlines() if line.lstrip().startswith(("✓ email", "✓ sms", "✗ wechat"))]
    assert {line.index("✓" if "✓" in line else "✗") for line in channels} == {15}
