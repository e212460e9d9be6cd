"""How many runs the advance loop moves, beside the database's own floor, and with a second process beside the first."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from statistics import median

from engage.runtime.advancing.advance import BATCH, Advance
from engage.runtime.context import Context
from engage.store import members
from engage.store.databases.database import Database
from tests.bench import floor, ground, peers
from tests.bench.figures import Beside, Figure, Goal, Scale
from tests.bench.peers import orm

TITLE = "Steps"
ABOUT = (
    "Runs that come to a `send` with a condition on a field of the member, and then to a `wait`: each is claimed,"
    " judged and moved, its message queued, its trail written. The floor is the same rows, batch by batch of the same"
    " size, changed and added by the database alone: in one statement on PostgreSQL, in four on SQLite, which cannot"
    " say it in one. What a user would otherwise pick does the same work on the same database: SQLAlchemy's ORM, an"
    " object for each row; a job for each step on a task queue; a workflow for each run on DBOS. Their jobs are queued"
    " beforehand, which is not counted."
)
JOURNEY = """
    journey: 测速
    start: { event: store_visited }
    reentry: always
    topic: service
    steps:
      - send: sorry_personal
        only_if: { level: 1.. }
      - wait: 30d
"""
_LATER = ground.BEGAN + timedelta(days=30)


def measure(scale: Scale) -> Iterator[Figure]:
    count = scale.of(50_000, 2_000)
    with ground.sqlite(scale) as database:
        context = _stand(database, count)
        lowest = _floor(database, count)
        _stand_again(context, count)
        one = _alone(context, count)
        yield Figure("advance on SQLite", one, "runs/s", Beside("floor", lowest))
        yield from _beside_orm(context, one, scale, "SQLite")
    with ground.postgresql() as database:
        context = _stand(database, count)
        lowest = _floor(database, count)
        one, two = _alone_and_together(context, count)
        yield Figure("advance on PostgreSQL", one, "runs/s", Beside("floor", lowest), Goal(at_least=0.6))
        yield Figure("two processes on PostgreSQL", two, "runs/s", Beside("one process", one), Goal(at_least=1.5))
        yield from _beside_orm(context, one, scale, "PostgreSQL")
        yield from _beside_peers(context, two, scale)


def _beside_orm(context: Context, one: float, scale: Scale, kind: str) -> Iterator[Figure]:
    """In one process, as ours."""
    for per_commit, words in ((1, "a commit for each"), (BATCH, f"a commit for {BATCH}")):
        count = scale.of(1_000 if per_commit == 1 else 5_000, 500)
        _stand_again(context, count)
        began = time.perf_counter()
        moved = orm.advance(context.database, ground.BEGAN, count, per_commit)
        rate = moved / (time.perf_counter() - began)
        yield Figure(f"beside SQLAlchemy's ORM on {kind}, {words}", one, "runs/s", Beside("the ORM", rate))


def _beside_peers(context: Context, two: float, scale: Scale) -> Iterator[Figure]:
    """Two processes each, and ours."""
    commands = peers.environment()
    if commands is None:
        return
    for peer in (*peers.TASK_QUEUES, peers.DBOS):
        rate = peers.rate(peer, commands, context, scale.of(5_000, 300), scale.folder, _stand_again)
        goal = Goal(at_least=50 if peer is peers.DBOS else 10)
        yield Figure(f"beside {peer.name}, two processes each", two, "runs/s", Beside(peer.name, rate), goal)


# --- runs that are due ------------------------------------------------------------------------------------------


def _stand(database: Database, count: int) -> Context:
    """That many members, each of whom has just entered the journey."""
    context = ground.context_of(database, JOURNEY)
    refs = ground.newcomers(database, count)
    with database.write() as connection:
        level = {ref: {"level": 3.0} for ref in refs}
        members.set_values(connection, context.applied.current().catalog, level, ground.BEGAN)
    ground.enter(context, refs)
    ground.vacuum(database)
    ground.written_out(database)
    return context


def _stand_again(context: Context, count: int) -> None:
    """All over, for other members: what was done before is gone."""
    ground.forget_runs(context.database)
    ground.enter(context, ground.all_members(context.database, count))
    ground.vacuum(context.database)
    ground.written_out(context.database)


# --- how long it takes ------------------------------------------------------------------------------------------


def _alone_and_together(context: Context, count: int) -> tuple[float, float]:
    """In turn, the median of five rounds: the machine is never quite as fast as just before."""
    rounds = []
    for _ in range(5):
        _stand_again(context, count)
        one = _alone(context, count)
        _stand_again(context, count)
        rounds.append((one, _together(context.database, 2)))
    ones, twos = zip(*rounds, strict=True)
    return median(ones), median(twos)


def _alone(context: Context, count: int) -> float:
    moved, seconds = _advance(Advance(context))
    assert moved == count, moved
    return moved / seconds


def _advance(loop: Advance) -> tuple[int, float]:
    """How many were moved, in how many seconds."""
    gc.collect()
    gc.freeze()
    moved, began = 0, time.perf_counter()
    while some := loop.tick():
        moved += some
    return moved, time.perf_counter() - began


def _together(database: Database, processes: int) -> float:
    url = database.url.render_as_string(hide_password=False)
    apart = get_context("spawn")
    with ProcessPoolExecutor(processes, apart, _set_out, (apart.Barrier(processes),)) as pool:
        moved, seconds = zip(*pool.map(_advance_beside, [url] * processes), strict=True)
    return sum(moved) / max(seconds)


_all_are_warm: Barrier


def _set_out(all_are_warm: Barrier) -> None:
    global _all_are_warm
    _all_are_warm = all_are_warm


def _advance_beside(url: str) -> tuple[int, float]:
    """Warm, as the process is that is alone: its first batch is not counted."""
    database = Database(url)
    loop = Advance(ground.running_context(database))
    loop.tick()
    _all_are_warm.wait()
    moved, seconds = _advance(loop)
    database.close()
    return moved, seconds


def _floor(database: Database, count: int) -> float:
    began = time.perf_counter()
    moved = floor.advance_all(database, BATCH, ground.BEGAN, _LATER)
    assert moved == count, moved
    return count / (time.perf_counter() - began)
