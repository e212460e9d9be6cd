"""Telling staff: the group robots of WeCom, DingTalk and Feishu, a plain JSON post, and mail.

Not a channel to members: no consent, no windows, nothing stored. The webhook's URL is itself a secret and is never
part of an outcome.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Any, assert_never

import httpx

from engage.channels.email import mime
from engage.channels.email.address import parse_mailbox, to_wire
from engage.channels.email.smtp import Envelope, Mailer
from engage.channels.http_answer import Deadline, json_object, not_sent, without_verdict
from engage.clock import Clock
from engage.config import Email, Webhook, unreadable_sender
from engage.core.outcome import Accepted, Failure, Rejected, SendOutcome, Unknown

_WECOM_BYTES = 2048  # of a text message; longer ones are refused
# Too many messages: WeCom, DingTalk (20 a minute each), Feishu (100 a minute).
_TOO_MANY = frozenset({"45009", "130101", "410100", "11232"})


@dataclass(frozen=True, slots=True)
class _Post:
    body: Mapping[str, Any]
    query: Mapping[str, str]


class StaffRobot:
    def __init__(self, webhook: Webhook, clock: Clock) -> None:
        self._webhook = webhook
        self._clock = clock
        self._http = httpx.Client(follow_redirects=False, trust_env=False)

    def send(self, text: str, timeout: float) -> SendOutcome:
        """Post once. Never retries; never raises for what the network or the robot does, or for how a url is spelt."""
        post = self._wording(text)
        connect, read = Deadline(timeout).phases()
        try:
            url = httpx.URL(self._webhook.url.get_secret_value()).copy_merge_params(post.query)
            response = self._http.post(url, json=post.body, timeout=httpx.Timeout(read, connect=connect, pool=connect))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return not_sent(f"no connection ({type(error).__name__})")
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError):
            return Rejected(Failure.CONFIGURATION, "url", "the webhook's url is not a web address")
        except httpx.HTTPError as error:
            return Unknown(f"no answer ({type(error).__name__})")
        return self._outcome(response)

    def close(self) -> None:
        self._http.close()

    def _wording(self, text: str) -> _Post:
        match self._webhook.format:
            case "wecom":
                return _Post({"msgtype": "text", "text": {"content": _cut(text, _WECOM_BYTES)}}, {})
            case "dingtalk":
                return _Post({"msgtype": "text", "text": {"content": text}}, self._dingtalk_signature())
            case "feishu":
                return _Post({"msg_type": "text", "content": {"text": text}, **self._feishu_signature()}, {})
            case "json":
                return _Post({"text": text}, {})
            case other:
                assert_never(other)

    def _dingtalk_signature(self) -> dict[str, str]:
        """Signed over milliseconds, in the query: the secret is the key, timestamp and secret are the text."""
        if self._webhook.secret is None:
            return {}
        secret = self._webhook.secret.get_secret_value()
        timestamp = str(int(self._clock.now().timestamp() * 1000))
        return {"timestamp": timestamp, "sign": _hmac(secret, f"{timestamp}\n{secret}")}

    def _feishu_signature(self) -> dict[str, str]:
        """Signed over seconds, in the body: timestamp and secret are the key, and the text is empty."""
        if self._webhook.secret is None:
            return {}
        timestamp = str(int(self._clock.now().timestamp()))
        return {"timestamp": timestamp, "sign": _hmac(f"{timestamp}\n{self._webhook.secret.get_secret_value()}", "")}

    def _outcome(self, response: httpx.Response) -> SendOutcome:
        if self._webhook.format == "json" and response.is_success:
            return Accepted(None)
        answer = json_object(response.content) or {}
        code = answer.get("errcode", answer.get("code", answer.get("StatusCode")))  # the last: Feishu, until 2022
        if code is None:
            return without_verdict(response.status_code)
        if code == 0:
            return Accepted(None)
        failure = Failure.THROTTLED if str(code) in _TOO_MANY else Failure.CONFIGURATION
        return Rejected(failure, str(code)[:100], str(answer.get("errmsg") or answer.get("msg") or "")[:200])


class StaffMail:
    """Mail to a colleague, through the mail server that members' mail goes through."""

    def __init__(self, config: Email, clock: Clock) -> None:
        sender = parse_mailbox(config.sender)
        if sender is None:
            raise unreadable_sender()
        self._sender = sender
        self._config = config
        self._clock = clock

    def send(self, to: str, subject: str, text: str, timeout: float) -> SendOutcome:
        recipient = to_wire(to)
        if recipient is None:
            return Rejected(Failure.INVALID_ADDRESS, "address", "not an address that mail can be sent to")
        now = format_datetime(self._clock.now())
        subject = " ".join(subject.split())
        named = hashlib.sha256("\n".join([recipient, now, subject, text]).encode()).hexdigest()[:32]
        head = mime.headers(
            {
                "From": mime.mailbox(self._sender),
                "To": recipient,
                "Subject": mime.unstructured("Subject", subject),
                "Date": now,
                "Message-ID": f"<staff-{named}@{self._config.bounce_domain}>",
                "MIME-Version": "1.0",
            }
        )
        envelope = Envelope(self._sender.address, recipient, head + mime.part("plain", text))
        return asyncio.run(Mailer(self._config).send_alone(envelope, timeout))


def _hmac(key: str, text: str) -> str:
    return base64.b64encode(hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()).decode()


def _cut(text: str, limit: int) -> str:
    """At most `limit` bytes of UTF-8, cut between characters."""
    if len(text.encode()) <= limit:
        return text
    return text.encode()[: limit - 3].decode("utf-8", "ignore") + "…"
