"""What the same work costs among many: a million members with five million runs, beside the fiftieth part of them."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import median

from sqlalchemy import func, select

from engage.clock import VirtualClock
from engage.core.fact import Happened
from engage.core.fact_json import fact_to_json
from engage.runtime.advancing.advance import BATCH, Advance
from engage.runtime.enrolling.enrol import Enrol
from engage.runtime.enrolling.passing_of_time import PassingOfTime
from engage.runtime.receiving.receive import Receive
from engage.store import advancing, inbound
from engage.store.databases.database import Database
from engage.store.inbound import Arrived
from engage.store.members import MemberRef
from engage.store.tables import bucket_of, delivery, enrolment
from tests.bench import crowd, ground
from tests.bench.figures import Beside, Figure, Goal, Scale

TITLE = "Growth"
ABOUT = (
    "The same work in a small database and in one fifty times as large, which stand side by side: in turn, the median"
    " of five rounds. The small one has 20,000 members and 100,000 runs that wait, the large one a million and five"
    " million, each run with a message that was sent and a line of its trail. All shipped journeys are applied, and one"
    " more. What comes in is of members from all over: the more there are, the fewer of them share a page of an index."
    " Both are in memory, as a database at work has what it works on: PostgreSQL has a quarter of the machine's for its"
    " pages (`shared_buffers`), SQLite's file has been read just before."
)
JOURNEY = """
    journey: 测速
    start: { every: day, at: 10:30 }
    audience: { city: 杭州 }
    reentry: always
    topic: service
    steps:
      - send: sorry_personal
        only_if: { level: 1.. }
      - wait: 30d
