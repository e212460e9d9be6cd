"""Rank the channels that are open, and keep why the others lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Candidate:
    """One channel for one message: open if `refusal` is None."""

    channel: str
    refusal: str | None
    why: str = ""  # how it would be reached: “客服消息 (wrote to us 1d7h ago, 1/5 left)”
    price: Decimal = Decimal(0)
    engagement: Decimal = Decimal(0)  # expected share of messages that get a response, 0..1


@dataclass(frozen=True, slots=True)
class Choice:
    """`channels` best first; empty if none is open. `trace` has a line for every candidate."""

    channels: tuple[str, ...]
    trace: tuple[Mapping[str, Any], ...]


def choose(candidates: Sequence[Candidate], order: Sequence[str] | None, response_value: Decimal) -> Choice:
    """`order` None ranks by engagement × the value of a response − price; else the marketer's own order decides, and
    channels it does not name are no candidates at all."""
    if order is not None:
        candidates = [c for c in candidates if c.channel in order]
        ranked = sorted(candidates, key=lambda c: order.index(c.channel))
    else:
        ranked = sorted(candidates, key=lambda c: (-_score(c, response_value), c.channel))
    open_first = [c for c in ranked if c.refusal is None] + [c for c in ranked if c.refusal is not None]
    trace = tuple(_line(c, order, response_value) for c in open_first)
    return Choice(tuple(c.channel for c in ranked if c.refusal is None), trace)


def _score(candidate: Candidate, response_value: Decimal) -> Decimal:
    """In hundredths of the currency, so that the numbers people read are not all 0.0."""
    return (candidate.engagement * response_value - candidate.price) * 100


def _line(candidate: Candidate, order: Sequence[str] | None, response_value: Decimal) -> dict[str, Any]:
    if candidate.refusal is not None:
        return {"channel": candidate.channel, "open": False, "why": candidate.refusal}
    numbers: dict[str, Any] = {"price": str(candidate.price)}
    if order is None:
        numbers |= {
            "engagement": f"{candidate.engagement:.0%}",
            "score": f"{_score(candidate, response_value):.1f}",
        }
    else:
        numbers["preference"] = order.index(candidate.channel) + 1
    return {"channel": candidate.channel, "open": True, "why": candidate.why, **numbers}
