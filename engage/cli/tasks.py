"""`engage tasks`: what people have to do, and that it is done."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.text import Text

from engage.bootstrap import clock_of
from engage.cli.ending import Ending, Refusal
from engage.cli.invocation import Invocation
from engage.cli.screen import Cell, Screen, local, print_json
from engage.cli.who import masked
from engage.core.quiet import zone_of
from engage.runtime.closing import close_task
from engage.runtime.context import AppliedHolder
from engage.store import tasks
from engage.store.tasks import TaskRow

_WORDS = 60  # characters of a task that the table shows; --json has them all

group = typer.Typer(invoke_without_command=True, add_completion=False)

_Team = Annotated[str | None, typer.Option("--team", help="Only this team's.")]
_Json = Annotated[bool, typer.Option("--json", help="For scripts.")]


@group.callback()
def list_by_default(ctx: typer.Context, team: _Team = None, as_json: _Json = False) -> None:
    """Open tasks of the teams: list them, close them.

    Journeys open tasks (`notify`), and so does every reply that answers nothing: those are in the inbox, which has no
    team. Closing a task is the event `task_done`, which a journey may be waiting for.

    Examples:
      engage tasks --team 客服一组
      engage tasks close 7 --outcome "已电话致歉，补寄一盒"
    """
    if ctx.invoked_subcommand is None:
        _list(Invocation.of(ctx), team, as_json)


@group.command("list")
def list_tasks(ctx: typer.Context, team: _Team = None, as_json: _Json = False) -> None:
    """List open tasks, urgent ones first, then by when they are due.

    Example:  engage tasks list --json

    Exit codes: 0 listed
    """
    _list(Invocation.of(ctx), team, as_json)


@group.command("close")
def close(
    ctx: typer.Context,
    task_id: Annotated[int, typer.Argument(metavar="ID", help="As the list shows it.")],
    outcome: Annotated[str, typer.Option("--outcome", help="What came of it, in a few words.")],
    by: Annotated[
        str | None, typer.Option("--by", help="Who did it. Default: the name you are logged in with.")
    ] = None,
) -> None:
    """Close a task with its outcome. The journey that waits for it goes on.

    Example:  engage tasks close 7 --outcome "已电话致歉，补寄一盒" --by 小王

    Exit codes: 0 closed · 1 there is no such task · 4 somebody has closed it before
    """
    inv = Invocation.of(ctx)
    word = inv.screen.word
    if not outcome.strip():
        raise Refusal(word("say what came of it: --outcome “…”", "请写明结果：--outcome “……”"), Ending.USAGE)
    with inv.database() as database:
        catalog, now = AppliedHolder(database).current().catalog, clock_of(database).now()
        with database.write() as connection:
            row = tasks.task_by_id(connection, task_id)
            if row is None:
                raise Refusal(word(f"there is no task {task_id}", f"没有任务 {task_id}"), Ending.NO)
            closer = (by or getpass.getuser())[:100]
            if not close_task(connection, catalog, row, outcome.strip()[:500], closer, now):
                already = f"“{row.outcome}”"
                raise Refusal(word(f"task {task_id} is closed already: {already}", f"任务 {task_id} 已关闭：{already}"))
    inv.screen.say(f"✓ Task {task_id} is closed.", f"✓ 任务 {task_id} 已关闭。", "green")


def _list(inv: Invocation, team: str | None, as_json: bool) -> None:
    with inv.database() as database:
        now = clock_of(database).now()
        with database.read() as connection:
            rows = tasks.open_tasks(connection, team)
            addresses = tasks.addresses(connection, [row for row in rows if not (row.external_id or row.name)])
        zone = zone_of(None, AppliedHolder(database).current().catalog.timezone)
    if as_json:
        print_json([_data(row) for row in rows])
    elif not rows:
        inv.screen.say("No open tasks.", "没有待办任务。")
    else:
        headings = (
            ("id", "编号"),
            ("team", "团队"),
            ("member", "会员"),
            ("opened", "创建"),
            ("due", "期限"),
            ("task", "任务"),
        )
        told = _Told(inv.screen, zone, now)
        cells = [told.cells(row, addresses.get(row.member)) for row in rows]
        inv.screen.table([inv.screen.word(*heading) for heading in headings], cells, right=(0,))


@dataclass(frozen=True, slots=True)
class _Told:
    """How a task is told in the list."""

    screen: Screen
    zone: ZoneInfo
    now: datetime

    def cells(self, row: TaskRow, reached: tuple[str, str] | None) -> tuple[Cell, ...]:
        team = row.team or self.screen.word("inbox", "收件箱")
        opened = local(row.opened_at, self.zone)
        return str(row.id), team, self._who(row, reached), opened, self._due(row), self._words(row)

    def _who(self, row: TaskRow, reached: tuple[str, str] | None) -> str:
        if row.external_id is not None:
            return " ".join(filter(None, [row.external_id, row.name]))
        ours = self.screen.word(f"member {row.member.id}", f"会员 {row.member.id}")
        return " · ".join(filter(None, [ours, row.name, _seen_at(reached)]))

    def _due(self, row: TaskRow) -> Cell:
        if row.due_at is None:
            return ""
        return Text(local(row.due_at, self.zone), "bold red" if row.due_at < self.now else "")

    def _words(self, row: TaskRow) -> Cell:
        urgent = Text(self.screen.word("urgent ", "紧急 "), "bold red") if row.urgent else Text()
        return urgent.append(_short(row.words), "default")


def _short(words: str) -> str:
    """On one line."""
    line = " ".join(words.split())
    return line if len(line) <= _WORDS else line[: _WORDS - 1] + "…"


def _seen_at(reached: tuple[str, str] | None) -> str | None:
    """“sms 138****1234”, “wechat o***”"""
    return " ".join((reached[0], masked(reached[1]))) if reached is not None else None


def _data(row: TaskRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "team": row.team,
        "kind": row.kind,
        "member": row.external_id,
        "member_id": row.member.id,
        "name": row.name,
        "words": row.words,
        "urgent": row.urgent,
        "opened_at": row.opened_at,
        "due_at": row.due_at,
        "journey": row.journey_id,
        "step": row.step_id,
    }
