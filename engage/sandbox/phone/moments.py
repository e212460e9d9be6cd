"""Moments as a phone in China shows them. Pure."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

_ZONE = ZoneInfo("Asia/Shanghai")
_WEEKDAYS = "一二三四五六日"


def in_full(moment: datetime) -> str:
    """11月23日 周一 10:07"""
    local = moment.astimezone(_ZONE)
    return f"{local.month}月{local.day}日 周{_WEEKDAYS[local.weekday()]} {local:%H:%M}"


def in_short(moment: datetime, now: datetime) -> str:
    """In a list: 10:07 today, 11月23日 before, 2025年11月23日 in another year."""
    local, today = moment.astimezone(_ZONE), now.astimezone(_ZONE)
    if local.date() == today.date():
        return f"{local:%H:%M}"
    day = f"{local.month}月{local.day}日"
    return day if local.year == today.year else f"{local.year}年{day}"
