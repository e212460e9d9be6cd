"""Who lives in a world: members with an address on each channel, and a canary each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engage.core.fact import MemberGiven

CHANNELS = ("wechat", "sms", "email")
TOPICS = ("service", "survey", "marketing")
GRANTED = {(topic, channel): True for topic in TOPICS for channel in CHANNELS}
EVIDENCE = "门店登记表"


@dataclass(frozen=True, slots=True)
class Person:
    number: int
    ref: str
    canary: str  # a secret word that stands in their name field and nowhere else
    timezone: str
    addresses: dict[str, str]

    @property
    def birthday(self) -> dict[str, Any]:
        """Today or tomorrow, as worlds begin."""
        return {"calendar": "solar", "month": 11, "day": 23 + self.number % 2, "leap": False, "year": None}

    def given(self, at: datetime) -> MemberGiven:
        """As the shop tells of them: everything granted."""
        values = {"name": self.canary, "points": 0, "birthday": self.birthday}
        return MemberGiven(self.ref, at, values, self.addresses, GRANTED, EVIDENCE, timezone=self.timezone)


def _person(number: int) -> Person:
    canary = f"m{number:02d}{chr(97 + number * 7 % 26)}{number * 3 % 10}{chr(97 + number * 11 % 26)}"
    addresses = {
        "wechat": f"oHarness{number:020d}",
        "sms": f"+86138{number:08d}",
        "email": f"m{number}@example.com",
    }
    return Person(number, f"M{number:02d}", canary, "America/New_York" if number == 5 else "Asia/Shanghai", addresses)


PEOPLE = [_person(number) for number in range(1, 6)]
BY_CANARY = {person.canary: person for person in PEOPLE}
