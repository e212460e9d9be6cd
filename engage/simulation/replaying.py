"""`replay`: one journey over what really happened to the members, and what it would have done. Nothing is sent.

The past is told again, at its own times, to a copy of the database that was put back to the first day. Nobody responds
to messages that they never got; what they did of their own accord they do again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from engage.core.journey.check import every_step
from engage.core.journey.model import Enroll
from engage.runtime.applied import Applied
from engage.simulation.ground import Ground
from engage.simulation.world import World
from engage.store import events, holding
from engage.store.events import NewEvent
from engage.store.holding import Foreseen
from engage.store.insight import reporting, rewinding
from engage.store.insight.reporting import Enrolments, Goals, Messages, Period, Skipped
from engage.store.insight.rewinding import WouldBe

_GRID = timedelta(minutes=1)
_ALWAYS = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Replay:
    """What would have come of it. `really_sent`: how many messages of the journey did go out in that time."""

    journey_id: str
    period: Period
    enrolments: Sequence[Enrolments]
    messages: Sequence[Messages]
    skipped: Sequence[Skipped]
    goals: Sequence[Goals]
    held: Sequence[Foreseen]  # starts that would be held back: here they were not
    sent: Sequence[WouldBe]
    really_sent: int
    events: int


class _Past:
    """An `Outside` in which everything happens as it did."""

    def __init__(self, world: World, told: Iterator[NewEvent]) -> None:
        self._world = world
        self._told = told
        self._next = next(told, None)
        self.events = 0

    def next_due(self) -> datetime | None:
        return self._next.at if self._next is not None else None

    def tick(self, now: datetime) -> int:
        due: list[NewEvent] = []
        while self._next is not None and self._next.at <= now:
            due.append(self._next)
            self._next = next(self._told, None)
        if due:
            with self._world.database.write() as connection:
                events.record(connection, self._world.applied.catalog, due, now)
        self.events += len(due)
        return len(due)


def replay(ground: Ground, journey_id: str, period: Period) -> Replay:
    applied = _alone(ground.applied, journey_id)
    with ground.reading() as past, ground.world(period.since, applied=applied) as world:
        with world.database.write() as connection:
            rewinding.rewind(connection, applied.catalog, period.since)
        outside = _Past(world, rewinding.told(past, period.since, period.until))
        world.run_to(period.until, outside, _GRID)
        really = rewinding.really_sent(past, journey_id, period.since, period.until)
        return _told(world, journey_id, period, really, outside.events)


def _alone(applied: Applied, journey_id: str) -> Applied:
    """Only this journey lets members in by itself; those that it enrolls into are there for it. In force for ever: what
    it would have done before it was written is what is asked."""
    reached: set[str] = set()
    ahead = [journey_id]
    while ahead:
        found = ahead.pop()
        if found in applied.journeys and found not in reached:
            reached.add(found)
            ahead += [
                step.journey for step in every_step(applied.journeys[found].journey.steps) if isinstance(step, Enroll)
            ]
    journeys = {
        i: replace(active, draining=False, silent=i != journey_id, since=_ALWAYS)
        for i, active in applied.journeys.items()
        if i in reached
    }
    return replace(applied, journeys=journeys, mark=f"{applied.mark}, {journey_id} alone")


def _told(world: World, journey_id: str, period: Period, really_sent: int, told: int) -> Replay:
    with_goal = [i for i, active in world.applied.journeys.items() if active.journey.goal is not None]
    with world.database.read() as connection:
        return Replay(
            journey_id=journey_id,
            period=period,
            enrolments=reporting.enrolments(connection, period),
            messages=reporting.messages(connection, period),
            skipped=reporting.skipped(connection, period),
            goals=reporting.goals(connection, period, with_goal),
            held=holding.foreseen(connection, period.since),
            sent=tuple(rewinding.would_have_sent(connection)),
            really_sent=really_sent,
            events=told,
        )
