"""`engage report`: what came of a period."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from engage.bootstrap import clock_of
from engage.cli.ending import Ending, Refusal
from engage.cli.invocation import Invocation
from engage.cli.report_pages import show_report
from engage.cli.screen import print_json
from engage.core.measure import Csat, Nps
from engage.core.quiet import zone_of
from engage.core.timing import local_moment
from engage.runtime.applied import Applied
from engage.runtime.context import AppliedHolder
from engage.store import reporting, splits
from engage.store.database import Database
from engage.store.reporting import Enrolments, Goals, Messages, Period, Skipped, Tasks
from engage.store.splits import SplitState, WayTaken

_DAY = "%Y-%m-%d"


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is told of one period. NPS and CSAT by journey; None is over all answers."""

    period: Period
    zone: ZoneInfo
    messages: list[Messages]
    skipped: list[Skipped]
    enrolments: list[Enrolments]
    goals: list[Goals]
    ways: list[WayTaken]
    decisions: list[SplitState]  # of splits that were decided, at any time
    nps: dict[str | None, Nps]
    csat: dict[str | None, Csat]
    opt_outs: dict[str, int]
    tasks: list[Tasks]


def report(
    ctx: typer.Context,
    days: Annotated[
        int | None,
        typer.Option("--days", min=1, help="The last so many days, until now. Default: all that is on file."),
    ] = None,
    since: Annotated[
        datetime | None, typer.Option("--from", formats=[_DAY], help="The first day, instead of --days.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--to", formats=[_DAY], help="The last day. Default: today.")
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


def make_report(database: Database, applied: Applied, period: Period, now: datetime) -> Report:
    """One snapshot of everything."""
    with_goal = [i for i, active in applied.journeys.items() if active.journey.goal is not None]
    with database.read() as connection:
        return Report(
            period=period,
            zone=zone_of(None, applied.catalog.timezone),
            messages=reporting.messages(connection, period),
            skipped=reporting.skipped(connection, period),
            enrolments=reporting.enrolments(connection, period),
            goals=reporting.goals(connection, period, with_goal),
            ways=splits.ways_taken(connection, period),
            decisions=[known for known in splits.known(connection) if known.decided_at is not None],
            nps=reporting.nps_by_journey(connection, period),
            csat=reporting.csat_by_journey(connection, period),
            opt_outs=reporting.opt_outs(connection, period),
            tasks=reporting.tasks(connection, period, now),
        )


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
