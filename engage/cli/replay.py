"""`engage replay`: what a journey would have done with what really happened; nothing is sent."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from engage.cli.ending import Ending, Refusal, end_in_order_if_told
from engage.cli.invocation import Invocation
from engage.cli.logs import log_faults
from engage.cli.moments import DAY, day_within_reach
from engage.cli.offline import must_know, real_ground, sound_project
from engage.cli.reasons import reason_in
from engage.cli.screen import Screen, local, print_json
from engage.cli.simulate_pages import show_foreseen
from engage.core.timing import local_moment
from engage.simulation.replaying import Replay, replay
from engage.store.insight.reporting import Period

_MOST = 40


def replay_journey(
    ctx: typer.Context,
    journey: Annotated[str, typer.Argument(help="The journey, as its file stands.")],
    since: Annotated[datetime, typer.Option("--from", formats=[DAY], callback=day_within_reach, help="The first day.")],
    until: Annotated[
        datetime | None,
        typer.Option("--to", formats=[DAY], callback=day_within_reach, help="The last day. Default: until now."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts; every message.")] = False,
) -> None:
    """What a journey would have done with what really happened.

    Who enters, what goes to whom and when. A copy of the configured database is put back to the first day, and what
    happened to the members since is told again at its own times, to the real engine. Nothing is sent, and the
    database is only read. Members' fields, tags and consents are as they are now, for their past is not on file;
    fields that are computed are those of the day. Nobody responds to messages that they never got.

    Examples:
      engage replay winback --from 2026-09-01
      engage replay refill_hard --from 2026-09-01 --to 2026-10-31 --json

    Exit codes: 0 shown · 1 the files have mistakes · 2 no such journey, or no such time · 4 no database to copy
    """
    inv = Invocation.of(ctx)
    log_faults()
    end_in_order_if_told()
    folder = inv.folder_of_journeys
    project = sound_project(inv, folder)
    must_know(inv, project, [journey])
    zone = ZoneInfo(project.catalog.timezone)
    with real_ground(inv, folder, project) as ground:
        end = local_moment(until.date() + timedelta(days=1), time(), zone) if until is not None else ground.now
        period = Period(local_moment(since.date(), time(), zone), min(end, ground.now))
        if period.since >= period.until:
            words = ("that time has not been, or ends before it begins", "这段时间还没有到，或者结束早于开始")
            raise Refusal(inv.screen.word(*words), Ending.USAGE)
        told = replay(ground, journey, period)
    if as_json:
        print_json(asdict(told))
    else:
        _show(inv.screen, told, zone)


def _show(screen: Screen, told: Replay, zone: ZoneInfo) -> None:
    _show_counts(screen, told, zone)
    screen.line()
    _show_messages(screen, told, zone)
    screen.say(
        "Fields, tags and consents are today's: their past is not on file. Nobody has responded to these messages.",
        "字段、标签和授权是今天的：过去的没有记录。没有人对这些消息作出反应。",
        "dim",
    )


def _show_counts(screen: Screen, told: Replay, zone: ZoneInfo) -> None:
    start, end = local(told.period.since, zone), local(told.period.until, zone)
    screen.say(
        f"{told.journey_id}, {start} – {end}: {told.events:,} events told again",
        f"{told.journey_id}，{start} 至 {end}：重放了 {told.events:,} 个事件",
        "bold",
    )
    for runs in told.enrolments:
        entered = runs.entered + runs.held_out
        screen.say(
            f"  {runs.journey_id}: {entered:,} would have entered ({runs.held_out:,} of them control)",
            f"  {runs.journey_id}：会有 {entered:,} 人进入（其中对照组 {runs.held_out:,} 人）",
        )
    for goal in told.goals:
        screen.say(
            f"  {goal.journey_id}: {goal.reached:,} of {goal.entered:,} reached the goal, without the messages",
            f"  {goal.journey_id}：{goal.entered:,} 人中有 {goal.reached:,} 人达成了目标（并没有收到这些消息）",
        )
    screen.say(
        f"  messages: {len(told.sent):,} would have gone out; {told.really_sent:,} of this journey really did",
        f"  消息：本会发出 {len(told.sent):,} 条；这个旅程当时实际发出 {told.really_sent:,} 条",
    )
    show_foreseen(screen, told.held)
    for skipped in told.skipped:
        reason = reason_in(skipped.reason, screen.lang)
        screen.say(f"  not sent: {reason} {skipped.count:,}", f"  没有发出：{reason} {skipped.count:,}")


def _show_messages(screen: Screen, told: Replay, zone: ZoneInfo) -> None:
    headings = (
        screen.word("when", "时间"),
        screen.word("to", "会员"),
        screen.word("step", "步骤"),
        screen.word("via", "渠道"),
    )
    rows = [
        (local(m.at, zone), m.external_id or f"#{m.member_id}", f"{m.journey_id} / {m.step_id}", m.channel)
        for m in told.sent[:_MOST]
    ]
    if rows:
        screen.table(headings, rows)
    if len(told.sent) > _MOST:
        more = len(told.sent) - _MOST
        screen.say(f"and {more:,} more (--json has all)", f"另有 {more:,} 条（--json 列出全部）", "dim")
