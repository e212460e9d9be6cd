"""What a daemon needs of memory and processor when nothing happens, and whether it grows while much does."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from engage.store.database import Database
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
    " hour, the shop reports events, 100 a second, each of which brings its member an SMS. Flat: what it needs in the"
    " last quarter of that hour, beside the second quarter."
)
PER_SECOND = 100
MINUTES = 60  # of load
_LOOKS_EVERY = 1.0  # seconds


def measure(scale: Scale) -> Iterator[Figure]:
    with ground.sqlite(scale) as database:
        yield from _measure(scale, database, "SQLite")
    with ground.postgresql() as database:
        yield from _measure(scale, database, "PostgreSQL")


def _measure(scale: Scale, database: Database, where: str) -> Iterator[Figure]:
    count = PER_SECOND * scale.of(MINUTES * 60, 20)
    business(database, JOURNEY, count)
    with provider() as other_end, daemon(scale.folder / where, database, other_end.url) as running:
        yield from _idle(running, where, scale.of(60, 5))
        with _watched(running) as seen:
            answers = call(running.port, Visits(count), PER_SECOND)
        assert set(answers.statuses) == {202}, answers.statuses
    quarter = len(seen) // 4
    late, early = (sum(some) / quarter for some in (seen[-quarter:], seen[quarter : 2 * quarter]))
    yield Figure(
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
