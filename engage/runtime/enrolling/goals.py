"""Goals of journeys: which ones count, and the ones that come when no run ends with them.

While a run is live, its goal is looked for before every step (`advance`). Here are the others: the goal of a run that
had ended before, and goals that a run goes on after (`then: continue`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from engage.core.journey.model import Goal, Since
from engage.core.turn import Seen
from engage.runtime.applied import Applied
from engage.store import advancing
from engage.store.advancing import RunRow
from engage.store.events import FreshEvent


def counts(goal: Goal, run: RunRow, seen: Seen) -> bool:
    """Whether the goal falls into the attribution window. Whoever got no message is counted from entry."""
    if goal.within is None:
        return True
    start = run.entered_at if goal.count_from_entry or run.last_message_at is None else run.last_message_at
    return seen.at <= start + goal.within


def note_goals(connection: Connection, applied: Applied, news: Sequence[FreshEvent], now: datetime) -> None:
    """Keep the first goal of each run that does not end with it. `within` is what ties a goal to a run that has ended:
    without one, nothing that comes later counts."""
    for pin, active in (found for journey_id in applied.journeys for found in applied.versions_of(journey_id)):
        goal = active.journey.goal
        refs = sorted({event.member for event in news if goal is not None and event.name == goal.event})
        if goal is None or not refs:
            continue
        journey_id, ended, live = active.journey.id, goal.within is not None, not goal.then_exit
        runs = advancing.without_goal(connection, journey_id, pin, refs, ended=ended, live=live)
        seen = advancing.first_seen(connection, applied.catalog, [goal.event], Since.START, goal.where, None, runs, now)
        reached = [(run, seen[run.id]) for run in runs if run.id in seen and counts(goal, run, seen[run.id])]
        advancing.save(
            connection,
            [
                {"bucket": run.member.bucket, "id": run.id, "goal_at": found.at, "goal_counts": True}
                for run, found in reached
            ],
        )
