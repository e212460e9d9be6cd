"""`engage status`: how the system is, now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from engage.bootstrap import clock_of
from engage.cli.approve import show_hold
from engage.cli.ending import Ending
from engage.cli.invocation import Invocation
from engage.cli.reasons import reason_in
from engage.cli.screen import Screen, counted, local, print_json
from engage.content.project import project_files
from engage.core.quiet import zone_of
from engage.errors import EngageError
from engage.runtime.context import AppliedHolder
from engage.runtime.edits.applying import differs
from engage.runtime.presence import daemons_at_work
from engage.store import holding, journeys, webhook_calls
from engage.store.databases.database import Database
from engage.store.holding import Hold
from engage.store.insight import overview
from engage.store.insight.overview import Inbox, OpenTasks, Outbox, Paused, Standing
from engage.store.statements import ranks
from engage.store.statements.ranks import Threshold
from engage.store.webhook_calls import CallsOf


@dataclass(frozen=True, slots=True)
class _Now:
    at: datetime
    zone: ZoneInfo
    daemons: list[str]  # by machine and process
    versions: Mapping[str, int]
    draining: frozenset[str]
    differ: list[str]
    standing: list[Standing]
    outbox: Outbox
    inbox: Inbox
    paused: list[Paused]
    resting: Mapping[str, datetime]
    tasks: OpenTasks
    calls: list[CallsOf]
    thresholds: list[Threshold]
    holds: list[Hold]
    stopped: Mapping[str, int]  # by the last limits, of late: by limit and channel
    tired: Mapping[str, int]  # runs that have walked all the steps of a day, of late: by journey


_CALLS_OF = timedelta(days=7)  # calls given up are told of for so long
_STOPPED_OF = timedelta(days=1)


def status(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts and monitoring.")] = False,
) -> None:
    """How the system is, now.

    Whether a daemon runs, what is applied and whether the files differ from it, who stands where in which journey, what
    waits in the outbox and the inbox, what is paused, and what needs somebody: ambiguous messages, open tasks, webhooks
    that do not answer.

    Example:  engage status --json | jq .outbox

    Exit codes: 0 a daemon runs · 1 none does · 4 there is no database yet
    """
    inv = Invocation.of(ctx)
    with inv.database() as database:
        now = _read(inv, database)
    if as_json:
        print_json(_data(now))
    else:
        _show(inv.screen, now)
    if not now.daemons:
        raise typer.Exit(Ending.NO)


def _read(inv: Invocation, database: Database) -> _Now:
    at = clock_of(database).now()
    with database.read() as connection:
        applied = journeys.applied(connection)
        return _Now(
            at=at,
            zone=_zone(database),
            daemons=daemons_at_work(database, connection, at),
            versions=applied.versions,
            draining=applied.draining,
            differ=differs(database, project_files(inv.folder)[0]),
            standing=overview.standing(connection, at),
            outbox=overview.outbox(connection, at),
            inbox=overview.inbox(connection),
            paused=overview.pauses(connection),
            resting=overview.resting(connection, at),
            tasks=overview.open_tasks(connection, at),
            calls=webhook_calls.in_trouble(connection, at - _CALLS_OF),
            thresholds=ranks.thresholds(connection),
            holds=holding.unsettled(connection),
            stopped=overview.stopped(connection, at - _STOPPED_OF),
            tired=overview.tired(connection, at - _STOPPED_OF),
        )


def _zone(database: Database) -> ZoneInfo:
    """Of the business; a status is shown even if what is applied cannot be run."""
    try:
        return zone_of(None, AppliedHolder(database).current().catalog.timezone)
    except EngageError:
        return zone_of(None, "")


# --- for people -------------------------------------------------------------------------------------------------


def _show(screen: Screen, now: _Now) -> None:
    if now.daemons:
        names = ", ".join(now.daemons)
        screen.say(f"● Daemons at work: {names}.", f"● 引擎正在运行：{names}。", "green")
    else:
        screen.say("○ No daemon runs; `engage run` starts one.", "○ 引擎没有运行；用 `engage run` 启动。", "yellow")
    _show_stopped(screen, now)
    _show_applied(screen, now)
    _show_ranks(screen, now)
    _show_standing(screen, now)
    _show_outbox(screen, now)
    _show_waiting(screen, now)


def _show_stopped(screen: Screen, now: _Now) -> None:
    for paused in now.paused:
        since = local(paused.since, now.zone)
        why = f" ({reason_in(paused.reason, screen.lang)})" if paused.reason else ""
        screen.say(f"‖ Paused since {since}: {paused.scope}{why}", f"‖ 自 {since} 暂停：{paused.scope}{why}", "yellow")
    for channel, until in now.resting.items():
        at = local(until, now.zone)
        screen.say(
            f"‖ {channel} rests until {at}: its provider refuses everything; look at the credentials and the balance.",
            f"‖ {channel} 停到 {at}：服务商拒绝了所有请求，请检查密钥和余额。",
            "yellow",
        )
    for held in now.holds:
        show_hold(screen, held)
    for name, count in now.stopped.items():
        limit, _, channel = name.rpartition(":")
        screen.say(
            f"! Stopped on {channel} by a last limit ({limit}) in 24 h: {counted(count, 'message')}. Something may be "
            "wrong with a journey; the log has which.",
            f"! 24 小时内 {channel} 有 {count:,} 条消息被最后一道限制（{limit}）拦下：可能有旅程写错了，日志里有明细。",
            "red",
        )
    for journey, count in now.tired.items():
        screen.say(
            f"! {journey}: {count:,} times in 24 h a run had walked all the steps of a day, and rests until the next.",
            f"! {journey}：24 小时内有 {count:,} 次走满了一天的步数，休息到第二天。",
            "red",
        )


def _show_applied(screen: Screen, now: _Now) -> None:
    if not now.versions:
        screen.say("Nothing is applied yet; `engage apply`.", "还没有生效的旅程；请运行 `engage apply`。")
        return
    draining = screen.word(" (draining)", "（逐步结束）")
    listed = ", ".join(f"{i} v{v}{draining if i in now.draining else ''}" for i, v in sorted(now.versions.items()))
    screen.say(f"Applied: {listed}", f"已生效：{listed}")
    if now.differ:
        count = len(now.differ)
        screen.say(f"Changed since: {counted(count, 'file')}", f"此后有改动的文件：{count} 个", "yellow")
        for path in now.differ:
            screen.line(f"  {path}")


def _show_ranks(screen: Screen, now: _Now) -> None:
    """What it takes to be in a share, and since when: the rest of the day it does not change."""
    for each in now.thresholds:
        at = local(each.computed_at, now.zone)
        value = None if each.value is None else f"{each.value:,.4f}".rstrip("0").rstrip(".")
        en = f"from {value}" if value is not None else "nobody yet"
        zh = f"{value} 起" if value is not None else "还没有人"
        screen.say(
            f"Rank {each.field}, top {each.percent}%: {en} ({each.ranked:,} members ranked {at})",
            f"名次 {each.field} 前 {each.percent}%：{zh}（{at} 按 {each.ranked:,} 位会员计算）",
        )


def _show_standing(screen: Screen, now: _Now) -> None:
    if not now.standing:
        return
    screen.heading("Members in journeys", "旅程中的会员")
    word = screen.word
    screen.table(
        (word("journey", "旅程"), word("step", "步骤"), word("members", "人数"), word("next", "下一次")),
        [
            (s.journey_id, s.step_id or "", f"{s.members:,}", local(s.next_due_at, now.zone) if s.next_due_at else "")
            for s in now.standing
        ],
        right=(2,),
    )


_STATUSES = {
    "pending": ("waiting", "待发"),
    "claimed": ("being worded", "处理中"),
    "sending": ("on the wire", "发送中"),
    "sent": ("sent", "已发"),
    "ambiguous": ("ambiguous", "结果不明"),
    "failed": ("failed", "失败"),
    "skipped": ("skipped", "跳过"),
    "cancelled": ("cancelled", "取消"),
}


def _show_outbox(screen: Screen, now: _Now) -> None:
    screen.heading("Messages", "消息")
    counts = now.outbox.by_status
    shown = [f"{screen.word(*words)} {counts[name]:,}" for name, words in _STATUSES.items() if counts.get(name)]
    screen.line(" · ".join(shown) or screen.word("none yet", "还没有"))
    if now.outbox.oldest_due_at is not None:
        at = local(now.outbox.oldest_due_at, now.zone)
        screen.say(f"The oldest one due waits since {at}.", f"最早一条到期未发的：{at}。", "yellow")
    if now.outbox.next_due_at is not None:
        at = local(now.outbox.next_due_at, now.zone)
        screen.say(f"The next one is due {at}.", f"下一条：{at}。")


def _show_waiting(screen: Screen, now: _Now) -> None:
    screen.heading("Waiting", "待处理")
    inbox, tasks = now.inbox, now.tasks
    screen.say(
        f"inbox: {inbox.unread} unread, {inbox.unreadable} unreadable, {inbox.fresh_events} events to look at",
        f"来信：未读 {inbox.unread}，无法读取 {inbox.unreadable}，待处理事件 {inbox.fresh_events}",
    )
    screen.say(
        f"tasks: {tasks.open} open, {tasks.urgent} urgent, {tasks.overdue} overdue",
        f"任务：待办 {tasks.open}，紧急 {tasks.urgent}，逾期 {tasks.overdue}",
    )
    for calls in now.calls:
        why = reason_in(calls.reason or "", screen.lang)
        screen.say(
            f"webhook {calls.webhook}: {counted(calls.waiting, 'call')} tried again, {calls.failed} given up in 7 "
            f"days: {why}",
            f"webhook {calls.webhook}：{calls.waiting} 次调用在重试，7 天内放弃 {calls.failed} 次：{why}",
            "yellow",
        )


# --- for scripts ------------------------------------------------------------------------------------------------


def _data(now: _Now) -> dict[str, Any]:
    return {
        "at": now.at,
        "daemons": now.daemons,
        "applied": dict(now.versions),
        "draining": sorted(now.draining),
        "files_that_differ": now.differ,
        "enrolments": [asdict(standing) for standing in now.standing],
        "outbox": asdict(now.outbox),
        "inbox": asdict(now.inbox),
        "paused": [asdict(paused) for paused in now.paused],
        "resting": dict(now.resting),
        "tasks": asdict(now.tasks),
        "webhooks": [asdict(calls) for calls in now.calls],
        "holds": [asdict(held) for held in now.holds],
        "stopped": dict(now.stopped),
        "tired": dict(now.tired),
        "ranks": [asdict(threshold) for threshold in now.thresholds],
    }
