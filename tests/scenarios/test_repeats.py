"""`on_ambiguous: repeat`: a service message whose fate nobody knows goes out again; without that word it never does."""

from __future__ import annotations

from typing import Any

import pytest
from small_journeys import SERVICE, journey
from stage import OpenStage, Stage
from stage_wiring import unlucky

from engage.sandbox.faults import Fault
from engage.sandbox.model import ChannelName
from engage.store.databases import continuity

LOST = Fault.HUNG_UP_BEFORE
TAKEN = Fault.HUNG_UP_AFTER


def reminder(open_stage: OpenStage, channel: ChannelName, *faults: Fault, options: str = "") -> Stage:
    """王芳 has one address, its first calls meet these faults, and an appointment reminder has just gone out."""
    stage = open_stage(faults=True)
    address: dict[str, Any] = {channel: unlucky(channel, *faults)}
    stage.member("王芳", **address)
    step = f"{SERVICE}\non_ambiguous: repeat{options}"
    stage.apply({"reminder": journey("store_visited", step, topic="service")})
    stage.happens("王芳", "store_visited", store="湖滨店")
    return stage


def came(stage: Stage) -> list[str]:
    return [when for when, _ in stage.got("王芳")]


@pytest.mark.parametrize("channel", ["sms", "email"])
def test_a_lost_reminder_goes_out_again_ten_minutes_later(open_stage: OpenStage, channel: ChannelName) -> None:
    stage = reminder(open_stage, channel, LOST)
    assert stage.delivery("王芳").status == "ambiguous"
    stage.run_until(day=1)
    assert came(stage) == ["day 0 10:10"]
    row = stage.delivery("王芳")
    assert (row.status, row.attempts, row.repeats_left) == ("sent", 2, 1)


def test_one_that_had_arrived_after_all_may_come_twice_with_the_same_words(open_stage: OpenStage) -> None:
    """Mail has no receipts. That is what the step accepts."""
    stage = reminder(open_stage, "email", TAKEN)
    stage.run_until(day=1)
    assert came(stage) == ["day 0 10:00", "day 0 10:10"]
    assert len({message.text for message in stage.phone("王芳")}) == 1


def test_a_receipt_within_the_pause_makes_the_repeat_needless(open_stage: OpenStage) -> None:
    stage = reminder(open_stage, "sms", TAKEN)
    stage.run_until(day=1)
    assert came(stage) == ["day 0 10:00"]
    assert (stage.delivery("王芳").status, stage.delivery("王芳").attempts) == ("sent", 1)


@pytest.mark.parametrize("drop_due", [True, False])
def test_in_a_database_that_was_brought_back_it_is_repeated_only_if_what_was_due_is_sent(
    open_stage: OpenStage, drop_due: bool
) -> None:
    """As that database knows it, nobody has repeated it yet."""
    stage = reminder(open_stage, "email", TAKEN)
    now = stage.clock.now()
    with stage.database.write() as connection:
        assert continuity.at_stake(connection, now).messages == 1
        continuity.take_for_true(stage.database, connection, 0, now, drop_due=drop_due)
    stage.run_until(day=1)
    assert came(stage) == ["day 0 10:00", *([] if drop_due else ["day 0 10:10"])]
    assert stage.delivery("王芳").status == ("ambiguous" if drop_due else "sent")


def test_it_goes_out_three_times_at_most_and_then_waits_for_a_person(open_stage: OpenStage) -> None:
    """A process that dies at the wire each time."""
    stage = open_stage()
    stage.member("王芳", sms=True)
    stage.apply({"reminder": journey("store_visited", f"{SERVICE}\non_ambiguous: repeat", topic="service")})
    with stage.by_hand() as hand:
        stage.happens("王芳", "store_visited", store="湖滨店")
        for _ in range(3):
            hand.up_to_the_wire()
            stage.passes("3m")
            hand.claim()  # the lease is over, and the pause begins
            stage.passes("11m")
    row = stage.delivery("王芳")
    assert (row.status, row.attempts, row.repeats_left, row.due_at) == ("ambiguous", 3, 0, None)
    stage.run_until(day=2)
    assert came(stage) == []


