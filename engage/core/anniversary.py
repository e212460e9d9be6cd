"""Yearly dates of a member, solar or lunar: when each is celebrated, and what people write for one.

An anniversary is kept as calendar, month, day and leap, never as a date: a birthday is not an instant, and the lunar
one falls on another solar date every year. It is celebrated once per cycle year (the solar year, or the lunar one for
lunar dates), and that year names the occurrence, whatever the year of the day on which a message goes out.

`occurrences_on` and `celebrated_on` are the two directions of one rule, and a test holds that they agree.
"""

from __future__ import annotations

import calendar
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from engage.core import lunar
from engage.core.journey.model import Feb29, LeapMonth


class Calendar(StrEnum):
    SOLAR = "solar"
    LUNAR = "lunar"


@dataclass(frozen=True, slots=True)
class Anniversary:
    """`year` is the one it happened in, of the same calendar; it only tells the age."""

    calendar: Calendar
    month: int
    day: int
    leap: bool = False  # in a leap lunar month
    year: int | None = None


@dataclass(frozen=True, slots=True)
class AnniversaryMatch:
    """Anniversaries stored so are celebrated, and for which cycle year."""

    calendar: Calendar
    month: int
    day: int
    leap: bool
    cycle_year: int


# --- when it is celebrated --------------------------------------------------------------------------------------


def celebrated_on(anniversary: Anniversary, cycle_year: int, feb29: Feb29, leap_month: LeapMonth) -> date | None:
    """The solar date on which that year celebrates it; None if the year does not, or is a lunar one out of range."""
    month, day = anniversary.month, anniversary.day
    if anniversary.calendar is Calendar.LUNAR:
        found = _lunar_month(cycle_year, month, anniversary.leap, leap_month)
        return found.date_of(day) if found else None
    if (month, day) == (2, 29) and not calendar.isleap(cycle_year):
        return _feb29_in_common_year(cycle_year, feb29)
    return date(cycle_year, month, day)


def occurrences_on(day: date, feb29: Feb29, leap_month: LeapMonth) -> tuple[AnniversaryMatch, ...]:
    """Which stored combinations of calendar, month, day and leap are celebrated on that solar date."""
    return (*_solar_matches(day, feb29), *_lunar_matches(day, leap_month))


def age_on(anniversary: Anniversary, cycle_year: int) -> int | None:
    """Full years (周岁) on the celebration of that cycle year; None if the year it happened in is unknown or later."""
    if anniversary.year is None or anniversary.year > cycle_year:
        return None
    return cycle_year - anniversary.year


def lunar_text(day: date) -> str:
    """The lunar month and day of a solar date, “八月十五”, “闰四月初一”; empty outside the lunar years 1901-2100."""
    found = lunar.lunar_day(day)
    return found.text if found else ""


def _feb29_in_common_year(year: int, feb29: Feb29) -> date | None:
    match feb29:
        case Feb29.FEB28:
            return date(year, 2, 28)
        case Feb29.MAR1:
            return date(year, 3, 1)
        case Feb29.SKIP:
            return None


def _lunar_month(year: int, month: int, leap: bool, leap_month: LeapMonth) -> lunar.LunarMonth | None:
    """The month of that year in which someone of this month is celebrated.

    `skip` is for leap months what it is for Feb 29: a year that has no such month is left out.
    """
    plain = lunar.month_of(year, month, leap=False)
    if not leap or leap_month is LeapMonth.PLAIN:
        return plain
    own = lunar.month_of(year, month, leap=True)
    return own if leap_month is LeapMonth.SKIP else own or plain


def _solar_matches(day: date, feb29: Feb29) -> list[AnniversaryMatch]:
    dates = [(day.month, day.day)]
    if not calendar.isleap(day.year) and _feb29_in_common_year(day.year, feb29) == day:
        dates.append((2, 29))
    return [AnniversaryMatch(Calendar.SOLAR, month, number, leap=False, cycle_year=day.year) for month, number in dates]


def _lunar_matches(day: date, leap_month: LeapMonth) -> list[AnniversaryMatch]:
    today = lunar.lunar_day(day)
    if today is None:
        return []
    year, month = today.month.year, today.month.month
    days = (29, 30) if today.day == today.month.days == 29 else (today.day,)
    return [
        AnniversaryMatch(Calendar.LUNAR, month, number, leap, cycle_year=year)
        for leap in (False, True)
        if _lunar_month(year, month, leap, leap_month) == today.month
        for number in days
    ]


# --- what people write ------------------------------------------------------------------------------------------

