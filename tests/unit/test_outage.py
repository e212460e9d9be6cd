"""A database that does not answer is one line a while; a full disk rests the loops."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from engage.clock import VirtualClock
from engage.errors import DatabaseConflict, DatabaseUnavailable, DiskFull
from engage.runtime.outage import Outage
from tests.harness.clock import SkippingClock

GONE = DatabaseUnavailable("the database does not answer")


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(datetime(2026, 11, 23, tzinfo=UTC))


def passes(clock: VirtualClock, seconds: float) -> None:
    clock.advance_to(clock.now() + timedelta(seconds=seconds))


def test_an_hour_of_bells_is_a_line_a_minute_and_one_at_the_end(clock: VirtualClock) -> None:
    outage = Outage(clock)
    with capture_logs() as lines:
        for _ in range(3600):
            outage.begun("advance", GONE)
            outage.begun("dispatch", GONE)
            passes(clock, 1)
        outage.over("advance")
        outage.over("dispatch")
        outage.over("dispatch")
    assert [line["event"] for line in lines] == ["database_unavailable"] * 60 + ["database_is_back"]
    assert {line["since"] for line in lines[:-1]} == {"2026-11-23T00:00:00+00:00"}
    assert lines[-1]["seconds"] == 3600


def test_an_idle_loop_does_not_end_the_outage_of_another(clock: VirtualClock) -> None:
    """On a full disk it can read, and nobody can write."""
    outage = Outage(clock)
    with capture_logs() as lines:
        outage.begun("dispatch", DiskFull("full"))
        outage.over("staff")
    assert [line["event"] for line in lines] == ["database_unavailable"]


def test_a_full_disk_rests_the_loops_for_a_while(clock: VirtualClock) -> None:
    outage = Outage(clock)
    outage.begun("advance", GONE)
    assert not outage.rests()
    outage.begun("dispatch", DiskFull("full"))
    assert outage.rests()
    passes(clock, 15)
    assert not outage.rests()


def test_a_clock_that_is_set_back_makes_no_rest_and_no_outage_longer() -> None:
    clock = SkippingClock(datetime(2026, 11, 23, tzinfo=UTC))
    outage = Outage(clock)
    with capture_logs() as lines:
        outage.begun("dispatch", DiskFull("full"))
        clock.jumps(timedelta(hours=-1))
        assert outage.rests()
        clock.passes(timedelta(seconds=60))
        assert not outage.rests()
        outage.begun("dispatch", GONE)
        outage.over("dispatch")
    assert [line["event"] for line in lines] == ["database_unavailable"] * 2 + ["database_is_back"]
    assert lines[1]["since"] == "2026-11-22T23:00:00+00:00"
    assert lines[-1]["seconds"] == 60


def test_a_conflict_is_no_outage(clock: VirtualClock) -> None:
    outage = Outage(clock)
    with capture_logs() as lines:
        outage.begun("advance", DatabaseConflict("deadlock"))
        outage.over("advance")
    assert [line["event"] for line in lines] == ["database_conflict"]
