"""`engage plan`: what `engage apply` would do, and who would notice."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from engage.bootstrap import clock_of
from engage.cli.ending import Ending, Refusal
from engage.cli.invocation import Invocation
from engage.cli.misfits_shown import say_what_does_not_fit
from engage.cli.plan_words import say_how_to_apply, show_plan
from engage.cli.project import ExistingOption, ReleaseOption, StopOption, checked_project, made_database, rules_of
from engage.cli.screen import print_json
from engage.core.quiet import zone_of
from engage.core.release import Release
from engage.runtime.edits import applying
from engage.runtime.edits.moving import spell_time
from engage.runtime.edits.plan import JourneyPlan, Plan, StepPlan, Terms


def plan(
    ctx: typer.Context,
    release: ReleaseOption = Release.DAY,
    existing: ExistingOption = False,
    stop: StopOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Show what apply would do, and who would notice.

    Journey by journey: what changes, who stands where, whose wait ends at another time, who would go on at once and
    what they get. The plan is kept, and can be applied exactly as it was shown. Nothing changes until then.

    Example:  engage plan

    Exit codes: 0 shown · 1 there are errors in the files · 4 the plan cannot be applied (it says what to write), or the
    database needs `engage db upgrade`
    """
    inv = Invocation.of(ctx)
    project = checked_project(inv)
    with made_database(inv) as database:
        now = clock_of(database).now()
        made = applying.plan(database, project, now, Terms(release, existing, tuple(stop or ())), rules_of(inv))
    if as_json:
        print_json(_data(made))
        raise typer.Exit(Ending.REFUSED if made.refusals else Ending.DONE)
    if made.is_empty:
        inv.screen.say("✓ No changes: the files are what runs.", "✓ 没有改动：文件就是正在运行的内容。", "green")
        return
    show_plan(inv.screen, made, zone_of(None, project.catalog.timezone))
    say_what_does_not_fit(inv.screen, project.catalog, project.journeys.values(), inv.config)
    if made.refusals:
        raise Refusal(inv.screen.word("this plan cannot be applied as it is", "这个计划现在不能应用"))
    say_how_to_apply(inv.screen, made)


# --- for scripts ------------------------------------------------------------------------------------------------


def _data(made: Plan) -> dict[str, Any]:
    return {
        "plan": None if made.refusals or made.is_empty else made.id,
        "made_at": made.made_at,
        "terms": made.terms.as_data(),
        "files": sorted(made.files),
        "journeys": [_journey_data(journey) for journey in made.journeys],
        "unchanged": made.unchanged,
        "drafts": made.drafts,
        "paused": [asdict(pause) for pause in made.pauses],
        "refusals": [{"kind": type(refusal).__name__, **asdict(refusal)} for refusal in made.refusals],
    }


def _journey_data(journey: JourneyPlan) -> dict[str, Any]:
    told = ("id", "title", "change", "before", "after", "keys", "added", "pins", "stops", "would_enter", "at_once")
    return {
        **{name: getattr(journey, name) for name in told},
        **asdict(journey.crowd),
        "steps": [_step_data(step) for step in journey.steps],
        "next_messages": asdict(journey.next_messages),
    }


def _step_data(step: StepPlan) -> dict[str, Any]:
    fate = {name: value for name, value in asdict(step.fate).items() if name != "times"}
    times = getattr(step.fate, "times", None)
    spelt = {"times": [spell_time(time) for time in times]} if times else {}
    counts = {"standing": step.standing, "unsent": step.unsent, "moved": dict(step.moved)}
    return {"fate": type(step.fate).__name__.lower(), **fate, **spelt, **counts}
