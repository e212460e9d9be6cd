"""How a plan reads: what changes, who is where, what they notice, in both languages."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from rich.cells import cell_len

from engage.cli.plan_words import refusal_words, say_how_to_apply, show_plan
from engage.cli.screen import Screen
from engage.core.journey.diff import Gone, Kept
from engage.core.moving import What
from engage.core.problem import Lang
from engage.core.release import Release
from engage.core.timing import For
from engage.runtime.edits.plan import (
    Change,
    Homeless,
    JourneyPlan,
    NextMessages,
    Plan,
    Rules,
    SmallerHoldout,
    StepPlan,
    Terms,
)
from engage.store.edits.moving import Crowd
from engage.store.insight.overview import Paused

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 12, 20, tzinfo=SHANGHAI).astimezone(UTC)
DAYS = [timedelta(days=n) for n in range(11)]

# The figures of the design's own example.
WINBACK = JourneyPlan(
    id="winback",
    title="沉睡客户召回",
    change=Change.CHANGED,
    before=7,
    after=8,
    crowd=Crowd(entered=317, live=251, pinned=0, held_out=31),
    steps=(
        StepPlan(
            Kept("wait_for-clicked", "wait_for-clicked", times=(DAYS[5], DAYS[3]), timed_by="up_to"),
            47,
            {What.RETIMED: 35, What.PAST: 12},
        ),
        StepPlan(Kept("winback_gift", "winback_sample", renamed=True), 0, {}),
        StepPlan(Gone("wait_for-task_done", "wait>exit-未召回"), 12, {What.ONWARD: 12}),
        StepPlan(
            Kept("wait>exit-未召回", "wait>exit-未召回", times=(For(DAYS[10]), For(DAYS[7])), timed_by="wait"),
            96,
            {What.RETIMED: 67, What.PAST: 29},
        ),
    ),
    next_messages=NextMessages({"winback_sample": 12}),
)


def a_plan(*journeys: JourneyPlan, **more: object) -> Plan:
    made = Plan(
        id="plan-3f9c",
        digest="3f9c",
        made_at=NOW,
        mark="7",
        before={"journeys/winback.yaml": "…"},
        files={"journeys/winback.yaml": "……"},
        terms=Terms(),
        rules=Rules(),
        journeys=journeys,
        unchanged=(),
        drafts=(),
        refusals=(),
        pauses=(),
    )
    return replace(made, **more)


def shown(capsys: pytest.CaptureFixture[str], plan: Plan, lang: Lang = Lang.EN) -> list[str]:
    screen = Screen(lang)
    show_plan(screen, plan, SHANGHAI)
    say_how_to_apply(screen, plan)
    return capsys.readouterr().out.splitlines()


def test_a_journey_reads_row_by_row_and_then_what_it_comes_to(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, a_plan(WINBACK)) == [
        "",
        "journeys/winback.yaml   沉睡客户召回   v7 → v8     317 entered · 251 in flight · now 2026-12-20 00:00",
        "",
        "  ~ wait_for-clicked                up_to 5d → 3d           47 waiting: 35 re-timed from when they started,"
        " 12 already past it",
        "  > winback_gift                    renamed winback_sample",
        "  - wait_for-task_done              removed                 12 waiting here → go on to `wait>exit-未召回`",
        "  ~ wait>exit-未召回                wait 10d → 7d           96 waiting: 67 re-timed from when they started,"
        " 29 already past it",
        "",
        "  96 customers sit at unchanged steps and notice nothing.",
        "  ! 53 customers would move on at once; 12 of them get `winback_sample`.",
        "    They are released over 24h inside sending hours (max 500/h), not in one burst.",
        "    Change this with  --release now|24h|keep-old-times   (keep-old-times = let waiting customers finish"
        " the old wait)",
        "  Nobody re-enters. Nobody gets a step twice. Holdout and A/B arms keep their assignment.",
        "",
        "Plan saved as plan-3f9c. Apply with:  engage apply plan-3f9c",
    ]


def test_columns_stand_under_each_other_in_chinese(capsys: pytest.CaptureFixture[str]) -> None:
    rows = shown(capsys, a_plan(WINBACK), Lang.ZH)[3:7]
    starts = [row.index(word) for row, word in zip(rows, ("up_to", "改名", "删除", "wait 10d"), strict=True)]
    assert len({cell_len(row[:start]) for row, start in zip(rows, starts, strict=True)}) == 1
    assert rows[0].endswith("47 人在等待：35 人从开始等待时重新计时，12 人已超过新的期限")


def test_what_is_sent_next_may_depend_on_the_way_they_take(capsys: pytest.CaptureFixture[str]) -> None:
    unsure = replace(WINBACK, next_messages=NextMessages({}, 12, ("a", "b")))
    assert "  ! 53 customers would move on at once; up to 12 get `a` or `b`." in shown(capsys, a_plan(unsure))


def test_old_times_may_be_kept(capsys: pytest.CaptureFixture[str]) -> None:
    steps = tuple(replace(step, moved={}) for step in WINBACK.steps)
    told = shown(capsys, a_plan(replace(WINBACK, steps=steps), terms=Terms(Release.KEEP)))
    assert "  Waiting customers finish the old wait." in told
    assert not any("at once" in line for line in told)


def test_a_new_journey_says_who_would_enter(capsys: pytest.CaptureFixture[str]) -> None:
    new = JourneyPlan("hi", "你好", Change.NEW, None, 1, Crowd(0, 0, 0, 0), would_enter=1200)
    stay = "  1,200 members who are in its segment already stay out; --existing lets them in."
    assert stay in shown(capsys, a_plan(new))
    enter = "  1,200 members who are in its segment already enter now."
    assert enter in shown(capsys, a_plan(new, terms=Terms(existing=True)))


def test_a_file_that_is_gone_asks_what_to_do_with_those_on_their_way(capsys: pytest.CaptureFixture[str]) -> None:
    drained = replace(WINBACK, change=Change.DRAINED, steps=())
    told = shown(capsys, a_plan(drained))
    assert "  251 in flight finish. To end them now instead:  --stop winback" in told


def test_a_draft_is_not_called_a_file_that_is_gone(capsys: pytest.CaptureFixture[str]) -> None:
    drained = replace(WINBACK, change=Change.DRAINED, steps=())
    told = shown(capsys, a_plan(drained, drafts=("winback",)))
    assert told[1].startswith("journeys/winback.yaml   沉睡客户召回   a draft now     317 entered")


def test_one_member_is_spoken_of_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    gone = StepPlan(Gone("call", "bye"), 1, {What.ONWARD: 1})
    alone = replace(WINBACK, steps=(gone,), crowd=Crowd(2, 2, 0, 0))
    told = shown(capsys, a_plan(alone))
    assert "  1 customer sits at unchanged steps and notices nothing." in told
    assert "  ! 1 customer would move on at once; 12 of them get `winback_sample`." in told
    held_out = refusal_words(Screen(Lang.EN), SmallerHoldout("winback", 20, 10, 1))
    assert "1 member has been in it" in held_out
    assert "  1 customer finishes v7 (`on_edit: pin`); v8 is for who comes." in shown(
        capsys, a_plan(replace(alone, pins=1))
    )


def test_channels_hold_for_what_goes_out_and_topics_for_what_is_queued(capsys: pytest.CaptureFixture[str]) -> None:
    told = shown(capsys, a_plan(replace(WINBACK, keys=("channels", "topic"))))
    assert [line.rpartition("  ")[2] for line in told if line.startswith(("  ~ channels", "  ~ topic"))] == [
        "for messages that go out from now on",
        "for messages queued from now on",
    ]


def test_on_edit_is_for_edits(capsys: pytest.CaptureFixture[str]) -> None:
    told = shown(capsys, a_plan(replace(WINBACK, keys=("on_edit",))))
    assert any(line.endswith("for this edit and later ones") for line in told)


def test_pinned_members_and_what_runs_otherwise_than_the_files_say(capsys: pytest.CaptureFixture[str]) -> None:
    pinned = replace(WINBACK, steps=(), pins=251)
    told = shown(capsys, a_plan(pinned, pauses=(Paused("channel:sms", NOW, "盘点"),)))
    assert "  251 customers finish v7 (`on_edit: pin`); v8 is for who comes." in told
    assert "! channel:sms is paused since 2026-12-20 00:00 (盘点)" in told


def test_a_likely_rename_is_proposed_line_and_all(capsys: pytest.CaptureFixture[str]) -> None:
    gone = StepPlan(Gone("winback_gift", None, perhaps="winback_sample"), 0, {})
    told = shown(capsys, a_plan(replace(WINBACK, steps=(gone,))))
    assert "  Is `winback_sample` the step that was `winback_gift`? Then write there:  was: winback_gift" in told


@pytest.mark.parametrize("lang", list(Lang))
def test_every_refusal_says_what_to_write(lang: Lang) -> None:
    screen = Screen(lang)
    homeless = refusal_words(screen, Homeless("winback", "pause", 3, perhaps="rest"))
    assert "moved_to: { pause:" in homeless
    assert "was: pause" in homeless
    assert "holdout: 0%" in refusal_words(screen, SmallerHoldout("winback", 20, 10, 31))
