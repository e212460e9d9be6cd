"""What a member does about a message that has arrived: click, reply, answer, opt out, and mostly nothing."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from engage.core.behaviour.model import Behaviour, Rates
from engage.core.fact import Answered, Arrival, Clicked, Fact, OptedOut, Receipt, Typed
from engage.core.journey.model import Ask, Survey
from engage.runtime.applied import Applied
from engage.runtime.dispatching.follow_up import step_of
from engage.simulation import dice
from engage.store.insight.forecasting import Sent

_THANKS = "谢谢，收到了"
_WORDS = "挺好的，就是包装可以再结实一点"


@dataclass(frozen=True, slots=True)
class Response:
    """`fact`: what is told when they do it. `event`: what other events may follow, if any does."""

    event: str | None
    fact: Callable[[datetime], Fact]


def responses(
    rng: random.Random, message: Sent, applied: Applied, behaviour: Behaviour, talking: Collection[str]
) -> Iterator[Response]:
    """`talking`: channels on which people can write back."""
    if _receipts_matter(applied, message):
        yield Response(None, lambda at: Receipt(message.channel, Arrival.DELIVERED, at, message.id))
    if message.purpose.is_reply:
        return
    rates = behaviour.rates(message.channel, message.topic, message.journey_id)
    if dice.happens(rng, rates.unsubscribe):
        yield Response(None, lambda at: OptedOut(message.channel, at, "page", message.id))
        return
    found = step_of(applied, message.journey_id, message.step_id)
    if found is not None and isinstance(found[1], Ask):
        yield from _answer(rng, message, found[1], rates, behaviour)
    else:
        yield from _take_up(rng, message, rates, applied, talking)


def _receipts_matter(applied: Applied, message: Sent) -> bool:
    active = applied.journeys.get(message.journey_id or "")
    return active is not None and active.minds("delivered")


def _take_up(
    rng: random.Random, message: Sent, rates: Rates, applied: Applied, talking: Collection[str]
) -> Iterator[Response]:
    if dice.happens(rng, rates.click):
        link = next(iter(applied.catalog.brand.links), "")
        yield Response("clicked", lambda at: Clicked(message.id, link, at))
    if message.channel in talking and dice.happens(rng, rates.reply):
        yield Response("replied", lambda at: Typed(message.channel, message.address, _THANKS, at))


def _answer(rng: random.Random, message: Sent, ask: Ask, rates: Rates, behaviour: Behaviour) -> Iterator[Response]:
    """On the survey page: the chat's own words are read by the same rules, and tested elsewhere."""
    if not dice.happens(rng, rates.answer):
        return
    comment = _WORDS if dice.happens(rng, behaviour.answers.comment) else None
    score = choice = None
    match ask.survey:
        case Survey.NPS:
            score = dice.one_of(rng, behaviour.answers.nps)
        case Survey.CSAT:
            score = dice.one_of(rng, behaviour.answers.csat)
        case Survey.CHOICE:
            choice = rng.choice(ask.options)
        case Survey.TEXT:
            comment = _WORDS
        case _:
            assert_never(ask.survey)
    yield Response("answered", lambda at: Answered(message.id, at, score, choice, comment))
