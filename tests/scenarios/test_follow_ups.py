"""What runs beside a message: prompts, reminders and fallbacks, and how they keep out of each other's way."""

from __future__ import annotations

from datetime import timedelta

from small_journeys import COUPON, SERVICE, journey
from stage import Stage
from stage_wiring import unlucky

from engage.errors import DatabaseUnavailable
from engage.sandbox.faults import Fault
from engage.store import reaching

ASK = "ask: nps\nquestion: 推荐吗？\ncomment: 怎么改进？\nanswer_within: 5d\ntopic: survey"


def visits(stage: Stage) -> None:
    stage.happens("王芳", "store_visited", store="湖滨店")


def test_who_opts_out_after_a_score_is_not_asked_for_words(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply({"ask": journey("store_visited", ASK)})
    visits(stage)
    with stage.by_hand() as hand:
        stage.types("王芳", "9", channel="sms")
        hand.queue()
        stage.types("王芳", "退订", channel="sms")
        hand.queue()
    stage.run_until(day=1)
    prompt = next(row for row in stage.deliveries("王芳") if row.purpose == "comment")
    assert (prompt.status, prompt.first_sent_at) == ("cancelled", None)


def test_a_prompt_held_by_a_pause_is_not_sent_when_its_ten_minutes_are_over(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply({"ask": journey("store_visited", ASK)})
    visits(stage)
    stage.pauses("all")
    stage.types("王芳", "9", channel="sms")
    stage.passes("1h")
    stage.resumes("all")
    stage.passes("1h")
    prompt = next(row for row in stage.deliveries("王芳") if row.purpose == "comment")
    assert (prompt.status, prompt.reason) == ("cancelled", "the time for words has passed")


def test_a_reminder_and_a_fallback_due_together_are_one_message(open_stage: object) -> None:
    stage: Stage = open_stage("2026-11-23 22:00")  # type: ignore[operator]
    stage.member("王芳", wechat=True, sms=True, email=True)
    twice = "remind: 2d\nchannels: { try: [email, sms, wechat], fallback: 2d }"
    stage.apply({"ask": journey("store_visited", f"{ASK.replace('5d', '9d')}\n{twice}")})
    visits(stage)
    stage.run_until(day=3, at="12:00")
    assert [channel for _, channel in stage.got("王芳")].count("sms") == 1
    fallback = next(row for row in stage.deliveries("王芳") if row.hop == 2)
    assert (fallback.status, fallback.reason) == ("cancelled", "another hop of the same message goes out now")


def test_a_reminder_is_not_sent_while_the_question_is_on_the_wire(stage: Stage) -> None:
    """Nobody knows yet whether the question arrives."""
    stage.member("王芳", sms=True, email=True)
    stage.apply({"ask": journey("store_visited", f"{ASK}\nremind: 2d\nchannels: [sms, email]")})
    stage.pauses("all")
    visits(stage)
    with stage.by_hand() as hand:
        stage.clock.advance_to(stage.moment(2, "10:00") - timedelta(seconds=10))
        stage.resumes("all")
        hand.claim()
        assert hand.draft() == hand.intend() == 1
        question = hand.intended
        stage.clock.advance_to(stage.moment(2, "10:00"))
        hand.claim()
        assert [claimed.purpose for claimed in hand.claimed] == ["remind"]
        assert hand.draft() == hand.intend() == 0
        hand.intended = question
        hand.hand_over()
    reminder = next(row for row in stage.deliveries("王芳") if row.purpose == "remind")
    assert reminder.reason == "an earlier attempt is ambiguous: it may have arrived"
    assert [channel for _, channel in stage.got("王芳")] == ["sms"]


def test_a_refusal_of_what_has_arrived_brings_no_fallback(stage: Stage) -> None:
    """The receipt is quicker than the answer, and says the contrary."""
    abroad = "+85291234567"  # which the gateway refuses
    stage.member("王芳", sms=abroad, email=True)
    sends = SERVICE + "\nchannels: { try: [sms, email], fallback: 1d }"
    stage.apply({"note": journey("store_visited", sends, topic="service")})
    arrived = {"phone_number": abroad, "biz_id": "1", "sms_size": "1", "success": True, "err_code": "DELIVERED"}
    moments = {"send_time": "2026-11-23 10:00:00", "report_time": "2026-11-23 10:00:01"}
    with stage.by_hand() as hand:
        visits(stage)
        hand.up_to_the_wire()
        stage.sms_pushes(arrived | moments | {"out_id": stage.delivery("王芳").payload["OutId"]})
        hand.queue()
        hand.hand_over()
    stage.run_until(day=0, at="18:00")
    assert stage.got("王芳") == []
    stage.run_until(day=2)
    assert [channel for _, channel in stage.got("王芳")] == ["email"]


def test_a_reminder_uses_the_same_channel_if_the_step_allows_no_other(stage: Stage) -> None:
    stage.member("王芳", wechat=True, sms=True)
    stage.apply({"ask": journey("store_visited", f"{ASK}\nremind: 2d\nchannels: [sms]")})
    visits(stage)
    stage.run_until(day=3)
    assert stage.got("王芳") == [("day 0 10:00", "sms"), ("day 2 10:00", "sms")]


def test_late_is_counted_anew_for_a_fallback(stage: Stage) -> None:
    stage.member("王芳", sms=True, email=True)
    sends = COUPON + "\nlate: 6h\nchannels: { try: [email, sms], fallback: 1d }"
    stage.apply({"advert": journey("store_visited", sends)})
    visits(stage)
    stage.run_until(day=2)
    assert [channel for _, channel in stage.got("王芳")] == ["email", "sms"]


def test_a_fallback_that_is_held_up_for_too_long_is_late_like_any_other(stage: Stage) -> None:
    stage.member("王芳", sms=True, email=True)
    sends = COUPON + "\nlate: 6h\nchannels: { try: [email, sms], fallback: 1d }"
    stage.apply({"advert": journey("store_visited", sends)})
    visits(stage)
    stage.pauses("channel:sms")
    stage.run_until(day=1, at="17:00")
    stage.resumes("channel:sms")
    stage.run_until(day=2)
    assert [channel for _, channel in stage.got("王芳")] == ["email"]
    assert [row.status for row in stage.deliveries("王芳")] == ["sent", "skipped"]


def test_a_fallback_that_is_on_the_wire_when_the_next_message_comes_is_not_called_cancelled(stage: Stage) -> None:
    """It has gone out, and is recorded."""
    stage.member("王芳", sms=True, email=True)
    first = SERVICE + "\nchannels: { try: [email, sms], fallback: 1d }"
    second = "send: birthday_coupon\ntopic: service\nchannels: [email]"
    stage.apply({"two": journey("store_visited", first, "wait: 1d", second, topic="service")})
    visits(stage)
    with stage.by_hand() as hand:
        stage.clock.advance_to(stage.moment(1, "10:00"))
        hand.claim()
        assert hand.draft() == hand.intend() == 1
        hand.queue()
        fallback = next(row for row in stage.deliveries("王芳") if row.hop == 1)
        assert fallback.status == "sending"
        hand.hand_over()
    stage.run_until(day=2)
    assert [channel for _, channel in stage.got("王芳")] == ["email", "sms", "email"]
    assert next(row.status for row in stage.deliveries("王芳") if row.hop == 1) == "sent"


def test_a_fallback_made_late_still_dies_with_the_next_message(open_stage: object) -> None:
    """The first message waited for the morning: its fallback is queued after the next message was."""
    stage: Stage = open_stage("2026-11-23 22:00")  # type: ignore[operator]
    stage.member("王芳", sms=True, email=True)
    first = SERVICE + "\nchannels: { try: [email, sms], fallback: 1d }"
    second = "send: birthday_coupon\ntopic: service\nchannels: [email]"
    stage.apply({"two": journey("store_visited", first, "wait: 1h", second, topic="service")})
    visits(stage)
    stage.run_until(day=4)
    assert [channel for _, channel in stage.got("王芳")] == ["email", "email"]


def test_a_question_that_has_closed_is_not_asked(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply({"ask": journey("store_visited", ASK.replace("5d", "1h"))})
    stage.pauses("channel:sms")
    visits(stage)
    stage.passes("2h")
    stage.resumes("channel:sms")
    stage.passes("1h")
    assert [row.status for row in stage.deliveries("王芳")] == ["cancelled"]
    assert stage.got("王芳") == []


def test_only_the_first_message_after_an_answer_is_a_reply(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    steps = (
        "ask: csat\nquestion: 还满意吗？\nanswer_within: 3d",
        COUPON,
        "wait: 1h",
        "send: winback_gift\ntopic: marketing",
    )
    stage.apply({"ask": journey("store_visited", *steps)})
    visits(stage)
    stage.types("王芳", "5", channel="sms")
    stage.passes("3h")
    skipped = [row.reason for row in stage.deliveries("王芳") if row.status == "skipped"]
    assert len(skipped) == 1
    assert "frequency cap" in (skipped[0] or "")


def test_a_repeat_is_not_made_once_the_provider_may_have_forgotten(open_stage: object) -> None:
    stage: Stage = open_stage(faults=True)  # type: ignore[operator]
    stage.member("王芳", wechat=unlucky("wechat", Fault.HUNG_UP_AFTER))
    stage.apply({"note": journey("store_visited", SERVICE, topic="service")})
    visits(stage)
    stage.clock.advance_to(stage.clock.now() + timedelta(seconds=61))
    with stage.by_hand() as hand:
        hand.claim()
        hand.draft()
        hand.clock.advance_to(hand.clock.now() + timedelta(minutes=20))
        hand.intend()
        hand.hand_over()
    assert len(stage.phone("王芳")) == 1
    assert stage.delivery("王芳").status == "ambiguous"


def test_a_message_worded_for_an_old_address_is_not_sent_there(stage: Stage) -> None:
    stage.member("王芳", email=True)
    stage.apply({"advert": journey("store_visited", COUPON)})
    with stage.by_hand() as hand:
        visits(stage)
        hand.queue()
        hand.claim()
        hand.draft()
        with stage.database.write() as connection:
            reaching.put_contact_points(
                connection, [(stage.ref("王芳"), "email", "new@example.com", stage.clock.now())]
            )
        hand.intend()
        hand.hand_over()
    assert stage.got("王芳") == []
    assert stage.delivery("王芳").status in ("pending", "sent")


def test_an_outcome_is_written_down_when_the_database_is_there_again(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply({"note": journey("store_visited", SERVICE, topic="service")})
    with stage.by_hand() as hand:
        visits(stage)
        hand.up_to_the_wire()
        database, write, tries = stage.database, stage.database.write, []

        def busy_once() -> object:
            tries.append(1)
            if len(tries) == 1:
                raise DatabaseUnavailable("locked")
            return write()

        database.write = busy_once  # type: ignore[method-assign, assignment]
        hand.hand_over()
        database.write = write  # type: ignore[method-assign]
    assert stage.delivery("王芳").status == "sent"
