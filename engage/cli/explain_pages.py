"""How a member's story is laid out: runs with their lines, the doors that were not passed, the ways to reach them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.text import Text

from engage.cli.channels_shown import channel_lines
from engage.cli.door_words import door_lines, first_obstacle, padded, reading_lines
from engage.cli.explain_words import began_words, short, step_words
from engage.cli.message_words import aftermath, ahead_words, message_words, words_of
from engage.cli.reasons import reason_in
from engage.cli.screen import Screen, local
from engage.cli.who import masked
from engage.runtime.dispatching.judge import Overtaken
from engage.runtime.insight.door import Door
from engage.runtime.insight.explaining import Line, Question, RunStory, Story, WayIn
from engage.runtime.insight.foresight import Ahead
from engage.store.insight.overview import Paused
from engage.store.statements.readings import reading_of

_INDENT = 15  # as wide as a time and the space around it
_BELOW = " " * _INDENT
_REASON = _INDENT + 10  # where a channel's reason begins


def show_story(screen: Screen, story: Story, question: Question) -> None:
    number = screen.word(f"member {story.member_id}", f"会员 {story.member_id}")
    who = " · ".join(part for part in (story.name, story.external_id, number, str(story.zone)) if part)
    screen.line(who, "bold")
    for pause in story.pauses:
        _show_pause(screen, story, pause)
    if story.earlier:
        screen.say(f"({story.earlier} earlier runs: --all)", f"（更早的 {story.earlier} 次：--all）", "dim")
    for run in story.runs:
        _show_run(screen, story, run, question)
    if story.others:
        screen.heading("Outside any journey", "不属于任何旅程的消息")
        for line in story.others:
            _show_line(screen, story, line)
    _show_doors(screen, story, question)
    if question.step_id is None:
        _show_ways(screen, story)


def _show_pause(screen: Screen, story: Story, pause: Paused) -> None:
    since, why = short(story, pause.since), f": {pause.reason}" if pause.reason else ""
    screen.say(f"paused since {since}: {pause.scope}{why}", f"{since} 起暂停：{pause.scope}{why}", "yellow")


# --- runs -------------------------------------------------------------------------------------------------------


def _show_run(screen: Screen, story: Story, told: RunStory, question: Question) -> None:
    run = told.run
    screen.line()
    holdout = screen.word(" · holdout: measured, not sent to", " · 对照组：只衡量，不打扰") if run.holdout else ""
    per = f" · {run.per_value}" if run.per_value else ""
    day = f"{run.entered_at.astimezone(story.zone):%Y-%m-%d}"
    kept = run.pinned_version
    pinned = screen.word(f" · finishes v{kept}", f" · 按 v{kept} 走完") if kept is not None else ""
    screen.line(
        Text(run.journey_id, "bold").append(f"  {told.title} v{run.version} · {day}{per}{pinned}{holdout}", "dim")
    )
    for line in told.lines:
        _show_line(screen, story, line, told)
    if not told.lines and question.step_id is not None:
        screen.say(
            f"  {question.step_id} was not reached; the run stands at or ended at {run.step_id}",
            f"  没有走到 {question.step_id}；停在 {run.step_id}",
            "yellow",
        )
    if told.ahead and question.step_id is None:
        screen.say("  if nothing happens:", "  如果什么都不发生：", "dim")
        for ahead in told.ahead:
            _show_ahead(screen, story, ahead)


def _show_line(screen: Screen, story: Story, line: Line, told: RunStory | None = None) -> None:
    head = Text(f"  {short(story, line.at)}  ", "dim")
    if line.message is None:
        words = step_words(screen, story, line)
        if line.what in ("enter", "held") and told is not None:
            words = f"{words} {told.run.journey_id} — {began_words(screen, story, told.run)}"
        screen.hang(head.append(words, "default").append(_closed(screen, story, line), "dim"), _INDENT)
        _show_readings(screen, story, line.detail)
        return
    screen.hang(head.append_text(message_words(screen, story, line.message)), _INDENT)
    quoted = words_of(line.message)
    if quoted is not None:
        screen.hang(Text(_BELOW).append_text(quoted), _INDENT)
    for channel in channel_lines(screen, line.message.decision or ()):
        screen.hang(Text(_BELOW).append_text(channel), _REASON)
    for after in aftermath(screen, story, line):
        screen.hang(Text(_BELOW).append_text(after), _INDENT)


def _closed(screen: Screen, story: Story, line: Line) -> str:
    task = line.task
    if task is None:
        return ""
    if task.closed_at is None:
        return screen.word(f" — task {task.id}, open", f" —— 任务 {task.id}，未完成")
    at = short(story, task.closed_at)
    return screen.word(
        f" — task {task.id}, closed {at}: {task.outcome}", f" —— 任务 {task.id}，{at} 完成：{task.outcome}"
    )


def _show_readings(screen: Screen, story: Story, detail: Mapping[str, Any]) -> None:
    """How the conditions of a decision read when it was taken."""
    for name, kept in detail.get("read", {}).items():
        readings = [reading_of(data) for data in kept]
        several = len(detail["read"]) > 1
        if several:
            screen.line(f"{_BELOW}{name}:", "dim")
        for line in reading_lines(screen, readings, lambda moment: short(story, moment), _INDENT + 2 * several):
            screen.hang(line, _INDENT + 4)


def _show_ahead(screen: Screen, story: Story, ahead: Ahead) -> None:
    head = Text(f"  {short(story, ahead.at)}  ", "dim")
    if ahead.message is None:
        screen.hang(head.append(step_words(screen, story, ahead), "dim"), _INDENT)
        _show_readings(screen, story, ahead.detail)
        return
    screen.hang(head.append_text(ahead_words(screen, story, ahead)), _INDENT)
    trace = () if ahead.verdict is None or isinstance(ahead.verdict, Overtaken) else ahead.verdict.trace
    for channel in channel_lines(screen, trace):
        screen.hang(Text(_BELOW).append_text(channel), _REASON)


# --- doors ------------------------------------------------------------------------------------------------------


def _show_doors(screen: Screen, story: Story, question: Question) -> None:
    if question.journey_id is not None or question.everything:
        for door in story.doors:
            _show_door(screen, story, door)
        return
    if story.doors:
        screen.heading("Never entered, and what is in the way now", "没有进入过的旅程，以及现在的原因")
    width = max((len(door.journey_id) for door in story.doors), default=0)
    for door in story.doors:
        why = first_obstacle(screen, door, lambda moment: local(moment, story.zone))
        screen.hang(Text(f"  {padded(door.journey_id, width)}  ", "bold").append(why, "not bold"), width + 4)
    if story.unasked:
        screen.line()
        screen.say(
            f"{story.unasked} journeys have never taken them in: name one, or ask for --all",
            f"有 {story.unasked} 个旅程从未进入过：写出其中一个，或用 --all",
            "dim",
        )


def _show_door(screen: Screen, story: Story, door: Door) -> None:
    again = any(told.run.journey_id == door.journey_id and not told.run.never_began for told in story.runs)
    screen.line()
    said = (
        screen.word("could they enter again?", "还能再进入吗？")
        if again
        else screen.word("never entered", "没有进入过")
    )
    at = local(story.at, story.zone)
    asked = screen.word(f"as of {at}, by what is on file now", f"按现在的记录，以 {at} 为准")
    screen.line(Text(door.journey_id, "bold").append(f"  {door.title} — {said} ({asked})", "dim"))
    for line in door_lines(screen, door, lambda moment: local(moment, story.zone)):
        screen.hang(Text("  ").append_text(line), 6)


# --- ways to reach them -----------------------------------------------------------------------------------------


def _show_ways(screen: Screen, story: Story) -> None:
    screen.heading("How they can be reached", "怎样联系到他们")
    if not story.ways:
        screen.say("  no address on file", "  没有联系方式", "yellow")
    for way in story.ways:
        _show_way(screen, story, way)


def _show_way(screen: Screen, story: Story, way: WayIn) -> None:
    status = reason_in(way.status, screen.lang) if way.status != "active" else screen.word("in use", "可用")
    style = "default" if way.status == "active" else "red"
    text = Text(f"  {way.channel:<8}{masked(way.address)}  ").append(status, style)
    if way.status != "active":
        text.append(f" ({_day(story, way.status_at)})", style)
    if way.suppressed is not None:
        why, since = way.suppressed
        said = screen.word(f"suppressed since {_day(story, since)}: {why}", f"{_day(story, since)} 起禁发：{why}")
        text.append(f" · {said}", "red")
    screen.hang(text, 10)
    for (granted, evidence, day), topics in _by_evidence(story, way).items():
        mark, style = ("✓", "green") if granted else ("✗", "red")
        listed = _listed(screen, topics)
        screen.hang(Text(f"          {mark} {listed}  ", style).append(f"{evidence} ({day})", "dim"), 12)
    if way.unconsented:
        ungranted = _listed(screen, way.unconsented)
        missing = screen.word(f"no consent on file for {ungranted}", f"没有 {ungranted} 的授权")
        screen.hang(Text(f"          · {missing}", "yellow"), 12)


def _listed(screen: Screen, topics: Sequence[str]) -> str:
    return screen.word(", ", "、").join(topics)


def _by_evidence(story: Story, way: WayIn) -> Mapping[tuple[bool, str, str], list[str]]:
    """Topics that were granted, or refused, in one word."""
    found: dict[tuple[bool, str, str], list[str]] = {}
    for consent in way.consents:
        found.setdefault((consent.granted, consent.evidence, _day(story, consent.at)), []).append(consent.topic)
    return found


def _day(story: Story, moment: datetime) -> str:
    return f"{moment.astimezone(story.zone):%Y-%m-%d}"
