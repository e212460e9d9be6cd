"""How a value becomes words: numbers, money, dates, names. And which values are nothing that anyone should read.

The one place that decides what may be printed in a message. No template machinery here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any

DASH = "—"  # what a missing value prints in `task` and `with`, where it stops nothing
# What stands where there was no value: our own dash in a `with`, and what other programs write there (pandas, Excel,
# JavaScript).
_LEFTOVERS = frozenset({DASH, "None", "nan", "NaN", "null", "NULL", "undefined"})
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u2028\u2029]")
_WEB_ADDRESS = re.compile(
    r"https?:|www\.|\b[\w-]+\.(?:com|cn|net|org|top|xyz|vip|cc|io|me)\b", re.IGNORECASE | re.ASCII
)

Tame = Callable[[str], str | None]


def is_blank(value: object) -> bool:
    """Nothing to read: no value, not a number, an empty text, or what another program wrote for “no value”."""
    match value:
        case None:
            return True
        case bool():
            return False
        case float() | Decimal():
            return not Decimal(value).is_finite()
        case str():
            return not value.strip() or value.strip() in _LEFTOVERS
        case list() | tuple() | dict():
            return not value
        case _:
            return False


def show(value: object, zone: tzinfo) -> str | None:
    """A value as a reader expects it; None if there is nothing to print. Structures are never printed."""
    if is_blank(value):
        return None
    match value:
        case str():
            return _CONTROL.sub("", value.strip())
        case bool():
            return "是" if value else "否"
        case int() | float() | Decimal():
            return show_number(value)
        case datetime() | date():
            return show_date(value, zone)
        case list() | tuple():
            parts = [show(item, zone) for item in value]
            return "、".join(part for part in parts if part)
        case _:
            return None


def show_number(value: float | Decimal) -> str:
    """Without the zeros a database adds: 268.0000 is 268."""
    text = f"{Decimal(str(value)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def show_money(value: object) -> str | None:
    """¥1,268 or ¥35.50."""
    try:
        amount = Decimal(str(value)).quantize(Decimal("0.01"))
    except InvalidOperation:
        return None
    if not amount.is_finite():
        return None
    return f"¥{amount:,.0f}" if amount == amount.to_integral() else f"¥{amount:,.2f}"


def show_date(value: object, zone: tzinfo) -> str | None:
    moment = as_local(value, zone)
    return f"{moment.year}年{moment.month}月{moment.day}日" if moment else None


def show_day(value: object, zone: tzinfo) -> str | None:
    moment = as_local(value, zone)
    return f"{moment.month}月{moment.day}日" if moment else None


def show_time(value: object, zone: tzinfo) -> str | None:
    moment = as_local(value, zone)
    return f"{moment:%H:%M}" if isinstance(moment, datetime) else None


def as_local(value: object, zone: tzinfo) -> date | datetime | None:
    """A day, or a moment in the reader's zone. Payloads carry both as ISO texts."""
    if isinstance(value, str):
        value = _from_iso(value.strip())
    if isinstance(value, datetime):
        return value.astimezone(zone) if value.tzinfo else value
    return value if isinstance(value, date) else None


def _from_iso(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == len("2026-11-23") else datetime.fromisoformat(text)
    except ValueError:
        return None


def show_masked(value: object) -> str | None:
    """138****1234, w***@example.com; of anything else the first character."""
    if is_blank(value):
        return None
    text = str(value).strip()
    if "@" in text:
        name, _, domain = text.partition("@")
        return f"{name[:1]}***@{domain}"
    digits = text.removeprefix("+86")
    if digits.isdigit() and len(digits) >= 7:
        return f"{digits[:3]}****{digits[-4:]}"
    return text[:1] + "*" * (len(text) - 1)


def cut(value: object, length: int) -> str | None:
    """The first `length` characters; a longer text ends in …, which is counted."""
    if is_blank(value):
        return None
    text = str(value).strip()
    return text if len(text) <= length else text[: length - 1] + "…"


def numbered(options: Any) -> str | None:
    """“1 岩茶，2 红茶”: the options of a question, on one line."""
    if is_blank(options) or not isinstance(options, list | tuple):
        return None
    return "，".join(f"{number} {option}" for number, option in enumerate(options, start=1))


# --- what a channel does not let a value do ---------------------------------------------------------------------


def as_is(text: str) -> str:
    return text


def one_line(text: str) -> str:
    """Subjects, headers and provider fields: a line break in a name must not begin a new header."""
    return " ".join(text.split())


def for_sms(text: str) -> str | None:
    """Providers refuse a 【】 that is not the signature, and web addresses in variables. A name that holds an address
    is an advertisement, and is not printed."""
    if _WEB_ADDRESS.search(text):
        return None
    return one_line(text).replace("【", "〔").replace("】", "〕")


def for_wechat(text: str) -> str:
    """Customer-service texts read `<a href>`; a member's own words must not become a link."""
    return text.replace("<", "＜")
