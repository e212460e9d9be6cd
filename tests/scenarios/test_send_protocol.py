"""The promise: at most one handover, whatever breaks. Counted on the phones, by the sandbox's own truth."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from small_journeys import SERVICE, journey
from stage import OpenStage, Stage
from stage_wiring import Setup, unlucky

from engage.sandbox.faults import Fault
from engage.sandbox.model import ChannelName

NOTE = {"note": journey("store_visited", SERVICE, topic="service")}
HANGS_UP = pytest.mark.parametrize(("fault", "arrived"), [(Fault.HUNG_UP_BEFORE, 0), (Fault.HUNG_UP_AFTER, 1)])


def visits(stage: Stage) -> None:
    stage.happens("王芳", "store_visited", store="湖滨店")


def unlucky_stage(open_stage: OpenStage, channel: ChannelName, *faults: Fault) -> Stage:
    """王芳 has one address, and the calls to it meet these faults."""
    stage = open_stage(faults=True)
    address: dict[str, Any] = {channel: unlucky(channel, *faults)}
    stage.member("王芳", **address)
    stage.apply(NOTE)
    return stage


def status(stage: Stage) -> str:
    return str(stage.deliveries("王芳")[0].status)


# --- no answer --------------------------------------------------------------------------------------------------


@HANGS_UP
def test_mail_without_an_answer_is_ambiguous_and_never_sent_again(
    open_stage: OpenStage, fault: Fault, arrived: int
) -> None:
    stage = unlucky_stage(open_stage, "email", fault)
    visits(stage)
    assert status(stage) == "ambiguous"
    stage.run_until(day=3)
    assert status(stage) == "ambiguous"
    assert len(stage.phone("王芳")) == arrived
    assert stage.delivery("王芳").attempts == 1


@HANGS_UP
def test_sms_without_an_answer_is_ambiguous_until_a_receipt_says_more(
    open_stage: OpenStage, fault: Fault, arrived: int
) -> None:
    stage = unlucky_stage(open_stage, "sms", fault)
    visits(stage)
    assert status(stage) == "ambiguous"
    stage.run_until(day=3)
    assert len(stage.phone("王芳")) == arrived
    row = stage.delivery("王芳")
    assert (row.status, row.arrival) == (("sent", "delivered") if arrived else ("ambiguous", None))


@HANGS_UP
def test_a_chat_message_without_an_answer_is_never_sent_again(
    open_stage: OpenStage, fault: Fault, arrived: int
) -> None:
    stage = unlucky_stage(open_stage, "wechat", fault)
    stage.types("王芳", "在吗")
    visits(stage)
    stage.run_until(day=1)
    assert (status(stage), len(stage.phone("王芳"))) == ("ambiguous", arrived)


def test_what_the_member_clicked_has_arrived(open_stage: OpenStage) -> None:
    stage = open_stage(faults=True)
    stage.member("王芳", email=unlucky("email", Fault.HUNG_UP_AFTER))
    stage.apply({"advert": journey("store_visited", "send: birthday_coupon")})
    visits(stage)
    assert status(stage) == "ambiguous"
    stage.clicks("王芳")
    assert status(stage) == "sent"


# --- repeats under the provider's own key -----------------------------------------------------------------------


@HANGS_UP
def test_a_template_message_is_repeated_with_its_key_and_comes_once(
    open_stage: OpenStage, fault: Fault, arrived: int
) -> None:
    stage = unlucky_stage(open_stage, "wechat", fault)
    visits(stage)
    assert (status(stage), len(stage.phone("王芳"))) == ("ambiguous", arrived)
    stage.passes("2m")
    row = stage.delivery("王芳")
    assert (row.status, row.attempts) == ("sent", 2)
    assert len(stage.phone("王芳")) == 1
    stage.run_until(day=1)
    assert len(stage.phone("王芳")) == 1


def test_the_repeat_carries_the_very_bytes_of_the_first_call(open_stage: OpenStage) -> None:
    stage = unlucky_stage(open_stage, "wechat", Fault.HUNG_UP_BEFORE)
    visits(stage)
    before = stage.delivery("王芳")
    stage.passes("2m")
    after = stage.delivery("王芳")
    assert (after.payload, after.payload_hash) == (before.payload, before.payload_hash)
    assert stage.last("王芳").handover.payload == before.payload["body"]


def test_a_refusal_of_the_repeat_says_nothing_about_the_first_call(open_stage: OpenStage) -> None:
    stage = unlucky_stage(open_stage, "wechat", Fault.HUNG_UP_BEFORE, Fault.THROTTLED)
    visits(stage)
    stage.passes("1m")
    row = stage.delivery("王芳")
    assert (row.status, row.attempts) == ("ambiguous", 2)
    assert row.reason.startswith("refused on repeat: throttled")


def test_no_repeat_once_the_keys_window_may_be_over(open_stage: OpenStage) -> None:
    stage = unlucky_stage(open_stage, "wechat", Fault.HUNG_UP_AFTER)
    visits(stage)
    with stage.daemon_down():
        stage.passes("5m")
    stage.run_until(day=1)
    row = stage.delivery("王芳")
    assert (row.status, row.attempts) == ("ambiguous", 1)
    assert len(stage.phone("王芳")) == 1


def test_the_keys_window_begins_with_the_first_call_whatever_repeats_follow(open_stage: OpenStage) -> None:
    """Five minutes after the first call none is made any more, though the second was made two minutes ago."""
    stage = unlucky_stage(open_stage, "wechat", Fault.HUNG_UP_BEFORE, Fault.HUNG_UP_BEFORE)
    visits(stage)
    for time, attempts in (("3m", 2), ("2m", 2), ("1h", 2)):
        with stage.daemon_down():
            stage.passes(time)
        row = stage.delivery("王芳")
        assert (row.status, row.attempts) == ("ambiguous", attempts)


def test_no_repeat_by_a_clock_that_was_set_back_behind_the_first_call(open_stage: OpenStage) -> None:
    """How long ago that was, nobody knows any more, nor whether the provider still knows its key."""
    stage = unlucky_stage(open_stage, "wechat", Fault.HUNG_UP_AFTER)
    visits(stage)
    with stage.by_hand() as hand:
        stage.clock.advance_to(stage.clock.now() + timedelta(seconds=61))
        hand.claim()
        assert hand.draft() == 1
        stage.clock._now -= timedelta(minutes=10)
        assert hand.intend() == 0
    assert stage.delivery("王芳").attempts == 1


def test_no_repeat_after_the_member_has_opted_out(open_stage: OpenStage) -> None:
    stage = unlucky_stage(open_stage, "wechat", Fault.HUNG_UP_BEFORE)
    visits(stage)
    stage.refuses("王芳", "service", "wechat")
    stage.run_until(day=1)
    assert (status(stage), stage.phone("王芳")) == ("ambiguous", [])


def test_words_from_the_member_meanwhile_do_not_turn_the_repeat_into_another_message(open_stage: OpenStage) -> None:
    """A chat is open now, but only the template message may be repeated; it takes nothing of the chat's five."""
    stage = unlucky_stage(open_stage, "wechat", Fault.HUNG_UP_AFTER)
    visits(stage)
    stage.types("王芳", "在吗")
    stage.passes("5m")
    row = stage.delivery("王芳")
    assert (row.status, row.mode) == ("sent", "template")
    assert len(stage.phone("王芳")) == 1
    assert [point.window_used for point in stage.points("王芳")] == [0]


