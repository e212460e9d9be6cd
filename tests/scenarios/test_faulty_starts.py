"""A fault of our own over who enters: whoever it keeps out comes in when it is mended, and it keeps nobody else out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from broken_door import fails_over
from small_journeys import SERVICE
from small_journeys import journey as by_event
from stage import OpenStage, Stage
from structlog.testing import capture_logs
from test_calendar_starts import BIRTHDAY, DAILY, journey

from engage.core import schedule
from engage.core.schedule import Slot
from engage.errors import DatabaseUnavailable
from engage.runtime.dispatching.dispatch import Dispatch
from engage.runtime.enrolling import calendar_starts, enrol
from engage.store import enrolling, events, members
from engage.store.insight import overview
from engage.store.tables import delivery

NAMES = ("王芳", "李雷", "林晚")
VISIT = by_event("store_visited", SERVICE, topic="service")
VISIT_TO_ONE = VISIT.replace(
    "start: { event: store_visited }", "start: { event: store_visited, where: { event.store: 湖滨店 } }"
)


class OurFault(Exception):
    pass


@pytest.fixture
def stage(open_stage: OpenStage) -> Stage:
    made = open_stage("2026-11-23 08:00")
    for name in (*NAMES, "韩梅"):
        made.member(name, sms=True, birthday="11-23")
    return made


def rung(stage: Stage, minutes: int) -> None:
    """Three bells a minute; what a loop raises ends its tick."""
    for _ in range(3 * minutes):
        stage.clock.advance_to(stage.clock.now() + timedelta(seconds=20))
        with suppress(OurFault):
            while stage.engine.enrol.tick():
                pass


def entered(stage: Stage, journey_id: str) -> list[int]:
    return [len(stage.runs(name, journey_id)) for name in NAMES]


def nobody_can_enter(monkeypatch: pytest.MonkeyPatch) -> None:
    enter = enrolling.enter

    def failing(connection: Any, journey: Any, version: int, first: str, group: Sequence[Any], *more: Any) -> Any:
        if group:
            raise OurFault
        return enter(connection, journey, version, first, group, *more)

    monkeypatch.setattr(enrolling, "enter", failing)


def visits(stage: Stage, **where: str) -> None:
    for name, store in where.items():
        stage.happens(name, "store_visited", store=store)
    stage.engine.receive.tick()


# --- over whoever enters, while others are turned away without a fault ----------------------------------------------


def test_events_that_would_have_started_something_are_looked_at_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """韩梅 was in another store."""
    stage.apply({"visit": VISIT_TO_ONE})
    with stage.daemon_down(), monkeypatch.context() as patch:
        nobody_can_enter(patch)
        visits(stage, 韩梅="西溪店", **dict.fromkeys(NAMES, "湖滨店"))
        rung(stage, 3)
        assert entered(stage, "visit") == [0, 0, 0]
        with stage.database.read() as connection:
            assert overview.set_aside(connection, stage.began) == {"enrol": 3}
        patch.undo()
        rung(stage, 9)
    assert entered(stage, "visit") == [1, 1, 1]


def test_celebrants_are_brought_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """韩梅 is excluded."""
    stage.apply({"yearly": journey(BIRTHDAY, "exclude: { tag: inner_circle }")})
    with stage.database.write() as connection:
        members.add_tags(connection, {stage.ref("韩梅"): ["inner_circle"]}, stage.clock.now())
    stage.run_until(at="09:59")
    with stage.daemon_down(), monkeypatch.context() as patch:
        nobody_can_enter(patch)
        rung(stage, 3)
        assert entered(stage, "yearly") == [0, 0, 0]
        patch.undo()
        rung(stage, 11)
    assert entered(stage, "yearly") == [1, 1, 1]


# --- over one of them -------------------------------------------------------------------------------------------


def test_an_event_over_which_the_code_fails_is_left_alone_and_the_others_go_on(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as it is news; it is tried every ten minutes."""
    stage.apply({"visit": VISIT})
    with stage.daemon_down():
        fails_over(stage, monkeypatch, "王芳")
        with capture_logs() as logs:
            visits(stage, **dict.fromkeys(NAMES, "湖滨店"))
            rung(stage, 25)
        assert entered(stage, "visit") == [0, 1, 1]
        assert [line["event"] for line in logs if line["event"] in ("left_alone", "set_aside")] == ["left_alone"] * 3
        rung(stage, 24 * 60)
        with stage.database.read() as connection:
            assert not events.any_fresh(connection)
    monkeypatch.undo()
    stage.passes("1h")
    assert entered(stage, "visit") == [0, 1, 1]


