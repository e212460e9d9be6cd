"""What a tap on the page means: the page's words for it, as an act of the phone's owner. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engage.sandbox.model import (
    Act,
    ChannelName,
    FillSurvey,
    Follow,
    Handover,
    OneClickUnsubscribe,
    OpenLink,
    Phone,
    SendForm,
    TapMenu,
    Type,
    Unfollow,
)

_TEXT_LIMIT = 1000  # characters a person would type into a phone


class NotOnThisPhone(ValueError):
    """The page asked for something its phone does not have: a message, a link, an address."""


def act_asked(asked: Mapping[str, Any], phone: Phone) -> Act:
    """`asked` as posted by the page. Raises NotOnThisPhone."""
    match asked:
        case {"act": "follow"}:
            return Follow(_openid(phone))
        case {"act": "unfollow"}:
            return Unfollow(_openid(phone))
        case {"act": "type", "channel": "wechat" | "sms" as channel, "text": str(text)} if text.strip():
            return Type(channel, _address(phone, channel), text.strip()[:_TEXT_LIMIT])
        case {"act": "tap", "message": str(message), "item": str(item)}:
            words = dict(message_on(phone, message).menu).get(item)
            if words is not None:
                return TapMenu(_openid(phone), item, words, about=message)
        case {"act": "unsubscribe", "message": str(message)}:
            letter = message_on(phone, message)
            if letter.unsubscribe_url is not None:
                return OneClickUnsubscribe(letter.address, letter.unsubscribe_url, about=message)
        case _:
            pass
    raise NotOnThisPhone(str(asked.get("act")))


def link_opened(phone: Phone, message: str, place: int) -> OpenLink:
    """A tap on one of a message's links. Raises NotOnThisPhone."""
    handover = message_on(phone, message)
    if not 0 <= place < len(handover.links):
        raise NotOnThisPhone(f"link {place} of {message}")
    return OpenLink(handover.channel, handover.address, handover.links[place].url, about=message)


def form_sent(opened: OpenLink, fields: Mapping[str, str]) -> FillSurvey | SendForm:
    """The form of a page that was opened, as the person filled it in."""
    channel, address, url, about = opened.channel, opened.address, opened.url, opened.about
    score = fields.get("score", "")
    if score.isascii() and score.isdecimal():
        return FillSurvey(channel, address, url, int(score), fields.get("comment") or None, about)
    return SendForm(channel, address, url, dict(fields), about)


def message_on(phone: Phone, message: str) -> Handover:
    """Raises NotOnThisPhone."""
    for handover in reversed(phone.received):
        if handover.id == message:
            return handover
    raise NotOnThisPhone(message)


def _openid(phone: Phone) -> str:
    return _address(phone, "wechat")


def _address(phone: Phone, channel: ChannelName) -> str:
    address = phone.person.address(channel)
    if address is None:
        raise NotOnThisPhone(f"no address for {channel}")
    return address
