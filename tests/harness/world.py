"""One world: a shop, three workers on one database, and faults; then the same without faults, until all is settled.

    with Grounds() as grounds:
        life = World(grounds, seed=17).lives()

Everything that happens comes from the seed. What is left of it is for the `checker` to judge.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from engage.errors import DatabaseUnavailable
from engage.runtime.context import Context
from engage.runtime.engine import Engine
from engage.store.databases.database import BUSY_TIMEOUT_MS
from engage.store.tables import decision, delivery, enrolment, event, hold, identity, task, webhook_call
from tests.harness import project, weather
from tests.harness.boundaries import ANSWERED, BEGIN, CALL, COMMIT, COMMITTED, TAKEN, WORDING
from tests.harness.clock import SkippingClock
from tests.harness.complaints import heard
from tests.harness.crew import LOCKED_OUT, RESTING, Broken, Crew, Worker
from tests.harness.dice import Dice
from tests.harness.grounds import BEGINS, Grounds, InForce
from tests.harness.handing import AtOnce, InGroups
from tests.harness.outside import Log, Outside
from tests.harness.providers import Colleagues, Provider, Receiver
from tests.harness.truth import Call, Truth
from tests.harness.weather import Weather

WORKERS = ["Ada", "Ben", "Cleo"]
_FOR_EVER = datetime.max.replace(tzinfo=UTC)
_PATIENCE = timedelta(milliseconds=BUSY_TIMEOUT_MS)
# Past the deadline of a call; past the seconds that a no may take; past the lease; for long.
_SLEEPS = [
    timedelta(seconds=25),
    timedelta(seconds=70),
    timedelta(seconds=100),
    timedelta(minutes=3),
    timedelta(minutes=40),
]
# Past the deadline, within the lease: whoever wakes up then still holds what it has claimed.
_LONG_ENOUGH = [timedelta(seconds=70), timedelta(seconds=100)]
# Where a batch is done, and where one of it that has failed by itself is set aside.
_TOGETHER = (f"._do#1: {COMMIT}", f"._intend#1: {COMMIT}")
_LEFT_OUT = "._leave_out#1"


@dataclass(frozen=True, slots=True)
class Options:
    """What a seed leaves open. `crash_at`: the point at which a worker surely dies, the nth time it is reached."""

    crash_at: str | None = None
    nth: int = 1
    weather: Weather | None = None  # instead of the seed's own
    acts: int = 16  # that members, shop and staff do at most
    lasts: timedelta = timedelta(hours=30)
    settles_within: timedelta = timedelta(days=12)


@dataclass(frozen=True)
class Life:
    """All that is left of a world when it is over: truth, log, and the final tables."""

    seed: int
    options: Options
    truth: Truth
    log: Log
    tables: Mapping[str, list[Any]]
    timeline: list[str]
    reached: Mapping[str, int]
    died_at: Mapping[str, int]
    unsettled: str | None  # why the world did not come to rest
    complaints: list[str]  # of faults that the world did not make
    jumps: list[timedelta]  # of the servers' clock
    ended: datetime  # the true time

    @property
    def set_back(self) -> bool:
        return any(jump < timedelta(0) for jump in self.jumps)

    @property
    def set_forward(self) -> bool:
        return sum((max(jump, timedelta(0)) for jump in self.jumps), timedelta(0)) >= timedelta(hours=20)

    def delivery(self, delivery_id: int | None) -> Any:
        return next((row for row in self.tables["delivery"] if row.id == delivery_id), None)


@dataclass(frozen=True, slots=True)
class Calm:
    """Nothing is due `until` then by the servers' clock, unless something is written."""

    written: int
    until: datetime
    nothing_under_way: bool

    @classmethod
    def of(cls, engine: Engine) -> Calm:
        """Of one that has just found nothing to do."""
        context, goes_on = engine.context, engine.next_going_on()
        with context.database.read() as connection:
            starts = engine.enrol.next_due(connection, context.clock.now())
        return cls(context.database.written, min(starts, goes_on or starts), goes_on is None)


