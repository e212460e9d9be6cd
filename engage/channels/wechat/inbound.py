"""WeChat's callbacks: opened, stored as the decrypted XML, and read later into facts. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from wechatpy.parser import parse_message

from engage.channels.callback import bounded_key
from engage.channels.contract import CallbackRequest, RawRecord, Received, Refused
from engage.channels.wechat.safe_mode import SafeMode
from engage.channels.wechat.xml import read_fields
from engage.config import WeChat
from engage.core.fact import Act, Arrival, Fact, Followed, Receipt, Typed, Unfollowed, moment_told
from engage.core.outcome import Failure

# Answered within 5 s, else WeChat tries again, three times, and shows the follower an error.
_ANSWER = b"success"

_WORDS_OF = {
    "image": "[图片]",
    "voice": "[语音]",
    "video": "[视频]",
    "shortvideo": "[视频]",
    "location": "[位置]",
    "link": "[链接]",
    "miniprogrampage": "[小程序]",
}


class WeChatCallbacks:
    name = "wechat"

    def __init__(self, config: WeChat) -> None:
        self._account = config.account
        self._safe_mode = SafeMode(config)

    def open(self, request: CallbackRequest, now: datetime) -> Received | Refused:
        if refused := self._safe_mode.refusal(request, now):
            return refused
        match request.method:
            case "GET":  # the handshake, when the address is entered in WeChat's console
                return Received((), answer=request.query.get("echostr", "").encode("utf-8", "replace"))
            case "POST":
                unsealed = self._safe_mode.unseal(request)
                return unsealed if isinstance(unsealed, Refused) else self._receive(unsealed)
            case other:
                return Refused(405, f"{other} is not answered here")

    def facts(self, body: str) -> tuple[Fact, ...]:
        if not {"FromUserName", "CreateTime", "MsgType"} <= read_fields(body).keys():
            raise ValueError("a message without sender, time or type")
        try:
            return _facts(parse_message(body))
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"not a message of a known form ({type(error).__name__})") from error

    def _receive(self, xml: str) -> Received | Refused:
        try:
            fields = read_fields(xml)
        except ValueError:
            return Refused(400, "the message inside cannot be read")
        if fields.get("ToUserName") != self._account:
            return Refused(403, "a message for another account")
        return Received((RawRecord(_dedupe_key(fields), xml),), answer=_ANSWER)


def _dedupe_key(fields: dict[str, str]) -> str:
    """MsgId; for events sender and second, with event and key, since two events can fall into one second.

    Never the nonce: whether a retry repeats it is not documented.
    """
    if message_id := fields.get("MsgId"):
        return bounded_key(f"message:{message_id}")
    names = ("FromUserName", "CreateTime", "Event")
    parts = [*(fields.get(name, "") for name in names), fields.get("EventKey") or fields.get("MsgID", "")]
    return bounded_key("event:" + ":".join(parts))


def _facts(message: Any) -> tuple[Fact, ...]:
    follower, at = str(message.source), moment_told(lambda: datetime.fromtimestamp(int(message.time), UTC))
    if message.type == "event":
        return _event_facts(message, follower, at)
    if message.type == "text":
        return (_words(message, follower, at),)
    if words := _WORDS_OF.get(message.type):
        return (Typed("wechat", follower, words, at),)
    return ()


def _words(message: Any, follower: str, at: datetime) -> Typed:
    """Words typed, or a tap on a menu message: that comes as text with `bizmsgmenuid`, which only `_data` has."""
    menu_id = message._data.get("bizmsgmenuid")
    text = str(message.content or "")
    if menu_id:
        return Typed("wechat", follower, text, at, act=Act.MENU, menu_id=str(menu_id))
    return Typed("wechat", follower, text, at)


def _event_facts(message: Any, follower: str, at: datetime) -> tuple[Fact, ...]:
    match message.event:
        case "subscribe":
            return (Followed("wechat", follower, at),)
        case "subscribe_scan":
            return (Followed("wechat", follower, at, scene=str(message.scene_id)),)
        case "unsubscribe":
            return (Unfollowed("wechat", follower, at),)
        case "click":
            return (_tap("菜单", message.key, follower, at),)
        case "scancode_push" | "scancode_waitmsg":
            return (_tap("扫码", message.key, follower, at),)
        case "templatesendjobfinish":
            return (_template_receipt(str(message.id), str(message.status), follower, at),)
        case _:
            return ()


def _tap(what: Literal["菜单", "扫码"], key: object, follower: str, at: datetime) -> Typed:
    return Typed("wechat", follower, f"[{what}]", at, act=Act.MENU, menu_id=str(key))


def _template_receipt(provider_id: str, status: str, follower: str, at: datetime) -> Receipt:
    """`success`, `failed:user block`, `failed: system failed`; the space after the colon comes and goes."""
    reason = "".join(status.lower().split())
    if reason == "success":
        return Receipt("wechat", Arrival.DELIVERED, at, provider_id=provider_id, address=follower)
    failure = Failure.UNREACHABLE if "block" in reason else Failure.PROVIDER_ERROR
    code = " ".join(status.split())[:100]
    return Receipt("wechat", Arrival.BOUNCED, at, None, provider_id, follower, failure, code)
