"""From intent to record, on the event loop: lanes of their own, records in groups, limits of providers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from small_journeys import SERVICE, journey
from stage import OpenStage, Stage
from stage_wiring import unlucky

from engage.core.delivery import LEASE
from engage.core.outcome import SendOutcome
from engage.errors import DatabaseUnavailable
from engage.runtime.dispatching import handover, recording
from engage.runtime.dispatching.handover import Called
from engage.sandbox.faults import Fault
from engage.sandbox.loopback import Answer, LoopbackServer, Request, json_answer

NOTE = {"note": journey("store_visited", SERVICE, topic="service")}
MANY = [f"客{number}" for number in range(30)]


def everybody_visits(stage: Stage, names: list[str]) -> None:
    with stage.by_hand() as hand:
        for name in names:
            stage.happens(name, "store_visited", store="湖滨店")
        hand.queue()


def _until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < until, "it never came to that"
        time.sleep(0.01)


def statuses(stage: Stage, names: list[str]) -> list[str]:
    return sorted(str(stage.delivery(name).status) for name in names)


@pytest.mark.parametrize("channel", ["sms", "email"])
def test_more_than_a_lane_takes_go_out_all_the_same_and_once_each(open_stage: OpenStage, channel: str) -> None:
    stage = open_stage()
    for name in MANY:
        stage.member(name, **{channel: True})
    stage.apply(NOTE)
    everybody_visits(stage, MANY)
    stage.passes("1m")
    assert statuses(stage, MANY) == ["sent"] * len(MANY)
    assert [len(stage.phone(name)) for name in MANY] == [1] * len(MANY)


def test_an_outcome_that_cannot_be_written_down_costs_no_other_its_record(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = MANY[:5]
    for name in names:
        stage.member(name, sms=True)
    stage.apply(NOTE)
    write_down = recording._write_down

    def with_a_fault(connection: object, group: Sequence[Called], now: object) -> None:
        write_down(connection, group, now)  # type: ignore[arg-type]
        if any(names[2] in called.intended.ready.text for called in group):
            raise ArithmeticError("a fault of ours")

    monkeypatch.setattr(recording, "_write_down", with_a_fault)
    everybody_visits(stage, names)
    assert statuses(stage, names) == ["sending"] + ["sent"] * 4
    monkeypatch.undo()
    stage.passes("5m")
    assert statuses(stage, names) == ["sent"] * 5  # by the carrier's receipt
    assert [len(stage.phone(name)) for name in names] == [1] * 5


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of members whose records the database does not take, as long as they are in here."""
    names: set[str] = set()
    write_down = recording._write_down

    def unless_held(connection: object, group: Sequence[Called], now: object) -> None:
        if any(name in called.intended.ready.text for name in names for called in group):
            raise DatabaseUnavailable("away", "不在")
        write_down(connection, group, now)  # type: ignore[arg-type]

    monkeypatch.setattr(recording, "_write_down", unless_held)
    monkeypatch.setattr(recording, "_PAUSES", (0.0, 0.01))
    monkeypatch.setattr(handover, "_TRIED_AGAIN_EVERY", 0.02)
    return names


@contextmanager
def called_and_not_recorded(stage: Stage, held: set[str]) -> Iterator[None]:
    stage.member("王芳", sms=True)
    stage.apply(NOTE)
    with stage.by_hand() as hand:
        stage.happens("王芳", "store_visited", store="湖滨店")
        hand.up_to_the_wire()
        held.add("王芳")
        stage.engine.dispatch._calls.begin(hand.intended)
        yield


def test_what_came_back_is_kept_until_it_can_be_written_down_however_long_that_takes(
    stage: Stage, held: set[str]
) -> None:
    """Others have taken it for ambiguous by then."""
    with called_and_not_recorded(stage, held):
        _until(lambda: len(stage.phone("王芳")) == 1)
        time.sleep(0.3)  # some fifteen tries
        assert statuses(stage, ["王芳"]) == ["sending"]
        stage.clock.advance_to(stage.clock.now() + LEASE)
        with stage.another_worker() as other:
            other.claim()
        assert statuses(stage, ["王芳"]) == ["ambiguous"]
        held.clear()
        stage.engine.dispatch.settle()
        assert statuses(stage, ["王芳"]) == ["sent"]
    assert len(stage.phone("王芳")) == 1


def test_a_record_that_is_not_taken_keeps_no_other_waiting(stage: Stage, held: set[str]) -> None:
    """Somebody holds its row: neither those that came back with it nor those that come later wait for that."""
    names, later = MANY[:3], MANY[3:6]
    for name in names + later:
        stage.member(name, sms=True)
    stage.apply(NOTE)
    held.add(names[1])
    with stage.by_hand() as hand:
        for some in (names, later):
            for name in some:
                stage.happens(name, "store_visited", store="湖滨店")
            hand.queue()
            stage.engine.dispatch.tick()
            others = [name for name in some if name not in held]
            _until(lambda others=others: statuses(stage, others) == ["sent"] * len(others))
        assert statuses(stage, names) == ["sending", "sent", "sent"]
        held.clear()
        stage.engine.dispatch.settle()
    assert statuses(stage, names + later) == ["sent"] * 6
    assert [len(stage.phone(name)) for name in names + later] == [1] * 6


