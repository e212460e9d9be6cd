"""The bells of a running engine: whoever hears theirs takes batches until nothing is left.

APScheduler rings all of them every second or few; besides, a loop that has done something rings those who go on from
there, so that an event becomes a message at once, and an idle engine costs next to nothing.

APScheduler goes by the system's clock. Set back by an hour, that clock would keep every bell silent for an hour; so it
is watched beside the uptime (`keep_pace`), and where the two part, all bells ring anew.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping

import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from engage.clock import Clock
from engage.errors import DatabaseUnavailable
from engage.runtime.observing import Observer
from engage.runtime.outage import Outage
from engage.runtime.stride import FEWEST

# How often each loop looks for work that nobody told it of: because its time has come, or of another process. An idle
# look is an indexed read or two. Those for whose work the time comes in minutes, or hours, look less often.
_EVERY_SECONDS = 1
_EVERY_SECONDS_OF_OTHERS = 5
_OTHERS = {"staff", "calling", "deciding", "letting_go", "presence"}
_RINGS_FOR = {
    "receive": {"enrol", "advance", "dispatch"},
    "enrol": {"advance"},
    "advance": {"dispatch", "calling", "staff"},
    "dispatch": {"advance"},
    "calling": {"advance"},
    "deciding": {"advance"},
    "letting_go": {"advance"},
}
# A loop whose batch lasts longer than this is taken for stuck; those whose batches wait for other people's servers, one
# call after the other, may take longer.
_SILENT_AFTER_SECONDS = 120.0
_SILENT_AFTER_SECONDS_OF = {"staff": 600.0, "calling": 300.0}
# A batch costs a transaction or four, however few are in it: what comes one by one is dealt with some at a time.
_GATHERS_SECONDS = 0.05
_CLOCK_MOVED_SECONDS = 2.0  # more than clocks are slewed by while nobody looks
log = structlog.get_logger("engage.daemon")

Tick = Callable[[], int]


class Bells:
    """One ringing of one engine's loops: started once, stopped once."""

    def __init__(self, loops: Mapping[str, Tick], clock: Clock, observer: Observer) -> None:
        self._loops = loops
        self._clock = clock
        self._observer = observer
        self._outage = Outage(clock)
        self._ends = False  # no event: a signal's handler sets it, whatever it has interrupted
        self._gathered_enough = threading.Event()
        self._rung = {name: threading.Event() for name in loops}
        self._threads = [
            threading.Thread(target=self._go_round, args=(name, tick), name=f"loop-{name}", daemon=True)
            for name, tick in loops.items()
        ]
        self._scheduler = BackgroundScheduler(timezone="UTC")
        self._came_round: dict[str, float] = {}
        self._ahead = self._ahead_of_uptime()

    def start(self) -> None:
        self._came_round = dict.fromkeys(self._loops, time.monotonic())
        for thread in self._threads:
            thread.start()
        self._ring_every(_EVERY_SECONDS, self._loops.keys() - _OTHERS)
        self._ring_every(_EVERY_SECONDS_OF_OTHERS, self._loops.keys() & _OTHERS)
        self._scheduler.start()
        self._ring(self._loops)

    def ring(self, name: str) -> None:
        """There is something to do for this loop."""
        self._rung[name].set()

    def _ring_every(self, seconds: int, names: Iterable[str]) -> None:
        self._scheduler.add_job(
            self._ring,
            "interval",
            [names],
            seconds=seconds,
            coalesce=True,
            misfire_grace_time=None,  # late is better than not at all
        )

    def _ring(self, names: Iterable[str]) -> None:
        for name in names:
            self.ring(name)

    def begin_nothing(self) -> None:
        """The batches at hand are the last ones. A signal's handler may call it."""
        self._ends = True

    def stop(self) -> None:
        """Each loop ends the batch at hand; returns when all have."""
        self.begin_nothing()
        self._gathered_enough.set()
        self._scheduler.shutdown(wait=True)
        self._ring(self._loops)
        for thread in self._threads:
            thread.join()

    def silent(self) -> list[str]:
        """Loops that have not come round for far too long."""
        now = time.monotonic()
        allowed = {name: _SILENT_AFTER_SECONDS_OF.get(name, _SILENT_AFTER_SECONDS) for name in self._loops}
        return sorted(name for name, at in self._came_round.items() if now - at > allowed[name])

    def keep_pace(self) -> None:
        """To be called every second or so: bells go on whatever becomes of the system's clock."""
        ahead = self._ahead_of_uptime()
        moved = ahead - self._ahead
        if abs(moved) > _CLOCK_MOVED_SECONDS:
            self._ahead = ahead
            log.warning("clock_moved", seconds=round(moved, 1))
            for job in self._scheduler.get_jobs():
                job.modify(next_run_time=self._clock.now())

    def _ahead_of_uptime(self) -> float:
        return self._clock.now().timestamp() - self._clock.uptime()

    def _go_round(self, name: str, tick: Tick) -> None:
        while not self._ends:
            self._rung[name].wait()
            self._rung[name].clear()
            self._until_idle(name, tick)

    def _until_idle(self, name: str, tick: Tick) -> None:
        """One bell: batches until nothing is left, or until all are to stop. The one place where a loop's faults are
        caught: record, go on at the next bell."""
        if self._outage.rests():
            return
        try:
            while not self._ends and (done := self._batch(name, tick)):
                if done < FEWEST:  # it was all there was
                    self._gathered_enough.wait(_GATHERS_SECONDS)
            self._outage.over(name)
        except DatabaseUnavailable as error:
            self._observer.batch_failed(name, error)
            self._outage.begun(name, error)
        except Exception as error:
            self._observer.batch_failed(name, error)
            log.exception("loop_failed", loop=name)
        finally:
            self._came_round[name] = time.monotonic()

    def _batch(self, name: str, tick: Tick) -> int:
        begun = time.monotonic()
        done = tick()
        self._came_round[name] = ended = time.monotonic()
        self._observer.batch(name, done, ended - begun)
        if done:
            self._ring(self._loops.keys() & _RINGS_FOR.get(name, set()))
        return done
