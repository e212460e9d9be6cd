"""Housekeeping by the real engine's clock: at night, a batch at a bell, once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import pytest
from sqlalchemy import func, select, text
from stage_scene import files_with
from stage_wiring import read_files
from structlog.testing import capture_logs

from engage.bootstrap import build_context
from engage.clock import VirtualClock
from engage.config import Retention
from engage.errors import DatabaseUnavailable
from engage.runtime.context import Context
from engage.runtime.edits.applying import apply
from engage.runtime.housekeeping import Housekeeping
from engage.simulation.settings import USUAL
from engage.store import housekeeping, inbound, state
from engage.store.databases import months
from engage.store.databases.database import Database
from engage.store.inbound import Arrived
from engage.store.tables import inbound as records
from engage.store.tables import job_slot
from tests.postgresql import one_more_database

EVENING = datetime(2026, 11, 23, 16, tzinfo=UTC)  # midnight in Shanghai
NIGHT = EVENING + timedelta(hours=2)
KEPT = timedelta(days=90)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    database = Database(f"sqlite:///{tmp_path / 'engage.db'}")
    database.create_all()
    apply(database, read_files(files_with({})), EVENING)
    yield build_context(USUAL, VirtualClock(EVENING), database)
    database.close()


@pytest.fixture
def context_on_a_server(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Context]:
    """Without any month yet."""
    monkeypatch.setattr(months, "_PATIENCE", "SET LOCAL lock_timeout = '20ms'")
    with one_more_database(postgresql_url, "kept_in_order") as url:
        database = Database(url)
        database.create_all()
        apply(database, read_files(files_with({})), EVENING)
        yield build_context(USUAL, VirtualClock(EVENING), database)
        database.close()


def receives(context: Context, count: int, at: datetime) -> None:
    with context.database.write() as connection:
        inbound.put(connection, [Arrived("api", f"{at}{n}", "{}") for n in range(count)], at)


def left(context: Context) -> int:
    with context.database.read() as connection:
        return connection.scalar(select(func.count()).select_from(records)) or 0


def nights(context: Context) -> list[str]:
    with context.database.read() as connection:
        return list(connection.scalars(select(job_slot.c.slot).where(job_slot.c.job == "housekeeping")))


def comes(context: Context, moment: datetime) -> None:
    assert isinstance(context.clock, VirtualClock)
    context.clock.advance_to(moment)


def test_at_night_what_is_too_old_goes_a_batch_at_a_bell(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "BATCH", 2)
    receives(context, 3, NIGHT - KEPT - timedelta(seconds=1))
    receives(context, 1, NIGHT - KEPT)
    house = Housekeeping(context, lambda: Retention(inbound=KEPT))

    def after_a_bell() -> int:
        assert house.tick() == 0
        return left(context)

    assert after_a_bell() == 4
    comes(context, NIGHT)
    assert [after_a_bell() for _ in range(3)] == [2, 1, 1]
    assert nights(context) == ["2026-11-24"]
    comes(context, NIGHT + timedelta(hours=5))
    assert after_a_bell() == 1
    comes(context, NIGHT + timedelta(days=1))
    assert after_a_bell() == 0


def test_what_is_to_be_kept_is_kept(context: Context) -> None:
    receives(context, 1, NIGHT - 10 * KEPT)
    comes(context, NIGHT)
    Housekeeping(context, lambda: Retention(inbound=None)).tick()
    assert left(context) == 1


def test_a_database_that_is_away_has_no_chore_passed_over(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody holds a table: what there is to be done is done when it is back, not ten minutes later."""

    def away(*_: object) -> NoReturn:
        raise DatabaseUnavailable("the database does not answer")

    receives(context, 1, NIGHT - 2 * KEPT)
    comes(context, NIGHT)
    house = Housekeeping(context, lambda: Retention(inbound=KEPT))
    with monkeypatch.context() as patch:
        patch.setattr(state, "take_turn", away)
        with pytest.raises(DatabaseUnavailable):
            house.tick()
    assert house.passed_over == []
    house.tick()
    assert left(context) == 0


def test_what_a_reader_holds_is_tried_again_the_same_night_and_the_rest_is_done(context_on_a_server: Context) -> None:
    """A `pg_dump` at two o'clock, every night: the months ahead would never be made."""
    context = context_on_a_server
    receives(context, 1, NIGHT - 2 * KEPT)
    comes(context, NIGHT)
    house = Housekeeping(context, lambda: Retention(inbound=KEPT))

    def rings(times: int) -> list[str]:
        with capture_logs() as logged:
            for _ in range(times):
                house.tick()
        return [line["event"] for line in logged]

    def missing() -> list[str]:
        with context.database.read() as connection:
            return months.missing_months(connection, NIGHT)

    with context.database.engine.connect() as reader:
        reader.execute(text("LOCK TABLE decision IN ACCESS SHARE MODE"))
        assert rings(5) == ["housekeeping_waits", "housekeeping"]
        assert (left(context), len(missing()), nights(context)) == (0, 4, [])
        comes(context, NIGHT + 9 * MINUTE)
        assert rings(3) == []
        comes(context, NIGHT + 10 * MINUTE)
        assert rings(3) == ["housekeeping_waits"]
        reader.rollback()
    comes(context, NIGHT + 20 * MINUTE)
    assert rings(3) == ["housekeeping", "housekeeping_done"]
    assert (missing(), nights(context)) == ([], ["2026-11-24"])