class World:
    def __init__(self, grounds: Grounds, seed: int, options: Options | None = None) -> None:
        self.seed = seed
        self.options = options or Options()
        self.weather = self.options.weather or weather.of(Dice(seed, "weather"))
        self.clock = SkippingClock(BEGINS)
        self.truth = Truth()
        heard()  # what another world has left behind, of which somebody has made an end
        self.timeline: list[str] = []
        self.database = grounds.fresh()
        self.outside = Outside(self.database, self.clock, self.weather, Dice(seed, "outside"))
        self.in_force = InForce(grounds, self.database)
        self._dice = Dice(seed, "turns")
        self._calls = Dice(seed, "calls")
        self._context = self._bent_back(grounds.wired)
        self.database.crew = None
        self.crew = Crew(self._hire, WORKERS, self.notes, self._stands_for)
        self.database.crew = self.crew
        self._running: Worker | None = None
        self._acts_left = self.options.acts
        self._calm: Calm | None = None  # as somebody last found nothing to do

    def _bent_back(self, wired: Context) -> Context:
        channels = {name: Provider(real, self, Dice(self.seed, name)) for name, real in wired.channels.items()}
        return replace(
            wired,
            database=self.database,
            clock=self.clock,
            applied=self.in_force,
            channels=channels,
            staff_robots={"robot": Colleagues(lambda point: self.crew.reach(point))},
            webhooks={"coupon": Receiver(self, Dice(self.seed, "webhook"))},
            sweep_every=timedelta(days=1),
        )

    def _hire(self) -> Engine:
        engine = Engine(
            self._context, lambda context, record: InGroups(context, record, self._calls, lambda: self.crew)
        )
        engine.calling._threads = AtOnce()
        return engine

    # --- what happens -------------------------------------------------------------------------------------------

    def lives(self) -> Life:
        """The safety phase, with faults; the liveness phase, without."""
        try:
            self.is_at_risk()
        except BaseException:
            self.close()
            raise
        return self.ends()

    def ends(self) -> Life:
        """Faults are healed, and every row has to settle."""
        try:
            self.heals()
            return self._left_behind(self.comes_to_rest())
        finally:
            self.close()

    def is_at_risk(self) -> None:
        for _ in range(self._dice.some(5, 10)):
            self._something_happens()
        ends = BEGINS + self.options.lasts
        while self.clock.true < ends:
            self.takes_a_turn()

    def _something_happens(self) -> None:
        if self._acts_left > 0:
            self._acts_left -= 1
            self.notes("the world", self.outside.something_happens())

    def takes_a_turn(self) -> None:
        """One worker goes on to its next boundary, or meets its fate; or time passes."""
        if self.database.is_free:
            self.outside.tells_what_is_due()
            if self._dice.hits(self.weather.acts / 10):
                self._something_happens()
        self._wakes_at_the_worst_moment()
        worker = self._whose_turn()
        if worker is None:
            self._time_passes()
        elif not self._befalls(worker):
            self._goes_on(worker)
        if self._dice.hits(self.weather.seconds) and not self.somebody_is_at_the_wire():
            self.clock.passes(timedelta(seconds=self._dice.some(1, 12)))

    def _whose_turn(self) -> Worker | None:
        """Mostly whoever ran last; nobody, if nobody has anything to do."""
        able = [worker for worker in self.crew.workers if self._is_able(worker)]
        if self._running in able and self._dice.hits(0.7):
            return self._running
        busy = [worker for worker in able if worker.at != RESTING]
        if busy and not self._dice.hits(0.1):
            self._running = self._dice.one_of(busy)
        else:
            self._running = self._dice.one_of(able) if able else None
        return self._running

    def _is_able(self, worker: Worker) -> bool:
        if worker.at == LOCKED_OUT and self.database.is_free:
            worker.asleep_until = None
        if worker.asleep_until is not None:
            return worker.asleep_until <= self.clock.true
        return worker.at != RESTING or not self._is_calm

    @property
    def _is_calm(self) -> bool:
        calm = self._calm
        return calm is not None and calm.written == self.database.written and self.clock.now() < calm.until

    def _stands_for(self, worker: Worker) -> object:
        """Without what the worker has written itself."""
        return (self.clock.now(), self.database.written - worker.commits)

    def _goes_on(self, worker: Worker) -> None:
        worker.asleep_until = None
        if worker.at == LOCKED_OUT and not self.database.is_free:
            self.crew.meets(worker, DatabaseUnavailable("the database is locked"))
        else:
            self.crew.goes_on(worker)
        if worker.at == LOCKED_OUT:
            worker.asleep_until = self.clock.true + _PATIENCE
        elif self.crew.nothing_to_do_for(worker):
            self._calm = Calm.of(worker.engine)
        elif worker.at.endswith(COMMITTED):
            self._looks_what_was_committed(worker)

    def _looks_what_was_committed(self, worker: Worker) -> None:
        self.outside.looks_what_was_read()
        if worker.at.startswith("dispatch.Dispatch._intend"):
            worker.intended = self.clock.true
        if worker.at.startswith("recording"):
            for call in worker.heard:
                call.noted = self.clock.true
            worker.heard.clear()

    def somebody_is_at_the_wire(self) -> bool:
        """Somebody stands between the last check and the call: what happens there is outside of the promise."""
        return any(worker.at.endswith(CALL) for worker in self.crew.workers)

    def _befalls(self, worker: Worker) -> bool:
        """Whether something else happened to it than that it goes on."""
        if worker.at in (RESTING, LOCKED_OUT):
            return False
        if self._is_to_die(worker) or self._dice.hits(self.weather.crash):
            self.crew.crashes(worker)
        elif worker.at.endswith(WORDING) and self.database.is_free and self._dice.hits(self.weather.against):
            assert worker.words is not None
            self.notes("the world", self.outside.turns_against(*worker.words))
            self._falls_asleep(worker, self._dice.one_of(_LONG_ENOUGH))
        elif self._breaks(worker):
            self.crew.meets(worker, Broken("what only this one has"))
        elif self._dice.hits(self.weather.zombie) and not worker.at.endswith(CALL):
            its_lock_is_everybodys = worker.at.endswith(COMMIT)
            self._falls_asleep(worker, _SLEEPS[0] if its_lock_is_everybodys else self._dice.one_of(_SLEEPS))
        elif self._dice.hits(self.weather.database) and worker.at.endswith((BEGIN, COMMIT, COMMITTED)):
            self.crew.meets(worker, _fault_at(worker.at))
        else:
            return False
        if worker.at.endswith(COMMITTED):
            self._looks_what_was_committed(worker)
        return True

    def _breaks(self, worker: Worker) -> bool:
        """What is worked on together fails for its own sake; and then so does the first of it alone."""
        if not worker.at.endswith(_TOGETHER):
            return False
        loop = worker.at.partition(".")[0]
        again = worker.broken == loop
        worker.broken = None
        wanted = self.options.crash_at or ""
        is_wanted = wanted.startswith(f"{loop}.") and _LEFT_OUT in wanted and not self.crew.reached[wanted]
        # Of nothing there is no first: so not each time.
        if not again and not (is_wanted and self._dice.hits(0.8)) and not self._dice.hits(self.weather.broken):
            return False
        worker.broken = None if again else loop
        return True

    def _falls_asleep(self, worker: Worker, time: timedelta) -> None:
        worker.asleep_until = self.clock.true + time
        self.notes(worker.name, f"falls asleep for {time} at {worker.at}")

    def _wakes_at_the_worst_moment(self) -> None:
        """Whoever sleeps over a call that somebody else repeats just now."""
        on_the_wire = {w.called for w in self.crew.workers if w.at.endswith((TAKEN, ANSWERED)) and w.called}
        for worker in self.crew.workers:
            heard = worker.heard and not worker.at.endswith((TAKEN, ANSWERED))
            if worker.asleep_until is not None and heard and worker.called in on_the_wire:
                worker.asleep_until, self._running = None, worker

    def _is_to_die(self, worker: Worker) -> bool:
        wanted = self.options.crash_at
        return worker.at == wanted and self.crew.reached[wanted] == self.options.nth and not self.crew.died_at[wanted]

    # --- time ---------------------------------------------------------------------------------------------------

    def _time_passes(self) -> None:
        """To the next thing that is due; on the way something may happen, or the servers' clock may be set."""
        if self._dice.hits(self.weather.acts):
            self.clock.passes(self._dice.between(timedelta(0), timedelta(minutes=20)))
            if self.database.is_free:
                self._something_happens()
            return
        if self._dice.hits(self.weather.jump):
            by = self._dice.one_of([timedelta(days=1), timedelta(hours=2), -timedelta(hours=1), -timedelta(days=1)])
            self.clock.jumps(by)
            self.notes("the clock", f"is set by {by}")
        if self._dice.hits(self.weather.edits) and self.database.is_free:
            edit = self._dice.one_of(list(project.EDITS))
            self.in_force.apply(edit, self.clock.now())
            self.outside.log.edited = True
            self.notes("staff", f"apply “{edit}”")
        self.clock.passes(min(self._until_next(), timedelta(hours=1)))

    def _until_next(self) -> timedelta:
        true = self.clock.true
        moments = [worker.asleep_until for worker in self.crew.workers]
        moments.append(self.outside.next_due())
        if self._calm is not None and self._is_calm:  # else everybody who could know is asleep
            moments.append(self._calm.until - self.clock.off_by)
        ahead = [moment - true for moment in moments if moment is not None]
        return max(min(ahead, default=timedelta(hours=1)), timedelta(seconds=1))

    # --- afterwards ---------------------------------------------------------------------------------------------

    def heals(self) -> None:
        """No faults from now on; who sleeps wakes up, what is paused goes on."""
        self.notes("the world", "heals")
        self.weather = weather.CALM
        for worker in self.crew.workers:
            worker.asleep_until = None
        while not self.database.is_free:
            self.takes_a_turn()
        self.outside.resumes(until=_FOR_EVER)

    def comes_to_rest(self) -> str | None:
        """Until nothing is due any more; else why not."""
        last = self.clock.true + self.options.settles_within
        while self.clock.true < last:
            if self.database.is_free:
                self.outside.tells_what_is_due()
            worker = self._whose_turn()
            if worker is not None:
                self._goes_on(worker)
            elif self.outside.next_due() is None and self._calm is not None and self._calm.nothing_under_way:
                return None
            else:
                self.clock.passes(self._until_next())
        return f"after {self.options.settles_within} something is still due"

    def _left_behind(self, unsettled: str | None) -> Life:
        with self.database.read() as connection:
            tables = {t.name: list(connection.execute(select(t))) for t in _KEPT}
        return Life(
            self.seed, self.options, self.truth, self.outside.log, tables, self.timeline, dict(self.crew.reached),
            dict(self.crew.died_at), unsettled, heard(), self.clock.jumped, self.clock.true,
        )  # fmt: skip

    def close(self) -> None:
        self.crew.close()
        self.database.crew = None

    # --- what the providers have to do with ---------------------------------------------------------------------

    def committed(self, call: Call) -> Mapping[str, Any] | None:
        with self.database.read() as connection:
            row = connection.execute(select(delivery).where(delivery.c.id == call.about)).one_or_none()
        return dict(row._mapping) if row is not None else None

    def reports(self, call: Call) -> None:
        self.outside.provider_reports(call)

    def leaves_open(self, call: Call) -> None:
        if self._dice.hits(self.weather.meanwhile):
            self.notes("the world", self.outside.changes_meanwhile(call))

    def notes(self, who: str, what: str) -> None:
        self.timeline.append(f"{self.clock.true:%d %H:%M:%S} ({self.clock.now():%d %H:%M:%S}) {who} {what}")


def _fault_at(point: str) -> Exception:
    if point.endswith(COMMIT):
        return OperationalError("COMMIT", {}, sqlite3.OperationalError("disk I/O error"))
    if point.endswith(BEGIN):
        return DatabaseUnavailable("the database is locked")
    return DatabaseUnavailable("the connection was lost while committing")


_KEPT = (delivery, enrolment, webhook_call, event, decision, hold, task, identity)
