"""The driver of virtual time: everything due now is done, by the engine and by the world; then the clock moves on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from engage.clock import VirtualClock
from engage.runtime.engine import Engine
from engage.sandbox.world import World
from engage.store import state

_LOOKS_EVERY = 0.2  # seconds of real time, while the demo flows
_TICK = timedelta(seconds=1)


class Drive:
    """Only the driver moves the clock, and only while nothing is left to do. Several threads may ask; one drives."""

    def __init__(self, engine: Engine, world: World, clock: VirtualClock) -> None:
        self._engine = engine
        self._world = world
        self._clock = clock
        self._driving = threading.RLock()

    def run_until(self, end: datetime, told: Callable[[], None] = lambda: None) -> None:
        """Live through everything up to `end`, then stand there. `told` is called after every step."""
        with self._driving:
            self._settle()
            while (moment := self._next()) <= end:
                self._move_to(moment)
                self._settle()
                told()
            self._move_to(end)
            self._settle()

    def flow(self) -> None:
        """Let virtual time pass as real time does, from where it stands, until KeyboardInterrupt."""
        seen = time.monotonic()
        pause = threading.Event()
        while not pause.wait(_LOOKS_EVERY):
            passed, seen = time.monotonic() - seen, time.monotonic()
            with self._driving:
                self.run_until(self._clock.now() + timedelta(seconds=passed))

    def forward(self, period: timedelta) -> None:
        """Let that much virtual time pass at once."""
        with self._driving:
            self.run_until(self._clock.now() + period)

    def _settle(self) -> None:
        """Until the engine and the world are both idle at this moment."""
        while self._engine.run_until_idle() + self._world.tick():
            pass

    def _next(self) -> datetime:
        """The next moment at which something is due. What is overdue and cannot be done now is looked at again soon."""
        soonest = self._engine.next_due()
        of_world = self._world.next_due()
        moment = min(soonest, of_world) if of_world is not None else soonest
        return max(moment, self._clock.now() + _TICK)

    def _move_to(self, moment: datetime) -> None:
        """The moment is stored first: a demo that is killed goes on from here, never from before."""
        with self._engine.context.database.write() as connection:
            state.put(connection, state.VIRTUAL_NOW, moment.isoformat(), moment)
        self._clock.advance_to(moment)
