"""A fault of our own code over one message: it is set aside and tried again, and the others of its batch go out. Over
a whole journey: that one is left alone for a minute, and the others go on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from small_journeys import SERVICE, journey
from sqlalchemy import Connection
from stage import Stage

from engage.errors import DatabaseUnavailable
from engage.runtime.advancing import advance
from engage.runtime.advancing.advance import Advance
from engage.runtime.dispatching import dispatch
from engage.runtime.dispatching.judge import Judge
from engage.runtime.dispatching.last_gate import LastGate
from engage.runtime.dispatching.situation import Situation
from engage.store.advancing import RunRow
from engage.store.dispatching import Claimed
from engage.store.insight import overview

NAMES = ("王芳", "李雷", "林晚")


class Faulty:
    """What fails, with this error, as soon as it has to do with one member's message."""

    def __init__(self, stage: Stage, name: str, error: Exception) -> None:
        self._stage = stage
        self._name = name
        self._error = error

    def in_judging(self, monkeypatch: pytest.MonkeyPatch) -> None:
        judge = Judge.judge

        def fails(self_: Judge, claimed: Claimed) -> Any:
            self._look_at([claimed])
            return judge(self_, claimed)

        monkeypatch.setattr(Judge, "judge", fails)

    def in_the_intent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        let_through = LastGate.let_through

        def fails(self_: LastGate, ready: Any) -> None:
            self._look_at([ready.claimed])
            let_through(self_, ready)

        monkeypatch.setattr(LastGate, "let_through", fails)

    def in_reading(self, monkeypatch: pytest.MonkeyPatch) -> None:
        load = Situation.load

        def fails(context: Any, connection: Any, applied: Any, batch: Sequence[Claimed]) -> Situation:
            self._look_at(batch)
            return load(context, connection, applied, batch)

        monkeypatch.setattr(Situation, "load", fails)

    def _look_at(self, batch: Sequence[Claimed]) -> None:
        if self._stage.ref(self._name) in {claimed.member for claimed in batch}:
            raise self._error


@pytest.fixture
def stage(stage: Stage) -> Stage:
    for name in NAMES:
        stage.member(name, sms=True)
    return stage


@contextmanager
def queued(stage: Stage, send: str = SERVICE) -> Iterator[None]:
    """Their messages are one batch, which is taken up afterwards."""
    stage.apply({"note": journey("store_visited", send, topic="service")})
    with stage.by_hand() as hand:
        for name in NAMES:
            stage.happens(name, "store_visited", store="湖滨店")
        hand.queue()
        yield


@pytest.mark.parametrize("fails", [Faulty.in_judging, Faulty.in_the_intent, Faulty.in_reading])
def test_the_others_go_out_and_it_goes_out_when_the_fault_is_mended(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, fails: Any
) -> None:
    with queued(stage):
        fails(Faulty(stage, "李雷", OverflowError("date value out of range")), monkeypatch)
    assert [len(stage.phone(name)) for name in NAMES] == [1, 0, 1]
    row = stage.delivery("李雷")
    assert (row.status, row.due_at) == ("pending", stage.moment(0, "11:00"))
    assert row.reason == "a fault of Engage's own: OverflowError"
    stage.passes("1h")
    assert stage.phone("李雷") == []
    with stage.database.read() as connection:
        assert overview.set_aside(connection, stage.began) == {"dispatch": 2}
    monkeypatch.undo()
    stage.run_until(day=1)
    assert stage.got("李雷") == [("day 0 12:00", "sms")]


