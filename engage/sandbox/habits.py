"""How people in the sandbox shop, whatever anyone sends them: when they arrive, what they order, what goes wrong.

One life per person, before and after the start alike: the part before it is the file a shop exports, the rest is what
the shop reports. A later `until` only adds to the end, so that a short run is the beginning of a long one.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from engage.sandbox.chance import Chance
from engage.sandbox.draws import happens, now_and_then, weighted
from engage.sandbox.hours import local_day, some_time_on
from engage.sandbox.model import Person

HISTORY = timedelta(days=200)  # how far back the shop's records go
ARRIVALS = timedelta(days=100)  # newcomers spread over this long


class Arrival(StrEnum):
    """How someone becomes known to Engage."""

    BEFORE = "before"  # a member when the world begins
    REGISTERS = "registers"  # in the shop, later
    FOLLOWS = "follows"  # the WeChat account, later; the shop does not know them


class Rhythm(StrEnum):
    REGULAR = "regular"  # keeps coming
    FADING = "fading"  # has stopped coming, and crosses 90 days without an order during a run
    LOST = "lost"  # had crossed them before the start
    FRESH = "fresh"  # the first order is days old, or days ahead
    BROWSER = "browser"  # has never bought


@dataclass(frozen=True, slots=True)
class Product:
    sku: str
    category: str
    price: int  # yuan
    grams: int | None = None


@dataclass(frozen=True, slots=True)
class Order:
    id: str
    product: Product
    paid_at: datetime
    delivered_at: datetime
    refunded_at: datetime | None = None
    first: bool = False


@dataclass(frozen=True, slots=True)
class Happening:
    """Something the shop knows and would report, under a key that is its own for ever."""

    at: datetime
    event: str
    payload: Mapping[str, Any]
    external_id: str


_PRODUCTS: tuple[tuple[Product, float], ...] = (
    (Product("ROUGUI-50", "茶叶", 168, 50), 5),
    (Product("SHUIXIAN-100", "茶叶", 138, 100), 5),
    (Product("DAHONGPAO-125", "茶叶", 268, 125), 4),
    (Product("BAICHA-200", "茶叶", 198, 200), 3),
    (Product("LAOCONG-150", "茶叶", 1280, 150), 1.5),
    (Product("LIHE-600", "茶叶", 2680, 600), 0.7),
    (Product("GAIWAN-01", "茶具", 89), 2),
    (Product("CHAHU-02", "茶具", 468), 1),
    (Product("GUIHUAGAO-8", "茶点", 58), 2),
)
_COMPLAINTS = ("包装破损", "少发了一罐", "口味和上次不一样", "快递太慢", "客服没有回复", "茶叶受潮")
_STORES = ("人民路店", "湖滨店", "三坊七巷店", "环岛路店")

_REFUNDED = 0.06
_BY_NIGHT = 0.08
_A_DAY = timedelta(days=1)


# --- arriving ---------------------------------------------------------------------------------------------------


def arrival(key: str, seed: int) -> Arrival:
    """Three in four are there from the start."""
    rng = Chance(seed).stream("arrival", key)
    return weighted(rng, [(Arrival.BEFORE, 0.75), (Arrival.REGISTERS, 0.15), (Arrival.FOLLOWS, 0.10)])


def arrives_at(key: str, seed: int, start: datetime) -> datetime:
    """When a newcomer registers or follows."""
    rng = Chance(seed).stream("arrives", key)
    day = start + timedelta(days=1 + rng.random() * (ARRIVALS.days - 1))
    return some_time_on(local_day(day), rng, _BY_NIGHT)


# --- living -----------------------------------------------------------------------------------------------------


def life(person: Person, seed: int, start: datetime, until: datetime) -> tuple[Happening, ...]:
    """All that the shop learns of this person before `until`, in order. Nothing for those it does not know."""
    if person.ref is None:
        return ()
    bought = orders(person, seed, start, until)
    happenings = [happening for order in bought for happening in happenings_of(person, order)]
    happenings += _visits(person, seed, start, until)
    if bought:
        happenings += _complaints(person, seed, bought[0].delivered_at, until)
    return tuple(sorted((h for h in happenings if h.at < until), key=lambda h: (h.at, h.external_id)))


def orders(person: Person, seed: int, start: datetime, until: datetime) -> tuple[Order, ...]:
    """What they buy before `until` by their own rhythm."""
    if person.ref is None:
        return ()
    rng = Chance(seed).stream("orders", person.key)
    if arrival(person.key, seed) is Arrival.BEFORE:
        rhythm, known_since = weighted(rng, _MEMBERS), start
    else:
        rhythm, known_since = weighted(rng, _NEWCOMERS), arrives_at(person.key, seed, start)
    moments = (at for at in _paid(rhythm, rng, start, known_since, until) if start - HISTORY <= at < until)
    return tuple(_own_order(person, seed, at, number) for number, at in enumerate(sorted(moments), 1))


def _own_order(person: Person, seed: int, at: datetime, number: int) -> Order:
    rng = Chance(seed).stream("order", f"{person.key}:{number}")
    return buy(rng, f"{person.ref}-{number}", at, first=number == 1)


def bought_before(person: Person, seed: int, start: datetime, moment: datetime) -> bool:
    return bool(orders(person, seed, start, moment))


_MEMBERS = (
    (Rhythm.REGULAR, 0.36),
    (Rhythm.FADING, 0.30),
    (Rhythm.LOST, 0.10),
    (Rhythm.FRESH, 0.15),
    (Rhythm.BROWSER, 0.09),
)
_NEWCOMERS = ((Rhythm.FRESH, 0.65), (Rhythm.BROWSER, 0.35))


def _paid(
    rhythm: Rhythm, rng: random.Random, start: datetime, known_since: datetime, until: datetime
) -> Iterator[datetime]:
    match rhythm:
        case Rhythm.REGULAR:
            yield from _from_first(rng, start - timedelta(days=rng.uniform(30, 195)), until)
        case Rhythm.FADING:
            yield from _until_last(rng, start - timedelta(days=rng.uniform(12, 88)))
        case Rhythm.LOST:
            yield from _until_last(rng, start - timedelta(days=rng.uniform(95, 190)))
        case Rhythm.FRESH:
            yield from _fresh(rng, start, known_since, until)
        case Rhythm.BROWSER:
            return


def _from_first(rng: random.Random, first: datetime, until: datetime) -> Iterator[datetime]:
    every = rng.uniform(18, 48)
    at = first
    while at < until + _A_DAY:  # the hour is drawn anew, and may be an earlier one
        yield some_time_on(local_day(at), rng, _BY_NIGHT)
        at += timedelta(days=every * rng.uniform(0.7, 1.3))


def _until_last(rng: random.Random, last: datetime) -> Iterator[datetime]:
    every = rng.uniform(18, 45)
    at = last
    for _ in range(rng.randint(1, 4)):
        yield some_time_on(local_day(at), rng, _BY_NIGHT)
        at -= timedelta(days=every * rng.uniform(0.7, 1.3))


def _fresh(rng: random.Random, start: datetime, known_since: datetime, until: datetime) -> Iterator[datetime]:
    """Members bought first in the days around the start; newcomers within two weeks of registering."""
    newcomer = known_since > start
    first = known_since + timedelta(days=rng.uniform(1, 13) if newcomer else rng.uniform(-9, 4))
    if happens(rng, 0.5):
        yield from _from_first(rng, first, until)
    else:
        yield some_time_on(local_day(first), rng, _BY_NIGHT)


# --- orders and what follows them -------------------------------------------------------------------------------


def buy(rng: random.Random, order_id: str, at: datetime, *, first: bool) -> Order:
    delivered_at = some_time_on(local_day(at) + timedelta(days=rng.randint(1, 4)), rng)
    refunded_at = some_time_on(local_day(delivered_at) + timedelta(days=rng.randint(2, 12)), rng)
    refunded = happens(rng, _REFUNDED)
    return Order(order_id, weighted(rng, _PRODUCTS), at, delivered_at, refunded_at if refunded else None, first)


def happenings_of(person: Person, order: Order) -> tuple[Happening, ...]:
    """The events of one order. `first_order_delivered` carries a key of the person, not of the order: a shop says it
    once, whichever of two orders it took for the first."""
    product, named = order.product, {"order_id": order.id}
    kind: dict[str, Any] = {"category": product.category, "sku": product.sku}
    weight = {} if product.grams is None else {"grams": product.grams}
    amount = {"amount": product.price}
    happenings = [
        Happening(order.paid_at, "order_paid", named | amount | kind, f"order_paid:{order.id}"),
        Happening(order.delivered_at, "order_delivered", named | kind | weight, f"order_delivered:{order.id}"),
    ]
    if order.first:
        happenings.append(
            Happening(order.delivered_at, "first_order_delivered", named, f"first_order_delivered:{person.ref}")
        )
    if order.refunded_at:
        happenings.append(
            Happening(order.refunded_at, "refund_completed", named | amount, f"refund_completed:{order.id}")
        )
    return tuple(happenings)


def visit(person: Person, at: datetime, which: str) -> Happening:
    store = (
        Chance(0).stream("store", person.key).choice(_STORES)
    )  # people go to the store they live near, whatever the seed
    return Happening(at, "store_visited", {"store": store}, f"store_visited:{person.ref}-{which}")


def _visits(person: Person, seed: int, start: datetime, until: datetime) -> list[Happening]:
    known_since = start - HISTORY
    if arrival(person.key, seed) is not Arrival.BEFORE:
        known_since = arrives_at(person.key, seed, start)
    moments = _days(person, seed, "visits", known_since, until, timedelta(days=60))
    return [visit(person, at, str(number)) for number, at in enumerate(moments, 1)]


def _complaints(person: Person, seed: int, since: datetime, until: datetime) -> list[Happening]:
    moments = _days(person, seed, "complaints", since, until, timedelta(days=500))
    return [
        Happening(
            at,
            "complaint_opened",
            {"reason": Chance(seed).stream("complaint", f"{person.key}:{number}").choice(_COMPLAINTS)},
            f"complaint_opened:{person.ref}-{number}",
        )
        for number, at in enumerate(moments, 1)
    ]


def _days(person: Person, seed: int, what: str, since: datetime, until: datetime, every: timedelta) -> list[datetime]:
    """Moments in shop hours, on days that come by chance."""
    days = now_and_then(Chance(seed).stream(what, person.key), since, until + _A_DAY, every)
    by_day = Chance(seed).stream(f"{what} hours", person.key)
    return [at for at in (some_time_on(local_day(day), by_day) for day in days) if at >= since]
