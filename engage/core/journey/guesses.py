"""What was probably meant: `3天` is `3d`, `9点半` is `09:30`, `500以上` is `500..`. Text in, text out, or None.

For suggestions only. Nothing guessed is ever run: the author writes it, or `engage fmt --fix` does where it is sure.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import timedelta

from engage.core.duration import format_duration, parse_duration, parse_time
from engage.core.journey.slips import half_width
from engage.core.journey.vocabulary import nearest
from engage.core.timing import DaySet

_DIGITS = {"两": 2, "半": 0.5, **{digit: value for value, digit in enumerate("一二三四五六七八九", start=1)}}
_SPELT_NUMBER = r"[0-9]{1,5}(?:\.[0-9]{1,2})?|[一二三四五六七八九]?十[一二三四五六七八九]?|[一两二三四五六七八九半]"


def _number(spelt: str) -> float:
    """`12`, `1.5`, `两`, `十五`, `三十`."""
    if spelt[0].isdigit():
        return float(spelt)
    tens, ten, ones = spelt.rpartition("十")
    if not ten:
        return _DIGITS[spelt]
    return (_DIGITS[tens] if tens else 1) * 10 + (_DIGITS[ones] if ones else 0)


# --- durations, percentages -------------------------------------------------------------------------------------

_UNITS = {
    timedelta(days=365): ("y", "year", "years", "年"),
    timedelta(days=30): ("month", "months", "月"),
    timedelta(weeks=1): ("w", "wk", "wks", "week", "weeks", "周", "星期", "礼拜"),
    timedelta(days=1): ("d", "day", "days", "天", "日"),
    timedelta(hours=1): ("h", "hr", "hrs", "hour", "hours", "小时", "钟头"),
    timedelta(minutes=1): ("m", "min", "mins", "minute", "minutes", "分钟", "分"),
}
_UNIT_OF = {word: unit for unit, words in _UNITS.items() for word in words}
_LETTER_OF = {timedelta(weeks=1): "w", timedelta(days=1): "d", timedelta(hours=1): "h", timedelta(minutes=1): "m"}
_PART = re.compile(rf"({_SPELT_NUMBER})\s*个?\s*({'|'.join(sorted(_UNIT_OF, key=len, reverse=True))})\s*")


def duration(text: str) -> str | None:
    """`3 days`, `1d 12h`, `半天`, `2个月`; a number alone counts days."""
    spelt = re.sub(r"(?<=[0-9])\s*M\b", "month", half_width(text[:40])).lower()  # nobody writes minutes so
    if re.fullmatch("[0-9]{1,4}", spelt):
        return f"{spelt}d"
    parts = [(_number(number), _UNIT_OF[unit]) for number, unit in _PART.findall(spelt)]
    if not parts or _PART.sub("", spelt):
        return None
    if len(parts) == 1 and parts[0][0] % 1 == 0 and (letter := _LETTER_OF.get(parts[0][1])):
        return f"{parts[0][0]:.0f}{letter}"
    return format_duration(sum((number * unit for number, unit in parts), timedelta(0)))


_IN_DOUBT = re.compile(r"\s*[0-9]+\s*|24[:点时.].*|.*(?:月|年|month|year).*|(?-i:.*[0-9]\s*M)", re.IGNORECASE)


def is_certain(text: str) -> bool:
    """Not a number alone; nor months and years, which have no one length; nor midnight, which belongs to two days."""
    return not _IN_DOUBT.fullmatch(half_width(text[:40]))


def whole_days(text: str) -> str | None:
    """`36h` is `2d`, where hours cannot be. Less than a day is a time of day rather."""
    period = parse_duration(duration(text) or half_width(text[:40]))
    return f"{-(-period // timedelta(days=1))}d" if period and period >= timedelta(days=1) else None


def percent(text: str) -> str | None:
    """`10 %`, `5`, `0.1`, `百分之十`."""
    spelt = half_width(text[:20])
    if found := re.fullmatch(r"0?\.([0-9]{1,2})", spelt):
        return f"{int(found[1].ljust(2, '0'))}%"
    if found := re.fullmatch(rf"百分之({_SPELT_NUMBER})", spelt):
        return f"{_number(found[1]):.0f}%"
    found = re.fullmatch(r"([0-9]{1,3})(?:\.[0-9]+)?\s*%?", spelt)
    return f"{found[1]}%" if found else None


def whole(text: str) -> str | None:
    """`50.0`, `五十`."""
    spelt = half_width(text[:20])
    found = re.fullmatch(r"([0-9]{1,9})\.0*", spelt)
    if found is None and re.fullmatch(_SPELT_NUMBER, spelt) and _number(spelt) % 1 == 0:
        return f"{_number(spelt):.0f}"
    return found[1] if found else None


# --- times, waits, days -----------------------------------------------------------------------------------------

_TIME = re.compile(
    r"(?P<part>凌晨|早上|上午|中午|下午|傍晚|晚上)?\s*(?P<hour>[0-9]{1,2})\s*"
    r"(?:[点时.:h]\s*(?P<minute>半|[0-9]{1,2})?\s*分?)?\s*(?P<half>am|pm)?"
)
_DAYS = {
    "工作日": "workday",
    "周末": "weekend",
    **{f"{week}{day}": name for week in ("周", "星期", "礼拜") for day, name in zip(
        "一二三四五六日", ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"), strict=True
    )},
    "周天": "sunday",
    "星期天": "sunday",
}  # fmt: skip
_DATE = re.compile(r"([0-9]{4})[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?")


def time_of_day(text: str) -> str | None:
    """`9点半`, `下午3点`, `3pm`, `10.30`, `930`, `24:00`."""
    spelt = half_width(text[:20]).lower()
    if re.fullmatch("[0-9]{3,4}", spelt):
        spelt = f"{spelt[:-2]}:{spelt[-2:]}"
    found = _TIME.fullmatch(spelt)
    if found is None:
        return None
    hour, minute = int(found["hour"]), 30 if found["minute"] == "半" else int(found["minute"] or 0)
    later = found["half"] == "pm" or found["part"] in ("下午", "傍晚", "晚上")
    hour = hour + 12 if later and hour < 12 else hour
    guess = f"{0 if hour == 24 and minute == 0 else hour:02}:{minute:02}"
    return guess if parse_time(guess) else None


def day_set(text: str) -> str | None:
    """`周一`, `工作日`: a word of `every`."""
    return _DAYS.get(text.strip())


def date(text: str) -> str | None:
    """`2027/2/6`; for a day that its month does not have, the last it has."""
    found = _DATE.fullmatch(half_width(text[:20]))
    if found is None or not 1 <= int(found[2]) <= 12 or not 1 <= int(found[3]) <= 31 or int(found[1]) == 0:
        return None
    year, month, day = (int(part) for part in found.groups())
    return f"{year:04}-{month:02}-{min(day, monthrange(year, month)[1]):02}"


_WORDS = ["until", "at", "workday", "workdays", *(day.value for day in DaySet)]
_CLOCK_LIKE = re.compile(r"[0-9]{1,2}(?:[:.点时].*|am|pm)")
_IN_DAYS = {"today": "0d", "今天": "0d", "tomorrow": "1d", "明天": "1d", "后天": "2d"}


def wait(text: str, fits: Callable[[str], bool]) -> str | None:
    """Each word replaced by the nearest one that a wait may have. `fits`: whether something is a wait."""
    if (period := duration(text)) is not None:
        return period
    spelt = re.sub(r"(?<=[0-9])\s*个?(?=工作日)", " ", half_width(text[:60]).lower())
    words = " ".join(_word_of_a_wait(part) for part in spelt.split())
    with_at = " at ".join(words.rsplit(" ", 1))  # `3d 10:00`
    several = re.sub(r"^([2-9]|[1-9][0-9]+) workday\b", r"\1 workdays", words)
    until = f"until {words.removeprefix('at ')}"
    in_days = re.sub(r"^(?:until )?([0-9]d) (?:at )?(?=[0-9]{2}:)", r"\1 at ", words)
    guesses = (several, words.replace("workdays ", "workday "), in_days, with_at, until, f"{words} 10:00")
    return next((guess for guess in guesses if fits(guess)), None)


def _word_of_a_wait(word: str) -> str:
    if _CLOCK_LIKE.fullmatch(word):
        return time_of_day(word) or word
    if word[:1].isdigit():
        return date(word) or word
    return _DAYS.get(word) or _IN_DAYS.get(word) or nearest(word, _WORDS) or word


# --- tests of conditions ----------------------------------------------------------------------------------------

_END = r"(-?[0-9]+(?:\.[0-9]+)?)"
_ENDS = re.compile(rf"{_END}\s*(?:[-–—~到至]|to|[.。]{{2,}})\s*{_END}")
_AT_LEAST = re.compile(r"(?:≥|>=|至少|不少于|不低于)\s*(-?[0-9]+)|(-?[0-9]+)\s*(?:\+|以上|及以上|起)")
_AT_MOST = re.compile(r"(?:≤|<=|至多|最多|不超过|不高于)\s*(-?[0-9]+)|(-?[0-9]+)\s*(?:以下|及以下|以内)")
_ABOVE = re.compile(r"(?:>|大于|超过|高于|多于)\s*(-?[0-9]+)")
_BELOW = re.compile(r"(?:<|小于|低于|少于|不到)\s*(-?[0-9]+)")


def number_range(text: str) -> str | None:
    """`500以上`, `100-500`, `100…500`, `大于500`, `1,000..`, `9..6`."""
    spelt = re.sub(r"(?<=[0-9]),(?=[0-9]{3})", "", half_width(text[:40]).replace("～", "~"))
    if found := _ENDS.fullmatch(spelt):
        low, high = sorted(found.groups(), key=float)
        return f"{low}..{high}"
    if found := _AT_LEAST.fullmatch(spelt):
        return f"{found[1] or found[2]}.."
    if found := _AT_MOST.fullmatch(spelt):
        return f"..{found[1] or found[2]}"
    if found := _ABOVE.fullmatch(spelt):
        return f"{int(found[1]) + 1}.."
    if found := _BELOW.fullmatch(spelt):
        return f"..{int(found[1]) - 1}"
    return spelt if "," in text and re.fullmatch(r"-?[0-9]+(?:\.\.(?:[0-9]+)?)?", spelt) else None


_OTHER_THAN = re.compile(r"(?:not(?:\s+in)?\s+|(?:不是|不等于|不在|除了)\s*)(\S.*)", re.IGNORECASE)
_OR = re.compile(r"\s+or\s+|\s*(?:或者|或|\|{1,2})\s*", re.IGNORECASE)


def other_than(text: str) -> str | None:
    """`not 上海`, `不是上海`: what it is not, as it is written."""
    found = _OTHER_THAN.fullmatch(text.strip())
    return (either(found[1]) or found[1]) if found else None


def either(text: str) -> str | None:
    """`上海 or 北京`, `上海或北京`: as a list."""
    parts = [part.strip() for part in _OR.split(text.strip(" []"))]
    return f"[{', '.join(parts)}]" if len(parts) > 1 and all(parts) else None


_DATE_TESTS = (
    (re.compile(r"(?:over|more than|超过|超)\s*(?P<period>.+?)(?:\s*ago|前|以前)?"), "over {} ago"),
    (re.compile(r"(?P<period>.+?)(?:\s*ago|前|以前)"), "over {} ago"),
    (re.compile(r"(?:next|未来|接下来|今后)\s*(?P<period>.+?)(?:内)?"), "next {}"),
    (re.compile(r"(?:in the )?(?:last|past|within|最近|过去|近)?\s*(?P<period>.+?)(?:内|以内)?"), "last {}"),
)


def date_test(text: str) -> str | None:
    """`30d`, `最近30天`, `over 90d`, `90天前`, `未来7天`."""
    spelt = half_width(text[:40]).lower()
    for form, written in _DATE_TESTS:
        if found := form.fullmatch(spelt):
            period = found["period"] if parse_duration(found["period"]) else duration(found["period"])
            if period is not None:
                return written.format(period)
    return None


# --- names ------------------------------------------------------------------------------------------------------

_TEMPLATE_FILE = re.compile(r"^(?:templates/)?(.+?)(?:\.(?:wechat|sms|email))?(?:\.j2)?$")


def name(text: str) -> str | None:
    """`first touch` is `first_touch`, `templates/welcome.sms.j2` is `welcome`. Nothing is guessed of an expression, or
    of an address."""
    if "{" in text or "://" in text:
        return None
    spelt = half_width(text[:120]).strip("“”‘’\"' ")
    if found := _TEMPLATE_FILE.match(spelt):
        spelt = found[1]
    spelt = re.sub(r"\W*\s\W*|[/.]", "_", spelt)
    spelt = re.sub(r"[^\w-]", "", spelt).strip("_")
    return spelt if 0 < len(spelt) <= 60 else None
