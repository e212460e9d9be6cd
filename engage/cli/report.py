"""`engage report`: what came of a period."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from engage.bootstrap import clock_of
from engage.cli.ending import Ending, Refusal
from engage.cli.invocation import Invocation
from engage.cli.moments import DAY, day_within_reach
from engage.cli.report_pages import show_report
from engage.cli.screen import print_json
from engage.core.quiet import zone_of
from engage.core.timing import local_moment
from engage.runtime.context import AppliedHolder
from engage.runtime.insight.report import Report, make_report
from engage.store.insight import reporting
from engage.store.insight.reporting import Period


def report(
    ctx: typer.Context,
    days: Annotated[
        int | None,
        typer.Option(
            "--days", min=1, max=36_500, help="The last so many days, until now. Default: all that is on file."
        ),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option("--from", formats=[DAY], callback=day_within_reach, help="The first day, instead of --days."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--to", formats=[DAY], callback=day_within_reach, help="The last day. Default: today."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """What came of it: messages, goals, NPS, cost.

    Messages by journey and channel, what was skipped and why, who entered and how runs ended, goals (and, where a
    journey has a holdout, what the messages added over it), the ways of splits and which has won, NPS and CSAT,
    opt-outs, tasks. Intervals hold at 95 %. Days are those of the business's zone.

    Examples:
      engage report
      engage report --days 30
      engage report --from 2026-11-01 --to 2026-11-30 --json

    Exit codes: 0 shown · 4 nothing is applied yet
    """
    inv = Invocation.of(ctx)
    with inv.database() as database:
        applied = AppliedHolder(database).current()
        zone = zone_of(None, applied.catalog.timezone)
        with database.read() as connection:
            beginning = reporting.beginning(connection)
        period = _period(inv, clock_of(database).now(), zone, beginning, days, since, until)
        told = make_report(database, applied, period, clock_of(database).now())
    if as_json:
        print_json(_data(told))
    else:
        show_report(inv.screen, told)


def _period(
    inv: Invocation,
    now: datetime,
    zone: ZoneInfo,
    beginning: datetime | None,
    days: int | None,
    since: datetime | None,
    until: datetime | None,
) -> Period:
    """Whole local days where days are named; else the last so many times 24 hours, or everything, this moment
    included."""
    end = _midnight(until + timedelta(days=1), zone) if until is not None else now + timedelta(seconds=1)
    if since is not None:
        start = _midnight(since, zone)
    elif days is not None:
        start = end - timedelta(days=days)
    else:
        start = min(beginning or now, now)
    if start >= end:
        raise Refusal(inv.screen.word("the period ends before it begins", "结束日期早于开始日期"), Ending.USAGE)
    return Period(start, end)


def _midnight(day: datetime, zone: ZoneInfo) -> datetime:
    return local_moment(day.date(), time(0), zone)


def _data(told: Report) -> dict[str, Any]:
    data = asdict(told) | {"zone": str(told.zone)}
    for survey in ("nps", "csat"):
        by_journey = data[survey]
        data[survey] = {**by_journey.pop(None), "by_journey": by_journey}
    return data
