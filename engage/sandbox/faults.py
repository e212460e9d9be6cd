"""When providers refuse, stall or lose an answer: about one call in seventy, the same ones for the same seed.

A fault depends on the address, on how many messages that address has taken, and on how often the next one was tried;
so a retry meets its own fate, and the order in which threads call changes nothing.
"""

from __future__ import annotations

import threading
from enum import StrEnum

from engage.sandbox.chance import Chance
from engage.sandbox.model import ChannelName


class Fault(StrEnum):
    NONE = "none"
    THROTTLED = "throttled"  # refused: too fast
    SYSTEM_ERROR = "system_error"  # refused: the provider is unwell
    HUNG_UP_BEFORE = "hung_up_before"  # the connection closes without an answer; nothing was accepted
    HUNG_UP_AFTER = "hung_up_after"  # the connection closes without an answer; the message was accepted


_SHARES = (
    (Fault.THROTTLED, 0.005),
    (Fault.SYSTEM_ERROR, 0.003),
    (Fault.HUNG_UP_BEFORE, 0.003),
    (Fault.HUNG_UP_AFTER, 0.003),
)
_BLOCKING_SHARE = 0.02  # of followers: 「接收消息」 switched off in the account's settings


class Faults:
    def __init__(self, chance: Chance, enabled: bool) -> None:
        self._chance = chance
        self._enabled = enabled
        self._tries: dict[tuple[ChannelName, str, int], int] = {}
        self._lock = threading.Lock()

    def of_next_try(self, channel: ChannelName, address: str, taken: int) -> Fault:
        """What befalls this call. `taken`: how many messages the address has taken so far."""
        if not self._enabled:
            return Fault.NONE
        with self._lock:
            tries = self._tries.get((channel, address, taken), 0)
            self._tries[channel, address, taken] = tries + 1
        return self._drawn(self._chance.fraction("fault", channel, address, taken, tries))

    def blocks_account(self, openid: str) -> bool:
        """Whether this follower has switched off the account's messages."""
        return self._enabled and self._chance.fraction("blocks", openid) < _BLOCKING_SHARE

    @staticmethod
    def _drawn(fraction: float) -> Fault:
        for fault, share in _SHARES:
            if fraction < share:
                return fault
            fraction -= share
        return Fault.NONE
