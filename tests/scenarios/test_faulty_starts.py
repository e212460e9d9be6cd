"""A fault of our own over who enters: whoever it keeps out comes in when it is mended, and it keeps nobody else out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import pytest
from broken_door import OurFault, fails_over, rung
from small_journeys import SERVICE
from small_journeys import journey as by_event
from stage import OpenStage, Stage
from structlog.testing import capture_logs
from test_calendar_starts import BIRTHDAY, DAILY, PARIS, SHANGHAI, journey, moves

from engage.core import schedule
from engage.core.journey.model import OnSchedule
from engage.errors import DatabaseUnavailable
from engage.runtime.dispatching.dispatch import Dispatch
from engage.runtime.enrolling import calendar_starts, enrol, holding
from engage.store import enrolling, events, members, segments, state
from engage.store import holding as store
from engage.store.insight import overview
from engage.store.tables import delivery

NAMES = ("王芳", "李雷", "林晚")
VISIT = by_event("store_visited", SERVICE, topic="service")
VISIT_TO_ONE = VISIT.replace(
    "start: { event: store_visited }", "start: { event: store_visited, where: { event.store: 湖滨店 } }"
)


@pytest.fixture
def stage(open_stage: OpenStage) -> Stage:
    made = open_stage("2026-11-23 08:00")
    for name in (*NAMES, "韩梅"):
        made.member(name, sms=True, birthday="11-23")
    return made


def entered(stage: Stage, journey_id: str) -> list[int]:
    return [len(stage.runs(name, journey_id)) for name in NAMES]


def _fails(*_: object) -> None:
    raise OurFault


def nobody_can_enter(monkeypatch: pytest.MonkeyPatch) -> None:
    enter = enrolling.enter

    def failing(connection: Any, journey: Any, version: int, first: str, group: Sequence[Any], *more: Any) -> Any:
        if group:
            raise OurFault
        return enter(connection, journey, version, first, group, *more)

    monkeypatch.setattr(enrolling, "enter", failing)


def visits(stage: Stage, **where: str) -> None:
    for name, visited in where.items():
        stage.happens(name, "store_visited", store=visited)
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
    """As long as it is news; it is tried every ten minutes. Two of them are not taken for a fault over all of their
    kind because they come back by themselves."""
    stage.apply({"visit": VISIT})
    with stage.daemon_down():
        fails_over(stage, monkeypatch, "王芳", "李雷")
        with capture_logs() as logs:
            visits(stage, **dict.fromkeys(NAMES, "湖滨店"))
            rung(stage, 25)
        assert entered(stage, "visit") == [0, 0, 1]
        assert [line["event"] for line in logs if line["event"] in ("left_alone", "set_aside")] == ["left_alone"] * 6
        rung(stage, 24 * 60)
        with stage.database.read() as connection:
            assert not events.any_fresh(connection)
    monkeypatch.undo()
    stage.passes("1h")
    assert entered(stage, "visit") == [0, 0, 1]


# --- over what brings them --------------------------------------------------------------------------------------


def test_the_passing_of_time_that_fails_keeps_no_start_waiting(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.apply({"daily": DAILY, "yearly": journey(BIRTHDAY)})
    tried: list[object] = []

    def failing(*_: object) -> None:
        tried.append(stage.clock.now())
        raise OurFault

    stage.run_until(at="09:30")
    with stage.daemon_down(), monkeypatch.context() as patch:
        patch.setattr(segments, "crossing_by_time", failing)
        rung(stage, 40)
        assert (entered(stage, "daily"), entered(stage, "yearly")) == ([1, 1, 1], [1, 1, 1])
        assert 5 < len(tried) <= 11  # since ten o'clock, once a minute
        patch.undo()
        rung(stage, 2)
    with stage.database.read() as connection:
        assert stage.engine.enrol.next_due(connection, stage.clock.now()) > stage.clock.now()


def test_dates_that_cannot_be_worked_out_keep_nothing_else_waiting_and_come_when_they_can(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.apply({"daily": DAILY, "eleven": DAILY.replace("10:00", "11:00"), "visit": VISIT})
    stage.run_until(at="09:30")
    with stage.daemon_down(), monkeypatch.context() as patch:
        patch.setattr(schedule, "next_slot", _fails_at_eleven(schedule.next_slot))
        patch.setattr(schedule, "slots_between", _fails_at_eleven(schedule.slots_between))
        visits(stage, 王芳="湖滨店")
        rung(stage, 120)
        assert (entered(stage, "daily"), entered(stage, "visit")) == ([1, 1, 1], [1, 0, 0])
        patch.undo()
        rung(stage, 2)
    assert entered(stage, "eleven") == [1, 1, 1]


def _fails_at_eleven(asked: Callable[..., Any]) -> Callable[..., Any]:
    def failing(start: OnSchedule, *more: Any) -> Any:
        if start.times[0].hour == 11:
            raise OurFault
        return asked(start, *more)

    return failing


def test_a_start_whose_members_cannot_be_found_keeps_no_other_one_waiting_and_comes_when_they_can(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.apply({"daily": DAILY, "yearly": journey(BIRTHDAY)})
    stage.run_until(at="09:59")
    with stage.daemon_down(), monkeypatch.context() as patch:
        patch.setattr(calendar_starts, "_celebrants", _fails)
        rung(stage, 3)
        assert (entered(stage, "daily"), entered(stage, "yearly")) == ([1, 1, 1], [0, 0, 0])
        patch.undo()
        rung(stage, 2)
    assert (entered(stage, "daily"), entered(stage, "yearly")) == ([1, 1, 1], [1, 1, 1])


def test_who_has_moved_meanwhile_is_found_then_too(open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = open_stage("2026-11-22 20:00")
    stage.member("Anne", email=True, zone=PARIS, birthday="11-23")
    stage.apply({"yearly": journey(BIRTHDAY)})
    stage.run_until(day=1, at="14:59")
    with stage.daemon_down(), monkeypatch.context() as patch:
        moves(stage, "Anne", SHANGHAI)
        stage.engine.receive.tick()
        patch.setattr(calendar_starts, "_celebrants", _fails)
        rung(stage, 62)
        patch.undo()
        rung(stage, 2)
    assert len(stage.runs("Anne")) == 1


# --- over one whom the calendar brings, who is brought again --------------------------------------------------------


@pytest.fixture
def put_off(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """It is 10:02. 王芳 and 李雷 are owed their birthday's journey; their fault is mended."""
    stage.apply({"yearly": journey(BIRTHDAY)})
    stage.run_until(at="09:59")
    with stage.daemon_down():
        with monkeypatch.context() as patch:
            fails_over(stage, patch, "王芳", "李雷")
            rung(stage, 3)
        assert entered(stage, "yearly") == [0, 0, 1]
        yield stage


