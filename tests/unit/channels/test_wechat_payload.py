"""The JSON that goes to WeChat."""

from __future__ import annotations

from typing import Any

import pytest
from channel_messages import a_message

from engage.channels.composing import Uncomposable
from engage.channels.wechat.payload import client_msg_id, compose, field_value


def body(words: str, kind: str) -> dict[str, Any]:
    payload = compose(a_message(words, front={"kind": kind}))
    assert payload.data["endpoint"] == "message/custom/send"
    return dict(payload.data["body"])


def test_text() -> None:
    payload = compose(a_message("  王芳，您好\n第二行\n"))
    assert payload.data == {
        "endpoint": "message/custom/send",
        "body": {"touser": "openid", "msgtype": "text", "text": {"content": "王芳，您好\n第二行"}},
    }
    assert payload.text == "王芳，您好\n第二行"
    assert payload.cost == 0


def test_a_menu_is_written_as_lines_with_an_id() -> None:
    words = "这次送货满意吗？\n\n[5] 很满意\n  [4] 满意\n[bad] 不满意\n也可以直接写给我们。"
    assert body(words, "msgmenu") == {
        "touser": "openid",
        "msgtype": "msgmenu",
        "msgmenu": {
            "head_content": "这次送货满意吗？",
            "list": [
                {"id": "5", "content": "很满意"},
                {"id": "4", "content": "满意"},
                {"id": "bad", "content": "不满意"},
            ],
            "tail_content": "也可以直接写给我们。",
        },
    }


def test_one_article() -> None:
    words = "老周说“等等看”\n今年春天的那片茶\n出来了\nhttps://t.cn/x?a=1\n![](https://img.cn/1.jpg)"
    assert body(words, "news")["news"] == {
        "articles": [
            {
                "title": "老周说“等等看”",
                "description": "今年春天的那片茶\n出来了",
                "url": "https://t.cn/x?a=1",
                "picurl": "https://img.cn/1.jpg",
            }
        ]
    }


@pytest.mark.parametrize(
    ("words", "kind", "why"),
    [
        (" \n ", "text", "no words"),
        ("满意吗？", "msgmenu", "msgmenu needs lines"),
        ("只有标题", "news", "news needs a line"),
        ("看这里 https://t.cn/x", "news", "news needs a line"),
        ("您好", "miniprogram", "cannot be sent"),
    ],
)
def test_words_that_do_not_fit_their_kind(words: str, kind: str, why: str) -> None:
    with pytest.raises(Uncomposable, match=why):
        body(words, kind)


def notice(front: object) -> Any:
    return compose(a_message(mode="template", front={"template_message": front}))


def test_a_template_message() -> None:
    payload = notice({"id": "TM_1", "url": "https://t.cn/x", "data": {"thing1": "试饮装\n已备好", "time2": "11月24日"}})
    assert payload.data == {
        "endpoint": "message/template/send",
        "body": {
            "touser": "openid",
            "template_id": "TM_1",
            "url": "https://t.cn/x",
            "client_msg_id": "enrolment-7/welcome/1/send",
            "data": {"thing1": {"value": "试饮装 已备好"}, "time2": {"value": "11月24日"}},
        },
    }
    assert payload.text == "试饮装 已备好\n11月24日"


def test_a_template_message_may_lead_nowhere() -> None:
    assert "url" not in notice({"id": "TM_1", "data": {"thing1": "茶"}}).data["body"]


@pytest.mark.parametrize("front", [None, "TM_1", {}, {"id": "TM_1"}, {"data": {"a": "b"}}, {"id": "TM_1", "data": "x"}])
def test_a_template_message_needs_id_and_data(front: object) -> None:
    with pytest.raises(Uncomposable, match="template_message"):
        notice(front)


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("一" * 20, "一" * 20),
        ("一" * 21, "一" * 19 + "…"),
        ("a\r\nb\tc", "a b c"),
        ("  两 边  ", "两 边"),
    ],
)
def test_fields_have_one_line_and_20_characters(value: str, sent: str) -> None:
    assert field_value(value) == sent


def test_a_long_key_is_hashed_to_what_the_platform_takes() -> None:
    assert client_msg_id("k" * 32) == "k" * 32
    assert len(client_msg_id("k" * 33)) == 32
    assert client_msg_id("k" * 33) == client_msg_id("k" * 33) != client_msg_id("k" * 34)
