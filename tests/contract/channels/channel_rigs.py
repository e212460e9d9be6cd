"""One rig per channel: the production client, a real server, and the words to make that server behave."""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from channel_servers import Answer, Behaviour, HangUp, HttpProvider, MailServer, Stall, said

from engage.channels.contract import Channel, Message, Payload
from engage.channels.email.address import Envelopes
from engage.channels.registry import build_channels
from engage.clock import Clock, VirtualClock
from engage.config import Config
from engage.core.catalog import Brand, TopicClass
from engage.core.outcome import Failure, SendOutcome
from engage.core.words import Rendered

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
SECRETS = ("app-secret-canary", "sms-secret-canary", "mail-password-canary", "TOKEN-canary")
BRAND = Brand("山野茶事", "山野茶事", {})

WECHAT = {
    "app_id": "wxba5fad812f8e6fb9",
    "app_secret": "app-secret-canary",
    "account": "gh_97417a04a28d",
    "callback_token": "AAAAA",
    "encoding_aes_key": "A" * 43,
}
SMS = {
    "access_key_id": "LTAI-key",
    "access_key_secret": "sms-secret-canary",
    "sign_name": "山野茶事",
    "callback_secret": "sms-callback-canary",
}
EMAIL = {
    "host": "127.0.0.1",
    "security": "none",
    "sender": "山野茶事 <hello@example.com>",
    "bounce_domain": "bounce.example.com",
    "callback_secret": "mail-callback-canary",
}
SIGNING_KEY = "signing-key-canary-of-thirty-two-letters"
NAMED = Envelopes("bounce.example.com", SIGNING_KEY)
ADDRESSES = {"wechat": "oAbCdEfGhIjKlMnOpQrStUvWxYz1", "sms": "+8613800138000", "email": "zhang@example.net"}


def a_message(channel: str, mode: str, **changes: Any) -> Message:
    front = {
        "customer_service": {},
        "template": {"template_message": {"id": "TM_1", "url": "https://t.cn/x", "data": {"thing1": "试饮装"}}},
        "sms": {"sms_template": "SMS_10001", "params": {"name": "王芳"}},
        "email": {},
    }[mode]
    given: dict[str, Any] = {
        "delivery_id": 123456789012345,
        "key": "enrolment-7/welcome/1/send",
        "address": ADDRESSES[channel],
        "mode": mode,
        "rendered": Rendered(
            "<p>王芳，您好</p>" if channel == "email" else "王芳，您好", "您好", None, front, "王芳，您好"
        ),
        "topic": "service",
        "topic_class": TopicClass.SERVICE,
        "brand": BRAND,
        "unsubscribe_url": "https://engage.example.com/u/token",
        "at": NOW,
    }
    return Message(**(given | changes))


