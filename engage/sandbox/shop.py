"""What happens in the sandbox by itself, message or no message: the shop's day, newcomers, and people who just write.

A script, made once and in full: it holds nothing that depends on what Engage sends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from engage.sandbox.chance import Chance
from engage.sandbox.draws import happens, now_and_then, within
from engage.sandbox.habits import Arrival, arrival, arrives_at, life
from engage.sandbox.hours import local_day, once_awake, some_time_on
from engage.sandbox.model import Follow, Person, Planned, Register, ShopEvent, Type
from engage.sandbox.phrases import SMALL_TALK

_SCENES = ("store_renmin", "store_hubin", "parcel_card")  # QR codes on the counters and in the parcels
_WRITES_EVERY = timedelta(days=90)  # how often a follower writes on their own


def script(people: Sequence[Person], seed: int, start: datetime, days: int) -> list[Planned]:
    """All that happens from `start` on, for so many days, in order of time. A longer run begins like a shorter one."""
    until = start + timedelta(days=days)
    planned = [act for person in people for act in _of_person(person, seed, start, until) if start <= act.at < until]
    return sorted(planned, key=lambda act: (act.at, act.key))


def _of_person(person: Person, seed: int, start: datetime, until: datetime) -> Iterator[Planned]:
    yield from _arriving(person, seed, start)
    yield from _shopping(person, seed, start, until)
    yield from _writing(person, seed, start, until)


def _arriving(person: Person, seed: int, start: datetime) -> Iterator[Planned]:
    if arrival(person.key, seed) is Arrival.REGISTERS:
        yield Planned(arrives_at(person.key, seed, start), f"register:{person.key}", Register(person.key))
    followed_at = _follows_at(person, seed, start)
    if followed_at and person.openid:
        rng = Chance(seed).stream("scene", person.key)
        scene = rng.choice(_SCENES) if happens(rng, 0.6) else None
        yield Planned(followed_at, f"follow:{person.key}", Follow(person.openid, scene))


def _shopping(person: Person, seed: int, start: datetime, until: datetime) -> Iterator[Planned]:
    for happening in life(person, seed, start, until):
        act = ShopEvent(person.key, happening.event, happening.payload, happening.external_id)
        yield Planned(happening.at, f"shop:{happening.external_id}", act)


def _writing(person: Person, seed: int, start: datetime, until: datetime) -> Iterator[Planned]:
    """A question or a greeting in the chat, out of the blue. It opens the account's 48 h reply window."""
    since = start if person.follows else _follows_at(person, seed, start)
    if since is None or person.openid is None:
        return
    rng = Chance(seed).stream("writes", person.key)
    moments = now_and_then(rng, since, until, _WRITES_EVERY / (0.4 + person.warmth))
    for number, at in enumerate(moments, 1):
        own = Chance(seed).stream("words", f"{person.key}:{number}")
        words = Type("wechat", person.openid, own.choice(SMALL_TALK))
        yield Planned(once_awake(at, own), f"write:{person.key}:{number}", words)


def _follows_at(person: Person, seed: int, start: datetime) -> datetime | None:
    """When someone who does not follow at the start begins to; None for those who never do."""
    if person.openid is None or person.follows:
        return None
    if arrival(person.key, seed) is Arrival.FOLLOWS:
        return arrives_at(person.key, seed, start)
    rng = Chance(seed).stream("follows", person.key)
    if not happens(rng, 0.5):
        return None
    return some_time_on(local_day(start + within(rng, timedelta(days=2), timedelta(days=80))), rng, at_night=0.1)
