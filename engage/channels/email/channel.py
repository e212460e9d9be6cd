"""Email as the engine sees it: one way, no reply windows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from engage.channels.contract import Contact, Message, NoWay, Payload, Way, Window
from engage.channels.email import payload as wording
from engage.channels.email.address import Envelopes, parse_mailbox, to_wire
from engage.channels.email.smtp import Envelope, Mailer
from engage.config import Email, unreadable_sender
from engage.core.catalog import TopicClass
from engage.core.fact import Act
from engage.core.outcome import SendOutcome


class EmailChannel:
    name = "email"
    talks = False

    def __init__(self, config: Email, envelopes: Envelopes) -> None:
        sender = parse_mailbox(config.sender)
        if sender is None:
            raise unreadable_sender()
        self.concurrency = config.concurrency
        self.per_second = config.per_second
        self._sender = sender
        self._envelopes = envelopes
        self._price = config.price
        self._mailer = Mailer(config)

    def supports(self, front: Mapping[str, Any], topic_class: TopicClass) -> bool:
        return True

    def way(self, front: Mapping[str, Any], contact: Contact, topic_class: TopicClass, now: datetime) -> Way | NoWay:
        if to_wire(contact.address) is None:
            return NoWay("not an address that mail can be sent to")
        return Way("email", "email", price=self._price)

    def window_after(self, window: Window | None, act: Act, at: datetime) -> Window | None:
        return None

    def compose(self, message: Message) -> Payload:
        return wording.compose(message, self._sender, self._envelopes, self._price)

    def quote(self, message: Message) -> Payload:
        return wording.quote(message, self._price)

    async def send(self, payload: Payload, timeout: float) -> SendOutcome:
        data = payload.data
        envelope = Envelope(data["mail_from"], data["rcpt_to"], data["mime"], payload.cost)
        return await self._mailer.send(envelope, timeout)

    async def close(self) -> None:
        await self._mailer.close()
