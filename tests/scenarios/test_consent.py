"""Permission: asked at the last moment, taken back at any, and kept with its evidence."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations

import pytest
from small_journeys import COUPON, SERVICE, journey
from stage import OpenStage, Stage

from engage.core.fact import Followed, Happened, Unfollowed
from engage.core.fact_json import fact_to_json
from engage.runtime.receiving import membership
from engage.runtime.receiving.reading import Reading
from engage.runtime.receiving.receive import BULK_BATCH
from engage.store import inbound
from engage.store.inbound import Arrived

Order = tuple[tuple[int, type[Followed] | type[Unfollowed]], ...]
ADVERT = {"advert": journey("store_visited", COUPON)}
REFUSED = "refused marketing on sms"
NOTE = {"note": journey("coupon_used", SERVICE, topic="service")}


def visits(stage: Stage, name: str = "王芳") -> None:
    stage.happens(name, "store_visited", store="湖滨店")


def why_not(stage: Stage, name: str = "王芳") -> dict[str, str]:
    """By channel, why the newest message could not go there."""
    return {line["channel"]: line["why"] for line in stage.deliveries(name)[-1].decision}


def test_without_a_grant_an_advert_is_skipped_and_says_why(stage: Stage) -> None:
    stage.member("王芳", sms=True, email=True, consents="survey:all")
    stage.apply(ADVERT)
    visits(stage)
    row = stage.delivery("王芳")
    assert (row.status, row.reason) == ("skipped", "no channel can be used")
    assert why_not(stage) == {
        "email": "no consent on file for marketing on email",
        "sms": "no consent on file for marketing on sms",
        "wechat": "no address on file",
    }
    assert stage.phone("王芳") == []


def test_a_grant_on_one_channel_is_a_grant_there_and_nowhere_else(stage: Stage) -> None:
    stage.member("王芳", sms=True, email=True, consents="marketing:sms")
    stage.apply(ADVERT)
    visits(stage)
    assert [channel for _, channel in stage.got("王芳")] == ["sms"]


def test_a_refusal_told_by_the_shop_stands_however_often_it_changed_its_mind(stage: Stage) -> None:
    stage.member("王芳", sms=True, consents="")
    stage.apply(ADVERT)
    about = {"topic": "marketing", "channel": "sms", "evidence": "门店登记表"}
    told = [{"member": "M0001", "consents": [about | {"granted": granted}]} for granted in (False, True, False)]
    for each in told:
        stage.posts("/api/members", each)
    stage.posts("/api/members", {"members": told})
    visits(stage)
    assert why_not(stage)["sms"] == REFUSED
    assert stage.got("王芳") == []


def test_service_needs_no_grant_and_stops_at_a_refusal(stage: Stage) -> None:
    stage.member("王芳", sms=True, consents="")
    stage.member("李雷", sms=True, consents="!service:sms")
    stage.apply(NOTE)
    for name in ("王芳", "李雷"):
        stage.happens(name, "coupon_used", code="C1")
    assert len(stage.phone("王芳")) == 1
    assert why_not(stage, "李雷")["sms"] == "refused service on sms"


def test_an_opt_out_between_queueing_and_sending_is_heard(open_stage: OpenStage) -> None:
    stage = open_stage("2026-11-23 22:00")
    stage.member("王芳", sms=True)
    stage.apply(ADVERT)
    visits(stage)
    assert stage.delivery("王芳").status == "pending"
    stage.types("王芳", "TD", channel="sms")
    stage.run_until(day=2, at="10:00")
    assert [came.text for came in stage.phone("王芳")] == [
        "【山野茶事】已为您退订活动、问卷和祝福短信。订单、售后这类服务通知还会发给您。以后想恢复，跟客服说一声就好。"
    ]
    assert stage.got("王芳") == [("day 0 22:00", "sms")]  # confirmed at once: it answers the member's own word
    assert {line["channel"]: line["why"] for line in stage.deliveries("王芳")[0].decision}["sms"] == REFUSED


def test_an_opt_out_after_the_message_was_worded_is_heard_in_the_intents_transaction(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply(ADVERT)
    with stage.by_hand() as hand:
        visits(stage)
        hand.queue()
        hand.claim()
        assert hand.draft() == 1
        stage.types("王芳", "R", channel="sms")
        hand.queue()
        assert hand.intend() == 0
    row = stage.deliveries("王芳")[0]
    assert (row.status, row.first_sent_at) == ("skipped", None)
    assert {line["channel"]: line["why"] for line in row.decision}["sms"] == REFUSED


def test_a_typed_opt_out_covers_all_but_service_on_that_channel_only(stage: Stage) -> None:
    stage.member("王芳", sms=True, email=True, consents="yes")
    stage.apply(ADVERT | NOTE)
    stage.types("王芳", "退订", channel="sms")
    visits(stage)
    stage.happens("王芳", "coupon_used", code="C1")
    advert, note = stage.deliveries("王芳")[1:]
    assert advert.channel == "email"
    assert note.status == "sent"
    stage.types("王芳", "退订", channel="sms")
    confirmations = [came for came in stage.phone("王芳") if "已为您退订" in came.text]
    assert len(confirmations) == 1  # said once


def test_one_click_in_the_mail_program_takes_the_topic_back_and_needs_no_word_from_us(stage: Stage) -> None:
    stage.member("王芳", email=True)
    stage.apply(ADVERT)
    visits(stage)
    stage.unsubscribes("王芳")
    stage.run_until(day=2)
    visits(stage)
    assert len(stage.phone("王芳")) == 1
    assert why_not(stage)["email"] == "refused marketing on email"
    assert [event.channel for event in stage.events("王芳", "unsubscribed")] == ["email"]


def test_the_shops_list_does_not_overrule_what_a_member_said_themselves(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply(ADVERT)
    stage.types("王芳", "T", channel="sms")
    stage.registers("王芳", consents=["marketing"])
    visits(stage)
    assert why_not(stage)["sms"] == REFUSED


def test_a_suppressed_address_gets_nothing_whatever_was_granted(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply(ADVERT | NOTE)
    stage.suppress("王芳", "sms", "投诉到工信部")
    visits(stage)
    stage.happens("王芳", "coupon_used", code="C1")
    assert stage.phone("王芳") == []
    assert why_not(stage)["sms"] == "suppressed: 投诉到工信部"


def test_an_invalid_number_is_suppressed_after_the_first_receipt(stage: Stage) -> None:
    stage.member("王芳", sms=True, phone_dead=True)
    stage.apply(NOTE)
    stage.happens("王芳", "coupon_used", code="C1")
    stage.passes("1m")
    stage.happens("王芳", "coupon_used", code="C2")
    assert [row.status for row in stage.deliveries("王芳")] == ["sent", "skipped"]
    assert why_not(stage)["sms"].startswith("suppressed: invalid address")


def test_who_unfollows_is_not_written_to_on_wechat_and_is_again_when_they_return(stage: Stage) -> None:
    stage.member("王芳", wechat=True)
    stage.apply(NOTE)
    stage.unfollows("王芳")
    stage.happens("王芳", "coupon_used", code="C1")
    assert why_not(stage)["wechat"] == "unfollowed"
    stage.follows("王芳")
    stage.happens("王芳", "coupon_used", code="C2")
    assert len(stage.phone("王芳")) == 1


def test_following_grants_service_there_and_nothing_more(stage: Stage) -> None:
    stage.stranger("小李")
    stage.apply(NOTE)
    stage.follows("小李")
    assert [(row.topic, row.channel, row.granted) for row in stage.consents("小李")] == [("service", "wechat", True)]


def test_what_ops_have_paused_waits_and_goes_out_when_it_is_resumed(stage: Stage) -> None:
    stage.member("王芳", sms=True, email=True)
    stage.apply(ADVERT | NOTE)
    stage.pauses("journey:advert")
    visits(stage)
    stage.happens("王芳", "coupon_used", code="C1")
    assert [row.status for row in stage.deliveries("王芳")] == ["pending", "sent"]
    stage.run_until(at="10:30")
    assert len(stage.phone("王芳")) == 1
    stage.resumes("journey:advert")
    stage.passes("1m")
    assert len(stage.phone("王芳")) == 2


def test_everything_paused_means_everything(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply(NOTE)
    stage.pauses("all")
    stage.happens("王芳", "coupon_used", code="C1")
    stage.types("王芳", "TD", channel="sms")
    stage.passes("30m")
    assert stage.phone("王芳") == []
    stage.resumes("all")
    stage.passes("1m")
    assert len(stage.phone("王芳")) == 2


def test_a_pause_after_the_message_was_worded_is_heard_in_the_intents_transaction(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply(ADVERT)
    with stage.by_hand() as hand:
        visits(stage)
        hand.queue()
        hand.claim()
        assert hand.draft() == 1
        stage.pauses("all")
        assert hand.intend() == 0
    assert stage.delivery("王芳").status == "pending"


def test_a_paused_channel_leaves_the_others(stage: Stage) -> None:
    stage.member("王芳", sms=True, email=True)
    stage.apply(ADVERT)
    stage.pauses("channel:email")
    visits(stage)
    assert [channel for _, channel in stage.got("王芳")] == ["sms"]
    assert why_not(stage)["email"] == "channel is paused"


@pytest.mark.parametrize("scope", ["all", "channel:sms"])
def test_what_is_paused_is_left_where_it_is(stage: Stage, scope: str) -> None:
    """A pause may hold a hundred thousand messages: they are not taken up again every minute."""
    stage.member("王芳", sms=True)
    stage.apply(ADVERT)
    stage.pauses(scope)
    visits(stage)
    stage.passes("5m")
    claims = stage.delivery("王芳").fence
    stage.passes("1h")
    assert (stage.delivery("王芳").fence, stage.phone("王芳")) == (claims, [])
    stage.resumes(scope)
    stage.passes("1m")
    assert len(stage.phone("王芳")) == 1


def test_an_opt_out_is_read_before_the_five_thousand_facts_that_came_before_it(open_stage: OpenStage) -> None:
    stage = open_stage("2026-11-23 22:00")
    stage.member("王芳", sms=True)
    stage.apply(ADVERT)
    visits(stage)
    with stage.daemon_down():
        stage.clock.advance_to(stage.moment(1, "09:00"))
        now = stage.clock.now()
        used = fact_to_json(Happened("M9999", "coupon_used", {"code": "C1"}, now))
        with stage.database.write() as connection:
            inbound.put(connection, [Arrived(inbound.FILE, f"used:{n}", used) for n in range(5000)], now)
        stage.types("王芳", "TD", channel="sms")
        assert stage.engine.receive.tick() <= BULK_BATCH + 1
        stage.engine.dispatch.tick()
        stage.engine.dispatch.settle()
        advert = stage.deliveries("王芳")[0]
        assert {line["channel"]: line["why"] for line in advert.decision}["sms"] == REFUSED
        with stage.database.write() as connection:  # the rest of the file proves nothing more
            inbound.mark_read(connection, [row.id for row in stage.inbox(inbound.FILE)], now)


def test_a_refusal_the_carrier_tells_of_is_an_event_like_any_other(stage: Stage) -> None:
    """MBBLACK: the member has refused this sender at the carrier."""
    stage.member("王芳", sms=True)
    stage.apply(ADVERT)
    visits(stage)
    row = stage.delivery("王芳")
    told = {"phone_number": stage.address("王芳", "sms"), "biz_id": row.provider_id, "out_id": row.payload["OutId"]}
    told |= {"send_time": "2026-11-23 10:00:00", "report_time": "2026-11-23 10:00:05", "sms_size": "1"}
    stage.sms_pushes(told | {"success": False, "err_code": "MBBLACK", "err_msg": ""})
    (event,) = stage.events("王芳", "unsubscribed")
    assert (event.channel, event.delivery_id, event.payload) == ("sms", row.id, {"channel": "sms", "topic": None})


FOLLOW, UNFOLLOW, RETURN = (0, Followed), (10, Unfollowed), (20, Followed)


@pytest.mark.parametrize("order", list(permutations([FOLLOW, UNFOLLOW])))
def test_who_followed_and_left_has_left_in_whatever_order_it_is_told(stage: Stage, order: Order) -> None:
    assert told_in(stage, order) == ("unfollowed", UNFOLLOW[0], None)
    stage.happens("王芳", "coupon_used", code="C1")
    assert why_not(stage)["wechat"] == "unfollowed"


@pytest.mark.parametrize("order", list(permutations([FOLLOW, UNFOLLOW, RETURN])))
def test_who_came_back_is_back_in_whatever_order_it_is_told(stage: Stage, order: Order) -> None:
    assert told_in(stage, order) == ("active", RETURN[0], RETURN[0])


def told_in(stage: Stage, order: Order) -> tuple[str, int, int | None]:
    """The status, since when, and when the reply window was opened, in seconds since the first."""
    stage.member("王芳", wechat=True)
    stage.apply(NOTE)
    stage.passes("1m")
    began = stage.clock.now()
    openid = stage.address("王芳", "wechat")
    context = stage.engine.context
    for number, (second, kind) in enumerate(order):
        with stage.database.write() as connection:
            reading = Reading(connection, stage.applied, context.channels, began, 1000 + number)
            fact = kind("wechat", openid, began + timedelta(seconds=second))
            if isinstance(fact, Followed):
                membership.followed(reading, fact)
            else:
                membership.unfollowed(reading, fact)
    (point,) = stage.points("王芳")
    opened = point.window_opened_at
    since = int((point.status_at - began).total_seconds())
    return point.status, since, int((opened - began).total_seconds()) if opened else None
