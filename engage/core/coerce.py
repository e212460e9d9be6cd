"""Typed values from what shops, forms and spreadsheets write: `1,280.50`, `是`, `2026年11月23日`, `１２`.

Each reader takes JSON data or text and answers None for what it cannot read; it never guesses. What comes out is plain
JSON data, since it travels to the database inside a fact.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any, assert_never
from zoneinfo import ZoneInfo

from engage.core.anniversary import parse_anniversary
from engage.core.condition import ValueType

# The database keeps numbers as NUMERIC(20, 4): sixteen digits before the point.
LARGEST = Decimal(10) ** 16
FIELD_TEXT_LIMIT = 500  # member_value.text_value
PAYLOAD_TEXT_LIMIT = 2000

_YES = frozenset({"是", "yes", "y", "true", "1"})
_NO = frozenset({"否", "no", "n", "false", "0"})
_CURRENCY = "¥￥"
# Digits, grouped by thousands or not at all: `1,28` is a slip, not 128. No exponent: a spreadsheet that shows 1.38E+10
# has lost digits already.
_NUMBER = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")
_DATE = re.compile(
    r"(?P<y>\d{4})(?:(?P<sep>[-/.])(?P<m>\d{1,2})(?P=sep)(?P<d>\d{1,2})"
    r"|年(?P<zm>\d{1,2})月(?P<zd>\d{1,2})日"
    r"|(?P<cm>\d{2})(?P<cd>\d{2}))"
)
_TIME = re.compile(
    r"(?P<h>\d{1,2}):(?P<min>\d{2})(?::(?P<s>\d{2})(?:\.(?P<f>\d{1,6})\d*)?)?\s*"
    r"(?P<zone>Z|[+-]\d{2}:?\d{2})?",
    re.IGNORECASE,
)
_MIDNIGHT = re.compile(r"(?<=\d)[T ]00:00(?::00(?:\.0+)?)?$")  # what a spreadsheet adds to a plain day


def plain(text: str) -> str:
    """Full-width digits and letters made ordinary (NFKC), outer white space dropped."""
    return unicodedata.normalize("NFKC", text).strip()


def has_control(text: str, allowed: str = "") -> bool:
    """Control and format characters: a line break in a name could forge a mail header, a NUL breaks exports."""
    return any(unicodedata.category(char) in ("Cc", "Cs") and char not in allowed for char in text)


def field_value(kind: ValueType, raw: object, zone: ZoneInfo) -> Any:
    """A member field's value as JSON data; numbers as exact text. None: it is not of that type."""
    number = read_number(raw) if kind is ValueType.NUMBER else None
    if number is not None:
        return str(number)
    if kind is ValueType.TEXT:
        return read_text(raw, FIELD_TEXT_LIMIT)
    return _value(kind, raw, zone)


def payload_value(kind: ValueType, raw: object, zone: ZoneInfo) -> Any:
    """An event payload's value as JSON data; numbers stay JSON numbers, for SQL compares and sums them there."""
    number = read_number(raw) if kind is ValueType.NUMBER else None
    if number is not None:
        return int(number) if number == number.to_integral_value() else float(number)
    if kind is ValueType.TEXT:
        return read_text(raw, PAYLOAD_TEXT_LIMIT, allowed="\n\r\t")
    return _value(kind, raw, zone)


def _value(kind: ValueType, raw: object, zone: ZoneInfo) -> Any:
    match kind:
        case ValueType.TEXT | ValueType.NUMBER:
            return None
        case ValueType.BOOLEAN:
            return read_flag(raw)
        case ValueType.DATE:
            day = read_day(raw)
            return day.isoformat() if day else None
        case ValueType.INSTANT:
            moment = read_moment(raw, zone)
            return moment.isoformat() if moment else None
        case ValueType.ANNIVERSARY:
            return read_anniversary(raw)
        case _:
            assert_never(kind)


def read_text(raw: object, limit: int, allowed: str = "") -> str | None:
    """Text as it stands, outer white space dropped; numbers as they are written."""
    if isinstance(raw, bool) or not isinstance(raw, str | int | float | Decimal):
        return None
    text = str(raw).strip()
    return None if len(text) > limit or has_control(text, allowed) else text


