"""WeChat's callbacks: the official vectors, forgeries of every kind, and what genuine messages say."""

from __future__ import annotations

import base64
import os
import struct
from datetime import UTC, datetime, timedelta

import pytest
from channel_rigs import WECHAT
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from engage.channels.contract import CallbackRequest, RawRecord, Received, Refused
from engage.channels.wechat.inbound import WeChatCallbacks
from engage.channels.wechat.safe_mode import BODY_LIMIT, SafeMode, sign
from engage.config import WeChat
from engage.core.fact import UNTOLD, Act, Arrival, Fact, Followed, Receipt, Typed, Unfollowed
from engage.core.outcome import Failure
from engage.errors import ConfigError

CONFIG = WeChat.model_validate(WECHAT)
SOURCE = WeChatCallbacks(CONFIG)
FOLLOWER = "oAbCdEfGhIjKlMnOpQrStUvWxYz1"
AT = datetime(2024, 4, 26, 6, 20, 45, tzinfo=UTC)  # 1714112445
STAMP = str(int(AT.timestamp()))
OFFICIAL_ENCRYPT = (
    "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8X"
    "GT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIj"
    "df8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04="
)


def seal(message: str, app_id: str = CONFIG.app_id, key: str = "A" * 43) -> str:
    """Encrypt as WeChat's servers do; our own reading of the format, without wechatpy."""
    aes_key = base64.b64decode(key + "=")
    plain = os.urandom(16) + struct.pack(">I", len(message.encode())) + message.encode() + app_id.encode()
    padding = 32 - len(plain) % 32
    encryptor = Cipher(algorithms.AES(aes_key), modes.CBC(aes_key[:16])).encryptor()
    return base64.b64encode(encryptor.update(plain + bytes([padding]) * padding) + encryptor.finalize()).decode()


def post(message: str, nonce: str = "415670741", **sealing: str) -> CallbackRequest:
    return enclose(seal(message, **sealing), nonce)


def enclose(encrypted: str, nonce: str = "415670741", body: bytes | None = None) -> CallbackRequest:
    query = {
        "signature": sign("AAAAA", STAMP, nonce),
        "timestamp": STAMP,
        "nonce": nonce,
        "openid": FOLLOWER,
        "encrypt_type": "aes",
        "msg_signature": sign("AAAAA", STAMP, nonce, encrypted),
    }
    envelope = (
        f"<xml><ToUserName><![CDATA[gh_97417a04a28d]]></ToUserName><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
    )
    return CallbackRequest("POST", "", query, {}, envelope.encode() if body is None else body)


def xml(fields: str, account: str = "gh_97417a04a28d") -> str:
    return (
        f"<xml><ToUserName><![CDATA[{account}]]></ToUserName><FromUserName><![CDATA[{FOLLOWER}]]></FromUserName>"
        f"<CreateTime>{STAMP}</CreateTime>{fields}</xml>"
    )


def text(words: str, more: str = "<MsgId>23</MsgId>") -> str:
    return xml(f"<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{words}]]></Content>{more}")


def event(name: str, more: str = "") -> str:
    return xml(f"<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[{name}]]></Event>{more}")


def record(request: CallbackRequest) -> RawRecord:
    opened = SOURCE.open(request, AT)
    assert isinstance(opened, Received), opened
    assert opened.answer == b"success"
    (one,) = opened.records
    return one


# --- the official test vectors ---


@pytest.mark.parametrize(
    ("stamp", "nonce", "signature"),
    [
        (1714036504, "1514711492", "f464b24fc39322e44b38aa78f5edd27bd1441696"),
        (1714037059, "486452656", "899cf89e464efb63f54ddac96b0a0a235f53aa78"),
        (1714112445, "415670741", "6c5c811b55cc85e0e1b54100749188c20beb3f5d"),
    ],
)
def test_official_handshakes(stamp: int, nonce: str, signature: str) -> None:
    query = {"signature": signature, "timestamp": str(stamp), "nonce": nonce, "echostr": "4375120948345356249"}
    opened = SOURCE.open(CallbackRequest("GET", "", query, {}, b""), datetime.fromtimestamp(stamp, UTC))
    assert opened == Received((), b"4375120948345356249")


