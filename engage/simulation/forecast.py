"""`simulate`: so many days ahead in a world of people, and what came of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from engage.core.behaviour.model import Behaviour
from engage.core.outcome import Failure, Rejected, SendOutcome
from engage.runtime.applied import Applied
from engage.runtime.insight.report import Report, make_report
from engage.sandbox.chance import Chance
from engage.simulation.channels import Call, Fate, taken
from engage.simulation.crowd import Crowd
from engage.simulation.ground import Ground
from engage.simulation.population import CHAT, Population
from engage.simulation.tally import Tally
from engage.simulation.world import World
from engage.store import events, holding, inbound, members, segments
from engage.store.events import NewEvent
from engage.store.holding import Foreseen
from engage.store.insight import forecasting
from engage.store.insight.forecasting import Unreached
from engage.store.insight.reporting import Period

# Where few live everything happens to the second; where many do, moments are looked at together. Lawful hours begin and
# end at full and half hours.
_FEW = 50
_TO_THE_SECOND, _TOGETHER = timedelta(seconds=1), timedelta(minutes=30)
_BATCH = 5_000  # people who are brought in together
_UNREACHED = ("no channel can be used", "no channel left to fall back to")
OUTSIDE_HOURS = "outside sending hours"


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is simulated. `journeys`: only these let members in; None: all."""

    begins: datetime
    days: int
    members: int
    seed: int
    behaviour: Behaviour
    journeys: Collection[str] | None = None

    @property
    def period(self) -> Period:
        return Period(self.begins, self.begins + timedelta(days=self.days))


@dataclass(frozen=True, slots=True)
class Forecast:
    """What came of it."""

    scenario: Scenario
    report: Report
    members: int  # at the end
    happenings: int
    put_off: int  # messages that waited for lawful hours
    unreached: Unreached
    tally: Tally
    held: Sequence[Foreseen] = ()  # starts that would be held back: here they were not


OnDay = Callable[[int], None]
"""Told how many days have been lived through."""


def forecast(ground: Ground, scenario: Scenario, on_day: OnDay | None = None) -> Forecast:
    """Synthetic members."""
    fate = _fate(scenario)
    with ground.world(scenario.begins, fate=fate) as world:
        population = Population(scenario.behaviour, world.applied.catalog, scenario.seed, scenario.members)
        bring_in(world, population)
        return live(world, scenario, population, on_day)


def forecast_real(ground: Ground, scenario: Scenario, on_day: OnDay | None = None) -> Forecast:
    """The members of the database that the ground is a copy of, with the runs they are in."""
    with ground.world(scenario.begins, fate=_fate(scenario)) as world:
        with world.database.read() as connection:
            known = tuple(forecasting.roster(connection, CHAT))
        population = Population(scenario.behaviour, world.applied.catalog, scenario.seed, len(known), known)
        return live(world, scenario, population, on_day)


def live(world: World, scenario: Scenario, population: Population, on_day: OnDay | None = None) -> Forecast:
    grid = _TO_THE_SECOND if population.size <= _FEW else _TOGETHER
    if scenario.journeys is not None:
        world.in_force.change(_only(world.applied, scenario.journeys))
    tally = Tally(ZoneInfo(world.applied.catalog.timezone))
    crowd = Crowd(world, scenario.behaviour, population, tally, grid)
    for day in range(1, scenario.days + 1):
        world.run_to(scenario.begins + timedelta(days=day), crowd, grid)
        if on_day is not None:
            on_day(day)
    return _told(world, scenario, population, tally)


def _only(applied: Applied, journeys: Collection[str]) -> Applied:
    """The others go on with whom they have, and let nobody in by themselves."""
    kept = {i: replace(active, silent=i not in journeys) for i, active in applied.journeys.items()}
    return replace(applied, journeys=kept, mark=f"{applied.mark}, only {sorted(journeys)}")


def _fate(scenario: Scenario) -> Fate:
    """Some addresses are dead, and stay so."""
    chance = Chance(scenario.seed)

    def fate(call: Call) -> SendOutcome:
        dead = scenario.behaviour.channels[call.channel].bounce if call.channel in scenario.behaviour.channels else None
        if dead and chance.number(32, "dead", call.address) < dead * 2**32:
            return Rejected(Failure.INVALID_ADDRESS, "simulated")
        return taken(call)

    return fate


# --- bringing people in -----------------------------------------------------------------------------------------


def bring_in(world: World, population: Population) -> None:
    """They were there before, and are where their past has brought them: nothing of it is news to any journey."""
    catalog, begins = world.applied.catalog, world.clock.now()
    with _nothing_starts(world):
        for first in range(0, population.size, _BATCH):
            numbers = range(first, min(first + _BATCH, population.size))
            world.tell([population.given(number, begins, announce=False) for number in numbers], inbound.FILE)
            world.settle()
            with world.database.write() as connection:
                events.remember(connection, list(_past(connection, population, numbers, begins)), begins)
        with world.database.write() as connection:
            events.recount_all(connection, catalog)
            for segment in catalog.segments:
                segments.settle(connection, catalog, segment, begins)


def _past(
    connection: Connection, population: Population, numbers: Iterable[int], begins: datetime
) -> Iterator[NewEvent]:
    told = [past for number in numbers for past in population.past(number, begins)]
    refs = members.find(connection, members.MEMBER_KIND, {past.fact.member for past in told})
    for past in told:
        fact = past.fact
        yield NewEvent(refs[fact.member], fact.event, fact.at, past.key, fact.payload)


@contextmanager
def _nothing_starts(world: World) -> Iterator[None]:
    applied = world.applied
    world.in_force.change(replace(applied, journeys={}, mark=f"{applied.mark}, at rest"))
    yield
    world.in_force.change(applied)


# --- what came of it --------------------------------------------------------------------------------------------


def _told(world: World, scenario: Scenario, population: Population, tally: Tally) -> Forecast:
    period = scenario.period
    report = make_report(world.database, world.applied, period, world.clock.now())
    with world.database.read() as connection:
        return Forecast(
            scenario=scenario,
            report=report,
            members=population.size,
            happenings=forecasting.happenings(connection, period.since),
            put_off=forecasting.put_off(connection, period, OUTSIDE_HOURS),
            unreached=forecasting.unreached(connection, period, _UNREACHED),
            tally=tally,
            held=holding.foreseen(connection, period.since),
        )
