"""The providers' own truth: every call that reached one, what became of it there, and what it was told. The engine
never sees it."""

from __future__ import annotations

import email
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import Message
from functools import cached_property
from hashlib import sha256
from typing import Any

from tests.harness.project import SAYING
from tests.harness.weather import Fault


@dataclass(frozen=True, slots=True)
class Saying:
    """What a message says of itself: whose it is, of which run, and which one."""

    canary: str
    ref: str
    message: str


def said(text: str) -> Saying:
    """What these words say of themselves, to their reader."""
    found = SAYING.search(text)
    assert found is not None, text
    return Saying(*found.groups())


@dataclass(eq=False)
class Call:
    """One call at a provider's door."""

    worker: str
    channel: str
    wire: Mapping[str, Any]
    began: datetime  # the true time
    clock: datetime  # what the caller's clock showed
    committed: Mapping[str, Any] | None  # how the delivery stood in the database at that moment
    taken: bool = False  # accepted; perhaps nobody was told
    reached: bool = False  # on a phone: taken, and not dropped as one that had been taken before
    provider_id: str | None = None
    answer: str = "none"  # what the caller was told: accepted, refused, unknown; none if it died before
    fault: Fault = Fault.NONE  # that it met
    meant: int | None = None  # which delivery its caller says it is of
    intended: datetime | None = None  # when its caller had committed intents last
    noted: datetime | None = None  # when the caller had committed what it was told, as far as it could tell

    @cached_property
    def address(self) -> str:
        match self.channel:
            case "wechat":
                return str(self.wire["body"]["touser"])
            case "sms":
                return str(self.wire["PhoneNumbers"])
            case _:
                return str(self.wire["rcpt_to"])

    @cached_property
    def key(self) -> str | None:
        """The idempotency key, where this provider knows one."""
        found = self.wire["body"].get("client_msg_id") if self.channel == "wechat" else None
        return str(found) if found is not None else None

    @cached_property
    def delivery_id(self) -> int | None:
        """Ours, where the bytes carry it."""
        match self.channel:
            case "sms":
                return int(self.wire["OutId"])
            case "email":
                return int(self.wire["mail_from"].removeprefix("b+").partition("-")[0])
            case _:
                return int(self.key.removeprefix("engage-")) if self.key is not None else None

    @property
    def about(self) -> int | None:
        """The delivery whose call it is: by its bytes; where they carry no id of ours, by the caller's word."""
        return self.delivery_id if self.delivery_id is not None else self.meant

    @property
    def is_of_the_account(self) -> bool:
        """Refused for reasons that have nothing to do with the message."""
        return self.refused_for in (Fault.THROTTLED, Fault.QUOTA)

    @property
    def refused_for(self) -> Fault | None:
        """As far as the caller was told."""
        return self.fault if self.answer == "refused" else None

    @cached_property
    def sayings(self) -> frozenset[Saying]:
        return frozenset(Saying(*found.groups()) for text in self._texts() for found in SAYING.finditer(text))

    @cached_property
    def saying(self) -> Saying:
        (saying,) = self.sayings
        return saying

    @cached_property
    def digest(self) -> str:
        return sha256(json.dumps(self.wire, sort_keys=True).encode()).hexdigest()

    def _texts(self) -> Iterator[str]:
        match self.channel:
            case "wechat":
                yield json.dumps(self.wire["body"], ensure_ascii=False)
            case "sms":
                given = json.loads(self.wire["TemplateParam"])
                name = self.wire["TemplateCode"].removeprefix("SMS_")
                said = f"{given.get('name')}-{given.get('ref', 'r0')}-{name.removeprefix('optout-')}"
                yield given.get("question", said)
            case _:
                mail = email.message_from_string(self.wire["mime"])
                yield from (_decoded(part) for part in mail.walk() if not part.is_multipart())


def _decoded(part: Message) -> str:
    body = part.get_payload(decode=True)
    assert isinstance(body, bytes)
    return body.decode()


@dataclass(frozen=True, slots=True)
class HookCall:
    """One call of a webhook step."""

    key: str
    body: str
    at: datetime
    taken: bool


@dataclass
class Truth:
    calls: list[Call] = field(default_factory=list)
    hooks: list[HookCall] = field(default_factory=list)

    def knows(self, call: Call, within: timedelta) -> Call | None:
        """The call under the same key that this provider has taken so lately that it drops another one."""
        return (
            next(
                (
                    c
                    for c in self.calls
                    if c is not call and c.reached and c.key == call.key and call.began - c.began < within
                ),
                None,
            )
            if call.key is not None
            else None
        )
