"""The two scalars every file shares: durations (`3d`, `1d12h`) and times of day (`09:30`)."""

from __future__ import annotations

import re
from datetime import time, timedelta

_UNITS = {"w": timedelta(weeks=1), "d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}
_DURATION = re.compile(r"(?:\d{1,5}[wdhm]){1,8}")  # bounded, so that no text is longer than a timedelta can be
_PART = re.compile(r"(\d+)([wdhm])")
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


def parse_duration(text: str) -> timedelta | None:
    """`(<n>w|d|h|m)+`; None if it is not one."""
    if not _DURATION.fullmatch(text):
        return None
    return sum((int(number) * _UNITS[unit] for number, unit in _PART.findall(text)), timedelta(0))


def parse_time(text: str) -> time | None:
    """`HH:MM`; None if it is not one."""
    match = _TIME.fullmatch(text)
    return time(int(match[1]), int(match[2])) if match else None


def format_duration(period: timedelta) -> str:
    """The shortest spelling: `1d12h`. Whole minutes; zero is `0m`."""
    minutes = int(period.total_seconds()) // 60
    parts = []
    for unit, size in (("d", 24 * 60), ("h", 60), ("m", 1)):
        number, minutes = divmod(minutes, size)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0m"
