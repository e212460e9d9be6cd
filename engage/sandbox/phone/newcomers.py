"""Phones that a visitor has just taken out of the box: their owners do not follow the account yet.

The world meets a stranger at their first act. Until then they exist here, and the name they gave stays here, too:
WeChat tells an account no names. Both are forgotten with the process; who has followed is in the truth log.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from engage.sandbox.model import Person

_OPENID = "oNewPhone"  # 28 characters in all, as openids are
_NAME_LIMIT = 20


class Newcomers:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._people: dict[str, Person] = {}

    def take_phone(self, name: str, known: Iterable[Person]) -> Person:
        """A person nobody has met. `known`: everybody in the world, whose numbers are not given again."""
        with self._lock:
            taken = [number for person in (*known, *self._people.values()) if (number := _number(person)) is not None]
            openid = f"{_OPENID}{max(taken, default=0) + 1:019d}"
            person = Person(key=f"wechat:{openid}", name=" ".join(name.split())[:_NAME_LIMIT], ref=None, openid=openid)
            self._people[person.key] = person
        return person

    def find(self, key: str) -> Person | None:
        with self._lock:
            return self._people.get(key)

    def people(self) -> tuple[Person, ...]:
        with self._lock:
            return tuple(self._people.values())

    def name(self, person: Person) -> str:
        """What to call somebody on the page; strangers go by their number or address."""
        given = self.find(person.key)
        number = _number(person)
        unnamed = f"新手机 {number}" if number is not None else person.phone or person.email or "未留名"
        return person.name or (given.name if given else "") or unnamed


def _number(person: Person) -> int | None:
    """The how-manieth new phone this is, where it is one."""
    openid = person.openid or ""
    digits = openid.removeprefix(_OPENID)
    return int(digits) if openid.startswith(_OPENID) and digits.isdecimal() else None
