"""The WeChat API over real HTTP: tokens, reply windows, template messages, followers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from sandbox_bench import CHEN, HTTP, LIN, Bench
from wechatpy import WeChatClient
from wechatpy.exceptions import WeChatClientException

from engage.sandbox.model import Follow, TapMenu, Type, Unfollow

OPENID = LIN.openid or ""


def classic_token(bench: Bench, **changes: str) -> dict[str, Any]:
    query = {"grant_type": "client_credential", "appid": bench.settings.app_id, "secret": bench.settings.app_secret}
    url = f"{bench.world.wechat_url}/cgi-bin/token"
    return dict(HTTP.get(url, params=query | changes).json())


def code_with(bench: Bench, token: str) -> int:
    """What a harmless call with this token is answered."""
    url = f"{bench.world.wechat_url}/cgi-bin/user/get"
    return int(HTTP.get(url, params={"access_token": token}).json().get("errcode", 0))


def texts(bench: Bench) -> list[str]:
    return [handover.text for handover in bench.world.phone(LIN.key).received]


# --- tokens ---


@pytest.mark.parametrize(
    ("changes", "code"), [({"appid": "wx9"}, 40013), ({"secret": "no"}, 40125), ({"grant_type": "password"}, 40002)]
)
def test_wrong_credentials_are_named(bench: Bench, changes: Mapping[str, str], code: int) -> None:
    answer = classic_token(bench, **changes)
    assert answer["errcode"] == code
    assert "rid: " in answer["errmsg"]


def test_a_new_classic_token_leaves_the_old_one_five_minutes(bench: Bench) -> None:
    old = classic_token(bench)
    assert old["expires_in"] == 7200
    assert "errcode" not in old
    new = classic_token(bench)["access_token"]
    bench.clock.advance_to(bench.clock.now() + timedelta(minutes=4, seconds=59))
    assert code_with(bench, old["access_token"]) == 0
    bench.clock.advance_to(bench.clock.now() + timedelta(seconds=1))
    assert code_with(bench, old["access_token"]) == 40001
    assert code_with(bench, new) == 0


def test_the_stable_token_stays_until_its_last_five_minutes(bench: Bench) -> None:
    first = bench.token()
    bench.clock.advance_to(bench.clock.now() + timedelta(minutes=114))
    assert bench.token() == first
    bench.clock.advance_to(bench.clock.now() + timedelta(minutes=1))
    second = bench.token()
    assert second != first
    assert code_with(bench, first) == 0  # both work in the overlap
    bench.clock.advance_to(bench.clock.now() + timedelta(minutes=5))
    assert code_with(bench, first) == 42001
    assert code_with(bench, second) == 0


def test_tokens_of_the_two_endpoints_do_not_disturb_each_other(bench: Bench) -> None:
    stable = bench.token()
    classic_token(bench)
    classic_token(bench)
    bench.clock.advance_to(bench.clock.now() + timedelta(minutes=10))
    assert code_with(bench, stable) == 0


def test_forced_refresh_kills_the_old_token_and_is_limited(bench: Bench) -> None:
    old = bench.token()
    body = {
        "grant_type": "client_credential",
        "appid": bench.settings.app_id,
        "secret": bench.settings.app_secret,
        "force_refresh": True,
    }
    url = f"{bench.world.wechat_url}/cgi-bin/stable_token"
    new = HTTP.post(url, json=body).json()["access_token"]
    assert (code_with(bench, old), code_with(bench, new)) == (40001, 0)
    assert HTTP.post(url, json=body).json()["errcode"] == 45011
    assert HTTP.get(url).json()["errcode"] == 43002


def test_a_call_without_or_with_an_unknown_token_is_refused(bench: Bench) -> None:
    assert code_with(bench, "") == 41001
    assert code_with(bench, "nonsense") == 40001


# --- customer-service messages ---


def test_five_messages_in_48_hours_after_a_message(bench: Bench) -> None:
    assert bench.say(OPENID, "您好")["errcode"] == 45015  # follows, but has not written
    assert bench.world.act(Type("wechat", OPENID, "在吗")).done
    for number in range(5):
        assert bench.say(OPENID, f"第{number + 1}条")["errcode"] == 0
    assert bench.say(OPENID, "第6条")["errcode"] == 45047
    assert len(texts(bench)) == 5
    bench.world.act(Type("wechat", OPENID, "还在"))
    bench.clock.advance_to(bench.clock.now() + timedelta(hours=48) - timedelta(seconds=1))
    assert bench.say(OPENID, "赶上了")["errcode"] == 0
    bench.clock.advance_to(bench.clock.now() + timedelta(seconds=1))
    assert bench.say(OPENID, "晚了")["errcode"] == 45015


@pytest.mark.parametrize("act", [Follow(CHEN.openid or ""), Follow(CHEN.openid or "", scene="shop-1")])
def test_three_messages_in_a_minute_after_following(bench: Bench, act: Follow) -> None:
    assert bench.say(act.openid, "欢迎")["errcode"] == 43004
    bench.world.act(act)
    assert [bench.say(act.openid, "欢迎")["errcode"] for _ in range(4)] == [0, 0, 0, 45047]
    bench.clock.advance_to(bench.clock.now() + timedelta(minutes=1))
    assert bench.say(act.openid, "欢迎")["errcode"] == 45015


def test_a_menu_tap_opens_the_short_window_only(bench: Bench) -> None:
    """And beside a longer window the larger allowance counts."""
    bench.world.act(TapMenu(OPENID, "5", "5 分"))
    assert [bench.say(OPENID, "谢谢")["errcode"] for _ in range(4)] == [0, 0, 0, 45047]
    bench.world.act(Type("wechat", OPENID, "不客气"))
    assert [bench.say(OPENID, "嗯")["errcode"] for _ in range(4)] == [0, 0, 0, 0]
    bench.world.act(TapMenu(OPENID, "5", "5 分"))
    window = bench.world.reply_window(LIN.key)
    assert window is not None
    assert window.left == 3
    bench.clock.advance_to(bench.clock.now() + timedelta(minutes=1))
    assert [bench.say(OPENID, "嗯")["errcode"] for _ in range(2)] == [0, 45047]


def test_leaving_closes_everything(bench: Bench) -> None:
    bench.world.act(Type("wechat", OPENID, "在吗"))
    bench.world.act(Unfollow(OPENID))
    assert bench.say(OPENID, "您好")["errcode"] == 45015
    assert bench.notify(OPENID, "k1", thing1="已发货")["errcode"] == 43004
    bench.world.act(Follow(OPENID))
    window = bench.world.reply_window(LIN.key)
    assert window is not None
    assert window.left == 3


def test_an_unknown_openid_is_refused(bench: Bench) -> None:
    assert bench.say("oNobody", "您好")["errcode"] == 40003
    assert bench.notify("oNobody", "k1", thing1="已发货")["errcode"] == 40003


def test_what_the_follower_sees(bench: Bench) -> None:
    bench.world.act(Type("wechat", OPENID, "在吗"))
    bench.say(OPENID, '看这里 http://127.0.0.1/c/abc，或<a href="http://127.0.0.1/c/def">点我</a>。')
    menu = {"head_content": "满意吗", "list": [{"id": "5", "content": "5 分"}, {"id": "1", "content": "1 分"}]}
    bench.wechat("message/custom/send", {"touser": OPENID, "msgtype": "msgmenu", "msgmenu": menu})
    article = {"title": "新茶", "description": "上市了", "url": "http://127.0.0.1/c/ghi", "picurl": ""}
    bench.wechat("message/custom/send", {"touser": OPENID, "msgtype": "news", "news": {"articles": [article]}})
    text, choice, news = bench.world.phone(LIN.key).received
    assert text.text == "看这里 http://127.0.0.1/c/abc，或点我。"
    assert [(link.url, link.words) for link in text.links] == [
        ("http://127.0.0.1/c/abc", "http://127.0.0.1/c/abc"),
        ("http://127.0.0.1/c/def", "点我"),
    ]
    assert (choice.text, choice.menu) == ("满意吗\n5 分\n1 分", (("5", "5 分"), ("1", "1 分")))
    assert (news.text, news.links[0].words) == ("新茶\n上市了", "新茶")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"msgtype": "text", "text": {"content": ""}}, 44004),
        ({"msgtype": "text", "text": {"content": "茶" * 683}}, 45002),
        ({"msgtype": "news", "news": {"articles": [{}, {}]}}, 45008),
        ({"msgtype": "hologram", "hologram": {}}, 40008),
        ({"msgtype": "text"}, 40008),
    ],
)
def test_malformed_messages_are_refused_and_cost_nothing(bench: Bench, body: Mapping[str, Any], code: int) -> None:
    bench.world.act(Type("wechat", OPENID, "在吗"))
    assert bench.wechat("message/custom/send", {"touser": OPENID, **body})["errcode"] == code
    window = bench.world.reply_window(LIN.key)
    assert window is not None
    assert window.left == 5


def test_the_window_is_told_in_words(bench: Bench) -> None:
    assert bench.world.reply_window(LIN.key) is None
    bench.world.act(Type("wechat", OPENID, "在吗"))
    window = bench.world.reply_window(LIN.key)
    assert window is not None
    assert window.words(bench.clock.now()) == "还可回复 5 条，48 小时内"
    bench.world.act(Follow(CHEN.openid or ""))
    window = bench.world.reply_window(CHEN.key)
    assert window is not None
    assert window.words(bench.clock.now()) == "还可回复 3 条，1 分钟内"


# --- template messages ---


def test_the_same_client_msg_id_is_delivered_once_within_ten_minutes(bench: Bench) -> None:
    first = bench.notify(OPENID, "k1", thing1="已发货")
    bench.clock.advance_to(bench.clock.now() + timedelta(minutes=9, seconds=59))
    again = bench.notify(OPENID, "k1", thing1="已发货")
    assert (first["errcode"], again) == (0, first)
    assert texts(bench) == ["已发货"]
    bench.clock.advance_to(bench.clock.now() + timedelta(seconds=1))
    later = bench.notify(OPENID, "k1", thing1="已发货")
    assert later["msgid"] != first["msgid"]
    assert texts(bench) == ["已发货", "已发货"]


@pytest.mark.parametrize("value", ["", "茶" * 21, "两行\n字"])
def test_a_field_the_platform_forbids_is_refused(bench: Bench, value: str) -> None:
    answer = bench.notify(OPENID, "k1", thing1=value)
    assert answer["errcode"] == 47003
    assert "thing1.DATA is invalid" in answer["errmsg"]
    assert texts(bench) == []


def test_first_line_remark_and_emoji_are_stripped_silently(bench: Bench) -> None:
    assert bench.notify(OPENID, "k1", first="您好", thing1="已发货🎉", remark="谢谢")["errcode"] == 0
    (handover,) = bench.world.phone(LIN.key).received
    assert handover.text == "已发货"
    assert handover.payload["data"]["remark"] == {"value": "谢谢"}  # the log keeps what was received


def test_the_finish_event_comes_later(bench: Bench) -> None:
    msgid = bench.notify(OPENID, "k1", thing1="已发货")["msgid"]
    bench.world.tick()
    assert bench.told() == []
    bench.go_on(timedelta(seconds=10))
    (finish,) = bench.told()
    assert (finish.event, finish.id, finish.status) == ("templatesendjobfinish", msgid, "success")


# --- followers ---


def test_followers_are_listed_and_the_last_page_points_on(bench: Bench) -> None:
    bench.world.act(Follow(CHEN.openid or ""))
    query = {"access_token": bench.token()}
    url = f"{bench.world.wechat_url}/cgi-bin/user/get"
    page = HTTP.get(url, params=query).json()
    assert page["data"]["openid"] == sorted([OPENID, CHEN.openid])
    last = HTTP.get(url, params=query | {"next_openid": page["next_openid"]}).json()
    assert (last["count"], "data" in last) == (0, False)


def test_user_info_tells_who_follows(bench: Bench) -> None:
    bench.world.act(Follow(CHEN.openid or "", scene="shop-1"))
    query = {"access_token": bench.token(), "openid": CHEN.openid}
    url = f"{bench.world.wechat_url}/cgi-bin/user/info"
    info = HTTP.get(url, params=query).json()
    assert (info["subscribe"], info["qr_scene_str"]) == (1, "shop-1")
    bench.world.act(Unfollow(CHEN.openid or ""))
    assert HTTP.get(url, params=query).json() == {"subscribe": 0, "openid": CHEN.openid}


# --- as wechatpy talks ---


def test_wechatpy_talks_to_it(bench: Bench) -> None:
    """wechatpy sends JSON without a Content-Type, and raises on an errcode."""
    client = WeChatClient(
        bench.settings.app_id, bench.settings.app_secret, access_token=bench.token(), auto_retry=False
    )
    client.API_BASE_URL = f"{bench.world.wechat_url}/cgi-bin/"
    bench.world.act(Type("wechat", OPENID, "在吗"))
    assert client.message.send_text(OPENID, "在的")["errcode"] == 0
    with pytest.raises(WeChatClientException) as refused:
        client.message.send_text("oNobody", "在的")
    assert refused.value.errcode == 40003
    assert texts(bench) == ["在的"]


def test_bodies_that_are_not_json_objects_are_refused(bench: Bench) -> None:
    url = f"{bench.world.wechat_url}/cgi-bin/message/custom/send"
    for body in (b"", b"[]", b"{", json.dumps("x").encode()):
        answer = HTTP.post(url, params={"access_token": bench.token()}, content=body).json()
        assert answer["errcode"] == 47001
