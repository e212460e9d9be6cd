"""`engage apply`: the files of the project become what the daemon runs. All of them, or none."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NoReturn, assert_never

import typer

from engage.bootstrap import clock_of
from engage.cli.ending import Ending, Refusal
from engage.cli.invocation import Invocation
from engage.cli.misfits_shown import say_what_does_not_fit
from engage.cli.plan_words import say_how_to_apply, show_plan
from engage.cli.project import ExistingOption, ReleaseOption, StopOption, checked_project, made_database, rules_of
from engage.cli.screen import Screen, counted
from engage.content.project import Project
from engage.core.quiet import zone_of
from engage.core.release import Release
from engage.runtime.edits import applying, undoing
from engage.runtime.edits.applying import Done, NoSuchPlan, Outcome, Refused, Superseded, Unapproved, Unseen, WorldMoved
from engage.runtime.edits.plan import Change, Plan, Terms
from engage.runtime.edits.undoing import (
    CannotGoBack,
    NeverApplied,
    NothingBefore,
    NotTheLast,
    Undoing,
    Undone,
    UndoneBefore,
)
from engage.store.databases.database import Database


def apply(
    ctx: typer.Context,
    plan: Annotated[
        str | None, typer.Argument(help="A plan that was shown: exactly that one. Else the files as they are.")
    ] = None,
    undo: Annotated[
        str | None, typer.Option("--undo", metavar="PLAN", help="Take back the plan that was applied last.")
    ] = None,
    release: ReleaseOption = Release.DAY,
    existing: ExistingOption = False,
    stop: StopOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Apply at once, whoever notices. Ask nothing.")] = False,
) -> None:
    """Make the files of the project what runs.

    Checks everything first; with an error nothing is applied. Where members on their way would notice, the plan is
    shown instead, to be applied by its name. A journey marked `draft` stays out; a journey whose file is gone lets its
    members finish and takes nobody new. A running daemon takes the new version up by itself. A missing SQLite database
    is made.

    Examples:
      engage apply
      engage apply plan-3f9c
      engage apply --undo plan-3f9c

    Exit codes: 0 applied · 1 there are errors in the files, or you said no · 4 somebody should look at the plan first,
    it is not what would happen any more, or it cannot be applied; or the database needs `engage db upgrade`
    """
    inv = Invocation.of(ctx)
    terms = Terms(release, existing, tuple(stop or ()))
    if plan is not None and undo is not None:
        raise typer.BadParameter("a plan is applied or taken back, not both")
    if undo is not None:
        with inv.database() as database:
            _show_undoing(
                inv.screen, undo, undoing.undo(database, undo, clock_of(database).now(), terms, rules_of(inv))
            )
    elif plan is not None:
        with inv.database() as database:
            _show(inv.screen, plan, applying.apply_plan(database, plan, clock_of(database).now(), rules_of(inv)))
    else:
        project = checked_project(inv)
        with made_database(inv) as database:
            _apply_files(inv, database, project, terms, yes)


def _apply_files(inv: Invocation, database: Database, project: Project, terms: Terms, yes: bool) -> None:
    now, rules = clock_of(database).now(), rules_of(inv)
    if not yes and sys.stdin.isatty():
        _ask_first(inv.screen, database, project)
    outcome = applying.apply(database, project, now, terms, rules, unseen=yes)
    if isinstance(outcome, Unseen | Refused):
        show_plan(inv.screen, outcome.plan, zone_of(None, project.catalog.timezone))
    _show(inv.screen, None, outcome)
    say_what_does_not_fit(inv.screen, project.catalog, project.journeys.values(), inv.config)


def _ask_first(screen: Screen, database: Database, project: Project) -> None:
    """A person sees which files would change. A script has decided already."""
    changed = applying.differs(database, project.sources)
    if not changed:
        return
    screen.say("These files differ from what is applied:", "以下文件和已生效的不同：")
    for path in changed:
        screen.line(f"  {path}")
    if not typer.confirm(screen.word("Apply them?", "现在让它们生效吗？")):
        raise typer.Exit(Ending.NO)


# --- what came of it --------------------------------------------------------------------------------------------


def _show(screen: Screen, plan_id: str | None, outcome: Outcome) -> None:
    match outcome:
        case Done(plan):
            _show_done(screen, plan)
        case Refused():
            raise Refusal(screen.word("nothing was applied", "没有应用任何改动"))
        case Unseen(plan):
            say_how_to_apply(screen, plan)
            words = screen.word(
                "nothing was applied yet: members on their way would notice", "还没有应用：在途会员会受到影响"
            )
            raise Refusal(words)
        case Unapproved(plan, by, needed):
            _refuse_unapproved(screen, plan, by, needed)
        case Superseded():
            raise Refusal(
                screen.word(
                    f"something else was applied since {plan_id} was made; `engage plan` makes a new one",
                    f"{plan_id} 之后已经应用了别的改动；请用 `engage plan` 重新生成",
                )
            )
        case WorldMoved(plan, shown):
            _show_moved(screen, plan_id, plan, shown)
        case NoSuchPlan(done):
            raise Refusal(_no_such_plan(screen, plan_id, done))
        case _:
            assert_never(outcome)


def _refuse_unapproved(screen: Screen, plan: Plan, by: Sequence[str], needed: int) -> NoReturn:
    given = ", ".join(by) or screen.word("nobody yet", "还没有人")
    screen.say(
        f"The policy asks for {needed} to approve this; approved by: {given}.\n"
        f"  To look at it and approve it:  engage approve {plan.id} --by NAME",
        f"按规定需要 {needed} 人批准；已批准：{given}。\n  查看并批准：  engage approve {plan.id} --by 姓名",
        "yellow",
    )
    raise Refusal(screen.word("nothing was applied yet", "还没有应用"))


def _no_such_plan(screen: Screen, plan_id: str | None, done: bool) -> str:
    if done:
        return screen.word(f"{plan_id} was applied already", f"{plan_id} 已经应用过了")
    return screen.word(f"there is no plan {plan_id}; `engage plan` makes one", f"没有 {plan_id}；用 `engage plan` 生成")


def _show_done(screen: Screen, plan: Plan) -> None:
    for change, en, zh in (
        (Change.NEW, "new", "新增"),
        (Change.CHANGED, "changed", "更新"),
        (Change.RETURNED, "back: members enter again", "恢复，重新接收会员"),
        (Change.DRAINED, "draining: nobody new enters", "逐步结束（不再进新人）"),
        (Change.STOPPED, "stopped", "已停止"),
    ):
        for journey_id in plan.those(change):
            screen.line(f"  {journey_id:<24} {screen.word(en, zh)}")
    for journey_id in plan.drafts:
        screen.line(f"  {journey_id:<24} {screen.word('draft, not applied', '草稿，未生效')}")
    other, moved = len(plan.other_files), sum(journey.touched for journey in plan.journeys)
    if other:
        screen.say(
            f"  {counted(other, 'other file')} changed (templates, catalog)", f"  另有 {other} 个文件更新（模板、词表）"
        )
    if moved:
        were = "was" if moved == 1 else "were"
        screen.say(f"  {counted(moved, 'member')} on the way {were} moved", f"  调整了 {moved:,} 位在途会员的位置")
    running = len(plan.unchanged) + len(plan.those(Change.NEW, Change.CHANGED, Change.RETURNED))
    journeys_run = "1 journey runs" if running == 1 else f"{running} journeys run"
    if plan.is_empty:
        screen.say(f"✓ Nothing has changed. {journeys_run}.", f"✓ 没有改动，共 {running} 个旅程在运行。", "green")
        return
    screen.say(f"✓ Applied. {journeys_run}.", f"✓ 已生效，共 {running} 个旅程在运行。", "green")
    if moved:
        screen.say(f"  To take it back:  engage apply --undo {plan.id}", f"  要撤回：  engage apply --undo {plan.id}")


def _show_moved(screen: Screen, plan_id: str | None, plan: Plan, shown: Mapping[str, Any]) -> None:
    screen.say(
        f"{plan_id} does not say any more what would happen: members have moved on in the meantime.",
        f"{plan_id} 和现在的情况不一致：这段时间里有会员走到了别处。",
        "bold yellow",
    )
    now = plan.effect()
    for journey_id in sorted({*shown, *now}):
        for line in _differences(screen, shown.get(journey_id, {}), now.get(journey_id, {})):
            screen.line(f"  {journey_id}: {line}")
    say_how_to_apply(screen, plan)
    raise Refusal(screen.word("nothing was applied", "没有应用任何改动"))


def _differences(screen: Screen, shown: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Step by step, what was shown and what it would be now."""
    before, after = shown.get("steps", {}), now.get("steps", {})
    lines = []
    for step_id in {**before, **after}:
        ours, theirs = before.get(step_id, {}), after.get(step_id, {})
        changed = [f"{name} {ours.get(name, 0):,} → {theirs.get(name, 0):,}" for name in {**ours, **theirs}]
        if ours != theirs:
            lines.append(f"`{step_id}`  {', '.join(changed)}")
    return lines or [screen.word("other members stand there now", "现在停在那里的是另一些会员")]