def test_wechats_own_key_comes_first_and_uses_no_repeat_up(open_stage: OpenStage) -> None:
    stage = reminder(open_stage, "wechat", TAKEN)
    stage.run_until(day=1)
    row = stage.delivery("王芳")
    assert (row.status, row.attempts, row.repeats_left) == ("sent", 2, 2)
    assert len(stage.phone("王芳")) == 1


def test_an_opt_out_meanwhile_is_heard(open_stage: OpenStage) -> None:
    stage = reminder(open_stage, "sms", LOST)
    stage.refuses("王芳", "service", "sms")
    stage.run_until(day=2)
    row = stage.delivery("王芳")
    assert (came(stage), row.status, row.attempts, row.due_at) == ([], "ambiguous", 1, None)


def test_a_pause_meanwhile_puts_it_off(open_stage: OpenStage) -> None:
    stage = reminder(open_stage, "sms", LOST)
    stage.pauses("all")
    stage.run_until(at="11:00")
    stage.resumes("all")
    stage.run_until(at="12:00")
    assert len(came(stage)) == 1
    assert stage.delivery("王芳").status == "sent"


def test_quiet_hours_put_it_off(open_stage: OpenStage) -> None:
    stage = open_stage("2026-11-23 20:55", faults=True)
    stage.member("王芳", sms=unlucky("sms", LOST))
    step = f"{SERVICE}\non_ambiguous: repeat"
    stage.apply({"reminder": journey("store_visited", step, topic="service")})
    stage.happens("王芳", "store_visited", store="湖滨店")
    stage.run_until(day=1)
    assert came(stage) == ["day 1 09:00"]


def test_a_repeat_that_would_come_too_late_is_not_made(open_stage: OpenStage) -> None:
    stage = reminder(open_stage, "sms", LOST, options="\nlate: 5m")
    stage.run_until(day=1)
    assert (came(stage), stage.delivery("王芳").status) == ([], "ambiguous")


def test_a_crash_between_intent_and_record_is_repeated_after_the_pause(open_stage: OpenStage) -> None:
    stage = open_stage()
    stage.member("王芳", sms=True)
    stage.apply({"reminder": journey("store_visited", f"{SERVICE}\non_ambiguous: repeat", topic="service")})
    with stage.by_hand() as hand:
        stage.happens("王芳", "store_visited", store="湖滨店")
        hand.up_to_the_wire()
    stage.engine_dies()
    stage.run_until(day=1)
    assert came(stage) == ["day 0 10:12"]  # a lease of two minutes, and the pause


@pytest.mark.parametrize("fault", [LOST, TAKEN])
@pytest.mark.parametrize("word", ["", "\non_ambiguous: hold"])
def test_without_the_word_repeat_nothing_goes_out_again(open_stage: OpenStage, word: str, fault: Fault) -> None:
    stage = open_stage(faults=True)
    stage.member("王芳", email=unlucky("email", fault))
    stage.apply({"reminder": journey("store_visited", f"{SERVICE}{word}", topic="service")})
    stage.happens("王芳", "store_visited", store="湖滨店")
    stage.run_until(day=2)
    row = stage.delivery("王芳")
    assert (row.status, row.attempts, row.due_at) == ("ambiguous", 1, None)
    assert len(came(stage)) == (fault is TAKEN)


def test_no_fallback_follows_while_nobody_knows_and_it_does_once_a_repeat_was_taken(open_stage: OpenStage) -> None:
    stage = open_stage(faults=True)
    stage.member("王芳", sms=True, email=unlucky("email", LOST))
    step = f"{SERVICE}\nchannels: {{ try: [email, sms], fallback: 1h }}\non_ambiguous: repeat"
    stage.apply({"reminder": journey("store_visited", step, topic="service")})
    stage.happens("王芳", "store_visited", store="湖滨店")
    stage.run_until(day=1)
    assert stage.got("王芳") == [("day 0 10:10", "email"), ("day 0 11:10", "sms")]