def test_a_call_that_keeps_to_no_time_is_ambiguous_however_it_ends(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have been made."""
    stage.member("王芳", sms=True)
    stage.apply(NOTE)
    send = stage.engine.context.channels["sms"].send

    async def and_never_returns(payload: Mapping[str, Any], _: float) -> SendOutcome:
        await send(payload, 5.0)
        return await asyncio.Future()

    monkeypatch.setattr(stage.engine.context.channels["sms"], "send", and_never_returns)
    monkeypatch.setattr(handover, "_OVERRUN", 0.3)
    monkeypatch.setattr(handover, "CALL_TIMEOUT", timedelta(0))
    with stage.by_hand() as hand:
        stage.happens("王芳", "store_visited", store="湖滨店")
        hand.up_to_the_wire()
        hand.hand_over()
        assert statuses(stage, ["王芳"]) == ["ambiguous"]
    assert "did not keep to its time" in (stage.delivery("王芳").reason or "")
    assert len(stage.phone("王芳")) == 1


def test_who_ends_meanwhile_leaves_it_as_a_crash_would(stage: Stage, held: set[str]) -> None:
    with called_and_not_recorded(stage, held):
        stage.engine_dies()
        assert statuses(stage, ["王芳"]) == ["sending"]
        held.clear()
    stage.clock.advance_to(stage.clock.now() + LEASE)
    with stage.another_worker() as other:
        other.claim()
    assert statuses(stage, ["王芳"]) == ["ambiguous"]


def test_a_provider_is_not_called_faster_than_its_limit(open_stage: OpenStage) -> None:
    """Twenty in the second at hand; the others have to come back for the next one."""
    stage = open_stage(sms={"per_second": 20})
    for name in MANY:
        stage.member(name, sms=True)
    stage.apply(NOTE)
    everybody_visits(stage, MANY)
    assert statuses(stage, MANY) == ["pending"] * 10 + ["sent"] * 20
    waiting = [stage.delivery(name) for name in MANY if stage.delivery(name).status == "pending"]
    assert {row.reason for row in waiting} == {"the channel is busy"}
    assert len({row.due_at for row in waiting}) == 10  # each has a moment of its own
    stage.passes_seconds(2)
    assert statuses(stage, MANY) == ["sent"] * 30
    assert [len(stage.phone(name)) for name in MANY] == [1] * 30


def test_a_channel_that_is_called_too_fast_backs_off_and_no_message_pays_for_it(open_stage: OpenStage) -> None:
    """One provider says 429; other people's messages of that channel wait with it, on none but that channel."""
    stage = open_stage(faults=True)
    stage.member("王芳", wechat=unlucky("wechat", Fault.THROTTLED))
    stage.member("李雷", wechat=True)
    stage.apply(NOTE)
    stage.happens("王芳", "store_visited", store="湖滨店")
    stage.happens("李雷", "store_visited", store="湖滨店")
    assert statuses(stage, ["王芳", "李雷"]) == ["pending", "pending"]
    assert stage.delivery("李雷").attempts == 0
    stage.passes_seconds(16)
    assert statuses(stage, ["王芳", "李雷"]) == ["sent", "sent"]
    assert [len(stage.phone(name)) for name in ("王芳", "李雷")] == [1, 1]


def test_a_provider_that_lets_its_callers_wait_keeps_nobody_elses_messages_waiting(open_stage: OpenStage) -> None:
    """It answers only once everybody's mail is sent. Before the mails, more is queued than its lane takes."""
    with_phone, with_mail = [f"客{number}" for number in range(40)], [f"信{number}" for number in range(12)]
    waited_in_vain = threading.Event()

    def answer(_: Request) -> Answer:
        until = time.monotonic() + 8  # a call ends by itself after ten
        while not waited_in_vain.is_set() and statuses(stage, with_mail) != ["sent"] * len(with_mail):
            if time.monotonic() > until:
                waited_in_vain.set()
            time.sleep(0.02)
        return json_answer({"Code": "OK", "Message": "OK", "BizId": "1^0", "RequestId": "1"})

    slow = LoopbackServer(answer)
    slow.start()
    stage = open_stage(sms={"base_url": slow.url})
    for name in with_phone:
        stage.member(name, sms=True)
    for name in with_mail:
        stage.member(name, email=True)
    stage.apply(NOTE)
    everybody_visits(stage, with_phone + with_mail)
    stage.passes("1m")
    slow.stop()
    assert not waited_in_vain.is_set()
    assert statuses(stage, with_phone + with_mail) == ["sent"] * 52