# --- over what brings them --------------------------------------------------------------------------------------


def test_the_passing_of_time_that_fails_keeps_no_start_waiting(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.apply({"daily": DAILY, "yearly": journey(BIRTHDAY)})
    tried: list[object] = []

    def failing(*_: object) -> None:
        tried.append(stage.clock.now())
        raise OurFault

    stage.run_until(at="09:30")
    with stage.daemon_down(), monkeypatch.context() as patch:
        patch.setattr(enrol, "cross_by_time", failing)
        rung(stage, 40)
        assert (entered(stage, "daily"), entered(stage, "yearly")) == ([1, 1, 1], [1, 1, 1])
        assert 5 < len(tried) <= 11  # since ten o'clock, once a minute
        patch.undo()
        rung(stage, 2)
    with stage.database.read() as connection:
        assert stage.engine.enrol.next_due(connection, stage.clock.now()) > stage.clock.now()


def test_dates_that_cannot_be_worked_out_keep_nothing_else_waiting(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.apply({"daily": DAILY, "eleven": DAILY.replace("10:00", "11:00"), "visit": VISIT})
    next_slot, slots_between = schedule.next_slot, schedule.slots_between

    def next_failing(start: Any, *more: Any) -> Slot:
        if start.times[0].hour == 11:
            raise OverflowError("date value out of range")
        return next_slot(start, *more)

    def between_failing(start: Any, *more: Any) -> list[Slot]:
        if start.times[0].hour == 11:
            raise OurFault
        return slots_between(start, *more)

    stage.run_until(at="09:30")
    with stage.daemon_down():
        monkeypatch.setattr(schedule, "next_slot", next_failing)
        monkeypatch.setattr(schedule, "slots_between", between_failing)
        visits(stage, 王芳="湖滨店")
        rung(stage, 45)
        assert (entered(stage, "daily"), entered(stage, "visit")) == ([1, 1, 1], [1, 0, 0])


def test_a_start_whose_members_cannot_be_found_keeps_no_other_one_waiting_and_comes_when_it_is_mended(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.apply({"daily": DAILY, "yearly": journey(BIRTHDAY)})
    stage.run_until(at="09:59")

    def failing(*_: object) -> None:
        raise OurFault

    with stage.daemon_down(), monkeypatch.context() as patch:
        patch.setattr(calendar_starts, "_celebrants", failing)
        rung(stage, 3)
        assert (entered(stage, "daily"), entered(stage, "yearly")) == ([1, 1, 1], [0, 0, 0])
        patch.undo()
        rung(stage, 2)
    assert (entered(stage, "daily"), entered(stage, "yearly")) == ([1, 1, 1], [1, 1, 1])


# --- over a database that was brought back ----------------------------------------------------------------------


def test_what_was_in_hand_and_is_in_no_row_any_more_keeps_nobody_waiting(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database went in the midst of a batch, and came back as it had been before."""
    stage.apply({"visit": VISIT})
    stage.run_until(at="10:00")
    with stage.by_hand() as hand:
        stage.happens("王芳", "store_visited", store="湖滨店")
        hand.queue()
        with monkeypatch.context() as patch:
            patch.setattr(Dispatch, "_intend", _goes_away)
            with pytest.raises(DatabaseUnavailable):
                stage.engine.dispatch.tick()
        with stage.database.write() as connection:
            connection.execute(delivery.delete().where(delivery.c.bucket.between(0, 255)))
        stage.happens("李雷", "store_visited", store="湖滨店")
        hand.queue()
        stage.engine.dispatch.tick()
        stage.engine.dispatch.settle()
    assert [len(stage.phone(name)) for name in NAMES] == [0, 1, 0]


def _goes_away(*_: object) -> None:
    raise DatabaseUnavailable("gone")
