"""The access token: fetched once for all calls, renewed once when WeChat calls it stale.

`stable_token` answers the same token to every process of the account, so daemons need not agree among themselves, nor
share it through the database: none of them makes another one's token stale. In normal mode it hands out a new one
inside the last five minutes, and the old one lives five minutes longer; `force_refresh` (20 a day) is never needed.
Expiry is counted by the clock's uptime: setting the clock makes no token last longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from engage.channels.http_answer import Deadline, not_sent
from engage.clock import Clock
from engage.config import WeChat
from engage.core.outcome import Rejected

_MARGIN = timedelta(seconds=60)


def token_request(config: WeChat) -> dict[str, Any]:
    """What `stable_token` is asked with."""
    return {
        "grant_type": "client_credential",
        "appid": config.app_id,
        "secret": config.app_secret.get_secret_value(),
        "force_refresh": False,
    }


@dataclass(frozen=True, slots=True)
class Grant:
    """A token as the platform hands it out."""

    token: str
    lasts_for: timedelta


@dataclass(frozen=True, slots=True)
class _Held:
    token: str
    since: float
    renew_at: float


class TokenKeeper:
    def __init__(self, clock: Clock, fetch: Callable[[Deadline], Awaitable[Grant | Rejected]]) -> None:
        self._clock = clock
        self._fetch = fetch
        self._one_at_a_time = asyncio.Lock()
        self._held: _Held | None = None

    @property
    def age(self) -> float | None:
        """Of the token in force, in seconds; None if there is none."""
        return self._clock.uptime() - self._held.since if self._held is not None else None

    async def current(self, deadline: Deadline) -> str | Rejected:
        """The token in force; fetched if there is none or it is about to expire."""
        held = self._held
        if held is not None and self._clock.uptime() < held.renew_at:
            return held.token
        return await self._exchange(held.token if held else None, deadline)

    async def renew(self, stale: str, deadline: Deadline) -> str | Rejected:
        """Another token than `stale`: the one a faster call has already fetched, else a new one."""
        return await self._exchange(stale, deadline)

    async def _exchange(self, stale: str | None, deadline: Deadline) -> str | Rejected:
        before = self._held
        try:
            async with asyncio.timeout(deadline.left()), self._one_at_a_time:
                # Also if it is the same token once more: whoever waited meanwhile does not ask a second time.
                if self._held is not None and (self._held.token != stale or self._held is not before):
                    return self._held.token
                granted = await self._fetch(deadline)
        except TimeoutError:
            return not_sent("no access token within the time allowed")
        if isinstance(granted, Rejected):
            return granted
        now = self._clock.uptime()
        self._held = _Held(granted.token, now, now + (granted.lasts_for - _MARGIN).total_seconds())
        return granted.token
