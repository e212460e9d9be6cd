"""Reply windows: how many customer-service messages a follower's own act allows, and for how long. Pure.

In force since 2023-06-12. A tap on a `msgmenu` item counts as a menu click, not as a message. Whether windows add up is
not documented, so they do not here: one counts at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from engage.channels.contract import Window
from engage.core.fact import Act


@dataclass(frozen=True, slots=True)
class Allowance:
    messages: int
    lasts_for: timedelta


_MINUTE = Allowance(messages=3, lasts_for=timedelta(minutes=1))
ALLOWANCES: dict[Act, Allowance] = {
    Act.MESSAGE: Allowance(messages=5, lasts_for=timedelta(hours=48)),
    Act.MENU: _MINUTE,
    Act.FOLLOW: _MINUTE,
    Act.SCAN: _MINUTE,
}


def closes_at(window: Window) -> datetime:
    return window.opened_at + ALLOWANCES[window.act].lasts_for


def messages_left(window: Window, now: datetime) -> int:
    """0 once it has closed. A window opened slightly in the future (their clock is ahead of ours) is open."""
    if now >= closes_at(window):
        return 0
    return max(0, ALLOWANCES[window.act].messages - window.used)


def window_after(window: Window | None, act: Act, at: datetime) -> Window:
    """The window in force after `act`: of two that are open, the one that lasts longer.

    A tap one minute wide must not take the place of what is left of 48 hours. Callbacks may come late and out of order:
    an older act never replaces a newer window of the same length, used up or not. Only where the tap was told before
    the message it followed do the 48 hours still come into force, less what was sent since.
    """
    opened = Window(act, at)
    if window is None:
        return opened
    if at < window.opened_at:
        late = replace(opened, used=window.used)
        return late if _outlasts(late, window) else window
    return window if _outlasts(window, opened) else opened


def _outlasts(older: Window, newer: Window) -> bool:
    """Whether the older one stays in force when the newer opens."""
    return messages_left(older, newer.opened_at) > 0 and closes_at(older) >= closes_at(newer)
