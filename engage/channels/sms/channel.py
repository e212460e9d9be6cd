"""SMS as the engine sees it: one way, no reply windows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from engage.channels.contract import Contact, Message, NoWay, Payload, Way, Window
from engage.channels.sms import payload as wording
from engage.channels.sms.phone import is_e164
from engage.channels.sms.send import Sender
from engage.clock import Clock
from engage.config import Sms
from engage.core.catalog import TopicClass
from engage.core.fact import Act
from engage.core.outcome import SendOutcome


class SmsChannel:
    name = "sms"
    talks = True

    def __init__(self, config: Sms, clock: Clock) -> None:
        self.concurrency = config.concurrency
        self.per_second = config.per_second
        self._sign = config.sign_name
        self._price = config.price
        self._sender = Sender(config, clock)

    def supports(self, front: Mapping[str, Any], topic_class: TopicClass) -> bool:
        return bool(front.get("sms_template"))

    def way(self, front: Mapping[str, Any], contact: Contact, topic_class: TopicClass, now: datetime) -> Way | NoWay:
        if not self.supports(front, topic_class):
            return NoWay("this template has no sms_template, and the provider takes approved templates only")
        if not is_e164(contact.address):
            return NoWay("not a phone number")
        return Way("sms", "sms", price=self._price)

    def window_after(self, window: Window | None, act: Act, at: datetime) -> Window | None:
        return None

    def compose(self, message: Message) -> Payload:
        return wording.compose(message, self._sign, self._price)

    def quote(self, message: Message) -> Payload:
        return self.compose(message)

    async def send(self, payload: Payload, timeout: float) -> SendOutcome:
        return await self._sender.send(payload, timeout)

    async def close(self) -> None:
        await self._sender.close()
