"""The scene itself: the house it plays in, what is applied, and how time passes there."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from by_hand import ByHand
from sqlalchemy import Connection
from stage_cast import ZONE, Cast, span
from stage_wiring import House, Setup, build_house, config_of, read_files, shipped_files

from engage.bootstrap import build_context
from engage.clock import VirtualClock
from engage.core import schedule
from engage.core.journey.model import OnDate, OnSchedule
from engage.core.quiet import zone_of
from engage.exchange.importing import import_events, import_members
from engage.runtime.applied import Applied
from engage.runtime.edits.applying import Done, Outcome, apply, apply_plan, plan
from engage.runtime.edits.plan import Plan, Rules, Terms
from engage.runtime.edits.undoing import Undoing, undo
from engage.runtime.engine import Engine
from engage.sandbox.loopback import LoopbackServer
from engage.sandbox.world import World
from engage.store import advancing, dispatching, members, tasks, webhook_calls
from engage.store.databases.database import Database


class Scene(Cast):
    engine: Engine

    def __init__(self, folder: Path, starts: str, faults: bool, setup: Setup) -> None:
        super().__init__(starts)
        self.clock = VirtualClock(self.began)
        self._folder = folder
        self._faults = faults
        self._setup = setup
        self._servers: list[LoopbackServer] = []
        self._house: House | None = None
        self._down = False

    def apply(
        self,
        journeys: Mapping[str, str] | None = None,
        *,
        templates: Mapping[str, str] | None = None,
        catalog: str | None = None,
        existing: bool = False,
    ) -> Plan:
        """Apply the shipped project; or, of journeys, only these, with the shipped words. The first time the curtain
        rises: the members are imported once the files are in force."""
        project = read_files(files_with(journeys, templates or {}, catalog))
        first = self._house is None
        if first:
            self._rise()
        outcome = apply(self.database, project, self.clock.now(), Terms(existing=existing))
        assert isinstance(outcome, Done), outcome
        if first:
            self.house.app.server.start()
            self.imports(self._rows, self._history)
        return outcome.plan

    def plans(self, journeys: Mapping[str, str], terms: Terms | None = None, *, catalog: str | None = None) -> Plan:
        """What applying these files would do; kept, and nothing is done."""
        project = read_files(files_with(journeys, catalog=catalog))
        return plan(self.database, project, self.clock.now(), terms or Terms(), Rules())

    def tries(self, journeys: Mapping[str, str]) -> Outcome:
        """Apply these files, unless somebody on the way would notice."""
        project = read_files(files_with(journeys))
        return apply(self.database, project, self.clock.now(), unseen=False)

    def applies(self, made: Plan) -> Outcome:
        """That very plan."""
        outcome = apply_plan(self.database, made.id, self.clock.now(), Rules())
        self.settle()
        return outcome

    def undoes(self, made: Plan, terms: Terms | None = None) -> Undoing:
        outcome = undo(self.database, made.id, self.clock.now(), terms or Terms(), Rules())
        self.settle()
        return outcome

    def _rise(self) -> None:
        people = list(self._people.values())
        self._house = build_house(self._folder, self.clock, people, faults=self._faults, setup=self._setup)
        self.engine = self._house.app.engine

    def close(self) -> None:
        if self._house is not None:
            self.engine.close()
            self._house.close()
        for server in self._servers:
            server.stop()

    # --- files --------------------------------------------------------------------------------------------------

    def imports(self, rows: Sequence[Mapping[str, str]], history: Sequence[Mapping[str, str]] = ()) -> None:
        """Files of the shop: members first, then what happened to them. Silent."""
        database, now = self.database, self.clock.now()
        if rows:
            report = import_members(database, self.applied.catalog, self._csv("members.csv", rows), now)
            assert report.accepted == len(rows), report
        self.settle()
        if history:
            report = import_events(database, self.applied.catalog, self._csv("events.csv", history), now)
            assert report.accepted == len(history), report
        self.settle()

    def imports_again(self) -> tuple[int, int]:
        """The same list of members once more: (rows read, rows accepted)."""
        path = self._csv("members again.csv", self._rows)
        report = import_members(self.database, self.applied.catalog, path, self.clock.now())
        self.settle()
        return report.read, report.accepted

    def _csv(self, name: str, rows: Sequence[Mapping[str, str]]) -> Path:
        path = self._folder / name
        columns = list(dict.fromkeys(key for row in rows for key in row))
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(rows)
        return path

    # --- what is on stage ---------------------------------------------------------------------------------------

    @property
    def house(self) -> House:
        assert self._house is not None, "the curtain has not risen: apply() first"
        return self._house

    @property
    def world(self) -> World:
        return self.house.world

    @property
    def database(self) -> Database:
        return self.house.app.context.database

    @property
    def applied(self) -> Applied:
        return self.house.app.context.applied.current()

    def engine_dies(self) -> None:
        """The process is gone, with all it had in memory; another one takes up the database."""
        self.engine.close()
        self.engine = Engine(self.house.app.context)

    def reconfigures(self, setup: Setup) -> None:
        """Ops correct `config.yaml` and start the daemon again."""
        self.engine.close()
        config = config_of(self.world, self.house.app.server.port, setup)
        self.engine = Engine(build_context(config, self.clock, self.database))

    def owns(self, server: LoopbackServer) -> None:
        """A server of the business's own, stopped with the stage."""
        self._servers.append(server)

    @property
    def url(self) -> str:
        return self.house.app.server.url

    # --- time ---------------------------------------------------------------------------------------------------

    def run_until(self, day: int = 0, at: str = "10:00") -> None:
        self.run_to(self.moment(day, at))

    def passes(self, time: str) -> None:
        self.run_to(self.clock.now() + span(time))

    def passes_seconds(self, seconds: int) -> None:
        self.run_to(self.clock.now() + timedelta(seconds=seconds))

    def run_to(self, end: datetime) -> None:
        """Let time pass, stopping at each thing that is due on the way."""
        self.settle()
        while not self._down and (moment := self._next_moment()) <= end:
            self.clock.advance_to(moment)
            self.settle()
        self.clock.advance_to(end)
        self.settle()

    def settle(self) -> None:
        """Until nothing is left to do at this moment."""
        while (0 if self._down else self.engine.run_until_idle()) + self.world.tick():
            pass

    @contextmanager
    def daemon_down(self) -> Iterator[None]:
        """The loops stand still; callbacks are still taken in, and the world goes on."""
        self._down = True
        yield
        self._down = False
        self.settle()

    @contextmanager
    def by_hand(self) -> Iterator[ByHand]:
        """The loops go only as far as they are told."""
        with self.daemon_down():
            yield ByHand(self.engine, self.applied, self.clock)

    @contextmanager
    def another_worker(self) -> Iterator[ByHand]:
        """A second process on the same database."""
        engine = Engine(build_context(self.house.config, self.clock, self.database))
        yield ByHand(engine, self.applied, self.clock)
        engine.close()

    def moment(self, day: int, at: str) -> datetime:
        return self.moment_of(f"{(self.began + timedelta(days=day)).date().isoformat()} {at}")

    def moment_of(self, local: str) -> datetime:
        return datetime.fromisoformat(local).replace(tzinfo=ZONE).astimezone(UTC)

    def local(self, at: datetime) -> datetime:
        return at.astimezone(ZONE)

    def _next_moment(self) -> datetime:
        """What is due next. The engine's own hourly look at segments is left to the moments at which there is
        something else to do, and to ten o'clock: so a month passes in a second."""
        now = self.clock.now()
        with self.database.read() as connection:
            due = [
                advancing.next_due(connection, now),
                dispatching.next_due(connection, now),
                tasks.next_notice_due(connection, now),
                webhook_calls.next_due(connection, now),
                self.engine.deciding.next_due(connection, now),
                self.world.next_due(),
                *self._starts_after(connection, now),
            ]
        ten = self.local(now).replace(hour=10, minute=0, second=0, microsecond=0)
        look = ten if ten > now else ten + timedelta(days=1)
        return max(min([look, *(moment for moment in due if moment is not None)]), now)

    def _starts_after(self, connection: Connection, now: datetime) -> Iterator[datetime]:
        for zone_name in members.timezones(connection):
            zone = zone_of(zone_name, self.applied.catalog.timezone)
            for active in self.applied.journeys.values():
                if isinstance(active.journey.start, OnDate | OnSchedule) and not active.draining:
                    yield schedule.next_slot(active.journey.start, now, zone).at


def files_with(
    journeys: Mapping[str, str] | None, templates: Mapping[str, str] | None = None, catalog: str | None = None
) -> dict[str, str]:
    """The shipped project; of its journeys only these, if any are given."""
    files = dict(shipped_files())
    if journeys is not None:
        kept = {path: text for path, text in files.items() if not path.startswith("journeys/")}
        own = {f"journeys/{name}.yaml": text for name, text in journeys.items()}
        files = kept | {"journeys/catalog.yaml": files["journeys/catalog.yaml"]} | own
    files |= {f"templates/{name}.j2": text for name, text in (templates or {}).items()}
    return files | ({"journeys/catalog.yaml": catalog} if catalog is not None else {})
