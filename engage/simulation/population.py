"""Who lives in a simulated world: synthetic members, or those of a real database with newcomers of the same kind.

Nobody is kept: who a synthetic member is follows from the seed and their number.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from engage.core.behaviour.model import Behaviour, Habit
from engage.core.catalog import Catalog
from engage.core.condition import ValueType
from engage.core.fact import Fact, Followed, Happened, MemberGiven
from engage.sandbox.chance import Chance
from engage.sandbox.names import a_name
from engage.simulation import dice

HISTORY = timedelta(days=200)  # of what synthetic members have done before the simulation begins
CHAT = "wechat"  # where people write out of the blue
_LUNAR = 0.3  # of the birthdays


@dataclass(frozen=True, slots=True)
class Past:
    """Something a member did before the world began. `key`: told twice it is one."""

    key: str
    fact: Happened


@dataclass
class Population:
    """`known`: the shop's ids and chat addresses of the members there were, if they are real; then synthetic ones come
    after them. `size`: how many there are by now."""

    behaviour: Behaviour
    catalog: Catalog
    seed: int
    size: int
    known: Sequence[tuple[str | None, str | None]] = ()

    @property
    def _chance(self) -> Chance:
        return Chance(self.seed)

    def name(self, number: int) -> str | None:
        """The shop's own id."""
        return self.known[number][0] if number < len(self.known) else f"{'new-' if self.known else 'm'}{number + 1}"

    def chat_address(self, number: int) -> str | None:
        if number < len(self.known):
            return self.known[number][1]
        return self._addresses(number).get(CHAT)

    def does(self, number: int, event: str, habit: Habit) -> bool:
        """Whether this member is one of those who do it at all."""
        return habit.members >= 1 or self._chance.number(32, "does", event, number) < habit.members * 2**32

    def any_who_does(self, rng: random.Random, event: str, habit: Habit) -> int | None:
        """A member at random; None if that takes too long to find."""
        tries = (rng.randrange(self.size) for _ in range(100))
        return next((number for number in tries if self.does(number, event, habit)), None)

    # --- who they are -------------------------------------------------------------------------------------------

    def given(self, number: int, at: datetime, *, announce: bool) -> MemberGiven:
        rng = self._chance.stream("person", number)
        addresses = self._addresses(number)
        return MemberGiven(
            member=self.name(number) or "",
            at=at,
            values=dict(self._values(rng)),
            addresses=addresses,
            consents={
                (topic, channel): True
                for topic, share in self.behaviour.people.consents.items()
                if rng.random() < share
                for channel in addresses
            },
            evidence="simulated",
            announce=announce,
        )

    def arrives(self, number: int, at: datetime) -> Iterator[Fact]:
        """Who has WeChat comes by following the account; then the shop tells who that is."""
        address = self.chat_address(number)
        if address is not None:
            yield Followed(CHAT, address, at)
        yield self.given(number, at, announce=True)

    def _addresses(self, number: int) -> dict[str, str]:
        """Everybody has one channel at least."""
        rng = self._chance.stream("addresses", number)
        shares = self.behaviour.people.channels
        has = [channel for channel, share in shares.items() if rng.random() < share]
        if not has and any(shares.values()):
            has = rng.choices(list(shares), list(shares.values()))
        return {channel: _ADDRESSES[channel].format(number + 1) for channel in has}

    def _values(self, rng: random.Random) -> Iterator[tuple[str, Any]]:
        fields = self.catalog.fields
        if "name" in fields and fields["name"].type is ValueType.TEXT:
            yield "name", a_name(rng).written
        for name, choice in self.behaviour.people.fields.items():
            if isinstance(choice, float):
                if rng.random() < choice:
                    yield name, _birthday(rng)
            elif (value := dice.one_of(rng, choice)) is not None:
                yield name, str(value) if fields[name].type is ValueType.NUMBER else value

    # --- what they did before -----------------------------------------------------------------------------------

    def past(self, number: int, begins: datetime) -> list[Past]:
        """Oldest first; what happens once, the first time only."""
        told: list[Past] = []
        for event, habit in self.behaviour.habits.items():
            if habit.every is None or not self.does(number, event, habit):
                continue
            rng = self._chance.stream("past", event, number)
            at = begins
            while (at := at - habit.every * rng.expovariate(1)) > begins - HISTORY:
                self._and_what_follows(told, rng, number, event, at, {}, begins)
        first: dict[str, Past] = {}
        for past in sorted(told, key=lambda past: past.fact.at):
            first.setdefault(past.key, past)
        return list(first.values())

    def _and_what_follows(
        self,
        told: list[Past],
        rng: random.Random,
        number: int,
        event: str,
        at: datetime,
        cause: dict[str, Any],
        begins: datetime,
    ) -> None:
        if at >= begins:
            return
        habit, name = self.behaviour.habits[event], self.name(number) or ""
        payload = dice.payload(rng, habit.values, cause, lambda: f"{name}-{len(told) + 1}")
        key = f"{event}:{name}" if habit.once else f"{event}:{name}:past-{len(told) + 1}"
        told.append(Past(key, Happened(name, event, payload, at)))
        for after, _, link in self.behaviour.followers_of(event):
            if dice.happens(rng, link.share):
                later = at + timedelta(seconds=rng.uniform(link.soonest.total_seconds(), link.latest.total_seconds()))
                self._and_what_follows(told, rng, number, after, later, payload, begins)


_ADDRESSES = {"wechat": "oSimulated{:018d}", "sms": "+8613{:09d}", "email": "simulated{}@example.invalid"}


def _birthday(rng: random.Random) -> dict[str, Any]:
    lunar = rng.random() < _LUNAR
    day = date(2001, 1, 1) + timedelta(days=rng.randrange(365))
    return {
        "calendar": "lunar" if lunar else "solar",
        "month": day.month,
        "day": min(day.day, 29) if lunar else day.day,
        "leap": False,
        "year": rng.randint(1950, 2006),
    }