def read_number(raw: object) -> Decimal | None:
    """`1280.5`, `1,280.50`, `¥1,280`, `１２`. Booleans, NaN, infinities and exponents are not numbers."""
    if isinstance(raw, bool) or not isinstance(raw, str | int | float | Decimal):
        return None
    text = plain(raw).lstrip(_CURRENCY).strip() if isinstance(raw, str) else f"{Decimal(str(raw)):f}"
    if not _NUMBER.fullmatch(text):
        return None
    try:
        number = Decimal(text.replace(",", ""))
    except InvalidOperation:
        return None
    return number if abs(number) < LARGEST else None


# How a number is written as text in JSON. `store.dialects.number_in` reads the same in SQL.
_PLAIN_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,15})(?:\.[0-9]{1,200})?")


def number_in_json(value: object) -> float | None:
    """What counts as a number in an event's payload: a JSON number, or plain digits with a point."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if abs(value) < float(LARGEST) else None  # NaN is not less than anything
    return float(value) if isinstance(value, str) and _PLAIN_NUMBER.fullmatch(value) else None


def added(total: float, amount: float) -> float:
    """A sum as its digits say: 0.1 + 0.2 is 0.3. Amounts are kept to four decimals."""
    return round(total + amount, 4)


def read_flag(raw: object) -> bool | None:
    """`是`, `yes`, `true`, `1` and their opposites, in any case."""
    if isinstance(raw, bool):
        return raw
    word = plain(str(raw)).casefold() if isinstance(raw, str | int) else ""
    return True if word in _YES else False if word in _NO else None


def read_day(raw: object) -> date | None:
    """A day: `2026-11-23`, `2026/11/23`, `2026.11.23`, `2026年11月23日`, `20261123`. A time behind it is dropped."""
    if isinstance(raw, datetime):
        return raw.date()
    if isinstance(raw, date):
        return raw
    split = _day_and_time(raw)
    return split[0] if split else None


def read_moment(raw: object, zone: ZoneInfo) -> datetime | None:
    """A moment in UTC: a day, then perhaps a time, then perhaps an offset. Without an offset it is in `zone`; a day
    alone is its midnight there."""
    if isinstance(raw, datetime):
        return _in_utc(raw, zone)
    if isinstance(raw, date):
        return _in_utc(datetime.combine(raw, time()), zone)
    split = _day_and_time(raw)
    if split is None:
        return None
    day, clock = split
    return _in_utc(datetime.combine(day, clock), zone)


def read_anniversary(raw: object) -> dict[str, Any] | None:
    """`{calendar, month, day, leap, year}`, from the same, from a date, or from words such as `农历八月十五`."""
    if isinstance(raw, date):
        raw = f"{raw:%Y-%m-%d}"
    if isinstance(raw, str):
        raw = _MIDNIGHT.sub("", plain(raw))
    if not isinstance(raw, str | Mapping):
        return None
    found = parse_anniversary(raw)
    if found is None:
        return None
    return {
        "calendar": str(found.calendar),
        "month": found.month,
        "day": found.day,
        "leap": found.leap,
        "year": found.year,
    }


def _day_and_time(raw: object) -> tuple[date, time] | None:
    if not isinstance(raw, str | int) or isinstance(raw, bool):
        return None
    text = plain(str(raw))
    found = _DATE.match(text)
    if found is None:
        return None
    rest = text[found.end() :]
    clock = _clock(rest.lstrip("T ")) if rest[:1] in ("T", " ") else time() if not rest else None
    if clock is None:
        return None
    try:
        day = date(
            int(found["y"]),
            int(found["m"] or found["zm"] or found["cm"]),
            int(found["d"] or found["zd"] or found["cd"]),
        )
    except ValueError:
        return None
    return (day, clock) if 1900 <= day.year <= 2200 else None


def _clock(text: str) -> time | None:
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    try:
        return time(
            int(found["h"]),
            int(found["min"]),
            int(found["s"] or 0),
            int((found["f"] or "0").ljust(6, "0")),
            tzinfo=_offset(found["zone"]),
        )
    except ValueError:
        return None


def _offset(text: str | None) -> timezone | None:
    """`Z` or `+08:00`; None where nothing is written. ValueError past 24 h."""
    if text is None:
        return None
    if text in "Zz":
        return UTC
    digits = text[1:].replace(":", "")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-size if text[0] == "-" else size)


def _in_utc(moment: datetime, zone: ZoneInfo) -> datetime:
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
