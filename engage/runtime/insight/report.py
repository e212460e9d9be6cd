"""What came of the journeys in a period: the figures of a real database, or of a simulated one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from engage.core.measure import Csat, Nps
from engage.core.quiet import zone_of
from engage.runtime.applied import Applied
from engage.store import splits
from engage.store.databases.database import Database
from engage.store.insight import reporting
from engage.store.insight.reporting import Enrolments, Goals, Messages, Period, Skipped, Tasks
from engage.store.splits import SplitState, WayTaken


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
