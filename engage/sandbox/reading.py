"""What a person makes of a message from its words alone: is it a question, an offer, a gift, or just news?

The sandbox knows no journey, template or survey id. It reads what reached the phone, as its owner would.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from engage.sandbox.model import Handover, Link


@dataclass(frozen=True, slots=True)
class Scale:
    """A question that a number answers: 0–10, 1–5."""

    low: int
    high: int

    def score(self, mood: float) -> int:
        return self.low + round(max(0.0, min(1.0, mood)) * (self.high - self.low))


@dataclass(frozen=True, slots=True)
class Reading:
    scale: Scale | None  # asks for a number
    wants_words: bool  # asks an open question
    offers: tuple[str, ...]  # words it invites to send back: 「回复【1】」, or the numbers of a list
    links: tuple[Link, ...]  # what there is to tap, ways out excepted
    gift: bool  # a coupon, a sample, something to fetch
    visit: bool  # asks people in
    recommend: bool  # asks to tell a friend, or to join
    care: bool  # somebody is sorry and listens
    farewell: bool  # confirms an opt-out

    @property
    def takes_a_digit(self) -> bool:
        """Whether a digit typed now would be an answer to this."""
        return self.scale is not None or any(offer.isdecimal() for offer in self.offers)


def read(handover: Handover) -> Reading:
    text = _plain(f"{handover.subject or ''}\n{handover.text}")
    # Every mail ends with a way out of it, and none takes a reply: farewells and prompts are a matter of chats.
    chat = handover.channel != "email"
    farewell = chat and bool(_FAREWELL.search(text))
    links = tuple(link for link in handover.links if not _is_way_out(link, handover.unsubscribe_url))
    offers = () if farewell else _offers(text)
    scale = None if farewell else _scale(text, links, handover.menu)
    return Reading(
        scale=scale,
        wants_words=chat and scale is None and not offers and not farewell and bool(_OPEN_QUESTION.search(text)),
        offers=offers,
        links=links,
        gift=bool(_GIFT.search(text)),
        visit=bool(_VISIT.search(text)),
        recommend=bool(_RECOMMEND.search(text)),
        care=bool(_CARE.search(text)),
        farewell=farewell,
    )


def survey_link(reading: Reading, score: int) -> Link | None:
    """The link of that score; else the way to a page that asks for it."""
    for link in reading.links:
        if typed_score(link.words) == score or re.search(rf"[?&]score={score}(?!\d)", link.url):
            return link
    return next((link for link in reading.links if "score=" not in link.url), None)


def typed_score(text: str) -> int | None:
    """The number at the front of words: `9`, `９分`, `3 包装破了`, and `5 非常满意` on a button."""
    found = re.match(r"\s*(\d{1,2})(?!\d)", unicodedata.normalize("NFKC", text))
    return int(found[1]) if found else None


_RANGE = re.compile(r"(?<!\d)([01])\s*(?:[-–—~]|到|至)\s*(\d{1,2})(?!\d)")
_RATING = re.compile(r"分|满意|可能|回复|推荐|评")
_OFFER = re.compile(r"回复\s*((?:[【「\[][^】」\]\s]{1,4}[】」\]][\s、,或/]*)+)")
_BRACKETED = re.compile(r"[【「\[]([^】」\]\s]{1,4})[】」\]]")
_BY_NUMBER = re.compile(r"回复前面的数字")
_NUMBERED = re.compile(r"(?:^|[\n:,])\s*([1-9])[.、]?\s+\S")
_OPEN_QUESTION = re.compile(
    r"(?:更好|想告诉|想对|想说|说说|改进|为什么|原因|哪里|怎样|意见|建议)[^?\n]{0,30}(?:\?|直接回复|回复)"
)
_FAREWELL = re.compile(r"已(?:经|为您|帮您)*(?:退订|取消订阅)|退订成功|不会再(?:向您|给您)?(?:发|推送)")
_GIFT = re.compile(r"券|小样|试饮|减\s*\d+\s*元|礼物|赠|领取|领一份")
_VISIT = re.compile(r"到店|来店|门店")
_RECOMMEND = re.compile(r"送给一位朋友|送给朋友|推荐给|邀请|顾问团")
_CARE = re.compile(r"抱歉|对不起")
_SMS_WAY_OUT = re.compile(r"拒收请回复\s*R")  # ends every advertising SMS, and is no invitation to answer
_WAY_OUT = re.compile(r"退订|取消订阅|拒收|unsubscribe", re.IGNORECASE)


def _scale(text: str, links: Iterable[Link], menu: Iterable[tuple[str, str]]) -> Scale | None:
    """From numbers to tap, else from a range in a text that speaks of rating."""
    for labels in ([words for _, words in menu], [link.words for link in links]):
        if run := _run(typed_score(label) for label in labels):
            return run
    if not _RATING.search(text):
        return None
    ranges = [(int(low), int(high)) for low, high in _RANGE.findall(text)]
    return next((Scale(low, high) for low, high in ranges if (low, high) in ((0, 10), (1, 5))), None)


def _run(numbers: Iterable[int | None]) -> Scale | None:
    """0–10 or 1–5, if every one of them is there to tap."""
    there = set(numbers)
    for low, high in ((0, 10), (1, 5)):
        if there >= set(range(low, high + 1)):
            return Scale(low, high)
    return None


def _offers(text: str) -> tuple[str, ...]:
    """From 「回复【1】领一份试饮装，回复【2】看新茶」, from 「回复【苦】【淡】【涩】」, and from a numbered list."""
    if _BY_NUMBER.search(text):
        return tuple(dict.fromkeys(_NUMBERED.findall(text)))
    return tuple(dict.fromkeys(word for group in _OFFER.findall(text) for word in _BRACKETED.findall(group)))


def _plain(text: str) -> str:
    return _SMS_WAY_OUT.sub("", unicodedata.normalize("NFKC", text))


def _is_way_out(link: Link, unsubscribe_url: str | None) -> bool:
    return link.url == unsubscribe_url or bool(_WAY_OUT.search(link.words))
