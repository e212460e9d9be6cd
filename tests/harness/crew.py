"""Workers that take turns: each is a daemon with a memory of its own, on a greenlet that gives way at every boundary.

Nothing in the engine knows of it. A worker that reaches a boundary (see `boundaries`) stands there until the world lets
it go on; then it goes on, or dies (`Crashed` is raised where it stands and its memory is gone), or meets an error of
the database. One at a time runs, and which one is for the world's dice: the same seed gives the same order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from greenlet import getcurrent, greenlet

from engage.errors import DatabaseUnavailable
from engage.runtime.engine import Engine
from tests.harness.truth import Call, Saying

RESTING = "resting"
LOCKED_OUT = "waits for the write lock"
log = structlog.get_logger("tests.harness")


class Crashed(BaseException):
    """The process is gone. No `except Exception` may see it."""


class Broken(Exception):
    """A fault of the code, in the midst of a batch."""


@dataclass(eq=False)
class Worker:
    name: str
    engine: Engine
    runs_on: greenlet = field(init=False, repr=False)
    at: str = RESTING
    asleep_until: datetime | None = None
    dying: bool = False
    commits: int = 0
    words: tuple[str, Saying] | None = None  # the channel for which it has worded something last, and what
    broken: str | None = None  # the loop in which something has failed for its own sake
    intended: datetime | None = None  # when it has committed intents last: the true time
    means: int | None = None  # the delivery that it makes its next call for
    called: int | None = None  # the delivery it has made a call for last
    heard: list[Call] = field(default_factory=list)  # answers that it has still to record
    looked_at: object = None  # how the world stood when its batch began


class Crew:
    def __init__(
        self,
        hire: Callable[[], Engine],
        names: list[str],
        log: Callable[[str, str], None],
        stands: Callable[[Worker], object],
    ) -> None:
        self._hire = hire
        self._stands = stands
        self._log = log
        self._hub = getcurrent()
        self.reached: Counter[str] = Counter()
        self.died_at: Counter[str] = Counter()
        self.workers = [self._start(name) for name in names]

    def nothing_to_do_for(self, worker: Worker) -> bool:
        """It has found nothing, and what it has looked at has not changed since by another hand."""
        return worker.at == RESTING and worker.looked_at == self._stands(worker)

    # --- inside a worker ----------------------------------------------------------------------------------------

    def reach(self, point: str) -> None:
        """Give way here. Whoever is no worker goes on at once."""
        worker = self.current()
        if worker is None:
            return
        if worker.dying:
            raise Crashed
        self.reached[point] += 1
        self._stand(worker, point)

    def wait_for_lock(self) -> None:
        worker = self.current()
        assert worker is not None, "the harness itself acts only while nobody writes"
        self._stand(worker, LOCKED_OUT)

    def current(self) -> Worker | None:
        here = getcurrent()
        return next((worker for worker in self.workers if worker.runs_on is here), None)

    def _stand(self, worker: Worker, point: str) -> None:
        worker.at = point
        self._hub.switch()

    def _lives(self, worker: Worker) -> None:
        """A daemon's life: batch after batch; a fault of the database ends one, and the next bell begins another."""
        try:
            while True:
                worker.looked_at = self._stands(worker)
                try:
                    done = worker.engine.tick()
                except (DatabaseUnavailable, Broken) as error:
                    self._log(worker.name, f"ends its batch: {error}")
                    done = 1
                except Exception:  # as a daemon does, which goes on at the next bell
                    log.exception("loop_failed")
                    done = 0
                if not done:
                    self._stand(worker, RESTING)
        except Crashed:
            pass

    # --- from outside -------------------------------------------------------------------------------------------

    def goes_on(self, worker: Worker) -> None:
        """To its next boundary."""
        worker.runs_on.switch()

    def meets(self, worker: Worker, error: Exception) -> None:
        self._log(worker.name, f"meets “{error}” at {worker.at}")
        worker.runs_on.throw(error)

    def crashes(self, worker: Worker) -> None:
        """Dies where it stands; another one takes its place, and knows nothing."""
        self.died_at[worker.at] += 1
        self._log(worker.name, f"dies at {worker.at}")
        self._ends(worker)
        self.workers[self.workers.index(worker)] = self._start(worker.name)

    def close(self) -> None:
        for worker in self.workers:
            self._ends(worker)

    def _start(self, name: str) -> Worker:
        worker = Worker(name, self._hire())
        worker.runs_on = greenlet(lambda: self._lives(worker))
        return worker

    def _ends(self, worker: Worker) -> None:
        worker.dying = True
        if worker.runs_on:  # it has begun, and has not ended
            worker.runs_on.throw(Crashed)
        worker.engine.close()