_EARLIEST_YEAR, _LATEST_YEAR = 1900, 2100  # systems write 0001 or 1753 for a year they do not know
_A_LEAP_YEAR = 2000
_PREFIXES = {
    **dict.fromkeys(("公历", "阳历", "新历", "solar"), Calendar.SOLAR),
    **dict.fromkeys(("农历", "阴历", "旧历", "lunar"), Calendar.LUNAR),
}
_NUMERALS = "〇一二三四五六七八九"
_MONTHS = {
    **{word: number for number, word in enumerate(lunar.MONTH_WORDS, 1)},
    "一": 1,
    "十一": 11,
    "十二": 12,
}
_DAYS = {
    **{word: number for number, word in enumerate(lunar.DAY_WORDS, 1)},
    **{word.removeprefix("初"): number for number, word in enumerate(lunar.DAY_WORDS[:10], 1)},
    **{word.replace("廿", "二十"): number for number, word in enumerate(lunar.DAY_WORDS[20:29], 21)},
    "廿": 20,
    "卅": 30,
}
_WRITTEN = re.compile(
    r"(?P<prefix>公历|阳历|新历|solar|农历|阴历|旧历|lunar)?:?"
    r"(?P<early_leap>leap)?"
    r"(?:(?P<year>\d{4}|[〇零○一二三四五六七八九]{4})[-/.年])?"
    r"(?P<leap>闰|leap)?"
    r"(?P<month>\d{1,2}|[正冬腊一二三四五六七八九十]{1,2})[-/.月]"
    r"(?P<day>\d{1,2}|[初廿卅一二三四五六七八九十]{1,3})(?P<suffix>[日号])?"
)
_RUN_TOGETHER = re.compile(r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})")


def parse_anniversary(value: str | Mapping[str, object]) -> Anniversary | None:
    """What people and systems write for a birthday; None if it is not one, or could be read in two ways.

    Solar: `1990-05-12`, `1990/5/12`, `19900512`, `05-12`, `1990年5月12日`. Lunar: `农历八月十五`,
    `农历1990年八月十五`, `农历闰四月初一`, `lunar 08-15`, `lunar leap 04-01`, and without a word before them those
    that cannot be solar: `正月初一`, `腊月三十`. Either: a mapping with `calendar`, `month`, `day`, `leap`, `year`.
    Plain “八月十五” might be both and is refused: wishes on a wrong day are worse than a question at the import.
    """
    return _from_text(value) if isinstance(value, str) else _from_mapping(value)


def _from_mapping(value: Mapping[str, object]) -> Anniversary | None:
    given = {key: "" if part is None else str(part).strip().lower() for key, part in value.items()}
    if given.keys() - {"calendar", "month", "day", "leap", "year"}:
        return None
    month, day, year = (given.get(key, "") for key in ("month", "day", "year"))
    leap = given.get("leap", "")
    if not (_is_number(month) and _is_number(day) and (year == "" or _is_number(year))):
        return None
    if given.get("calendar", "solar") not in tuple(Calendar) or leap not in ("", "yes", "no", "true", "false"):
        return None
    return _if_it_exists(
        Anniversary(
            Calendar(given.get("calendar", "solar")),
            int(month),
            int(day),
            leap in ("yes", "true"),
            int(year) if year else None,
        )
    )


def _from_text(text: str) -> Anniversary | None:
    plain = re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).lower()
    if together := _RUN_TOGETHER.fullmatch(plain):
        year, month, day = (int(part) for part in together.groups())
        return _if_it_exists(Anniversary(Calendar.SOLAR, month, day, year=year))
    written = _WRITTEN.fullmatch(plain)
    if written is None:
        return None
    which = _calendar_of(written)
    month_number, day_number = _number(written["month"], _MONTHS), _number(written["day"], _DAYS)
    if which is None or month_number is None or day_number is None:
        return None
    return _if_it_exists(Anniversary(which, month_number, day_number, _is_leap(written), _year(written["year"])))


def _calendar_of(written: re.Match[str]) -> Calendar | None:
    """What the words say; None if they contradict themselves or leave it open."""
    lunar_only = _is_leap(written) or written["month"] in ("正", "冬", "腊") or written["day"][0] in "初廿"
    if written["prefix"]:
        said = _PREFIXES[written["prefix"]]
        return None if said is Calendar.SOLAR and lunar_only else said
    if lunar_only:
        return Calendar.LUNAR
    in_figures = _is_number(written["month"]) and _is_number(written["day"])
    return Calendar.SOLAR if in_figures or written["suffix"] else None  # people say 五月一日 of solar dates only


def _is_leap(written: re.Match[str]) -> bool:
    return bool(written["early_leap"] or written["leap"])


def _number(word: str, words: Mapping[str, int]) -> int | None:
    return int(word) if _is_number(word) else words.get(word)


def _year(word: str | None) -> int | None:
    if word is None or _is_number(word):
        return int(word) if word else None
    return int("".join(str(_NUMERALS.index(numeral)) for numeral in re.sub("[零○]", "〇", word)))


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit()


def _if_it_exists(anniversary: Anniversary) -> Anniversary | None:
    """It, unless no calendar has such a day: 30 February, a leap month that its year does not have."""
    exists = _solar_exists if anniversary.calendar is Calendar.SOLAR else _lunar_exists
    return anniversary if exists(anniversary) else None


def _solar_exists(anniversary: Anniversary) -> bool:
    year = _A_LEAP_YEAR if anniversary.year is None else anniversary.year
    if anniversary.leap or not _EARLIEST_YEAR <= year <= _LATEST_YEAR or not 1 <= anniversary.month <= 12:
        return False
    return 1 <= anniversary.day <= calendar.monthrange(year, anniversary.month)[1]


def _lunar_exists(anniversary: Anniversary) -> bool:
    if anniversary.year is not None:
        month = lunar.month_of(anniversary.year, anniversary.month, anniversary.leap)
        return month is not None and 1 <= anniversary.day <= month.days
    in_range = 1 <= anniversary.month <= 12 and 1 <= anniversary.day <= 30
    return in_range and (not anniversary.leap or lunar.leap_month_occurs(anniversary.month))