def owed(stage: Stage) -> set[int | None]:
    with stage.database.read() as connection:
        return {start.member_id for start in state.starts_owed(connection)}


def test_they_come_though_nobody_could_be_found_for_a_while(put_off: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(calendar_starts, "_celebrants", _fails)
        rung(put_off, 15)
        assert owed(put_off) == {put_off.ref(name).id for name in NAMES[:2]}
    rung(put_off, 15)
    assert (entered(put_off, "yearly"), owed(put_off)) == ([1, 1, 1], set())


def test_they_come_though_an_edit_puts_the_start_off(put_off: Stage) -> None:
    put_off.apply({"yearly": journey(BIRTHDAY.replace("10:00", "10:30"))})
    rung(put_off, 15)
    with put_off.database.read() as connection:
        assert put_off.engine.enrol.next_due(connection, put_off.clock.now()) > put_off.clock.now()
    rung(put_off, 30)
    assert entered(put_off, "yearly") == [1, 1, 1]


def test_they_are_tried_every_ten_minutes_and_nobody_else_is_looked_for_meanwhile(
    put_off: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    celebrants, looks = calendar_starts._celebrants, []

    def looking(*asked: Any) -> Any:
        looks.append(put_off.clock.now())
        return celebrants(*asked)

    monkeypatch.setattr(calendar_starts, "_celebrants", looking)
    fails_over(put_off, monkeypatch, "王芳", "李雷")
    with capture_logs() as logs:
        rung(put_off, 60)
    assert sum(line["event"] == "start_put_off" for line in logs) == 2 * 6
    assert len(looks) <= 7
    assert not [line for line in logs if line["event"] == "batch_failed" and line["items"] > 2]


def test_whom_a_daemon_lets_in_that_dies_before_it_says_so_is_not_told_to_be_lost(
    put_off: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, suppress(OurFault):
        patch.setattr(enrol.Enrol, "_look_no_more", _fails)
        enrol.Enrol(put_off.engine.context).tick()
    assert entered(put_off, "yearly") == [1, 1, 1]
    with capture_logs() as logs:
        rung(put_off, 13 * 60)
    assert owed(put_off) == set()
    assert not [line for line in logs if line["event"] == "start_passed_over"]


@pytest.mark.parametrize("refused", [True, False])
def test_of_a_start_that_was_held_back_they_fare_as_the_others(
    open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    stage = open_stage("2026-11-23 08:00", policy={"audience_guard": {"count": 1}})
    for name in NAMES:
        stage.member(name, sms=True, birthday="11-23")
    stage.apply({"yearly": journey(BIRTHDAY)})
    stage.run_until(at="09:59")
    with stage.daemon_down():
        with monkeypatch.context() as patch:
            fails_over(stage, patch, "王芳")
            rung(stage, 3)
            (held,) = _holds(stage)
            with stage.database.write() as connection:
                if refused:
                    holding.refuse(connection, held, "no", stage.clock.now())
                else:
                    holding.go_on(connection, held, stage.clock.now())
            while stage.engine.letting_go.tick():
                pass
            assert [run.status for run in stage.runs("李雷")] == ["ended" if refused else "live"]
            rung(stage, 90)
        rung(stage, 11)
        assert [run.status for run in stage.runs("王芳")] == ([] if refused else ["live"])
        assert len(_holds(stage)) == 1


def _holds(stage: Stage) -> list[store.Hold]:
    with stage.database.read() as connection:
        found = (store.get(connection, hold_id) for hold_id in range(1, 5))
        return [each for each in found if each is not None]


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
