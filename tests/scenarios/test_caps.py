"""How often: the frequency cap counts messages, not attempts, and lets the most important one through."""

from __future__ import annotations

from small_journeys import COUPON, SERVICE, journey
from stage import OpenStage, Stage
from stage_wiring import dead_mailbox

DAILY = {"advert": journey("store_visited", COUPON)}
ASK_TEA = "ask: csat\nquestion: 茶还好喝吗？\nanswer_within: 2d"


def visits(stage: Stage, name: str = "王芳") -> None:
    stage.happens(name, "store_visited", store="湖滨店")


def outcomes(stage: Stage, name: str = "王芳") -> list[str]:
    return [row.reason or row.status for row in stage.deliveries(name)]


def test_one_advert_a_day_and_three_in_a_week(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply(DAILY)
    visits(stage)
    visits(stage)
    for day in (1, 2, 3, 6):
        stage.run_until(day=day, at="10:01")
        visits(stage)
    stage.run_until(day=7, at="10:01")
    visits(stage)
    assert [when for when, _ in stage.got("王芳")] == [
        "day 0 10:00",
        "day 1 10:01",
        "day 2 10:01",
        "day 7 10:01",
    ]
    assert outcomes(stage) == [
        "sent",
        "frequency cap: 1 in 1d, 1 allowed",
        "sent",
        "sent",
        "frequency cap: 3 in 7d, 3 allowed",
        "frequency cap: 3 in 7d, 3 allowed",
        "sent",
    ]


def test_service_messages_have_no_cap(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply({"note": journey("store_visited", SERVICE, topic="service")})
    for _ in range(4):
        visits(stage)
    assert len(stage.phone("王芳")) == 4


def test_of_those_that_wait_together_the_most_important_wins(open_stage: OpenStage) -> None:
    stage = open_stage("2026-11-23 22:00")
    stage.member("王芳", sms=True)
    more = "priority: {}\n"
    stage.apply(
        {
            "low": journey("store_visited", COUPON, more=more.format(10)),
            "high": journey("store_visited", "send: winback_gift", more=more.format(90)),
            "middle": journey("store_visited", "send: winback_story", more=more.format(50)),
        }
    )
    visits(stage)
    stage.run_until(day=1, at="12:00")
    assert stage.got("王芳") == [("day 1 09:00", "sms")]
    assert "老枞小样" in stage.last("王芳").text
    assert {row.journey_id: row.status for row in stage.deliveries("王芳")} == {
        "low": "skipped",
        "middle": "skipped",
        "high": "sent",
    }


def test_a_fallback_is_the_same_message(stage: Stage) -> None:
    stage.member("王芳", sms=True, email=True)
    both = "send: birthday_coupon\nchannels: { try: [email, sms], fallback: 2h }"
    stage.apply({"advert": journey("store_visited", both)})  # it outlives the run, which ends at once
    visits(stage)
    stage.run_until(at="13:00")
    assert stage.got("王芳") == [("day 0 10:00", "email"), ("day 0 12:00", "sms")]


def test_a_reminder_is_the_same_question(stage: Stage) -> None:
    stage.member("王芳", sms=True, email=True)
    ask = ASK_TEA + "\nremind: 1d\nchannels: [email, sms]"
    stage.apply({"ask": journey("store_visited", ask)})
    visits(stage)
    stage.run_until(day=1, at="11:00")
    assert stage.got("王芳") == [("day 0 10:00", "email"), ("day 1 10:00", "sms")]


def test_one_survey_a_week_whichever_journey_asks(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply({"one": journey("store_visited", ASK_TEA), "two": journey("coupon_used", ASK_TEA)})
    visits(stage)
    stage.run_until(day=6, at="10:00")
    stage.happens("王芳", "coupon_used", code="C1")
    assert outcomes(stage) == ["sent", "frequency cap: 1 in 7d, 1 allowed"]
    stage.run_until(day=9, at="10:00")
    visits(stage)
    assert len(stage.phone("王芳")) == 2


def test_topics_of_the_marketing_class_share_one_cap(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply({"a": journey("store_visited", COUPON), "b": journey("coupon_used", COUPON, topic="lifecycle")})
    visits(stage)
    stage.happens("王芳", "coupon_used", code="C1")
    assert outcomes(stage) == ["sent", "frequency cap: 1 in 1d, 1 allowed"]


def test_what_answers_the_members_own_answer_uses_no_cap(stage: Stage) -> None:
    """An advert in the morning, a score at noon: the thanks for it are no second advert."""
    stage.member("王芳", sms=True)
    thanks = "ask: csat\nquestion: 茶还好喝吗？\nanswer_within: 2d\ntopic: service", "send: winback_story"
    stage.apply(DAILY | {"ask": journey("coupon_used", *thanks)})
    stage.happens("王芳", "coupon_used", code="C1")
    visits(stage)
    stage.run_until(at="12:00")
    stage.types("王芳", "5", channel="sms")
    assert [row.status for row in stage.deliveries("王芳")] == ["sent", "sent", "sent"]


def test_two_members_have_a_cap_each(stage: Stage) -> None:
    for name in ("王芳", "李雷"):
        stage.member(name, sms=True)
    stage.apply(DAILY)
    for name in ("王芳", "李雷"):
        visits(stage, name)
    assert (len(stage.phone("王芳")), len(stage.phone("李雷"))) == (1, 1)


def test_what_was_refused_by_the_provider_for_good_uses_no_cap(stage: Stage) -> None:
    """The mailbox is dead: the member got nothing, and may get the next message."""
    stage.member("王芳", email=dead_mailbox(at_the_door=True), sms=True, mailbox_dead=True)
    mail_only = "send: birthday_coupon\nchannels: [email]"
    stage.apply({"mail": journey("store_visited", mail_only), "advert": journey("coupon_used", COUPON)})
    visits(stage)
    stage.run_until(at="12:00")
    stage.happens("王芳", "coupon_used", code="C1")
    assert stage.got("王芳") == [("day 0 12:00", "sms")]
