"""`engage apply`: the files of the project become what the daemon runs. All of them, or none."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from engage.bootstrap import clock_of, open_database
from engage.cli.ending import Ending, Refusal
from engage.cli.invocation import Invocation
from engage.cli.problems import count_errors, show_problems, show_summary
from engage.cli.screen import Screen
from engage.content.project import Project, project_files, read_project
from engage.runtime import applying
from engage.runtime.applying import ApplyReport
from engage.store.database import Database
from engage.store.migrating import require_current, upgrade


def apply(
    ctx: typer.Context,
    existing: Annotated[
        bool,
        typer.Option("--existing", help="Members who are in a new segment already also enter the journeys it starts."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask at the terminal.")] = False,
) -> None:
    """Make the files of the project what runs.

    Checks everything first; with an error nothing is applied. A journey marked `draft` stays out; a journey whose file
    is gone lets its members finish and takes nobody new. A running daemon takes the new version up by itself. A missing
    SQLite database is made.

    Example:  engage apply

    Exit codes: 0 applied · 1 there are errors in the files, or you said no · 4 members stand at steps that are gone, or
    the database needs `engage db upgrade`
    """
    inv = Invocation.of(ctx)
    project = _checked(inv)
    database = _open_or_make(inv)
    try:
        _ask_first(inv.screen, database, project, yes)
        report = applying.apply(database, project, clock_of(database).now(), existing=existing)
    finally:
        database.close()
    if report.stranded:
        raise Refusal(_stranded(inv.screen, report))
    _show(inv.screen, report)


def _checked(inv: Invocation) -> Project:
    sources, unreadable = project_files(inv.folder)
    project, problems = read_project(sources)
    problems = [*unreadable, *problems]
    show_problems(inv.screen, problems, sources)
    if project is None or count_errors(problems):
        show_summary(inv.screen, problems, len(sources))
        raise Refusal(inv.screen.word("nothing was applied", "没有应用任何改动"), Ending.NO)
    return project


def _open_or_make(inv: Invocation) -> Database:
    database = open_database(inv.config, inv.folder)
    try:
        if database.file is not None and not database.file.exists():
            upgrade(database)
            inv.screen.say(f"Made the database {database.file}.", f"已建立数据库 {database.file}。")
        require_current(database)
    except BaseException:
        database.close()
        raise
    return database


def _ask_first(screen: Screen, database: Database, project: Project, yes: bool) -> None:
    """A person sees which files would change. A script has decided already."""
    changed = applying.differs(database, project.sources)
    if yes or not changed or not sys.stdin.isatty():
        return
    screen.say("These files differ from what is applied:", "以下文件和已生效的不同：")
    for path in changed:
        screen.line(f"  {path}")
    if not typer.confirm(screen.word("Apply them?", "现在让它们生效吗？")):
        raise typer.Exit(Ending.NO)


def _show(screen: Screen, report: ApplyReport) -> None:
    for ids, en, zh in (
        (report.new, "new", "新增"),
        (report.changed, "changed", "更新"),
        (report.draining, "draining: no file, nobody new enters", "逐步结束（文件已删除，不再进新人）"),
        (report.drafts, "drafts, not applied", "草稿，未生效"),
    ):
        for journey_id in ids:
            screen.line(f"  {journey_id:<24} {screen.word(en, zh)}")
    other = report.other_files
    if other:
        screen.say(f"  {other} other files changed (templates, catalog)", f"  另有 {other} 个文件更新（模板、词表）")
    running = len(report.new) + len(report.changed) + len(report.unchanged)
    changed = bool(report.new or report.changed or other)
    screen.say(
        f"✓ Applied. {running} journeys run." if changed else f"✓ Nothing has changed. {running} journeys run.",
        f"✓ 已生效，共 {running} 个旅程在运行。" if changed else f"✓ 没有改动，共 {running} 个旅程在运行。",
        "green",
    )


def _stranded(screen: Screen, report: ApplyReport) -> str:
    lines = [
        screen.word(
            f"  {s.journey_id}: {s.members} at `{s.step_id}`", f"  {s.journey_id}：{s.members} 人停在 `{s.step_id}`"
        )
        for s in report.stranded
    ]
    head = screen.word(
        "nothing was applied: members stand at steps that the new files no longer have.",
        "没有应用任何改动：有会员正停在新文件里已经没有的步骤上。",
    )
    tail = screen.word(
        "Put these steps back (the same name, or `id:`), or wait until the members have moved on.",
        "请把这些步骤加回来（用原来的名字，或写上 `id:`），或者等这些会员走完这一步。",
    )
    return "\n".join([head, *lines, tail])
