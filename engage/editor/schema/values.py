"""Single values as an editor sees them: `10:30` and `yes` are text to YAML 1.2, `500` and `true` are not."""

from __future__ import annotations

from collections.abc import Iterable

from engage.core.catalog import Field
from engage.core.condition import ValueType
from engage.core.journey import mistakes
from engage.core.problem import Lang, Said
from engage.core.timing import DaySet
from engage.editor.schema.parts import Schema, by_shape, list_of, one_of, one_or_more, quietly

KNOWN = ("known", "unknown")

_PERIOD = r"(?:[0-9]{1,5}[wdhm]){1,8}"
_CLOCK = r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9]"
_AT = rf"(?: at {_CLOCK})?"
_NUMBER = r"-?[0-9]{1,15}(?:\.[0-9]{1,6})?"
_DAYS = "|".join(day.value for day in DaySet)
_WAITS = (
    rf"{_PERIOD}{_AT}",
    rf"[0-9]{{1,3}} workdays?{_AT}",
    rf"until (?:(?:{_DAYS}) )?{_CLOCK}",
    rf"until day [0-9]{{1,4}}{_AT}",
    rf"until [0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} {_CLOCK}",
    rf"until [^\s:+-][^\s:]*(?: [+-]{_PERIOD})?{_AT}",
)
_RANGE = rf"(?:{_NUMBER})?\.\.(?:{_NUMBER})?"


# `true` and `false`, which an editor would offer if they were called by their name.
_TRUTH: Schema = {"not": {"type": ["string", "number", "array", "object", "null"]}}


def text() -> Schema:
    """A title may be `2026` or `true`."""
    return quietly(_TRUTH, {"type": ["string", "number"]})


def name() -> Schema:
    """An id: a word without spaces and points."""
    return quietly(_TRUTH, {"type": ["string", "number"], "pattern": r"^[^\s:,.，。：]+$"})


def spelt(pattern: str, message: Said, lang: Lang, *examples: str, number: bool = False) -> Schema:
    """`number`: YAML reads some of these as numbers; a pattern looks at text only."""
    return {
        "type": ["string", "number"] if number else "string",
        "pattern": rf"^\s*(?:{pattern})\s*$",
        "patternErrorMessage": message.in_(lang),
        "defaultSnippets": [{"label": example, "body": example} for example in examples],
    }


def duration(lang: Lang) -> Schema:
    return spelt(_PERIOD, mistakes.DURATIONS_LOOK_LIKE, lang, "1d", "3d", "7d", "2h", "30m")


def day_offset(lang: Lang) -> Schema:
    return spelt(rf"[+-]?{_PERIOD}", mistakes.DURATIONS_LOOK_LIKE, lang, "-3d", "1d")


def clock(lang: Lang) -> Schema:
    return spelt(_CLOCK, Said("times look like 09:30, 20:00", "时间的写法：09:30、20:00"), lang, "10:00", "20:00")


def wait(lang: Lang) -> Schema:
    return spelt(
        "|".join(_WAITS),
        mistakes.WAITS_LOOK_LIKE,
        lang,
        "1d",
        "3d at 10:00",
        "until workday 10:00",
        "2 workdays at 10:00",
    )


def percent(lang: Lang) -> Schema:
    return spelt("[0-9]{1,3}%", Said("percentages look like 10%", "百分比的写法：10%"), lang, "10%", "50%")


def whole(lang: Lang, low: int, high: int) -> Schema:
    said = Said(f"a whole number, {low} to {high}", f"{low} 到 {high} 的整数")
    return {**spelt("[0-9]{1,9}", said, lang, number=True), "minimum": low, "maximum": high}


def yes_no() -> Schema:
    """YAML 1.1 and 1.2 disagree about `yes`: both readings are right."""
    return quietly(
        {"pattern": "^(?:[Yy][Ee][Ss]|[Nn][Oo]|[Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])$", "type": "string"}, _YES_NO
    )


_YES_NO: Schema = {"enum": ["yes", "no", True, False]}


def reentry(lang: Lang) -> Schema:
    said = Said("never, always, or after 90d", "never、always，或 after 90d")
    return spelt(rf"never|always|after {_PERIOD}", said, lang, "never", "always", "after 90d")


