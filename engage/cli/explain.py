"""`engage explain`: why a member got what they got, and did not get the rest."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from engage.bootstrap import build_context, clock_of
from engage.cli.ending import Ending, Refusal
from engage.cli.explain_data import story_data
from engage.cli.explain_pages import show_story
from engage.cli.invocation import Invocation
from engage.cli.moments import read_moment
from engage.cli.screen import Screen, print_json
from engage.cli.who import find_member
from engage.core.journey.vocabulary import nearest
from engage.core.quiet import zone_of
from engage.runtime.applied import Applied
from engage.runtime.insight.explaining import Question, Story
from engage.runtime.insight.explaining import explain as tell_story
from engage.store import members


def explain(
    ctx: typer.Context,
    member: Annotated[str, typer.Argument(help="The shop's id, a name, a phone number, or an address.")],
    journey: Annotated[str | None, typer.Argument(help="Only this journey.")] = None,
    at: Annotated[
        str | None, typer.Option("--at", help="As of then, in the member's own time: 2026-11-24 20:00.")
    ] = None,
    step: Annotated[str | None, typer.Option("--step", help="Only this step.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every run, and every journey that has not taken them in.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Why a member got what they got, and did not get the rest.

    The trail of each run: every step and what it decided, every message with the channel that was chosen, why each
    other channel lost, and what became of it; then what comes next if nothing happens. For journeys that have not
    taken the member in: start, audience, exclude and re-entry, line by line, with what is on file. Times are the
    member's own.

    Examples:
      engage explain 王芳 winback
      engage explain 王芳 winback --step winback_gift --at "2026-11-24 20:00"
      engage explain 13800138000 --all --json

    Exit codes: 0 shown · 1 no such member, journey or step · 2 the time cannot be read · 4 nothing is applied yet
    """
    inv = Invocation.of(ctx)
    with inv.database() as database:
        context = build_context(inv.config, clock_of(database), database)
        applied = context.applied.current()
        with database.read() as connection:
            ref = find_member(inv.screen, connection, member)
            profile = members.profiles(connection, applied.catalog, [ref], context.clock.now())[ref.id]
            zone = zone_of(profile.timezone, applied.catalog.timezone)
            moment = _moment(inv.screen, at, context.clock.now(), zone)
            question = Question(moment, journey, step, everything)
            story = tell_story(context, connection, ref, question)
    _must_be_known(inv.screen, applied, story, journey, step)
    if as_json:
        print_json(story_data(story))
        return
    show_story(inv.screen, story, question)


def _moment(screen: Screen, text: str | None, now: datetime, zone: ZoneInfo) -> datetime:
    if text is None:
        return now
    moment = read_moment(text, now, zone)
    if moment is None:
        said = screen.word(
            f"“{text}” is not a time; write --at 2026-11-24 or --at “2026-11-24 20:00”",
            f"“{text}”不是时间；请写 --at 2026-11-24 或 --at “2026-11-24 20:00”",
        )
        raise Refusal(said, Ending.USAGE)
    return moment


def _must_be_known(screen: Screen, applied: Applied, story: Story, journey: str | None, step: str | None) -> None:
    """A journey, or a step, that nobody has ever heard of is a slip."""
    if journey is not None and journey not in applied.journeys and not story.runs:
        raise Refusal(_no_such(screen, "journey", "旅程", journey, list(applied.journeys)), Ending.NO)
    ids = {i for name in (journey,) if name in applied.journeys for i in applied.journeys[name or ""].program.ids}
    walked = {line.step_id for run in story.runs for line in run.lines}
    if step is not None and journey is not None and step not in ids | walked:
        raise Refusal(_no_such(screen, "step", "步骤", step, sorted(ids)), Ending.NO)


def _no_such(screen: Screen, en: str, zh: str, name: str, known: list[str]) -> str:
    said = screen.word(f"there is no {en} `{name}`", f"没有{zh} `{name}`")
    near = nearest(name, known)
    return said if near is None else screen.word(f"{said}; did you mean `{near}`?", f"{said}；是不是 `{near}`？")