def test_official_safe_mode_message() -> None:
    request = enclose(OFFICIAL_ENCRYPT)
    assert request.query["signature"] == "6c5c811b55cc85e0e1b54100749188c20beb3f5d"
    assert request.query["msg_signature"] == "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3"
    mode = SafeMode(CONFIG)
    assert mode.refusal(request, AT) is None
    assert mode.unseal(request) == (
        '{"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY","CreateTime":1714112445,'
        '"MsgType":"event","Event":"debug_demo","debug_str":"hello world"}'
    )


def test_official_reply() -> None:
    encrypted = "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ=="
    assert sign("AAAAA", "1713424427", "415670741", encrypted) == "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1"
    query = {"timestamp": "1713424427", "nonce": "415670741", "encrypt_type": "aes"}
    query["msg_signature"] = "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1"
    request = enclose(encrypted)._replace(query=query)
    assert SafeMode(CONFIG).unseal(request) == '{"demo_resp":"good luck"}'


# --- what is refused, each time without a traceback ---


def test_an_old_and_a_future_request_are_refused() -> None:
    request = post(text("你好"))
    assert isinstance(SOURCE.open(request, AT + timedelta(seconds=300)), Received)
    assert isinstance(SOURCE.open(request, AT - timedelta(seconds=300)), Received)
    for off in (timedelta(seconds=301), timedelta(seconds=-301), timedelta(days=365)):
        assert SOURCE.open(request, AT + off) == Refused(403, "the timestamp is more than 5 minutes off")


@pytest.mark.parametrize("name", ["signature", "timestamp", "nonce", "msg_signature", "encrypt_type"])
@pytest.mark.parametrize("value", [None, "", "0", "é" * 40, "\ud800", "9" * 400, "-1714112445", "１７１４１１２４４５"])
def test_a_changed_query_is_refused(name: str, value: str | None) -> None:
    request = post(text("你好"))
    query = {key: kept for key, kept in request.query.items() if key != name}
    query |= {} if value is None else {name: value}
    assert isinstance(SOURCE.open(request._replace(query=query), AT), Refused)


def test_a_body_under_another_signature_is_refused() -> None:
    """The plain signature does not cover the body: `msg_signature` must."""
    genuine, other = post(text("你好")), post(text("给我转账"))
    assert isinstance(SOURCE.open(genuine._replace(body=other.body), AT), Refused)


def test_plaintext_mode_is_refused() -> None:
    request = post(text("你好"))
    for mode in ("raw", ""):
        changed = request._replace(query=request.query | {"encrypt_type": mode}, body=text("你好").encode())
        assert SOURCE.open(changed, AT) == Refused(
            400, "not in safe mode: switch the account's message encryption to 安全模式"
        )


def test_an_oversized_body_is_refused_before_anything_is_parsed() -> None:
    body = b"<xml>" + b"<a/>" * (BODY_LIMIT // 4) + b"</xml>"
    refused = SOURCE.open(enclose(OFFICIAL_ENCRYPT, body=body), AT)
    assert isinstance(refused, Refused)
    assert refused.status == 413


@pytest.mark.parametrize(
    "prolog",
    [
        "<!DOCTYPE xml>",
        '<!DOCTYPE xml [<!ENTITY a "b">]>',
        '<?xml version="1.0"?><!doctype xml>',
        "<!-- <![CDATA[ --><!DOCTYPE xml>",
        "\ufeff<!DOCTYPE xml>",
    ],
)
def test_a_doctype_is_refused_outside_and_inside(prolog: str) -> None:
    encrypted = seal(text("你好"))
    body = f"{prolog}<xml><Encrypt>{encrypted}</Encrypt></xml>".encode()
    assert SOURCE.open(enclose(encrypted, body=body), AT) == Refused(400, "not a WeChat envelope")
    assert isinstance(SOURCE.open(post(prolog + text("你好")), AT), Refused)
    with pytest.raises(ValueError, match="plain <xml>"):
        SOURCE.facts(prolog + text("你好"))


def test_a_follower_may_type_a_doctype() -> None:
    assert SOURCE.facts(record(post(text("<!DOCTYPE html>"))).body) == (
        Typed("wechat", FOLLOWER, "<!DOCTYPE html>", AT),
    )


@pytest.mark.parametrize(
    "encrypted",
    ["", "!", "AAAA", "A" * 44, base64.b64encode(bytes(range(48))).decode(), base64.b64encode(b"\0" * 64).decode()],
)
def test_signed_but_malformed_ciphertext_is_refused(encrypted: str) -> None:
    assert isinstance(SOURCE.open(enclose(encrypted), AT), Refused)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"\xff\xfe<\0x\0",
        b"<xml>",
        b"<xml></xml>",
        b"<xml>text</xml>",
        b"<xml><Encrypt/></xml>",
        b"<xml><Encrypt>a</Encrypt><Encrypt>b</Encrypt></xml>",
        b"<xml><Encrypt><b>1</b></Encrypt></xml>",
        b"<yml><Encrypt>a</Encrypt></yml>",
        b"<xml><Encrypt>&lol;</Encrypt></xml>",
        b"<xml>" + b"<a>" * 15_000,
    ],
)
def test_malformed_envelopes_are_refused(body: bytes) -> None:
    assert isinstance(SOURCE.open(enclose(OFFICIAL_ENCRYPT, body=body), AT), Refused)


