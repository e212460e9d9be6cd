"""The access token: fetched once, shared by all threads, renewed once when WeChat calls it stale.

`stable_token` answers the same token to every process of the account, so processes need not agree among themselves. In
normal mode it hands out a new one inside the last five minutes, and the old one lives five minutes longer;
`force_refresh` (20 a day) is never needed. Expiry is counted on the injected clock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from engage.channels.http_answer import Deadline, not_sent
from engage.clock import Clock
from engage.core.outcome import Rejected

_MARGIN = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Grant:
    """A token as the platform hands it out."""

    token: str
    lasts_for: timedelta


@dataclass(frozen=True, slots=True)
class _Held:
    token: str
    renew_at: datetime


class TokenKeeper:
    def __init__(self, clock: Clock, fetch: Callable[[Deadline], Grant | Rejected]) -> None:
        self._clock = clock
        self._fetch = fetch
        self._lock = threading.Lock()
        self._held: _Held | None = None

    def current(self, deadline: Deadline) -> str | Rejected:
        """The token in force; fetched if there is none or it is about to expire."""
        held = self._held
        if held is not None and self._clock.now() < held.renew_at:
            return held.token
        return self._exchange(held.token if held else None, deadline)

    def renew(self, stale: str, deadline: Deadline) -> str | Rejected:
        """Another token than `stale`: the one a faster thread has already fetched, else a new one."""
        return self._exchange(stale, deadline)

    def _exchange(self, stale: str | None, deadline: Deadline) -> str | Rejected:
        if not self._lock.acquire(timeout=deadline.left()):
            return not_sent("no access token within the time allowed")
        try:
            if self._held is not None and self._held.token != stale:
                return self._held.token
            granted = self._fetch(deadline)
            if isinstance(granted, Rejected):
                return granted
            self._held = _Held(granted.token, self._clock.now() + granted.lasts_for - _MARGIN)
            return granted.token
        finally:
            self._lock.release()
