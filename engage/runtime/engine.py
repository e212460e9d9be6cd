"""The engine: the four loops, and what runs beside them (notices to staff, calls of webhook steps, the winners of
splits), ticked by whoever keeps time.

Under real time APScheduler rings the bells (`daemon`); under virtual time a driver ticks until all is idle and then
moves the clock to `next_due`. The loops are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from engage.runtime.advancing.advance import Advance
from engage.runtime.advancing.deciding import Deciding
from engage.runtime.calling import Calling
from engage.runtime.context import Context
from engage.runtime.dispatching.dispatch import Dispatch
from engage.runtime.dispatching.handover import Calls, OnLoop, Patience, Record
from engage.runtime.enrolling.enrol import Enrol
from engage.runtime.enrolling.holding import LettingGo
from engage.runtime.receiving.receive import Receive
from engage.runtime.staff import Staff
from engage.store import advancing, dispatching, tasks, webhook_calls


class Loop(Protocol):
    def tick(self) -> int:
        """Deal with what is due, a batch at most. Returns how much was done."""
        ...


class Engine:
    def __init__(
        self, context: Context, calls: Callable[[Context, Record], Calls] = OnLoop, *, alone: bool = False
    ) -> None:
        """`calls`: how calls are made. `alone`: they take no time (see `Dispatch`), and nobody else
        writes to the database: a loop that has found nothing to do is asked again when time has passed or something was
        written."""
        self.context = context
        self.receive = Receive(context)
        self.enrol = Enrol(context)
        self.advance = Advance(context)
        self.dispatch = Dispatch(context, calls, alone=alone)
        self.staff = Staff(context)
        self.calling = Calling(context)
        self.deciding = Deciding(context)
        self.letting_go = LettingGo(context)
        self._alone = alone
        self._found_nothing: dict[Loop, tuple[datetime, int, str]] = {}

    def tick(self) -> int:
        """Let each loop take one batch, and wait for the calls it started. Returns how much was done; 0 is idle."""
        done = sum(self._take(loop) for loop in (self.receive, self.enrol, self.advance, self.dispatch))
        self.dispatch.settle()
        return done + sum(self._take(loop) for loop in (self.staff, self.calling, self.deciding, self.letting_go))

    def _take(self, loop: Loop) -> int:
        context = self.context
        stands = (context.clock.now(), context.database.written, context.applied.current().mark)
        if self._alone and self._found_nothing.get(loop) == stands:
            return 0
        done = loop.tick()
        if done == 0:
            self._found_nothing[loop] = stands
        return done

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
            begins = self.enrol.next_due(connection, now)
        goes_on = self.next_going_on()
        return min(begins, goes_on) if goes_on is not None else begins

    def next_going_on(self) -> datetime | None:
        """The same without the starts of journeys: when anything goes on that has begun. None: nothing is under way."""
        now = self.context.clock.now()
        with self.context.database.read() as connection:
            moments = (
                self.enrol.next_fresh(connection, now),
                advancing.next_due(connection, now),
                dispatching.next_due(connection, now),
                tasks.next_notice_due(connection, now),
                webhook_calls.next_due(connection, now),
                self.deciding.next_due(connection, now),
                self.letting_go.next_due(connection, now),
            )
        return min((moment for moment in moments if moment is not None), default=None)

    def close(self, patient: Patience = lambda: False) -> None:
        """Calls on the wire end and are recorded. `patient`: for longer than a minute, where the database is away."""
        self.dispatch.close(patient)
        self.calling.close()