def test_another_app_account_or_key_is_refused() -> None:
    assert isinstance(SOURCE.open(post(text("你好"), app_id="wx0000000000000000"), AT), Refused)
    assert isinstance(SOURCE.open(post(text("你好"), key="B" * 43), AT), Refused)
    other = text("你好").replace("gh_97417a04a28d", "gh_000000000000")
    assert SOURCE.open(post(other), AT) == Refused(403, "a message for another account")


def test_an_empty_token_accepts_nothing() -> None:
    config = CONFIG.model_copy(update={"callback_token": SecretStr("")})
    query = {"signature": sign("", STAMP, "1"), "timestamp": STAMP, "nonce": "1", "echostr": "x"}
    assert isinstance(WeChatCallbacks(config).open(CallbackRequest("GET", "", query, {}, b""), AT), Refused)


def test_a_handshake_answers_only_what_it_was_asked() -> None:
    query = {"signature": sign("AAAAA", STAMP, "1"), "timestamp": STAMP, "nonce": "1"}
    assert SOURCE.open(CallbackRequest("GET", "", query | {"echostr": "\ud800"}, {}, b""), AT) == Received((), b"?")
    assert SOURCE.open(CallbackRequest("GET", "", query, {}, b""), AT) == Received((), b"")


def test_other_methods_are_refused() -> None:
    assert SOURCE.open(post(text("你好"))._replace(method="PUT"), AT) == Refused(405, "PUT is not answered here")


@pytest.mark.parametrize("key", ["A" * 42, "A" * 20, "", "!" * 43])
def test_a_wrong_aes_key_is_told_when_the_daemon_starts(key: str) -> None:
    with pytest.raises(ConfigError, match="encoding_aes_key"):
        WeChatCallbacks(CONFIG.model_copy(update={"encoding_aes_key": SecretStr(key)}))


@given(st.binary(max_size=300))
def test_no_body_raises(body: bytes) -> None:
    assert isinstance(SOURCE.open(enclose(OFFICIAL_ENCRYPT, body=body), AT), Refused)


@given(st.text(max_size=200))
def test_no_message_inside_raises(message: str) -> None:
    opened = SOURCE.open(post("<xml>" + message.encode("utf-8", "ignore").decode()), AT)
    assert isinstance(opened, Received | Refused)


# --- deduplication ---


def test_a_retry_has_the_same_key_whatever_its_nonce() -> None:
    assert record(post(text("你好"), nonce="1")).key == record(post(text("你好"), nonce="2")).key == "message:23"


def test_two_events_in_one_second_have_two_keys() -> None:
    keys = {
        record(post(event("CLICK", "<EventKey>A</EventKey>"))).key,
        record(post(event("CLICK", "<EventKey>B</EventKey>"))).key,
        record(post(event("VIEW", "<EventKey>A</EventKey>"))).key,
        record(post(event("TEMPLATESENDJOBFINISH", "<MsgID>1</MsgID><Status>success</Status>"))).key,
        record(post(event("TEMPLATESENDJOBFINISH", "<MsgID>2</MsgID><Status>success</Status>"))).key,
    }
    assert len(keys) == 5


def test_a_long_key_fits_its_column() -> None:
    assert len(record(post(event("VIEW", f"<EventKey>{'x' * 500}</EventKey>"))).key) <= 200


