"""What exists in the sandbox: people, what reached their phones, and what they do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

ChannelName = Literal["wechat", "sms", "email"]


@dataclass(frozen=True, slots=True)
class Birthday:
    calendar: Literal["solar", "lunar"]
    month: int
    day: int
    leap: bool = False
    year: int | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Someone with a phone. `ref` is the shop's member number; None for a follower the shop does not know yet."""

    key: str  # stable in the sandbox: "p0001"
    name: str
    ref: str | None
    openid: str | None = None
    phone: str | None = None  # mainland mobile, 11 digits
    email: str | None = None
    city: str = ""
    birthday: Birthday | None = None
    follows: bool = False  # whether they follow the WeChat account when the world begins
    # Whether messages reach them: the network refuses or bounces for the rest of the world's life.
    phone_dead: bool = False
    mailbox_dead: bool = False
    # How they behave, 0..1.
    warmth: float = 0.5  # how likely they answer, click and like what they get
    patience: float = 0.9  # how unlikely they are to opt out or unfollow

    def address(self, channel: ChannelName) -> str | None:
        return {"wechat": self.openid, "sms": self.phone, "email": self.email}[channel]


@dataclass(frozen=True, slots=True)
class Link:
    """Something to tap in a message: where it leads, and the words on it."""

    url: str
    words: str


@dataclass(frozen=True, slots=True)
class Handover:
    """A message a provider took responsibility for. `reached` is False when it bounces afterwards."""

    id: str  # stable over a resume: channel, address, and how many came before
    channel: ChannelName
    at: datetime
    address: str
    payload: Mapping[str, Any]  # as received on the wire
    text: str  # what the person sees
    subject: str | None = None
    links: tuple[Link, ...] = ()
    menu: tuple[tuple[str, str], ...] = ()  # WeChat msgmenu: (id, words)
    unsubscribe_url: str | None = None  # List-Unsubscribe, where one-click is offered
    html: str | None = None
    reached: bool = True


# --- what people do ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Follow:
    openid: str
    scene: str | None = None


@dataclass(frozen=True, slots=True)
class Unfollow:
    openid: str


@dataclass(frozen=True, slots=True)
class Type:
    """Words typed into the WeChat chat, or an SMS reply. `about`: the handover they have in mind, for the truth log."""

    channel: ChannelName
    address: str
    text: str
    about: str | None = None


@dataclass(frozen=True, slots=True)
class TapMenu:
    """A tap on an item of a WeChat menu message."""

    openid: str
    item: str
    words: str
    about: str | None = None


@dataclass(frozen=True, slots=True)
class OpenLink:
    channel: ChannelName
    address: str
    url: str
    about: str | None = None


@dataclass(frozen=True, slots=True)
class FillSurvey:
    """Open the survey page and submit it: GET, then POST of its form."""

    channel: ChannelName
    address: str
    url: str
    score: int | None
    comment: str | None = None
    about: str | None = None


@dataclass(frozen=True, slots=True)
class SendForm:
    """Submit any other form of a page that a message led to, such as the choice on the unsubscribe page."""

    channel: ChannelName
    address: str
    url: str
    fields: Mapping[str, str]
    about: str | None = None


@dataclass(frozen=True, slots=True)
class OneClickUnsubscribe:
    """What a mail client does for its reader (RFC 8058)."""

    address: str
    url: str
    about: str | None = None


@dataclass(frozen=True, slots=True)
class ShopEvent:
    """Something the shop reports over Engage's HTTP API: an order, a visit, a new member."""

    person: str  # Person.key
    event: str
    payload: Mapping[str, Any]
    external_id: str  # idempotency key of the API


@dataclass(frozen=True, slots=True)
class Register:
    """The shop registers a member (name, phone, email, consents) over the API."""

    person: str


Act = Follow | Unfollow | Type | TapMenu | OpenLink | FillSurvey | SendForm | OneClickUnsubscribe | ShopEvent | Register


@dataclass(frozen=True, slots=True)
class Planned:
    """An act in the future. The key is the same when the world is built again from its truth log."""

    at: datetime
    key: str
    act: Act


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a person does about a message, after a while. `name` is unique among one handover's reactions."""

    after: timedelta
    name: str
    act: Act


@dataclass(frozen=True, slots=True)
class Phone:
    """What a person can see when they decide what to do: everything that reached them so far, oldest first."""

    person: Person
    received: tuple[Handover, ...] = ()
    following: bool = False


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """What the simulators share with the engine: nothing but public facts and secrets."""

    engine_url: str
    app_id: str
    app_secret: str
    account: str
    callback_token: str
    encoding_aes_key: str
    sms_access_key_id: str
    sms_access_key_secret: str
    sms_callback_secret: str
    email_callback_secret: str
    api_key: str
    faults: bool = True  # whether providers sometimes refuse, stall or lose an answer