# --- taken back -------------------------------------------------------------------------------------------------


def _show_undoing(screen: Screen, plan_id: str, outcome: Undoing) -> None:
    match outcome:
        case Undone(plan, restored, gone_on):
            screen.say(
                f"✓ Taken back, as {plan.id}: {restored:,} members are where they were, {gone_on:,} had gone on.",
                f"✓ 已撤回（{plan.id}）：{restored:,} 位会员回到原来的位置，{gone_on:,} 位已经往下走，不再变动。",
                "green",
            )
            screen.say(
                "  The files in the folder are as they were; `engage plan` shows how they differ now.",
                "  文件夹里的文件没有动；用 `engage plan` 可以看到它们和现在运行内容的差别。",
            )
        case NeverApplied():
            raise Refusal(screen.word(f"{plan_id} was never applied", f"{plan_id} 没有应用过"))
        case UndoneBefore(by):
            raise Refusal(screen.word(f"{plan_id} was taken back already, by {by}", f"{plan_id} 已经撤回过（{by}）"))
        case NotTheLast():
            raise Refusal(
                screen.word(
                    f"something else was applied after {plan_id}; only what was applied last can be taken back",
                    f"{plan_id} 之后还应用了别的改动；只能撤回最后一次",
                )
            )
        case NothingBefore():
            raise Refusal(screen.word(f"there was nothing before {plan_id}", f"{plan_id} 之前还没有应用过任何内容"))
        case CannotGoBack(plan):
            show_plan(screen, plan, zone_of(None, "UTC"))
            raise Refusal(screen.word("nothing was taken back", "没有撤回"))
        case _:
            assert_never(outcome)
