"""What the engine is told by WeChat, read by wechatpy; and how WeChat insists."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sandbox_bench import CHEN, LIN, Bench

from engage.sandbox.loopback import Answer, HangUp
from engage.sandbox.model import Follow, TapMenu, Type, Unfollow
from engage.sandbox.phones import Notice, Wrote
from engage.sandbox.wechat_crypto import signature

OPENID = LIN.openid or ""


def test_callbacks_are_signed_sealed_and_fresh(bench: Bench) -> None:
    bench.world.act(Type("wechat", OPENID, "在吗"))
    (request,) = bench.engine.at("/callbacks/wechat")
    query = request.query
    assert query["signature"] == signature(bench.settings.callback_token, query["timestamp"], query["nonce"])
    assert (query["encrypt_type"], query["openid"]) == ("aes", OPENID)
    assert int(query["timestamp"]) == int(bench.clock.now().timestamp())
    assert b"Content" not in request.body


def test_typed_words_arrive_whole(bench: Bench) -> None:
    """Markup, the end of CDATA, and characters that XML cannot hold included."""
    words = "10 分 <b>&amp; ]]> 好茶\x07"
    bench.world.act(Type("wechat", OPENID, words))
    (message,) = bench.told()
    assert (message.type, message.source, message.target) == ("text", OPENID, bench.settings.account)
    assert message.content == "10 分 <b>&amp; ]]> 好茶"
    assert message.create_time.timestamp() == bench.clock.now().timestamp()


def test_a_tap_on_a_menu_is_a_text_with_the_items_id(bench: Bench) -> None:
    bench.world.act(TapMenu(OPENID, "10", "10分"))
    (message,) = bench.told()
    assert (message.content, message._data["bizmsgmenuid"]) == ("10分", "10")


def test_follow_by_scan_and_unfollow(bench: Bench) -> None:
    openid = CHEN.openid or ""
    bench.world.act(Follow(openid, scene="shop-1"))
    bench.world.act(Unfollow(openid))
    assert not bench.world.act(Unfollow(openid)).done
    came, went = bench.told()
    assert (came.event, came.scene_id) == ("subscribe_scan", "shop-1")
    assert went.event == "unsubscribe"


def test_words_need_a_followed_account(bench: Bench) -> None:
    assert not bench.world.act(Type("wechat", CHEN.openid or "", "在吗")).done
    assert bench.engine.requests == []


@pytest.mark.parametrize(
    "answer",
    [Answer(500, b"success"), Answer(200, b"fail"), Answer(200, b"<xml/>"), HangUp()],
    ids=["http 500", "another word", "markup", "hung up"],
)
def test_three_tries_with_the_same_message(bench: Bench, answer: Answer | HangUp) -> None:
    bench.engine.answers["/callbacks/wechat"] = answer
    bench.world.act(Type("wechat", OPENID, "在吗"))
    bench.go_on(timedelta(minutes=1))
    tries = bench.told()
    assert len(tries) == 3
    assert len({(message.id, message.create_time) for message in tries}) == 1
    timestamps = [int(request.query["timestamp"]) for request in bench.engine.at("/callbacks/wechat")]
    assert [later - timestamps[0] for later in timestamps] == [0, 5, 10]
    assert [missed.key[:5] for missed in bench.world.given_up()] == ["hand:"]
    assert bench.world.chat(LIN.key, "wechat") == (
        Wrote(bench.clock.now() - timedelta(minutes=1), "在吗"),
        Notice(bench.clock.now() - timedelta(seconds=50), "该公众号暂时无法提供服务，请稍后再试"),
    )


def test_an_empty_answer_is_enough_and_a_healed_engine_is_told_once_more(bench: Bench) -> None:
    bench.engine.answers["/callbacks/wechat"] = Answer(503, b"")
    bench.world.act(Type("wechat", OPENID, "在吗"))
    bench.engine.answers["/callbacks/wechat"] = Answer(200, b"")
    bench.go_on(timedelta(minutes=1))
    assert len(bench.told()) == 2
    assert bench.world.given_up() == ()


def test_a_stranger_can_follow_and_write(bench: Bench) -> None:
    """Someone at the phone page who is nobody in the population."""
    bench.world.act(Follow("oStranger"))
    bench.world.act(Type("wechat", "oStranger", "你好"))
    assert bench.say("oStranger", "您好")["errcode"] == 0
    (stranger,) = [person for person in bench.world.people() if person.openid == "oStranger"]
    assert [handover.text for handover in bench.world.phone(stranger.key).received] == ["您好"]
    assert [message.type for message in bench.told()] == ["event", "text"]
