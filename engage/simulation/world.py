"""A world: the real engine over a database of its own, with time that jumps from one thing that is due to the next.

    with Ground(project) as ground, ground.world(begins) as world:
        world.tell([MemberGiven(...)])         # facts go through the inbox, like everything that comes from outside
        world.run_to(end, people)              # `people` says when something happens outside, and makes it happen
        world.take_handed_over()               # what the providers have accepted since the last look

Whatever happens outside of the engine is an `Outside`: it is asked when something is due there and told when that
moment has come, and it acts by `tell`, or by the runtime's own functions in a transaction of `world.database`. It never
writes tables by itself. The same project, the same beginning and the same outside give the same world, to the last row.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from types import TracebackType
from typing import Protocol, Self

from engage.bootstrap import build_context
from engage.clock import VirtualClock
from engage.config import Config
from engage.core.catalog import Team
from engage.core.fact import Fact
from engage.core.fact_json import fact_to_json
from engage.runtime.applied import Applied
from engage.runtime.context import Context
from engage.runtime.dispatching.handover import InTurn
from engage.runtime.engine import Engine
from engage.simulation.channels import Call, Colleagues, Fate, InProcess, Receivers, taken
from engage.simulation.settings import USUAL
from engage.store import inbound
from engage.store.databases.database import Database
from engage.store.inbound import Arrived

# How often the passing of time alone moves members between segments, besides every night in which ranks are worked out
# and the starts of journeys.
SWEEP_EVERY = timedelta(days=1)
_TICK = timedelta(seconds=1)


class Outside(Protocol):
    """What happens around the engine: people, the shop, providers that report later."""

    def next_due(self) -> datetime | None:
        """The next moment at which something happens; None: nothing any more."""
        ...

    def tick(self, now: datetime) -> int:
        """Let happen what is due. Returns how many things did."""
        ...


class Nothing:
    """An outside in which nothing happens."""

    def next_due(self) -> datetime | None:
        return None

    def tick(self, now: datetime) -> int:
        return 0


class InForce:
    """What is applied in this world: told once, and never looked for in the database again."""

    def __init__(self, applied: Applied) -> None:
        self._applied = applied

    def current(self) -> Applied:
        return self._applied

    def remembered(self) -> Applied:
        return self._applied

    def change(self, applied: Applied) -> None:
        """From now on. Its `mark` must be another one: the engine remembers by it what it has worked out."""
        self._applied = applied


class World:
    """The database is the world's own while it lives, and is closed with it. What is applied there is `applied`.

    `wired`: a context made of the same config, whose channels this world shares and leaves open; wiring takes longer
    than many a short world lives.
    """

    def __init__(
        self,
        database: Database,
        applied: Applied,
        begins: datetime,
        *,
        config: Config = USUAL,
        fate: Fate = taken,
        sweep_every: timedelta = SWEEP_EVERY,
        wired: Context | None = None,
    ) -> None:
        self._told = count(1)
        self._accepted: list[Call] = []
        self.clock = VirtualClock(begins)
        self.database = database
        self.in_force = InForce(applied)
        self.context = self._bent_back(wired or build_context(config, self.clock, database), fate, sweep_every)
        self.engine = Engine(self.context, InTurn, alone=True)

    def _bent_back(self, wired: Context, fate: Fate, sweep_every: timedelta) -> Context:
        """The engine's own context, its ways out bent back into this process."""
        return replace(
            wired,
            database=self.database,
            clock=self.clock,
            applied=self.in_force,
            channels={name: InProcess(channel, fate, self._accepted) for name, channel in wired.channels.items()},
            staff_robots=_robots(self.applied.catalog.teams),
            staff_mail=Colleagues(),
            webhooks={name: Receivers() for name in self.applied.catalog.webhooks},
            sweep_every=sweep_every,
            guarded=False,
            allowed=None,
        )

    @property
    def applied(self) -> Applied:
        return self.in_force.current()

    def close(self) -> None:
        self.engine.close()
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # --- from outside, and to the outside -----------------------------------------------------------------------

    def tell(self, facts: Iterable[Fact], source: str = inbound.PAGE) -> None:
        """Put facts into the inbox; the engine reads them when it is next asked to do something. `source`: API or FILE
        for what a shop tells in bulk."""
        self.tell_once(((f"world:{next(self._told)}", fact) for fact in facts), source)

    def tell_once(self, facts: Iterable[tuple[str, Fact]], source: str) -> None:
        """The same, each under the key that the outside has for it: told twice it is one."""
        records = [Arrived(source, key, fact_to_json(fact)) for key, fact in facts]
        with self.database.write() as connection:
            inbound.put(connection, records, self.clock.now())

    def take_handed_over(self) -> list[Call]:
        """What has been accepted since it was last asked, in order."""
        accepted, self._accepted[:] = list(self._accepted), []
        return accepted

    # --- time ---------------------------------------------------------------------------------------------------

    def run_to(self, end: datetime, outside: Outside | None = None, grid: timedelta = _TICK) -> None:
        """Live through everything up to `end`, then stand there. Moments are looked at on a grid: what is due between
        two points of it is done at the second one."""
        outside = outside or Nothing()
        self.settle(outside)
        while (moment := up_to(self.next_due(outside), grid)) <= end:
            self.clock.advance_to(moment)
            self.settle(outside)
        self.clock.advance_to(end)
        self.settle(outside)

    def settle(self, outside: Outside | None = None) -> None:
        """Until nothing is left to do at this moment, inside and outside."""
        outside = outside or Nothing()
        self.engine.run_until_idle()
        while outside.tick(self.clock.now()):
            self.engine.run_until_idle()

    def next_due(self, outside: Outside | None = None) -> datetime:
        """The next moment at which something happens. What is overdue and cannot be done now is looked at soon."""
        moments = (self.engine.next_due(), outside.next_due() if outside is not None else None)
        soonest = min(moment for moment in moments if moment is not None)
        return max(soonest, self.clock.now() + _TICK)


def up_to(moment: datetime, grid: timedelta) -> datetime:
    """The first point of the grid that is not before the moment."""
    step = int(grid.total_seconds())
    return datetime.fromtimestamp(math.ceil(moment.timestamp() / step) * step, UTC)


def _robots(teams: Mapping[str, Team]) -> dict[str, Colleagues]:
    return {team.webhook: Colleagues() for team in teams.values() if team.webhook is not None}
