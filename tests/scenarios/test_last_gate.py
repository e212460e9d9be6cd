"""The last gate: what no journey can talk its way past, whatever has gone wrong before it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from small_journeys import COUPON, SERVICE, journey
from stage import OpenStage, Stage

from engage.core.arrears import Arrears
from engage.errors import DatabaseUnavailable
from engage.runtime.dispatching.dispatch import Dispatch
from engage.store import state, tallies

ADVERT = {"advert": journey("store_visited", COUPON)}
NOTE = {"note": journey("coupon_used", SERVICE, topic="service")}
NO_CAPS = {"caps": {}}


def with_limits(**limits: object) -> dict[str, object]:
    return NO_CAPS | {"limits": limits}


def uses_coupons(stage: Stage, times: int, name: str = "王芳") -> None:
    for number in range(times):
        stage.happens(name, "coupon_used", code=f"C{number}")


def reasons(stage: Stage, name: str = "王芳") -> list[str | None]:
    return [row.reason for row in stage.deliveries(name)]


def stopped(stage: Stage) -> dict[str, int]:
    with stage.database.read() as connection:
        return tallies.counted_under(connection, "stopped:", stage.clock.now().replace(hour=0))


def test_the_same_advert_goes_to_an_address_once_a_day_whatever_the_journey_says(open_stage: OpenStage) -> None:
    stage = open_stage(policy=NO_CAPS)
    stage.member("王芳", sms=True)
    stage.apply(ADVERT)
    for _ in range(3):
        stage.happens("王芳", "store_visited", store="湖滨店")
    assert len(stage.phone("王芳")) == 1
    assert reasons(stage)[1:] == ["stopped by a last limit: 1 with the same words to this address in 1d"] * 2
    assert stopped(stage) == {"same_words:sms": 2}


def test_its_links_do_not_make_a_message_another_one(open_stage: OpenStage) -> None:
    stage = open_stage(policy=NO_CAPS)
    stage.member("王芳", email=True)
    stage.apply(ADVERT)
    for _ in range(2):
        stage.happens("王芳", "store_visited", store="湖滨店")
    assert len(stage.phone("王芳")) == 1
    assert stopped(stage) == {"same_words:email": 1}


def test_a_day_later_the_same_words_may_go_again(open_stage: OpenStage) -> None:
    stage = open_stage(policy=NO_CAPS)
    stage.member("王芳", sms=True)
    stage.apply(ADVERT)
    for day in (0, 2):
        stage.run_until(day=day, at="11:00")
        stage.happens("王芳", "store_visited", store="湖滨店")
    assert len(stage.phone("王芳")) == 2


def test_an_address_gets_so_many_an_hour_and_a_service_message_is_no_exception(open_stage: OpenStage) -> None:
    limits = with_limits(per_address=[{"count": 3, "within": "1h"}], same_words={"service": 100})
    stage = open_stage(policy=limits)
    stage.member("王芳", sms=True)
    stage.apply(NOTE)
    uses_coupons(stage, 5)
    assert len(stage.phone("王芳")) == 3
    assert reasons(stage)[3:] == ["stopped by a last limit: 3 to this address in 1h"] * 2
    stage.run_until(day=0, at="11:30")
    uses_coupons(stage, 1)
    assert len(stage.phone("王芳")) == 4


def test_the_limit_holds_within_a_batch_and_across_a_restart(open_stage: OpenStage) -> None:
    """What counts is what the ledger has: nothing is kept in the process."""
    stage = open_stage(policy=with_limits(per_address=[{"count": 1, "within": "1h"}]))
    stage.member("王芳", sms=True)
    stage.apply(NOTE | {"other": NOTE["note"]})
    with stage.by_hand() as hand:
        uses_coupons(stage, 1)
        hand.queue()
        hand.claim()
        assert hand.draft() == 2
        assert hand.intend() == 1
    with stage.another_worker():
        stage.happens("王芳", "coupon_used", code="C9")
    assert [row.status for row in stage.deliveries("王芳")] == ["sending", "skipped", "skipped", "skipped"]


def test_a_channel_at_its_ceiling_makes_messages_wait_and_loses_none(open_stage: OpenStage) -> None:
    stage = open_stage(policy=with_limits(per_minute={"sms": 2}))
    names = ["王芳", "李雷", "韩梅", "周周", "阿木"]
    for name in names:
        stage.member(name, sms=True)
    stage.apply(NOTE)
    for name in names:
        stage.happens(name, "coupon_used", code="C1")
    assert sum(len(stage.phone(name)) for name in names) == 2
    assert stopped(stage)["per_minute:sms"] >= 1
    stage.run_until(day=0, at="10:01")
    assert sum(len(stage.phone(name)) for name in names) == 4
    stage.run_until(day=0, at="10:02")
    assert [len(stage.phone(name)) for name in names] == [1] * 5


def test_what_is_no_production_writes_to_its_test_recipients_only(open_stage: OpenStage) -> None:
    stage = open_stage(environment="test", test_recipients=["+86 139 0000 0001"])
    stage.member("王芳", sms="13900000001")
    stage.member("李雷", sms="13900000002")
    stage.apply(NOTE)
    uses_coupons(stage, 1, "王芳")
    uses_coupons(stage, 1, "李雷")
    assert (len(stage.phone("王芳")), len(stage.phone("李雷"))) == (1, 0)
    assert reasons(stage, "李雷")[0] == (
        "stopped by a last limit: this is no production, and the address is not one of test_recipients"
    )


# --- arrears ----------------------------------------------------------------------------------------------------


@contextmanager
def falling_due(open_stage: OpenStage, *, dropped: bool = False) -> Iterator[Stage]:
    """To three members an advert was due while nobody was at work, to a fourth a service message; they are taken up
    afterwards."""
    stage = open_stage(policy=with_limits(backlog_per_hour=2))
    for name in ("王芳", "李雷", "韩梅", "周周", "阿木"):
        stage.member(name, sms=True)
    stage.apply(ADVERT | NOTE)
    with stage.by_hand() as hand:
        for name in ("王芳", "李雷", "韩梅"):
            stage.happens(name, "store_visited", store="湖滨店")
        stage.happens("周周", "coupon_used", code="C1")
        hand.queue()
        now = stage.clock.now()
        with stage.database.write() as connection:
            state.put_arrears(connection, Arrears(now, now if dropped else None), now)
        yield stage


def overdue(open_stage: OpenStage, *, dropped: bool = False) -> Stage:
    with falling_due(open_stage, dropped=dropped) as stage:
        return stage


def test_what_came_due_while_nobody_worked_goes_out_one_by_one_service_first(open_stage: OpenStage) -> None:
    stage, names = overdue(open_stage), ("王芳", "李雷", "韩梅")
    assert len(stage.phone("周周")) == 1
    assert [len(stage.phone(name)) for name in names] == [1, 0, 0]
    assert stage.deliveries("李雷")[0].held_back == "much is due at once: one after the other"
    stage.run_until(day=0, at="10:30")
    assert [len(stage.phone(name)) for name in names] == [1, 1, 0]
    stage.run_until(day=0, at="11:00")
    assert [len(stage.phone(name)) for name in names] == [1, 1, 1]


def test_what_comes_due_afterwards_does_not_queue_up(open_stage: OpenStage) -> None:
    stage = overdue(open_stage)
    stage.run_until(day=0, at="10:01")
    stage.happens("阿木", "store_visited", store="湖滨店")
    assert len(stage.phone("阿木")) == 1


def test_what_may_have_been_sent_before_a_copy_was_brought_back_is_skipped(open_stage: OpenStage) -> None:
    stage = overdue(open_stage, dropped=True)
    why = "was due before the database was restored, and may have been sent then"
    assert reasons(stage) + reasons(stage, "周周") == [why, why]
    assert stage.phone("周周") == []


def test_so_it_is_also_if_the_journey_was_paused_first(open_stage: OpenStage) -> None:
    scopes = ("journey:advert", "journey:note")
    with falling_due(open_stage, dropped=True) as stage:
        for scope in scopes:
            stage.pauses(scope)
    stage.passes("30m")
    for scope in scopes:
        stage.resumes(scope)
    stage.run_until(day=2)
    assert [stage.got(name) for name in ("王芳", "李雷", "韩梅", "周周")] == [[], [], [], []]


def test_it_is_so_before_anything_can_fail_that_would_put_it_off(
    open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with falling_due(open_stage, dropped=True) as stage:
        monkeypatch.setattr(Dispatch, "_together_or_singly", None)
        stage.engine.dispatch.tick()
    assert {row.status for row in stage.deliveries()} == {"skipped"}


def test_what_is_given_back_is_still_one_of_those_that_queue_up(
    open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def goes(*_: object) -> None:
        raise DatabaseUnavailable("gone")

    names = ("王芳", "李雷", "韩梅")
    with falling_due(open_stage) as stage:
        with monkeypatch.context() as patch:
            patch.setattr(Dispatch, "_draft_and_intend", goes)
            with pytest.raises(DatabaseUnavailable):
                stage.engine.dispatch.tick()
        stage.clock.advance_to(stage.clock.now() + timedelta(seconds=5))
    stage.run_until(day=0, at="10:02")
    assert sorted(len(stage.phone(name)) for name in names) == [0, 0, 1]