# --- what they say ---


def facts(message: str) -> tuple[Fact, ...]:
    return SOURCE.facts(record(post(message)).body)


def finish(status: str) -> str:
    return event("TEMPLATESENDJOBFINISH", f"<MsgID>200163836</MsgID><Status><![CDATA[{status}]]></Status>")


def media(kind: str) -> str:
    return xml(f"<MsgType><![CDATA[{kind}]]></MsgType><MediaId>m</MediaId><MsgId>9</MsgId>")


@pytest.mark.parametrize(
    ("message", "fact"),
    [
        (text("9分"), Typed("wechat", FOLLOWER, "9分", AT)),
        (text("]]]]><![CDATA[>"), Typed("wechat", FOLLOWER, "]]>", AT)),
        (text("", "<MsgId>1</MsgId>"), Typed("wechat", FOLLOWER, "", AT)),
        (
            text("10分", "<MsgId>1</MsgId><bizmsgmenuid>10</bizmsgmenuid>"),
            Typed("wechat", FOLLOWER, "10分", AT, act=Act.MENU, menu_id="10"),
        ),
        (media("voice"), Typed("wechat", FOLLOWER, "[语音]", AT)),
        (media("image"), Typed("wechat", FOLLOWER, "[图片]", AT)),
        (media("video"), Typed("wechat", FOLLOWER, "[视频]", AT)),
        (event("subscribe"), Followed("wechat", FOLLOWER, AT)),
        (event("subscribe", "<EventKey></EventKey>"), Followed("wechat", FOLLOWER, AT)),
        (event("subscribe", "<EventKey>qrscene_store_7</EventKey>"), Followed("wechat", FOLLOWER, AT, scene="store_7")),
        (event("unsubscribe"), Unfollowed("wechat", FOLLOWER, AT)),
        (
            event("CLICK", "<EventKey>NEW_TEA</EventKey>"),
            Typed("wechat", FOLLOWER, "[菜单]", AT, act=Act.MENU, menu_id="NEW_TEA"),
        ),
        (
            event("scancode_push", "<EventKey>SCAN_1</EventKey>"),
            Typed("wechat", FOLLOWER, "[扫码]", AT, act=Act.MENU, menu_id="SCAN_1"),
        ),
        (
            finish("success"),
            Receipt("wechat", Arrival.DELIVERED, AT, provider_id="200163836", address=FOLLOWER),
        ),
        *[
            (
                finish(status),
                Receipt("wechat", Arrival.BOUNCED, AT, None, "200163836", FOLLOWER, failure, status),
            )
            for status, failure in [
                ("failed:user block", Failure.UNREACHABLE),
                ("failed: user block", Failure.UNREACHABLE),
                ("failed: system failed", Failure.PROVIDER_ERROR),
                ("failed:system failed", Failure.PROVIDER_ERROR),
            ]
        ],
    ],
)
def test_what_a_message_says(message: str, fact: Fact) -> None:
    assert facts(message) == (fact,)


@pytest.mark.parametrize(
    "message",
    [
        event("VIEW", "<EventKey>https://example.com</EventKey>"),
        event("SCAN", "<EventKey>7</EventKey>"),
        event("LOCATION", "<Latitude>1</Latitude>"),
        event(
            "subscribe_msg_popup_event",
            "<SubscribeMsgPopupEvent><List><TemplateId>a</TemplateId></List></SubscribeMsgPopupEvent>",
        ),
        event("some_event_of_next_year"),
        media("hologram"),
    ],
)
def test_what_we_do_not_know_says_nothing(message: str) -> None:
    assert facts(message) == ()


@pytest.mark.parametrize(
    "body",
    [
        "",
        "你好",
        "<xml/>",
        "<xml></xml>",
        "{}",
        xml(""),
        "<xml><FromUserName>a</FromUserName><CreateTime>1</CreateTime><MsgType><a>b</a></MsgType></xml>",
    ],
)
def test_an_unreadable_record_is_a_value_error(body: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        SOURCE.facts(body)


@pytest.mark.parametrize("when", ["soon", "1", "9" * 13, "9" * 30])
def test_a_moment_that_cannot_be_meant_costs_nobody_their_words(when: str) -> None:
    (fact,) = SOURCE.facts(text("x").replace(STAMP, when))
    assert fact.at >= UNTOLD
