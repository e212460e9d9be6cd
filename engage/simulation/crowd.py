"""The people around a simulated world, all of them: an `Outside` that acts by a behaviour file and a seed.

Each local midnight the coming day's doings are drawn, for whoever chance picks; each message draws what its member does
about it. What is still to happen is all that is kept: nothing grows with the number of members, or with time. People
act on the grid that the world is looked at on, so that nothing they do is late; a reply window of a minute stays one.

Every draw has a stream of its own, named after what it is about: a journey that is edited leaves people's lives as they
were.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from engage.core.behaviour.model import MESSAGE, Behaviour, Cause
from engage.core.fact import Fact, Happened, Typed
from engage.runtime.closing import close_tasks
from engage.sandbox.chance import Chance
from engage.simulation import dice
from engage.simulation.population import CHAT, Population
from engage.simulation.responses import Response, responses
from engage.simulation.tally import Tally
from engage.simulation.world import World, up_to
from engage.store import inbound, tasks
from engage.store.insight import forecasting
from engage.store.insight.forecasting import Sent
from engage.store.tasks import TaskRow

_HELLO = "在吗？想问一下"


@dataclass(frozen=True, slots=True)
class _Told:
    """A fact that will be told. `key`: what happens once has one; else it is numbered."""

    fact: Fact
    source: str
    key: str | None = None


class Crowd:
    def __init__(
        self, world: World, behaviour: Behaviour, population: Population, tally: Tally, grid: timedelta
    ) -> None:
        self._world = world
        self._behaviour = behaviour
        self._population = population
        self._tally = tally
        self._grid = grid
        self._chance = Chance(population.seed)
        self._zone = ZoneInfo(population.catalog.timezone)
        self._talking = frozenset(name for name, channel in world.context.channels.items() if channel.talks)
        self._ahead: list[tuple[datetime, int, _Told | TaskRow]] = []
        self._numbered = 0
        self._last_task = 0
        self._next_day = world.clock.now().astimezone(self._zone).date()
        self._began = world.clock.now()

    # --- Outside ------------------------------------------------------------------------------------------------

    def next_due(self) -> datetime:
        dawn = up_to(datetime.combine(self._next_day, time(), self._zone).astimezone(UTC), self._grid)
        return min(dawn, self._ahead[0][0]) if self._ahead else dawn

    def tick(self, now: datetime) -> int:
        while self._dawn() <= now:
            self._plan_day(self._next_day)
            self._next_day += timedelta(days=1)
        self._see_messages(now)
        self._see_tasks(now)
        return self._do_due(now)

    def _dawn(self) -> datetime:
        return datetime.combine(self._next_day, time(), self._zone).astimezone(UTC)

    # --- what they do by themselves -----------------------------------------------------------------------------

    def _plan_day(self, day: date) -> None:
        for event, habit in self._behaviour.habits.items():
            if habit.every is None:
                continue
            rng = self._chance.stream("day", event, day)
            daily = self._population.size * habit.members * timedelta(days=1) / habit.every
            for _ in dice.so_many(rng, daily):
                number = self._population.any_who_does(rng, event, habit)
                name = self._population.name(number) if number is not None else None
                at = dice.some_time_on(rng, day, self._zone)
                if name is not None and at >= self._began:
                    self._happen(rng, name, event, at, {})
        self._write_out_of_the_blue(day)
        self._arrive(day)

    def _write_out_of_the_blue(self, day: date) -> None:
        every = self._behaviour.people.writes_every
        if every is None:
            return
        rng = self._chance.stream("writes", day)
        for _ in dice.so_many(rng, self._population.size * timedelta(days=1) / every):
            address = self._population.chat_address(rng.randrange(self._population.size))
            at = up_to(dice.some_time_on(rng, day, self._zone), self._grid)
            if address is not None and at >= self._began:
                self._push(at, _Told(Typed(CHAT, address, _HELLO, at), inbound.PAGE))

    def _arrive(self, day: date) -> None:
        """Newcomers. From tomorrow on they do what everybody does."""
        rng = self._chance.stream("arrivals", day)
        came = sum(1 for _ in dice.so_many(rng, self._population.size * self._behaviour.people.new_per_day))
        for number in range(self._population.size, self._population.size + came):
            at = up_to(dice.some_time_on(rng, day, self._zone), self._grid)
            if at >= self._began:
                for fact in self._population.arrives(number, at):
                    source = inbound.PAGE if fact.__class__.__name__ == "Followed" else inbound.API
                    self._push(at, _Told(fact, source))
        self._population.size += came

    def _happen(self, rng: random.Random, name: str, event: str, at: datetime, cause: Mapping[str, Any]) -> None:
        """A business event, and what it leads to."""
        habit, at = self._behaviour.habits[event], up_to(at, self._grid)
        payload = dice.payload(rng, habit.values, cause, lambda: f"S{self._numbered}-{name}")
        key = f"{event}:{name}" if habit.once else None
        self._push(at, _Told(Happened(name, event, payload, at), inbound.API, key))
        for after, _, link in self._behaviour.followers_of(event):
            self._may_follow(rng, name, after, link, at, payload)

    def _may_follow(
        self, rng: random.Random, name: str, event: str, link: Cause, at: datetime, cause: Mapping[str, Any]
    ) -> None:
        if dice.happens(rng, link.share):
            self._happen(rng, name, event, dice.after_cause(rng, at, link, self._zone), cause)

    # --- messages and tasks -------------------------------------------------------------------------------------

    def _see_messages(self, now: datetime) -> None:
        calls = self._world.take_handed_over()
        ids = [call.delivery_id for call in calls if call.delivery_id is not None]
        for first in range(0, len(ids), 500):
            with self._world.database.read() as connection:
                messages = forecasting.sent(connection, ids[first : first + 500])
            self._tally.note(messages, now)
            for message in messages:
                self._see(message, now)

    def _see(self, message: Sent, now: datetime) -> None:
        who = message.external_id or message.address
        rng = self._chance.stream(
            "sees", who, message.journey_id, message.step_id, message.visit, message.hop, now.date()
        )
        for response in responses(rng, message, self._world.applied, self._behaviour, self._talking):
            self._respond(rng, message, response, now)
        if message.external_id is not None:
            self._let_follow(rng, message.external_id, MESSAGE, now)

    def _respond(self, rng: random.Random, message: Sent, response: Response, now: datetime) -> None:
        at = up_to(dice.after_delay(rng, now, self._behaviour.delay, self._zone), self._grid)
        self._push(at, _Told(response.fact(at), inbound.PAGE))
        if message.external_id is not None and response.event is not None:
            self._let_follow(rng, message.external_id, response.event, at)

    def _let_follow(self, rng: random.Random, name: str, cause: str, at: datetime) -> None:
        for event, _, link in self._behaviour.followers_of(cause):
            self._may_follow(rng, name, event, link, at, {})

    def _see_tasks(self, now: datetime) -> None:
        with self._world.database.read() as connection:
            opened = tasks.opened_since(connection, self._last_task)
        staff = self._behaviour.staff
        for task in sorted(opened, key=lambda task: task.id):
            self._last_task = task.id
            rng = self._chance.stream("task", task.external_id, task.journey_id, task.step_id, now)
            if dice.happens(rng, staff.close):
                later = now + staff.within * rng.random()
                self._push(up_to(dice.awake(rng, later, self._zone), self._grid), task)

    # --- what is still to happen --------------------------------------------------------------------------------

    def _push(self, at: datetime, doing: _Told | TaskRow) -> None:
        self._numbered += 1
        heapq.heappush(self._ahead, (at, self._numbered, doing))

    def _do_due(self, now: datetime) -> int:
        due: list[tuple[int, _Told | TaskRow]] = []
        while self._ahead and self._ahead[0][0] <= now:
            _, number, doing = heapq.heappop(self._ahead)
            due.append((number, doing))
        told = [(number, doing) for number, doing in due if isinstance(doing, _Told)]
        for source in (inbound.PAGE, inbound.API):
            of_source = [(d.key or f"crowd:{number}", d.fact) for number, d in told if d.source == source]
            if of_source:
                self._world.tell_once(of_source, source)
        self._close([doing for _, doing in due if isinstance(doing, TaskRow)], now)
        return len(due)

    def _close(self, done: Sequence[TaskRow], now: datetime) -> None:
        if done:
            with self._world.database.write() as connection:
                close_tasks(connection, self._world.applied.catalog, done, "simulated", "simulated", now)