class OneChannel:
    """A channel as it is, on an event loop of its own; its calls can be waited for from any thread."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)

    def send(self, payload: Payload, timeout: float) -> SendOutcome:
        return asyncio.run_coroutine_threadsafe(self._channel.send(payload, timeout), self._loop).result()

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._channel.close(), self._loop).result()


def config_of(**channels: dict[str, Any]) -> Config:
    return Config.model_validate({"web": {"signing_key": SIGNING_KEY}, "channels": channels})


def one_channel(name: str, section: dict[str, Any], clock: Clock) -> OneChannel:
    return OneChannel(build_channels(config_of(**{name: section}), clock)[name])


@dataclass
class Rig:
    """`behave` sets what the server does with the next handover; None is its normal, accepting way."""

    name: str
    mode: str
    channel: OneChannel
    server: HttpProvider | MailServer
    provider_id: str | None
    refusals: list[tuple[Any, Failure]]
    behaviour: Any = None
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(NOW))

    def payload(self) -> Payload:
        return self.channel.compose(a_message(self.name, self.mode))

    def behave(self, behaviour: Any) -> None:
        self.behaviour = behaviour
        if isinstance(self.server, MailServer):
            self.server.replies = dict([behaviour]) if isinstance(behaviour, tuple) else {"TEXT": behaviour}

    def drop_connections(self) -> None:
        if isinstance(self.server, MailServer):
            self.channel.close()

    def handovers(self) -> int:
        """Requests that carried a message."""
        if isinstance(self.server, MailServer):
            return self.server.texts
        return sum(not seen.path.endswith("token") for seen in self.server.seen)


def wechat_error(code: int, words: str = "error") -> Answer:
    return said({"errcode": code, "errmsg": f"{words} rid: 65a7b1c2-3d4e5f60-12345678"})


def aliyun_error(code: str, status: int = 200) -> Answer:
    return said({"Code": code, "Message": "错误", "RequestId": "A1B2"}, status)


WECHAT_REFUSALS: list[tuple[Any, Failure]] = [
    (wechat_error(45015), Failure.WINDOW_CLOSED),
    (wechat_error(45047), Failure.WINDOW_CLOSED),
    (wechat_error(40003), Failure.INVALID_ADDRESS),
    (wechat_error(43004), Failure.UNREACHABLE),
    (wechat_error(48002), Failure.UNREACHABLE),
    (wechat_error(45009), Failure.QUOTA),
    (wechat_error(45011), Failure.THROTTLED),
    (wechat_error(43117), Failure.NOT_NOW),
    (wechat_error(40249), Failure.CONTENT),
    (wechat_error(47003), Failure.CONTENT),
    (wechat_error(40164), Failure.CONFIGURATION),
    (wechat_error(-1), Failure.PROVIDER_ERROR),
    (wechat_error(99999), Failure.PROVIDER_ERROR),
]
SMS_REFUSALS: list[tuple[Any, Failure]] = [
    (aliyun_error("isv.MOBILE_NUMBER_ILLEGAL"), Failure.INVALID_ADDRESS),
    (aliyun_error("isv.BUSINESS_LIMIT_CONTROL"), Failure.NOT_NOW),
    (aliyun_error("isv.DAY_LIMIT_CONTROL"), Failure.QUOTA),
    (aliyun_error("isv.MONTH_LIMIT_CONTROL"), Failure.QUOTA),
    (aliyun_error("Throttling.User", 400), Failure.THROTTLED),
    (aliyun_error("isv.SMS_CONTENT_ILLEGAL"), Failure.CONTENT),
    (aliyun_error("isv.SOMETHING_NEW"), Failure.CONTENT),
    (aliyun_error("isv.SMS_SIGN_ILLEGAL"), Failure.CONFIGURATION),
    (aliyun_error("isv.OUT_OF_SERVICE"), Failure.CONFIGURATION),
    (aliyun_error("SignatureDoesNotMatch", 400), Failure.CONFIGURATION),
    (aliyun_error("InvalidAccessKeyId.NotFound", 404), Failure.CONFIGURATION),
    (aliyun_error("isp.SYSTEM_ERROR", 500), Failure.PROVIDER_ERROR),
]
EMAIL_REFUSALS: list[tuple[Any, Failure]] = [
    (("RCPT", "550 5.1.1 <zhang@example.net>: no such user"), Failure.INVALID_ADDRESS),
    (("RCPT", "550 no such user"), Failure.INVALID_ADDRESS),
    (("RCPT", "452 4.2.2 mailbox full"), Failure.UNREACHABLE),
    (("RCPT", "554 5.7.1 relay access denied"), Failure.UNREACHABLE),
    (("MAIL", "421 4.7.0 too many connections"), Failure.THROTTLED),
    (("RCPT", "451 4.7.1 greylisted"), Failure.NOT_NOW),
    (("RCPT", "450 try later"), Failure.NOT_NOW),
    (("MAIL", "530 5.7.0 authentication required"), Failure.CONFIGURATION),
    (("MAIL", "553 5.1.8 sender address rejected"), Failure.CONFIGURATION),
    (("TEXT", "550 5.7.1 looks like spam"), Failure.CONTENT),
    (("DATA", "554 no"), Failure.CONTENT),
    (("GREETING", "554 no service here"), Failure.PROVIDER_ERROR),
]


def _wechat(stack: ExitStack, mode: str) -> Rig:
    def respond(seen: Any) -> Behaviour:
        if seen.path == "/cgi-bin/stable_token":
            return said({"access_token": "TOKEN-canary-1", "expires_in": 7200})
        accepted = {"errcode": 0, "errmsg": "ok"} | ({"msgid": 200228332} if mode == "template" else {})
        return rig.behaviour or said(accepted)

    server = stack.enter_context(HttpProvider(respond))
    clock = VirtualClock(NOW)
    channel = one_channel("wechat", WECHAT | {"base_url": server.url}, clock)
    msgid = "200228332" if mode == "template" else None
    rig = Rig("wechat", mode, channel, server, msgid, WECHAT_REFUSALS, clock=clock)
    return rig


def _sms(stack: ExitStack) -> Rig:
    ok = said({"Code": "OK", "Message": "OK", "BizId": "900619746936498440^0", "RequestId": "F655A8D5"})
    server = stack.enter_context(HttpProvider(lambda seen: rig.behaviour or ok))
    channel = one_channel("sms", SMS | {"base_url": server.url}, VirtualClock(NOW))
    rig = Rig("sms", "sms", channel, server, "900619746936498440^0", SMS_REFUSALS)
    return rig


def _email(stack: ExitStack, *, pipelining: bool) -> Rig:
    server = stack.enter_context(MailServer(pipelining=pipelining))
    channel = one_channel("email", EMAIL | {"port": server.port}, VirtualClock(NOW))
    return Rig("email", "email", channel, server, "4ABC", EMAIL_REFUSALS)


RIGS = ("wechat-customer-service", "wechat-template", "sms", "email", "email-pipelining")


def build_rig(name: str, stack: ExitStack) -> Rig:
    match name:
        case "wechat-customer-service":
            rig = _wechat(stack, "customer_service")
        case "wechat-template":
            rig = _wechat(stack, "template")
        case "sms":
            rig = _sms(stack)
        case _:
            rig = _email(stack, pipelining=name == "email-pipelining")
    stack.callback(rig.channel.close)
    return rig


HANGS_UP, STALLS = HangUp(), Stall()
