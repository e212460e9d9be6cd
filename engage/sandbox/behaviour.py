"""What people do about a message: answer, tap, buy, complain about it, leave, and mostly nothing.

They read its words (`reading`) and know no more than their phone shows. Nothing is remembered here: the same phone,
message and stream give the same reactions, so that a world can be rebuilt from its truth log.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from engage.sandbox import phrases
from engage.sandbox.chance import Chance
from engage.sandbox.draws import happens, within
from engage.sandbox.habits import Happening, bought_before, buy, happenings_of, visit
from engage.sandbox.hours import local_day, once_awake, some_time_on
from engage.sandbox.model import (
    Act,
    ChannelName,
    FillSurvey,
    Follow,
    Handover,
    Link,
    OneClickUnsubscribe,
    OpenLink,
    Person,
    Phone,
    Planned,
    Reaction,
    ShopEvent,
    TapMenu,
    Type,
    Unfollow,
)
from engage.sandbox.reading import Reading, Scale, read, survey_link, typed_score

# Shares of messages, as (the coldest person, the warmest): 300 people give something like eighty scores in 95 days.
_ANSWERS: dict[ChannelName, tuple[float, float]] = {"wechat": (0.25, 0.65), "sms": (0.05, 0.28), "email": (0.05, 0.26)}
_TAPS: dict[ChannelName, tuple[float, float]] = {"wechat": (0.15, 0.55), "sms": (0.03, 0.18), "email": (0.08, 0.38)}
_TAKES_OFFER = (0.15, 0.50)
_USES_GIFT = (0.03, 0.20)
_BAD_DAYS = 0.07  # however fond of the shop: something broke, or came late
_LEAVES = 0.10  # of the wholly impatient, at each message

_ANSWER_BY = timedelta(hours=36)  # before any reminder: who has not answered by then has forgotten
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Followers:
    """The behaviour of the people in `keys`. Anyone else with a phone is real, and acts for themselves."""

    keys: frozenset[str]
    seed: int
    start: datetime  # when the world began: who has bought before is known from their lives

    def reactions(self, phone: Phone, handover: Handover, rng: random.Random) -> Sequence[Reaction]:
        """What the owner of this phone will do about a message that has just come."""
        if phone.person.key not in self.keys or not handover.reached:
            return ()
        seen = _Seen(self, phone, handover, read(handover), rng)
        if seen.reading.farewell:
            return ()
        if leaving := _leave(seen):
            return leaving
        if seen.reading.scale is not None:
            return _answer(seen, seen.reading.scale)
        if seen.reading.wants_words and (question := _question_before(phone, handover)):
            return _comment(seen, question)
        return (*_reply(seen), *_go(seen))

    def consequences(self, person: Person, act: Act, at: datetime, rng: random.Random) -> Sequence[Reaction]:
        """What one act leads to, message or no message: new followers say hello, some who left think again."""
        if person.key not in self.keys:
            return ()
        match act:
            case Follow(openid) if happens(rng, 0.25):
                hello = Type("wechat", openid, rng.choice(phrases.GREETINGS))
                return (Reaction(within(rng, _MINUTE, 2 * _HOUR), "hello", hello),)
            case Unfollow(openid) if happens(rng, 0.15 * person.warmth):
                return (Reaction(within(rng, 3 * _DAY, 20 * _DAY), "back", Follow(openid)),)
            case _:
                return ()

    def still_makes_sense(self, phone: Phone, planned: Planned) -> bool:
        """Ask just before words are typed: a chat that was left takes none, and whoever has a newer question before
        them does not answer the older one. A refusal stands whatever comes."""
        match planned.act:
            case Type(channel="wechat") if not phone.following:
                return False
            case Type(text=text) if text in phrases.REFUSALS:
                return True
            case Type(channel=channel, about=str(about)):
                return not any(_overtakes(later, channel) for later in _since(phone, about))
            case _:
                return True

    def mood(self, person: Person, question: Handover) -> float:
        """How content they are when they are asked, 0..1: the score and the comment come from the same mood."""
        rng = Chance(self.seed).stream("mood", f"{person.key}:{question.id}")
        if happens(rng, _BAD_DAYS):
            return rng.uniform(0, 0.45)
        return max(0.0, min(1.0, rng.gauss(0.44 + 0.62 * person.warmth, 0.17)))


@dataclass(frozen=True, slots=True)
class _Seen:
    """One message before one person."""

    followers: Followers
    phone: Phone
    handover: Handover
    reading: Reading
    rng: random.Random

    @property
    def person(self) -> Person:
        return self.phone.person

    def likely(self, bounds: tuple[float, float]) -> bool:
        coldest, warmest = bounds
        return happens(self.rng, coldest + (warmest - coldest) * self.person.warmth)

    def after(self, delay: timedelta, name: str, act: Act) -> Reaction:
        """People sleep: what would fall into the small hours is done in the morning."""
        at = once_awake(self.handover.at + delay, self.rng)
        return Reaction(at - self.handover.at, name, act)

    def typed(self, text: str) -> Type:
        return Type(self.handover.channel, self.handover.address, text, about=self.handover.id)

    def opened(self, link: Link) -> OpenLink:
        return OpenLink(self.handover.channel, self.handover.address, link.url, about=self.handover.id)


# --- leaving ----------------------------------------------------------------------------------------------------


def _leave(seen: _Seen) -> tuple[Reaction, ...]:
    """Now and then someone has had enough. Mail without a one-click way out is only ignored."""
    if not happens(seen.rng, _LEAVES * (1 - seen.person.patience)):
        return ()
    delay = within(seen.rng, _MINUTE, 5 * _HOUR)
    act: Act
    match seen.handover.channel:
        case "sms":
            act = seen.typed(seen.rng.choice(phrases.SMS_REFUSALS))
        case "wechat" if happens(seen.rng, 0.5):
            act = seen.typed(seen.rng.choice(phrases.WECHAT_REFUSALS))
        case "wechat":
            act = Unfollow(seen.handover.address)
        case "email" if seen.handover.unsubscribe_url:
            act = OneClickUnsubscribe(seen.handover.address, seen.handover.unsubscribe_url, about=seen.handover.id)
        case "email":
            return ()
    return (seen.after(delay, "leave", act),)


# --- answering questions ----------------------------------------------------------------------------------------


def _answer(seen: _Seen, scale: Scale) -> tuple[Reaction, ...]:
    if not seen.likely(_ANSWERS[seen.handover.channel]):
        return _chatter(seen, phrases.PUZZLED, 0.02)
    mood = seen.followers.mood(seen.person, seen.handover)
    act = _answer_act(seen, scale.score(mood), mood)
    return () if act is None else (seen.after(_pause(seen.rng), "answer", act),)


def _pause(rng: random.Random) -> timedelta:
    """Half an hour in the middle, a day and a half at the most: response times are log-normal."""
    minutes = rng.lognormvariate(math.log(35), 1.3)
    return min(max(timedelta(seconds=round(minutes * 60)), _MINUTE), _ANSWER_BY)


def _answer_act(seen: _Seen, score: int, mood: float) -> Act | None:
    """A tap where there is something to tap, a digit in a chat, the survey page in a mail; for some always the page."""
    handover, link = seen.handover, survey_link(seen.reading, score)
    item = next((item for item, words in handover.menu if typed_score(words) == score), None)
    if item is not None:
        words = dict(handover.menu)[item]
        return TapMenu(handover.address, item, words, about=handover.id)
    if link and (handover.channel == "email" or happens(seen.rng, 0.2)):
        comment = phrases.comment(mood, seen.rng) if happens(seen.rng, 0.45) else None
        return FillSurvey(handover.channel, handover.address, link.url, score, comment, about=handover.id)
    if handover.channel == "email":
        return None
    return seen.typed(phrases.score_as_typed(score, mood, seen.rng))


def _comment(seen: _Seen, question: Handover) -> tuple[Reaction, ...]:
    """Asked for a reason right after a score: most write at once, some later, some never."""
    if happens(seen.rng, 0.3):
        return ()
    delay = within(seen.rng, _MINUTE, 8 * _MINUTE)
    if happens(seen.rng, 0.12):
        delay = within(seen.rng, 15 * _MINUTE, 3 * _HOUR)
    words = phrases.comment(seen.followers.mood(seen.person, question), seen.rng)
    return (seen.after(delay, "comment", seen.typed(words)),)


def _question_before(phone: Phone, handover: Handover) -> Handover | None:
    """The newest question that came on this channel before the message. A prompt without one prompts nobody."""
    earlier = [h for h in phone.received if h.channel == handover.channel and h.id != handover.id]
    return next((h for h in reversed(earlier) if read(h).scale is not None), None)


def _since(phone: Phone, about: str) -> tuple[Handover, ...]:
    """What has come after the message they have in mind."""
    ids = [handover.id for handover in phone.received]
    return phone.received[ids.index(about) + 1 :] if about in ids else ()


def _overtakes(later: Handover, channel: ChannelName) -> bool:
    """A digit typed in this chat would now answer the later message; and a reminder of the same question, wherever it
    comes, is the one that gets the answer."""
    reading = read(later)
    return reading.scale is not None or (later.channel == channel and reading.takes_a_digit)


# --- everything else --------------------------------------------------------------------------------------------


def _reply(seen: _Seen) -> tuple[Reaction, ...]:
    """Words sent back: what the message invites to send, or what comes to mind."""
    if seen.handover.channel == "email":
        return ()
    if seen.reading.offers and seen.likely(_TAKES_OFFER):
        return (seen.after(_pause(seen.rng), "offer", seen.typed(seen.rng.choice(seen.reading.offers))),)
    if seen.handover.menu and seen.likely(_TAKES_OFFER):
        item, words = seen.rng.choice(seen.handover.menu)
        return (seen.after(_pause(seen.rng), "menu", TapMenu(seen.handover.address, item, words, seen.handover.id)),)
    if seen.reading.care:
        return _chatter(seen, phrases.ANSWERS_TO_CARE, 0.3)
    impatient = happens(seen.rng, 1 - seen.person.patience)
    return _chatter(seen, phrases.GRUMBLES if impatient else phrases.THANKS + phrases.SMALL_TALK, 0.02)


def _chatter(seen: _Seen, words: Sequence[str], probability: float) -> tuple[Reaction, ...]:
    """Something that answers nothing: the engine has to hand it to a person."""
    if seen.handover.channel == "email" or not happens(seen.rng, probability):
        return ()
    return (seen.after(_pause(seen.rng), "chat", seen.typed(seen.rng.choice(words))),)


def _go(seen: _Seen) -> tuple[Reaction, ...]:
    """Tap, and perhaps go to the shop for it."""
    tapped = seen.likely(_TAPS[seen.handover.channel]) if seen.reading.links else False
    delay = _pause(seen.rng)
    reactions = [seen.after(delay, "open", seen.opened(seen.reading.links[0]))] if tapped else []
    if seen.person.ref is None:  # a follower whom the shop does not know buys, but under no member number
        return tuple(reactions)
    since = seen.handover.at + delay
    if seen.reading.recommend:
        return (*reactions, *_recommend(seen, since))
    if seen.reading.gift:
        return (*reactions, *_fetch_gift(seen, since, tapped))
    if tapped and happens(seen.rng, 0.2):
        return (*reactions, *_order(seen, _in_days(seen, since, 1, 5)))
    if seen.reading.visit and seen.likely((0.05, 0.25)):
        return (*reactions, *_come_in(seen, since))
    return tuple(reactions)


def _come_in(seen: _Seen, since: datetime) -> tuple[Reaction, ...]:
    """Who is in the shop may buy."""
    at = _in_days(seen, since, 0, 1)
    came = _reported(seen, [visit(seen.person, at, _fresh_id(seen))])
    return (*came, *_order(seen, at + 20 * _MINUTE)) if happens(seen.rng, 0.3) else came


def _recommend(seen: _Seen, since: datetime) -> tuple[Reaction, ...]:
    """Those who gave a nine or a ten are asked to pass it on: the first offer more often than the second."""
    for event, bounds in (("referral_shared", (0.15, 0.45)), ("panel_joined", (0.05, 0.25))):
        if seen.likely(bounds):
            at = _in_days(seen, since, 0, 4)
            return _reported(seen, [Happening(at, event, {}, f"{event}:{seen.person.ref}-{_fresh_id(seen)}")])
    return ()


def _fetch_gift(seen: _Seen, since: datetime, tapped: bool) -> tuple[Reaction, ...]:
    """A coupon is used within the week, mostly with an order; those who only fetch the gift come and go."""
    if not seen.likely(_USES_GIFT) and not (tapped and seen.likely(_USES_GIFT)):
        return ()
    at, code = _in_days(seen, since, 1, 6), _fresh_id(seen)
    used = Happening(at, "coupon_used", {"code": f"C{code}"}, f"coupon_used:{seen.person.ref}-{code}")
    ordered = _order(seen, at + within(seen.rng, _MINUTE, 20 * _MINUTE)) if happens(seen.rng, 0.6) else ()
    return (*_reported(seen, [used]), *ordered)


def _order(seen: _Seen, at: datetime) -> tuple[Reaction, ...]:
    first = not bought_before(seen.person, seen.followers.seed, seen.followers.start, at)
    order = buy(seen.rng, f"{seen.person.ref}-{_fresh_id(seen)}", at, first=first)
    return _reported(seen, happenings_of(seen.person, order))


def _in_days(seen: _Seen, since: datetime, soonest: int, latest: int) -> datetime:
    """Some time in opening hours; today only if that is still ahead."""
    at = some_time_on(local_day(since) + timedelta(days=seen.rng.randint(soonest, latest)), seen.rng)
    return at if at > since else some_time_on(local_day(since) + _DAY, seen.rng)


def _reported(seen: _Seen, happenings: Sequence[Happening]) -> tuple[Reaction, ...]:
    return tuple(
        Reaction(h.at - seen.handover.at, h.event, ShopEvent(seen.person.key, h.event, h.payload, h.external_id))
        for h in happenings
    )


def _fresh_id(seen: _Seen) -> str:
    """An id of the shop's own; as stable as the stream it is drawn from."""
    return f"{seen.rng.getrandbits(40):010x}"