# --- sure refusals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", ["sms", "email"])
def test_a_message_that_is_not_taken_now_is_tried_again_and_comes_once(
    open_stage: OpenStage, channel: ChannelName
) -> None:
    stage = unlucky_stage(open_stage, channel, Fault.THROTTLED)
    visits(stage)
    row = stage.delivery("王芳")
    assert (row.status, row.due_at) == ("pending", stage.moment(0, "10:01"))
    stage.run_until(day=1)
    assert [when for when, _ in stage.got("王芳")] == ["day 0 10:01"]
    assert status(stage) == "sent"


def test_a_channel_that_is_set_up_wrongly_rests_while_the_others_go_on(open_stage: OpenStage) -> None:
    wrong = Setup(sms={"access_key_secret": "typo"})
    stage = open_stage(sms=wrong.sms)
    stage.member("王芳", sms=True)
    stage.member("李雷", sms=True, email=True)
    sms_first = "send: sorry_personal\nchannels: [sms, email]"
    stage.apply({"note": journey("store_visited", sms_first, topic="service")})
    visits(stage)
    assert stage.delivery("王芳").reason.startswith("configuration (SignatureDoesNotMatch)")
    stage.happens("李雷", "store_visited", store="湖滨店")
    assert [channel for _, channel in stage.got("李雷")] == ["email"]
    stage.passes("5m")
    assert stage.delivery("王芳").reason == "provider is out of order"
    stage.reconfigures(Setup())
    stage.run_until(at="12:00")
    assert [when for when, _ in stage.got("王芳")] == ["day 0 10:10"]


# --- crashes ----------------------------------------------------------------------------------------------------


def sms_stage(stage: Stage) -> Stage:
    stage.member("王芳", sms=True)
    stage.apply(NOTE)
    return stage


def test_a_crash_after_the_claim_loses_nothing_and_sends_once(stage: Stage) -> None:
    sms_stage(stage)
    with stage.by_hand() as hand:
        visits(stage)
        hand.queue()
        hand.claim()
        assert hand.draft() == 1
        stage.engine_dies()
    assert stage.phone("王芳") == []
    stage.passes("5m")
    assert stage.got("王芳") == [("day 0 10:02", "sms")]
    assert status(stage) == "sent"


