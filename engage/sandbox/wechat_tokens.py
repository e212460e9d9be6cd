"""WeChat's access tokens: the classic endpoint and the stable one, isolated from each other.

Lives in memory only: after a restart every token is unknown (40001), as after a reset of the AppSecret.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from engage.sandbox.chance import Chance

_LIFETIME = timedelta(seconds=7200)
_OVERLAP = timedelta(minutes=5)  # an old token goes on working this long beside its successor
_FORCED_APART = timedelta(seconds=30)
_FORCED_PER_DAY = 20
_BEIJING = timedelta(hours=8)


@dataclass(frozen=True, slots=True)
class Token:
    value: str
    until: datetime  # as told to the client
    dead_at: datetime  # when it really stops working

    def expires_in(self, now: datetime) -> int:
        return int((self.until - now).total_seconds())


class Tokens:
    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._lock = threading.Lock()
        self._all: dict[str, Token] = {}
        self._classic: str | None = None
        self._stable: str | None = None
        self._forced: list[datetime] = []

    def classic(self, now: datetime) -> Token:
        """A new one each time; the one before works five minutes more."""
        with self._lock:
            self._retire(self._classic, now + _OVERLAP)
            token = self._issue("classic", now)
            self._classic = token.value
            return token

    def stable(self, now: datetime) -> Token:
        """The same one until its last five minutes."""
        with self._lock:
            current = self._all.get(self._stable or "")
            if current is not None and now < current.until - _OVERLAP:
                return current
            return self._renew_stable(now)

    def forced(self, now: datetime) -> Token | int:
        """A new stable token, the old one dead at once; or the errcode of asking too often."""
        with self._lock:
            today = [at for at in self._forced if (at + _BEIJING).date() == (now + _BEIJING).date()]
            if len(today) >= _FORCED_PER_DAY:
                return 45009
            if today and now < today[-1] + _FORCED_APART:
                return 45011
            self._forced = [*today, now]
            self._retire(self._stable, now)
            return self._renew_stable(now)

    def fault_of(self, value: str | None, now: datetime) -> int | None:
        """The errcode a call with this token gets, if any."""
        if not value:
            return 41001
        with self._lock:
            token = self._all.get(value)
        if token is None or now >= token.dead_at:
            return 42001 if token and now >= token.until else 40001
        return None

    def _renew_stable(self, now: datetime) -> Token:
        token = self._issue("stable", now)
        self._stable = token.value
        return token

    def _issue(self, kind: str, now: datetime) -> Token:
        self._all = {value: token for value, token in self._all.items() if now < token.until + _LIFETIME}
        value = f"{len(self._all)}_" + self._chance.token(136, "token", kind, now, len(self._all))
        token = Token(value, now + _LIFETIME, now + _LIFETIME)
        self._all[value] = token
        return token

    def _retire(self, value: str | None, dead_at: datetime) -> None:
        if value is not None and value in self._all:
            token = self._all[value]
            self._all[value] = replace(token, dead_at=min(token.dead_at, dead_at))
