"""What a daemon needs of memory and processor when nothing happens, and whether it grows while much does."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from tests.bench import ground
from tests.bench.callbacks import JOURNEY
from tests.bench.callers import call
from tests.bench.figures import Beside, Figure, Goal, Scale
from tests.bench.latency import Visits
from tests.bench.providers import provider
from tests.bench.running import Daemon, business, daemon

TITLE = "Memory"
ABOUT = (
    "All processes of a running daemon together; what they share is counted once. First it is left alone; then, for an"
    " hour, the shop reports events, 100 a second, each of which brings its member an SMS: to two daemons at the same"
    " time, one on SQLite and one on PostgreSQL. Flat: what a daemon needs in the last quarter of that hour, beside the"
    " second quarter."
)
PER_SECOND = 100
MINUTES = 60  # of load
_LOOKS_EVERY = 1.0  # seconds


def measure(scale: Scale) -> Iterator[Figure]:
    count = PER_SECOND * scale.of(MINUTES * 60, 20)
    with ExitStack() as stack, ThreadPoolExecutor() as both:
        databases = {"SQLite": stack.enter_context(ground.sqlite(scale))}
        databases["PostgreSQL"] = stack.enter_context(ground.postgresql())
        running: dict[str, Daemon] = {}
        for where, database in databases.items():
            business(database, JOURNEY, count)
            other_end = stack.enter_context(provider())
            running[where] = stack.enter_context(daemon(scale.folder / where, database, other_end.url))
            yield from _idle(running[where], where, scale.of(60, 5))
        yield from both.map(lambda where: _loaded(running[where], where, count), running)


def _loaded(running: Daemon, where: str, count: int) -> Figure:
    with _watched(running) as seen:
        answers = call(running.port, Visits(count), PER_SECOND)
    assert set(answers.statuses) == {202}, answers.statuses
    quarter = len(seen) // 4
    late, early = (sum(some) / quarter for some in (seen[-quarter:], seen[quarter : 2 * quarter]))
    return Figure(
        f"under load on {where}", late, "MB", Beside("the second quarter", early), Goal(at_most=1.05),
        f"{answers.lasted / 60:.0f} minutes, {count:,} events; at most {max(seen):.0f} MB",
    )  # fmt: skip


def _idle(running: Daemon, where: str, seconds: int) -> Iterator[Figure]:
    time.sleep(5)  # it has just started
    began, used = time.monotonic(), running.cpu_seconds()
    time.sleep(seconds)
    share = (running.cpu_seconds() - used) / (time.monotonic() - began)
    yield Figure(f"idle on {where}", running.memory(), "MB", goal=Goal(at_most=150))
    yield Figure(f"processor of the idle daemon on {where}", share * 100, "%", goal=Goal(at_most=1))


@contextmanager
def _watched(running: Daemon) -> Iterator[list[float]]:
    """What it needs, from moment to moment."""
    seen: list[float] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_LOOKS_EVERY):
            seen.append(running.memory())

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield seen
    finally:
        over.set()
        watching.join()
