"""`engage apply` beside a daemon that is at work on the same PostgreSQL. (On SQLite whoever writes is alone.)"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from small_journeys import SERVICE, journey
from sqlalchemy import Connection, select, text
from stage_scene import files_with
from stage_wiring import read_files

from engage.bootstrap import build_context
from engage.clock import VirtualClock
from engage.content.project import Project
from engage.runtime import applying
from engage.runtime.applying import Done, apply
from engage.runtime.context import Context
from engage.runtime.engine import Engine
from engage.runtime.planning import Planned
from engage.simulation.settings import USUAL
from engage.store import enrolling, members
from engage.store.database import Database
from engage.store.enrolling import Entrant
from engage.store.tables import delivery, enrolment
from tests.postgresql import one_more_database

BEGAN = datetime(2026, 11, 23, 2, tzinfo=UTC)
TEN_DAYS = timedelta(days=10)


def waits(period: str) -> Project:
    steps = (f"wait: {period}\nid: rest", SERVICE, "wait: 5d", "send: thanks_repeat")
    return read_files(files_with({"note": journey("store_visited", *steps, topic="service")}))


@pytest.fixture
def context(postgresql_url: str) -> Iterator[Context]:
    """One member who has just entered."""
    with one_more_database(postgresql_url, "two_processes") as url:
        database = Database(url)
        database.create_all()
        context = build_context(USUAL, VirtualClock(BEGAN), database)
        apply(database, waits("10d"), BEGAN)
        with database.write() as connection:
            ref = members.create(connection, BEGAN, "C1", None)
            note = context.applied.current().journeys["note"]
            entrant = Entrant(ref, "visit", {"event": {}, "var": {}}, 0)
            enrolling.enter(connection, note.journey, 1, note.program.first, [(entrant, False)], BEGAN)
        yield context
        database.close()


def test_a_run_that_is_due_is_either_moved_on_or_moved_by_the_edit(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon comes to it when the plan is made and not yet carried out: it waits, and goes by the new files."""
    engine = Engine(context)
    engine.advance.tick()
    assert isinstance(context.clock, VirtualClock)
    context.clock.advance_to(BEGAN + TEN_DAYS)
    carry_out = applying.carry_out
    with ThreadPoolExecutor(1) as daemon:

        def with_the_daemon_at_work(connection: Connection, planned: Planned, now: datetime) -> None:
            _until_done_or_waiting(context.database, daemon.submit(engine.advance.tick))
            carry_out(connection, planned, now)

        monkeypatch.setattr(applying, "carry_out", with_the_daemon_at_work)
        assert isinstance(apply(context.database, waits("20d"), context.clock.now()), Done)
    engine.close()
    with context.database.read() as connection:
        assert connection.execute(select(enrolment.c.step_id, enrolment.c.deadline_at)).all() == [
            ("rest", BEGAN + 2 * TEN_DAYS)
        ]
        assert connection.execute(select(delivery)).all() == []


def _until_done_or_waiting(database: Database, work: Future[int]) -> None:
    waiting = 0
    while not (waiting or work.done()):
        with database.read() as connection:
            waiting = connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")) or 0