def test_a_crash_between_intent_and_wire_is_ambiguous_after_the_lease_and_sends_nothing(stage: Stage) -> None:
    sms_stage(stage)
    with stage.by_hand() as hand:
        visits(stage)
        hand.up_to_the_wire()
        stage.engine_dies()
    assert status(stage) == "sending"
    stage.run_until(day=1)
    row = stage.delivery("王芳")
    assert (row.status, row.reason) == (
        "ambiguous",
        "no outcome was recorded in time: the process ended, or the clock jumped",
    )
    assert stage.phone("王芳") == []


def test_after_such_a_crash_a_template_message_is_repeated_under_its_key(stage: Stage) -> None:
    stage.member("王芳", wechat=True)
    stage.apply(NOTE)
    with stage.by_hand() as hand:
        visits(stage)
        hand.up_to_the_wire()
        stage.engine_dies()
    stage.run_until(at="12:00")
    assert stage.got("王芳") == [("day 0 10:02", "wechat")]
    assert status(stage) == "sent"


def test_a_call_is_not_made_twenty_seconds_after_its_intent(stage: Stage) -> None:
    """The process froze between the commit and the socket: consent may have changed since, so it is judged afresh."""
    sms_stage(stage)
    with stage.by_hand() as hand:
        visits(stage)
        hand.up_to_the_wire()
        stage.passes_seconds(20)
        hand.hand_over()
        assert stage.phone("王芳") == []
        row = stage.delivery("王芳")
        assert (row.status, row.reason, row.attempts) == ("pending", "not called in time", 0)
    assert len(stage.phone("王芳")) == 1
    assert status(stage) == "sent"


def test_nineteen_seconds_after_its_intent_the_call_is_made(stage: Stage) -> None:
    sms_stage(stage)
    with stage.by_hand() as hand:
        visits(stage)
        hand.up_to_the_wire()
        stage.passes_seconds(19)
        hand.hand_over()
    assert (status(stage), len(stage.phone("王芳"))) == ("sent", 1)


def test_no_call_after_the_reply_window_has_closed_however_fresh_the_intent(stage: Stage) -> None:
    stage.member("王芳", wechat=True)
    stage.apply(NOTE)
    stage.types("王芳", "在吗")
    with stage.by_hand() as hand:
        stage.passes_seconds(48 * 3600 - 10)
        visits(stage)
        hand.up_to_the_wire()
        stage.passes_seconds(10)
        hand.hand_over()
        assert stage.phone("王芳") == []
    assert stage.delivery("王芳").mode == "template"
    assert len(stage.phone("王芳")) == 1


def test_a_worker_that_wakes_with_an_old_claim_sends_and_records_nothing(stage: Stage) -> None:
    sms_stage(stage)
    with stage.by_hand() as asleep:
        visits(stage)
        asleep.queue()
        asleep.claim()
        assert asleep.draft() == 1
        stage.passes_seconds(121)
        with stage.another_worker() as awake:
            awake.up_to_the_wire()
            awake.hand_over()
        assert status(stage) == "sent"
        assert asleep.intend() == 0
        asleep.hand_over()
    assert (status(stage), len(stage.phone("王芳"))) == ("sent", 1)


def test_a_worker_that_wakes_after_its_intent_has_expired_makes_no_call_and_changes_nothing(stage: Stage) -> None:
    sms_stage(stage)
    with stage.by_hand() as asleep:
        visits(stage)
        asleep.up_to_the_wire()
        stage.passes_seconds(121)
        with stage.another_worker() as awake:
            awake.claim()
        assert status(stage) == "ambiguous"
        asleep.hand_over()
    assert (status(stage), stage.phone("王芳")) == ("ambiguous", [])


def test_an_outcome_that_comes_back_after_another_worker_took_over_is_not_recorded(stage: Stage) -> None:
    """The first worker's call took effect, its record waited too long; the second repeated under the same key."""
    stage.member("王芳", wechat=True)
    stage.apply(NOTE)
    with stage.by_hand() as slow:
        visits(stage)
        slow.up_to_the_wire()
        stage.passes_seconds(121)
        with stage.another_worker() as quick:
            quick.up_to_the_wire()
            quick.hand_over()
        row = stage.delivery("王芳")
        assert row.status == "sent"
        slow.hand_over()
        assert stage.delivery("王芳") == row
    assert len(stage.phone("王芳")) == 1


def test_a_restart_in_the_middle_of_a_wait_changes_nothing(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply({"note": journey("store_visited", SERVICE, "wait: 3d at 10:00", SERVICE, topic="service")})
    visits(stage)
    for day in (1, 2):
        stage.run_until(day=day, at="12:00")
        stage.engine_dies()
    stage.run_until(day=5)
    assert stage.got("王芳") == [("day 0 10:00", "sms"), ("day 3 10:00", "sms")]
