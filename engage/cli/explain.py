"""`engage explain`: why a member got what they got, and did not get the rest."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.text import Text

from engage.bootstrap import clock_of
from engage.cli.channels_shown import channel_lines
from engage.cli.ending import Ending, Refusal
from engage.cli.explain_words import message_words, short, step_words
from engage.cli.invocation import Invocation
from engage.cli.screen import Screen, print_json
from engage.cli.who import find_member
from engage.runtime.context import AppliedHolder
from engage.runtime.explaining import Line, RunStory, Story
from engage.runtime.explaining import explain as tell_story

_INDENT = " " * 15  # as wide as a time and the space around it


def explain(
    ctx: typer.Context,
    member: Annotated[str, typer.Argument(help="The shop's id, a name, a phone number, or an address.")],
    journey: Annotated[str | None, typer.Argument(help="Only this journey.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Why a member got what they got, and did not get the rest.

    The trail of each run: every step and what it decided, every message with the channel that was chosen, why each
    other channel lost, and what became of it. Times are the member's own.

    Examples:
      engage explain 王芳 winback
      engage explain 13800138000 --json

    Exit codes: 0 shown · 1 no such member, or they never were in that journey
    """
    inv = Invocation.of(ctx)
    with inv.database() as database:
        applied = AppliedHolder(database).current()
        with database.read() as connection:
            ref = find_member(inv.screen, connection, member)
            story = tell_story(connection, applied, ref, clock_of(database).now(), journey)
    if as_json:
        print_json(_data(story))
        return
    if journey is not None and not story.runs:
        never = inv.screen.word(f"{member} has never been in {journey}", f"{member} 没有参加过 {journey}")
        raise Refusal(never, Ending.NO)
    _show(inv.screen, story)


def _show(screen: Screen, story: Story) -> None:
    number = screen.word(f"member {story.member_id}", f"会员 {story.member_id}")
    who = " · ".join(part for part in (story.name, story.external_id, number, str(story.zone)) if part)
    screen.line(who, "bold")
    for run in story.runs:
        _show_run(screen, story, run)
    if story.others:
        screen.heading("Outside any journey", "不属于任何旅程的消息")
        for line in story.others:
            _show_line(screen, story, line)
    if not story.runs and not story.others:
        screen.say(
            "No journey has taken this member in, and nothing was sent.", "还没有进入任何旅程，也没有收到过消息。"
        )


def _show_run(screen: Screen, story: Story, told: RunStory) -> None:
    run = told.run
    screen.line()
    holdout = screen.word(" · holdout: measured, not sent to", " · 对照组：只衡量，不打扰") if run.holdout else ""
    screen.line(Text(run.journey_id, "bold").append(f"  {told.title} v{run.version}{holdout}", "dim"))
    for line in told.lines:
        _show_line(screen, story, line)


def _show_line(screen: Screen, story: Story, line: Line) -> None:
    text = Text(f"  {short(story, line.at)}  ", "dim")
    if line.message is None:
        screen.line(text.append(step_words(screen, story, line), "default"))
        return
    screen.line(text.append_text(message_words(screen, story, line.message)))
    for channel in channel_lines(screen, line.message.decision or ()):
        screen.line(Text(_INDENT).append_text(channel))


# --- for scripts ------------------------------------------------------------------------------------------------


def _data(story: Story) -> dict[str, Any]:
    return {
        "member_id": story.member_id,
        "member": story.external_id,
        "name": story.name,
        "zone": str(story.zone),
        "runs": [_run_data(run) for run in story.runs],
        "others": [_line_data(line) for line in story.others],
    }


def _run_data(told: RunStory) -> dict[str, Any]:
    return asdict(told.run) | {"title": told.title, "lines": [_line_data(line) for line in told.lines]}


def _line_data(line: Line) -> dict[str, Any]:
    data = {"at": line.at, "what": line.what, "step": line.step_id}
    if line.message is None:
        return data | {"detail": dict(line.detail)}
    return data | {"message": asdict(line.message)}
