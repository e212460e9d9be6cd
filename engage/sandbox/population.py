"""The people of the sandbox, and the two files their shop exports on the first day.

Nobody here exists. Same seed, same people; a larger `n` adds people and leaves the others as they are, except for the
member numbers of those who register later.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from engage.sandbox.chance import Chance
from engage.sandbox.draws import happens, weighted
from engage.sandbox.habits import HISTORY, Arrival, Order, arrival, life, orders
from engage.sandbox.hours import ZONE
from engage.sandbox.model import Birthday, ChannelName, Person
from engage.sandbox.names import Name, a_city, a_name, an_openid, mail_address, phone_number

MEMBER_COLUMNS = (
    *("member", "name", "phone", "email", "wechat", "city", "birthday"),
    *("lifecycle", "level", "points", "employee", "consent"),
)
EVENT_COLUMNS = (
    *("id", "member", "event", "at"),
    *("order_id", "amount", "category", "sku", "grams", "reason", "store"),
)

_MIXES: Mapping[Arrival, Sequence[tuple[frozenset[ChannelName], float]]] = {
    Arrival.BEFORE: (
        (frozenset({"wechat", "sms", "email"}), 0.32),
        (frozenset({"wechat", "sms"}), 0.17),
        (frozenset({"sms", "email"}), 0.15),
        (frozenset({"sms"}), 0.12),
        (frozenset({"email"}), 0.08),
        (frozenset({"wechat"}), 0.09),
        (frozenset({"wechat", "email"}), 0.07),
    ),
    # A shop registers by phone or mail; a WeChat account gives away nothing but an openid.
    Arrival.REGISTERS: (
        (frozenset({"sms", "email"}), 0.5),
        (frozenset({"sms"}), 0.35),
        (frozenset({"email"}), 0.15),
    ),
    Arrival.FOLLOWS: ((frozenset({"wechat"}), 1.0),),
}
_FOLLOWING = 0.85  # of the members whose openid is on file; the others left, or come back during the run
_DEAD = 0.03


# --- people -----------------------------------------------------------------------------------------------------


def make_people(n: int, seed: int, start: datetime) -> list[Person]:
    """`n` people, `p0001` onwards. `start` only dates births: nobody is younger than 18 or older than 80 then."""
    people = [_person(number, seed, start.astimezone(ZONE).year) for number in range(n)]
    members = [person for person in people if arrival(person.key, seed) is Arrival.BEFORE]
    newcomers = [person for person in people if arrival(person.key, seed) is Arrival.REGISTERS]
    refs = {person.key: f"M{number:05d}" for number, person in enumerate(members + newcomers, 1)}
    return [replace(person, ref=refs.get(person.key)) for person in people]


def _person(number: int, seed: int, year: int) -> Person:
    key = f"p{number + 1:04d}"
    rng = Chance(seed).stream("person", key)
    arriving, name = arrival(key, seed), a_name(rng)
    has = weighted(rng, _MIXES[arriving])
    person = Person(
        key=key,
        name=name.written,
        ref=None,
        city=a_city(rng),
        birthday=_birthday(Chance(seed).stream("birthday", key), number, year),
        warmth=round(rng.betavariate(3.2, 2.0), 3),
        patience=round(1 - rng.betavariate(1.4, 11.0), 3),
    )
    return _with_addresses(person, has, name, number, seed, arriving)


def _with_addresses(
    person: Person, has: frozenset[ChannelName], name: Name, number: int, seed: int, arriving: Arrival
) -> Person:
    rng = Chance(seed).stream("addresses", person.key)
    openid, mail = an_openid(rng), mail_address(name, number, rng)
    follows, phone_dead, mailbox_dead = happens(rng, _FOLLOWING), happens(rng, _DEAD), happens(rng, _DEAD)
    return replace(
        person,
        openid=openid if "wechat" in has else None,
        phone=phone_number(seed, number) if "sms" in has else None,
        email=mail if "email" in has else None,
        follows="wechat" in has and follows and arriving is Arrival.BEFORE,
        phone_dead="sms" in has and phone_dead,
        mailbox_dead="email" in has and mailbox_dead,
    )


# --- birthdays --------------------------------------------------------------------------------------------------

# Leap months of the Chinese calendar, 1971-2004.
_LEAP_MONTHS = ((1971, 5), (1974, 4), (1976, 8), (1979, 6), (1982, 4), (1984, 10), (1987, 6), (1990, 5), (1993, 3))
_RARE = (
    Birthday("solar", 2, 29, year=1992),
    Birthday("lunar", 12, 30),  # 腊月三十: in years without one, the twenty-ninth
    Birthday("lunar", 1, 1),
)
_EVERY_RARE = 24  # one person in so many has a birthday that calendars disagree about


def _birthday(rng: random.Random, number: int, year: int) -> Birthday | None:
    if number % _EVERY_RARE == 7:
        return _rare(rng, number // _EVERY_RARE)
    born = year - rng.randint(18, 80)
    told_year = born if happens(rng, 0.6) else None
    kind = weighted(rng, [("solar", 0.58), ("lunar", 0.30), ("unknown", 0.12)])
    # The twenty-ninth is the last day that every lunar month has, the twenty-eighth that every solar one has.
    if kind == "lunar":
        return Birthday("lunar", rng.randint(1, 12), rng.randint(1, 29), year=told_year)
    if kind == "solar":
        return Birthday("solar", rng.randint(1, 12), rng.randint(1, 28), year=told_year)
    return None


def _rare(rng: random.Random, turn: int) -> Birthday:
    kind = turn % (len(_RARE) + 1)
    if kind < len(_RARE):
        return _RARE[kind]
    born, month = rng.choice(_LEAP_MONTHS)
    return Birthday("lunar", month, rng.randint(1, 29), leap=True, year=born)


# --- the shop's files -------------------------------------------------------------------------------------------


def members_csv(people: Sequence[Person], seed: int, start: datetime) -> str:
    """The members on file at the start, as a shop would export them: phones written in several ways, names missing."""
    return _as_csv(MEMBER_COLUMNS, (_member_row(person, seed, start) for person in people if _on_file(person, seed)))


def events_csv(people: Sequence[Person], seed: int, start: datetime) -> str:
    """What happened to them in the 200 days before the start, oldest first."""
    rows = [
        {"id": happening.external_id, "member": person.ref, "event": happening.event}
        | {"at": happening.at.astimezone(ZONE).isoformat()}
        | dict(happening.payload)
        for person in people
        if _on_file(person, seed)
        for happening in life(person, seed, start, start)
        if happening.at >= start - HISTORY
    ]
    return _as_csv(EVENT_COLUMNS, sorted(rows, key=lambda row: (row["at"], row["id"])))


def consents(person: Person, seed: int) -> dict[str, tuple[ChannelName, ...]]:
    """What they agreed to in the shop, topic by topic. Following the WeChat account grants none of it."""
    rng = Chance(seed).stream("consent", person.key)
    own: tuple[ChannelName, ...] = tuple(c for c in ("sms", "email", "wechat") if person.address(c) is not None)
    topics = weighted(
        rng,
        [
            (("marketing", "survey", "lifecycle"), 0.76),
            (("survey", "lifecycle"), 0.11),
            (("marketing",), 0.06),
            ((), 0.07),
        ],
    )
    narrow = happens(rng, 0.15)  # one channel only, for advertising
    return {topic: own[:1] if narrow and topic == "marketing" else own for topic in topics}


def _on_file(person: Person, seed: int) -> bool:
    return person.ref is not None and arrival(person.key, seed) is Arrival.BEFORE


def _member_row(person: Person, seed: int, start: datetime) -> dict[str, object]:
    rng = Chance(seed).stream("export", person.key)
    bought = orders(person, seed, start, start)
    spent = sum(order.product.price for order in bought)
    return {
        "member": person.ref,
        "name": "" if happens(rng, 0.04) else person.name,
        "phone": _as_typed_in(person.phone or "", rng),
        "email": person.email,
        "wechat": person.openid,
        "city": person.city,
        "birthday": birthday_text(person.birthday) if person.birthday else "",
        "lifecycle": _lifecycle(bought, start),
        "level": sum(spent >= threshold for threshold in (300, 800, 2000)) + 1,
        "points": spent,
        "employee": "yes" if happens(rng, 0.02) else "no",
        "consent": _consent_cell(person, seed),
    }


def _as_typed_in(phone: str, rng: random.Random) -> str:
    """Phone numbers as shop staff leave them in a spreadsheet."""
    if not phone:
        return ""
    parts = (phone[:3], phone[3:7], phone[7:])
    forms = ((phone, 0.86), (" ".join(parts), 0.05), ("-".join(parts), 0.04), (f"+86 {phone}", 0.05))
    return weighted(rng, forms)


def _lifecycle(bought: Sequence[Order], start: datetime) -> str:
    if not bought or bought[0].paid_at > start - timedelta(days=30):
        return "新客"
    silent = start - bought[-1].paid_at
    if silent <= timedelta(days=90):
        return "活跃"
    return "沉睡" if silent <= timedelta(days=170) else "流失"


def _consent_cell(person: Person, seed: int) -> str:
    """`marketing:sms;survey:all`: topics and channels."""
    cells = []
    for topic, channels in consents(person, seed).items():
        everywhere = all(person.address(c) is None or c in channels for c in ("sms", "email", "wechat"))
        cells.append(f"{topic}:{'all' if everywhere else '+'.join(channels)}")
    return ";".join(cells)


_LUNAR_MONTHS = ("正月", "二月", "三月", "四月", "五月", "六月", "七月", "八月", "九月", "十月", "冬月", "腊月")
_DIGITS = "一二三四五六七八九十"


def birthday_text(birthday: Birthday) -> str:
    """`1990-05-12`, `05-12`, `农历1990年八月十五`, `农历闰四月初一`."""
    if birthday.calendar == "solar":
        day = f"{birthday.month:02d}-{birthday.day:02d}"
        return f"{birthday.year}-{day}" if birthday.year else day
    year = f"{birthday.year}年" if birthday.year else ""
    leap = "闰" if birthday.leap else ""
    return f"农历{year}{leap}{_LUNAR_MONTHS[birthday.month - 1]}{_lunar_day(birthday.day)}"


def _lunar_day(day: int) -> str:
    if day % 10 == 0:
        return {10: "初十", 20: "二十", 30: "三十"}[day]
    return ("初", "十", "廿")[day // 10] + _DIGITS[day % 10 - 1]


def _as_csv(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