"""
_MORNING = ground.BEGAN  # ten o'clock
_BEFORE = _MORNING - timedelta(minutes=70)  # in another hour than the minute before the morning
_BULK = _MORNING + timedelta(minutes=30)
_ROUNDS = 5
_OF_MEMORY = 1 / 4  # what PostgreSQL's manual advises for a machine that is its own
_FLAT = Goal(at_most=1.2)
_A_MINUTE = Goal(at_most=60)


def measure(scale: Scale) -> Iterator[Figure]:
    yield from _of_kind(scale, "SQLite", lambda name: ground.sqlite(scale, f"{name}.db"))
    for name in ("small", "large"):  # a dozen gigabytes each
        for file in scale.folder.glob(f"{name}.db*"):
            file.unlink()
    yield from _of_kind(scale, "PostgreSQL", lambda _: ground.postgresql(of_memory=_OF_MEMORY))


def _of_kind(scale: Scale, kind: str, database: Callable[[str], AbstractContextManager[Database]]) -> Iterator[Figure]:
    with ExitStack() as stack:
        small = _World(stack.enter_context(database("small")), scale.of(20_000, 2_000))
        large = _World(stack.enter_context(database("large")), scale.of(1_000_000, 10_000))
        for figure in (*_side_by_side(scale, small, large), *_mornings(large)):
            yield replace(figure, what=f"{figure.what} on {kind}")


def _side_by_side(scale: Scale, small: _World, large: _World) -> Iterator[Figure]:
    count = scale.of(1_500, 150)  # so that each round finds members of its own, in the small one as well
    for what, unit, goal, work in (
        ("a step", "µs", _FLAT, lambda world: world.seconds_of_steps(count) / count * 1e6),
        ("a claim of 500 runs", "ms", None, lambda world: world.seconds_of_claim() * 1e3),
        ("an event read", "µs", None, lambda world: world.seconds_of_events(count) / count * 1e6),
        ("an event enrol looks at", "µs", None, lambda world: world.seconds_of_news(count) / count * 1e6),
    ):
        taken = [(work(small), work(large)) for _ in range(_ROUNDS)]
        beside = Beside(f"among {small.members:,}", median(each for each, _ in taken))
        yield Figure(f"{what} among {large.members:,} members", median(each for _, each in taken), unit, beside, goal)


def _mornings(world: _World) -> Iterator[Figure]:
    seconds, crossed = world.seconds_of_an_hour()
    yield Figure("an hour's crossings by the passing of time", seconds, "s", how=f"{crossed:,} crossed")
    for what, moment, journey in (("a birthday morning", _MORNING, "birthday"), ("a bulk start", _BULK, "bench")):
        seconds, entered, queued = world.seconds_until_queued(moment, journey)
        found = f"{entered:,} entered, {queued:,} messages queued"
        yield Figure(f"{what} among {world.members:,} members", seconds, "s", goal=_A_MINUTE, how=found)


@dataclass
class _World:
    """A database with a crowd in it, at work a little before ten o'clock."""

    database: Database
    members: int
    _round: int = 0

    def __post_init__(self) -> None:
        crowd.gather(self.database, self.members, _BEFORE)
        self.clock = VirtualClock(_BEFORE)
        context = ground.context_of(self.database, JOURNEY, self.clock, shipped=True)
        self.context = replace(context, guarded=False)
        Enrol(self.context).tick()  # from now on it is known what was seen
        ground.vacuum(self.database)
        ground.written_out(self.database)

    def seconds_of_steps(self, count: int) -> float:
        """Of members from all over, each of whom has just entered."""
        self._round += 1
        ground.enter(self.context, self._some(count), f"bench{self._round}")
        return self._seconds(lambda: _until_done(Advance(self.context)))

    def seconds_of_claim(self) -> float:
        """The first of the many that will be due in a month."""
        later = self.clock.now() + timedelta(days=30)
        return median(self._seconds_of_claim(later) for _ in range(9))

    def seconds_of_events(self, count: int) -> float:
        self._tell(count)
        return self._seconds(lambda: _until_done(Receive(self.context)))

    def seconds_of_news(self, count: int) -> float:
        """Who enters by it, and which segments it leads into or out of."""
        self._tell(count)
        _until_done(Receive(self.context))
        return self._seconds(lambda: _until_done(Enrol(self.context)))

    def _tell(self, count: int) -> None:
        """Of an order each."""
        self._round += 1
        now = self.clock.now()
        told = [Happened(f"m{ref.id}", "order_paid", {"amount": 128}, now) for ref in self._some(count)]
        arrived = [Arrived(inbound.API, f"{self._round}:{n}", fact_to_json(fact)) for n, fact in enumerate(told)]
        with self.database.write() as connection:
            inbound.put(connection, arrived, now)

    def seconds_of_an_hour(self) -> tuple[float, int]:
        """And how many came into a segment or left one."""
        began, crossed, passing = time.perf_counter(), 0, PassingOfTime(self.context)
        while some := passing.work_on(_MORNING - timedelta(seconds=1)):
            crossed += some
        return time.perf_counter() - began, crossed

    def seconds_until_queued(self, moment: datetime, journey: str) -> tuple[float, int, int]:
        """From the moment on; and how many have entered, and messages been queued."""
        self.clock.advance_to(moment)
        before = self._came_of(journey)
        seconds = self._seconds(lambda: (_until_done(Enrol(self.context)), _until_done(Advance(self.context))))
        entered, queued = (now - then for now, then in zip(self._came_of(journey), before, strict=True))
        return seconds, entered, queued

    def _came_of(self, journey: str) -> tuple[int, int]:
        with self.database.read() as connection:
            runs = connection.scalar(
                select(func.count()).select_from(enrolment).where(enrolment.c.journey_id == journey)
            )
            sent = connection.scalar(select(func.count()).select_from(delivery).where(delivery.c.journey_id == journey))
        return runs or 0, sent or 0

    def _seconds_of_claim(self, moment: datetime) -> float:
        with self.database.write() as connection:
            began = time.perf_counter()
            assert len(advancing.due(connection, moment, BATCH)) == BATCH
            return time.perf_counter() - began

    def _some(self, count: int) -> list[MemberRef]:
        """From all over, others in each round."""
        step = self.members // count
        ids = range(1 + self._round % step, self.members + 1, step)
        return [MemberRef(bucket_of(member_id), member_id) for member_id in ids[:count]]

    def _seconds(self, work: Callable[[], object]) -> float:
        ground.warm(self.database)
        gc.collect()
        gc.freeze()
        began = time.perf_counter()
        work()
        return time.perf_counter() - began


def _until_done(loop: Advance | Enrol | Receive) -> None:
    while loop.tick():
        pass
