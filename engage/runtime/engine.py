"""The engine: the four loops and the notices to staff, ticked by whoever keeps time.

Under real time APScheduler rings the bells (`daemon`); under virtual time a driver ticks until all is idle and then
moves the clock to `next_due`. The loops are the same.
"""

from __future__ import annotations

from datetime import datetime

from engage.runtime.advance import Advance
from engage.runtime.context import Context
from engage.runtime.dispatch import Dispatch
from engage.runtime.enrol import Enrol
from engage.runtime.receive import Receive
from engage.runtime.staff import Staff
from engage.store import advancing, dispatching, tasks


class Engine:
    def __init__(self, context: Context) -> None:
        self.context = context
        self.receive = Receive(context)
        self.enrol = Enrol(context)
        self.advance = Advance(context)
        self.dispatch = Dispatch(context)
        self.staff = Staff(context)

    def tick(self) -> int:
        """Let each loop take one batch, and wait for the calls it started. Returns how much was done; 0 is idle."""
        done = self.receive.tick() + self.enrol.tick() + self.advance.tick() + self.dispatch.tick()
        self.dispatch.settle()
        return done + self.staff.tick()

    def run_until_idle(self) -> int:
        """Tick until nothing is due at the clock's present moment. Returns how much was done."""
        done = 0
        while step := self.tick():
            done += step
        return done

    def next_due(self) -> datetime:
        """The next moment after now at which any loop has something to do."""
        now = self.context.clock.now()
        with self.context.database.read() as connection:
            moments = (
                self.enrol.next_due(connection, now),
                advancing.next_due(connection, now),
                dispatching.next_due(connection, now),
                tasks.next_notice_due(connection, now),
            )
        return min(moment for moment in moments if moment is not None)

    def close(self) -> None:
        self.dispatch.close()
