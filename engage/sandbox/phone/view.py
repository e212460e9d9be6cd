"""What the page shows, as JSON: the list of people, and one phone with its three apps. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from engage.sandbox.model import ChannelName, Handover, Person
from engage.sandbox.phone.controls import JourneyLine
from engage.sandbox.phone.messages import Json, drawn, snippet
from engage.sandbox.phone.moments import in_full, in_short
from engage.sandbox.phones import Came, Item, Notice, Wrote

CHANNELS: tuple[ChannelName, ...] = ("wechat", "sms", "email")

_TIME_LINE_AFTER = timedelta(minutes=5)  # of silence, as WeChat does
_ADDRESS = re.compile(r"\s*https?://\S+")


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose phone it is, and how that person stands to the account."""

    person: Person
    name: str
    following: bool
    received: tuple[Handover, ...]


@dataclass(frozen=True, slots=True)
class Screen:
    """Everything that one phone shows at one moment."""

    owner: Owner
    now: datetime
    chats: dict[ChannelName, Sequence[Item]]
    window: str | None  # what the WeChat account may still write, in words
    journeys: Sequence[JourneyLine] | None


def people_view(owners: Iterable[Owner], now: datetime) -> Json:
    return {"now": in_full(now), "people": [_row(owner, now) for owner in owners]}


def phone_view(screen: Screen, brand: str) -> Json:
    person = screen.owner.person
    return {
        "now": in_full(screen.now),
        "brand": brand,
        "name": screen.owner.name,
        "ref": person.ref,
        "addresses": {"wechat": bool(person.openid), "sms": person.phone, "email": person.email},
        "following": screen.owner.following,
        "window": screen.window,
        "received": _counts(screen.owner.received),
        "chats": {channel: chat_view(items, brand) for channel, items in screen.chats.items()},
        "journeys": None if screen.journeys is None else [_line(line) for line in screen.journeys],
        "next": upcoming(screen.journeys or (), screen.now) is not None,
    }


def chat_view(items: Sequence[Item], brand: str) -> list[Json]:
    """Oldest first. `time` is there where a time line stands above the item."""
    views: list[Json] = []
    before: datetime | None = None
    for item in items:
        view = _item(item, brand)
        if before is None or item.at - before > _TIME_LINE_AFTER:
            view["time"] = in_full(item.at)
        views.append(view)
        before = item.at
    return views


def upcoming(journeys: Iterable[JourneyLine], now: datetime) -> datetime | None:
    """When the first of the journeys goes on."""
    return min((line.next_at for line in journeys if line.next_at is not None and line.next_at > now), default=None)


def _item(item: Item, brand: str) -> Json:
    match item:
        case Came(at=at, handover=handover):
            return {"kind": "came", "id": handover.id, "at": in_full(at)} | drawn(handover)
        case Wrote(text=text):
            return {"kind": "wrote", "text": text}
        case Notice(text=text):
            return {"kind": "line", "text": _said(text, brand)}
        case _:
            assert_never(item)


def _said(text: str, brand: str) -> str:
    """A grey line as the phone words it: the account by its name, and no addresses: they are long and say nothing."""
    named = {"已关注公众号": f"你已关注{brand}", "已取消关注": f"你已取消关注{brand}"}
    return named.get(text) or _ADDRESS.sub("", text)


def _row(owner: Owner, now: datetime) -> Json:
    person, last = owner.person, owner.received[-1] if owner.received else None
    return {
        "key": person.key,
        "name": owner.name,
        "ref": person.ref,
        "phone": person.phone,
        "channels": [channel for channel in CHANNELS if person.address(channel)],
        "following": owner.following,
        "received": _counts(owner.received),
        "last": last and {"when": in_short(last.at, now), "at": last.at.timestamp(), "words": snippet(last)},
    }


def _counts(received: Sequence[Handover]) -> Json:
    return {channel: sum(handover.channel == channel for handover in received) for channel in CHANNELS}


def _line(line: JourneyLine) -> Json:
    return {"title": line.title, "step": line.step, "next": line.next_at and in_full(line.next_at)}