def every(lang: Lang) -> Schema:
    said = Said('workday, monday, month 1, cron "0 10 * * 1" …', 'workday、monday、month 1、cron "0 10 * * 1" 等')
    month = r"month (?:0?[1-9]|[12][0-9]|3[01])"
    return spelt(
        rf"{_DAYS}|{month}|[Cc]ron .*", said, lang, *(day.value for day in DaySet), "month 1", 'cron "0 10 * * 1"'
    )


# --- of a field, and moments in a test --------------------------------------------------------------------------


def of_field(field: Field) -> Schema:
    """What a member can have there."""
    if field.values:
        return one_of(field.values)
    match field.type:
        case ValueType.BOOLEAN:
            return yes_no()
        case ValueType.NUMBER:
            return {"type": ["number", "string"]}
        case _:
            return text()


_DAY_TIME = Said("moments look like day 2 09:00", "时间的写法：day 2 09:00")
_DATE = rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}(?: {_CLOCK})?"


def day_time(lang: Lang) -> Schema:
    return spelt(rf"day [0-9]{{1,4}} {_CLOCK}", _DAY_TIME, lang, "day 0 10:00", "day 1 10:00")


def day(lang: Lang) -> Schema:
    return spelt(
        "(?:day )?[0-9]{1,4}", Said("days look like day 30", "日子的写法：day 30"), lang, "day 30", number=True
    )


def moment(lang: Lang) -> Schema:
    return spelt(_DATE, Said("moments look like 2026-11-23 10:00", "时间的写法：2026-11-23 10:00"), lang)


def when(lang: Lang) -> Schema:
    said = Said(
        "moments look like 95d ago · in 30d · now · 2026-11-23", "时间的写法：95d ago · in 30d · now · 2026-11-23"
    )
    return spelt(rf"now|{_PERIOD} ago|in {_PERIOD}|{_DATE}", said, lang, "now", "30d ago", "95d ago", "in 30d")


# --- tests of a condition ---------------------------------------------------------------------------------------


def number_test(lang: Lang) -> Schema:
    said = Said("numbers are tested like 500 · 500.. · ..6 · 7..8", "数字的写法：500 · 500.. · ..6 · 7..8")
    one = spelt(rf"{_NUMBER}|{_RANGE}|known|unknown", said, lang, "1..", "..5", "1..5", "known", "unknown", number=True)
    return one_or_more(one)


def times_test(lang: Lang) -> Schema:
    said = Said("how often: 2 · 2.. · ..5", "几次：2 · 2.. · ..5")
    return spelt(rf"{_NUMBER}|{_RANGE}", said, lang, "1..", "2..", number=True)


def rank_test(lang: Lang) -> Schema:
    said = Said("ranks are tested like ..20% · 20%..50% · 50%..", "名次的写法：..20% · 20%..50% · 50%..")
    part = r"(?:[0-9]{1,3}%?)?\.\.(?:[0-9]{1,3}%)?"
    return spelt(rf"{part}|known|unknown", said, lang, "..20%", "50%..")


def date_test(lang: Lang) -> Schema:
    said = Said(
        "dates are tested like last 30d · over 90d ago · next 7d · never · known",
        "日期的写法：last 30d · over 90d ago · next 7d · never · known",
    )
    tests = rf"(?:last|next) {_PERIOD}|over {_PERIOD} ago|never|known|unknown"
    return spelt(tests, said, lang, "last 30d", "over 90d ago", "next 7d", "never", "known", "unknown")


def text_test() -> Schema:
    offers = [{"label": word, "body": word} for word in KNOWN]
    return by_shape({**text(), "defaultSnippets": offers}, listing=list_of(text(), 1))


def yes_no_test() -> Schema:
    return quietly(yes_no(), {"enum": [*_YES_NO["enum"], *KNOWN]})


def values_test(words: Iterable[str]) -> Schema:
    """Of a field that has these values and no others."""
    words = tuple(words)
    return by_shape(one_of([*words, *KNOWN]), listing=list_of(one_of(words), 1))


def yearly_test() -> Schema:
    return {"enum": ["known", "unknown", "never"]}
