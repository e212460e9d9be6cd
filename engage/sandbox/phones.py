"""What people have on their phones: the WeChat chat with the account, the SMS thread, the mailbox.

A fold over the truth log, and nothing more. Addresses that belong to nobody in the population (someone who follows the
account from the phone page, a member imported by hand) get a person of their own, who sees everything and does nothing
unless asked to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from engage.sandbox.model import (
    ChannelName,
    FillSurvey,
    Follow,
    Handover,
    OneClickUnsubscribe,
    OpenLink,
    Person,
    Register,
    SendForm,
    ShopEvent,
    TapMenu,
    Type,
    Unfollow,
)
from engage.sandbox.truth import Done, HandedOver, PhoneAct, Record, place_of

_CHANNELS: tuple[ChannelName, ...] = ("wechat", "sms", "email")


@dataclass(frozen=True, slots=True)
class Came:
    """A message that reached the phone."""

    at: datetime
    handover: Handover


@dataclass(frozen=True, slots=True)
class Wrote:
    """The person's own words."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A grey line between the bubbles: followed, left, opened a link."""

    at: datetime
    text: str


Item = Came | Wrote | Notice


class Phones:
    """Not thread-safe: its owner holds a lock."""

    def __init__(self, people: Iterable[Person]) -> None:
        self._people: dict[str, Person] = {}
        self._owners: dict[tuple[ChannelName, str], str] = {}
        self._received: defaultdict[str, list[Handover]] = defaultdict(list)
        self._counts: defaultdict[tuple[ChannelName, str], int] = defaultdict(int)
        self._chats: defaultdict[tuple[ChannelName, str], list[Item]] = defaultdict(list)
        for person in people:
            self._know(person)

    def people(self) -> tuple[Person, ...]:
        return tuple(self._people.values())

    def person(self, key: str) -> Person:
        """KeyError for a key nobody has."""
        return self._people[key]

    def owner(self, channel: ChannelName, address: str) -> Person | None:
        key = self._owners.get((channel, _folded(address)))
        return None if key is None else self._people[key]

    def received(self, key: str) -> tuple[Handover, ...]:
        return tuple(self._received[key])

    def taken(self, channel: ChannelName, address: str) -> int:
        """How many messages a provider has taken for the address, bounced ones too."""
        return self._counts[channel, _folded(address)]

    def chat(self, key: str, channel: ChannelName) -> tuple[Item, ...]:
        """Everything in one chat, oldest first."""
        address = self.person(key).address(channel)
        return () if address is None else tuple(self._chats[channel, _folded(address)])

    def note(self, channel: ChannelName, address: str, at: datetime, text: str) -> None:
        """A line that the phone itself shows, and that is nobody's act."""
        self._chats[channel, _folded(address)].append(Notice(at, text))

    def absorb(self, record: Record) -> None:
        match record:
            case HandedOver(handover=handover):
                self._take(handover)
            case Done(at=at, act=act):
                if isinstance(act, ShopEvent | Register):
                    return
                channel, address = place_of(act)
                self.meet(channel, address)
                self._chats[channel, _folded(address)].append(_trace(at, act))

    def meet(self, channel: ChannelName, address: str) -> Person:
        """The owner of an address; a stranger is met for the first time."""
        if owner := self.owner(channel, address):
            return owner
        key = f"{channel}:{_folded(address)}"
        match channel:
            case "wechat":
                stranger = Person(key=key, name="", ref=None, openid=address)
            case "sms":
                stranger = Person(key=key, name="", ref=None, phone=address)
            case "email":
                stranger = Person(key=key, name="", ref=None, email=address)
        self._know(stranger)
        return stranger

    def _know(self, person: Person) -> None:
        self._people[person.key] = person
        for channel in _CHANNELS:
            if address := person.address(channel):
                self._owners[channel, _folded(address)] = person.key

    def _take(self, handover: Handover) -> None:
        address = _folded(handover.address)
        self._counts[handover.channel, address] += 1
        owner = self.meet(handover.channel, handover.address)
        if handover.reached:
            self._received[owner.key].append(handover)
            self._chats[handover.channel, address].append(Came(handover.at, handover))


def _folded(address: str) -> str:
    """Mail addresses differ in case only by accident; openids never hold an @, and their case matters."""
    return address.lower() if "@" in address else address


def _trace(at: datetime, act: PhoneAct) -> Item:
    """What an act leaves behind in the chat."""
    match act:
        case Type(text=text) | TapMenu(words=text):
            return Wrote(at, text)
        case Follow():
            return Notice(at, "已关注公众号")
        case Unfollow():
            return Notice(at, "已取消关注")
        case OpenLink(url=url):
            return Notice(at, f"打开了链接 {url}")
        case FillSurvey(score=score):
            return Notice(at, "提交了问卷" if score is None else f"提交了问卷：{score} 分")
        case SendForm():
            return Notice(at, "提交了网页上的选择")
        case OneClickUnsubscribe():
            return Notice(at, "已一键退订")
        case _:
            assert_never(act)