def test_it_is_tried_a_last_time_before_it_is_too_late_and_skipped_for_its_fault(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with queued(stage, f"{SERVICE}\nlate: 90m"):
        Faulty(stage, "李雷", OverflowError()).in_judging(monkeypatch)
    stage.passes("61m")
    assert stage.delivery("李雷").due_at == stage.moment(0, "11:30")
    stage.run_until(day=1)
    row = stage.delivery("李雷")
    assert (row.status, row.reason) == ("skipped", "a fault of Engage's own: OverflowError")
    assert row.fence == 3


@pytest.mark.parametrize("fails", [Faulty.in_judging, Faulty.in_the_intent, Faulty.in_reading])
def test_a_fault_over_all_of_them_is_nobodys_own_and_they_go_out_a_minute_later(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, fails: Any
) -> None:
    with queued(stage):
        for name in NAMES:
            fails(Faulty(stage, name, TypeError()), monkeypatch)
        with pytest.raises(TypeError):
            stage.engine.dispatch.tick()
        monkeypatch.undo()
    with stage.database.read() as connection:
        assert overview.set_aside(connection, stage.began) == {}
    stage.passes("1m")
    assert [stage.got(name) for name in NAMES] == [[("day 0 10:01", "sms")]] * 3


def test_a_fault_over_one_journeys_messages_keeps_no_other_journeys_waiting(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More of them than one batch: they would come first again and again. They stay due since they were."""
    monkeypatch.setattr(dispatch, "BATCH", 2)
    judge = Judge.judge

    def fails(self_: Judge, claimed: Claimed) -> Any:
        if claimed.journey_id == "broken":
            raise OverflowError
        return judge(self_, claimed)

    notes = {"broken": "store_visited", "sound": "order_paid"}
    stage.apply({name: journey(event, SERVICE, topic="service") for name, event in notes.items()})
    monkeypatch.setattr(Judge, "judge", fails)
    with stage.by_hand() as hand:
        for name in NAMES:
            stage.happens(name, "store_visited", store="湖滨店")
        stage.happens("林晚", "order_paid", amount=1)
        hand.queue()
        with pytest.raises(OverflowError):
            stage.engine.dispatch.tick()
        stage.engine.dispatch.tick()
        stage.engine.dispatch.settle()
        assert [len(stage.phone(name)) for name in NAMES] == [0, 0, 1]
        waiting = [row for name in NAMES for row in stage.deliveries(name) if row.status == "pending"]
        assert [row.due_at for row in waiting] == [stage.began] * 3
        monkeypatch.undo()
    stage.passes("1m")
    assert [len(stage.phone(name)) for name in NAMES] == [1, 1, 2]


def test_a_fault_over_one_journeys_runs_keeps_no_other_journeys_waiting(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advance, "BATCH", 2)
    move = Advance._move

    def fails(self_: Advance, connection: Connection, runs: Sequence[RunRow]) -> None:
        if any(run.journey_id == "broken" for run in runs):
            raise OverflowError
        move(self_, connection, runs)

    notes = {"broken": "store_visited", "sound": "order_paid"}
    stage.apply({name: journey(event, SERVICE, topic="service") for name, event in notes.items()})
    with stage.daemon_down():
        for name in NAMES:
            stage.happens(name, "store_visited", store="湖滨店")
        stage.happens("林晚", "order_paid", amount=1)
        stage.engine.receive.tick()
        stage.engine.enrol.tick()
        with monkeypatch.context() as patch:
            patch.setattr(Advance, "_move", fails)
            loop = Advance(stage.engine.context)
            with pytest.raises(OverflowError):
                loop.tick()
            assert loop.tick() == 1
        assert [len(stage.deliveries(name)) for name in NAMES] == [0, 0, 1]
        assert [stage.run(name, "broken").due_at for name in NAMES] == [stage.began] * 3
    stage.passes("1m")
    assert [len(stage.phone(name)) for name in NAMES] == [1, 1, 2]


def test_they_are_given_back_when_the_database_goes_meanwhile(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    with queued(stage):
        Faulty(stage, "王芳", OverflowError()).in_reading(monkeypatch)
        Faulty(stage, "李雷", DatabaseUnavailable("gone")).in_the_intent(monkeypatch)
        with pytest.raises(DatabaseUnavailable):
            stage.engine.dispatch.tick()
        monkeypatch.undo()
    assert [stage.got(name) for name in NAMES] == [[("day 0 10:00", "sms")]] * 3
