"""Mistakes of form: what can be wrong with the shape of a file before its names are looked up (codes E2xx).

One function for each mistake, so that every place that can make it says the same words, in both languages.
`slips` holds those of spelling, `misfits` those of meaning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from engage.core.journey import guesses, slips
from engage.core.journey.slips import write
from engage.core.journey.vocabulary import VERBS, nearest, same_word
from engage.core.problem import Mark, Mend, Problem, Said, Span

DURATIONS_LOOK_LIKE = Said("durations look like 30m, 2h, 3d, 2w, 1d12h", "时长的写法：30m、2h、3d、2w、1d12h")
_WAITS = (
    "3d │ 3d at 10:00 │ 2 workdays at 10:00 │ until 10:00 │ until workday 10:00 │ until friday 18:00 │ "
    "until day 30 at 10:00 │ until 2027-02-06 09:00 │ until contract_end -30d at 10:00"
)
WAITS_LOOK_LIKE = Said(f"waits look like  {_WAITS}", f"等待的写法：{_WAITS}")


def word(text: str) -> Said:
    """A word of the language as the subject of a sentence; Chinese takes a space after it."""
    return Said(f"`{text}`", f"`{text}` ")


def did_you_mean(word: str | None) -> Said | None:
    return Said(f"did you mean `{word}`?", f"您想写的是 `{word}` 吗？") if word else None


def offer(span: Span, wrong: str, meant: str | None) -> Mend | None:
    """The word probably meant; surely so where only its dress is wrong: capitals, quotation marks, wide letters."""
    return Mend(span, meant, sure=same_word(wrong, meant)) if meant else None


def apart(chinese: str) -> str:
    """What follows a Chinese word; Latin letters and signs stand apart from it."""
    return f" {chinese}" if chinese[:1].isascii() and not chinese.startswith(" ") else chinese


def listed(words: Iterable[str]) -> str:
    return " · ".join(words)


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """By place. One mistake is told once: the same words at a place, and nothing more about words whose very spelling
    is wrong."""
    unspellable = [problem.span for problem in problems if problem.code < "E2"]
    told: dict[tuple[Span, str], Problem] = {}
    for problem in problems:
        if problem.code < "E2" or not any(_overlap(problem.span, span) for span in unspellable):
            told.setdefault((problem.span, problem.message.en), problem)
    return sorted(told.values(), key=lambda problem: (problem.span, problem.code))


def _overlap(one: Span, other: Span) -> bool:
    return (one.line, one.column) < (other.end_line, other.end_column) and (other.line, other.column) < (
        one.end_line,
        one.end_column,
    )


# --- E2xx: the shape of what was written ------------------------------------------------------------------------


def step_needs_a_verb(span: Span, text: str) -> Problem:
    """`text`: what stands there instead; it may be a verb that lacks its colon, or its value."""
    shown = text.strip().splitlines()[0][:40] if text.strip() else ""
    verb, _, value = shown.partition(" ")
    if verb in VERBS:
        help = Said(f"write  - {verb}: {value or '…'}", f"请写  - {verb}: {value or '…'}")
    elif (period := guesses.duration(re.sub(r"^(?:等待?|wait)\s*", "", shown))) is not None:
        help = Said(f"write  - wait: {period}", f"请写  - wait: {period}")
    elif shown:
        help = Said(f"did you mean  - send: {shown}  ?", f"您想写的是  - send: {shown}  吗？")
    else:
        help = Said("begin with what is to be done:  - send: …", "请先写要做什么：  - send: …")
    return Problem(
        "E202",
        span,
        Said("a step needs a verb", "步骤需要一个动词"),
        label=Said("just text here", "这里只有文字") if shown else Said("nothing is done here", "这里什么都没有做"),
        help=(help,),
    )


def way_without_its_step(span: Span, word: str) -> Problem:
    """`- else:` as if it were a step."""
    return Problem(
        "E202",
        span,
        Said(f"`{word}` is no step of its own", f"`{word}` 不是单独的步骤"),
        help=(
            Said(
                "it belongs to the `if` or `wait_for` above: remove the “- ”, and write it in the column of that word",
                "它属于上面的 `if` 或 `wait_for`：请去掉“- ”，和那个词左对齐",
            ),
        ),
    )


def unknown_verb(span: Span, word: str, verbs: tuple[str, ...]) -> Problem:
    meant = did_you_mean(nearest(word, verbs))
    return Problem(
        "E203",
        span,
        Said(f"unknown step verb `{word}`", f"没有 `{word}` 这个步骤动词"),
        help=(meant,) if meant else (),
        notes=(Said(f"verbs: {listed(verbs)}", f"可用的动词：{listed(verbs)}"),),
        mend=offer(span, word, nearest(word, verbs)),
    )


def two_verbs(first: Span, first_verb: str, second: Span, second_verb: str) -> Problem:
    return Problem(
        "E204",
        second,
        Said(
            f"one step cannot both `{first_verb}` and `{second_verb}`",
            f"一个步骤不能既 `{first_verb}` 又 `{second_verb}`",
        ),
        label=Said("second verb in the same step", "同一步骤里的第二个动词"),
        marks=(Mark(first, Said("this step already has a verb", "这个步骤已经有动词了")),),
        help=(
            Said(
                f"add “- ” in front to make it the next step:\n- {second_verb}: …",
                f"在前面加上“- ”，让它成为下一个步骤：\n- {second_verb}: …",
            ),
        ),
    )


def wrong_shape(span: Span, what: Said, wanted: Said, help: Said | None = None, mend: Mend | None = None) -> Problem:
    """`wanted` completes “takes …”: “a list of steps”."""
    return Problem(
        "E205",
        span,
        Said(f"{what.en} takes {wanted.en}", f"{what.zh}需要{apart(wanted.zh)}"),
        help=(help,) if help else (),
        mend=mend,
    )


def no_value(span: Span, key: str, help: Said | None = None) -> Problem:
    return Problem(
        "E206",
        span,
        Said(f"`{key}` has no value", f"`{key}` 没有写值"),
        help=(help or Said("write one after the colon, or remove the line", "请在冒号后面写上，或者删掉这一行"),),
    )


def no_value_in_braces(span: Span, key: str) -> Problem:
    return replace(
        no_value(span, key),
        help=(Said(f"write {key}: …; several values stand in [ ]", f"请写 {key}: …；多个值要放在 [ ] 里"),),
    )


def unknown_option(span: Span, word: str, place: Said, allowed: tuple[str, ...], help: Said | None = None) -> Problem:
    """`help`: where the word belongs, if that is known; it is then no slip of another word."""
    meant = nearest(word, allowed) if help is None else None
    return Problem(
        "E210",
        span,
        Said(f"unknown option `{word}` in {place.en}", f"{place.zh}没有 `{word}` 这个选项"),
        label=did_you_mean(meant) or Said("not an option here", "这里没有这个选项"),
        notes=(Said(f"options here: {listed(allowed)}", f"这里可用的选项：{listed(allowed)}"),),
        help=(help,) if help else (),
        mend=offer(span, word, meant),
    )


def required(span: Span, key: str, help: Said | None = None) -> Problem:
    return Problem(
        "E211",
        span,
        Said(f"`{key}` is required here", f"这里必须写 `{key}`"),
        label=Said(f"needs `{key}:`", f"需要 `{key}:`"),
        help=(help,) if help else (),
    )


def not_a_duration(span: Span, text: str, guess: str | None) -> Problem:
    return slips.in_word(text, span) or Problem(
        "E213",
        span,
        Said(f"“{text}” is not a duration", f"“{text}”不是时长"),
        notes=(DURATIONS_LOOK_LIKE,),
        help=write(guess) if guess else (),
        mend=Mend(span, guess, sure=guesses.is_certain(text)) if guess else None,
    )


def not_whole_days(span: Span, text: str, guess: str | None) -> Problem:
    return slips.in_word(text, span) or Problem(
        "E213",
        span,
        Said(f"“{text}” is not a number of days", f"“{text}”不是天数"),
        notes=(
            Said(
                "whole days look like 3d, 2w; with a minus they are before the date. The hour is said in `at`",
                "整天的写法：3d、2w，前面加负号就是提前。几点请写在 `at` 里",
            ),
        ),
        help=write(guess) if guess else (),
        mend=Mend(span, guess, sure=guesses.is_certain(text)) if guess else None,
    )


def not_a_wait(span: Span, text: str, guess: str | None) -> Problem:
    meant = did_you_mean(guess)
    return slips.in_word(text, span) or Problem(
        "E213",
        span,
        Said(f"“{text}” is not a wait I understand", f"看不懂“{text}”这种等待"),
        notes=(WAITS_LOOK_LIKE,),
        help=(meant,) if meant and " " in (guess or "") else write(guess) if guess else (),
        mend=Mend(span, guess, sure=" " not in guess and guesses.is_certain(text)) if guess else None,
    )


def not_a_time(span: Span, text: str, guess: str | None) -> Problem:
    return slips.in_word(text, span) or Problem(
        "E214",
        span,
        Said(f"“{text}” is not a time of day", f"“{text}”不是一天中的时间"),
        notes=(Said("times look like 09:30, 20:00", "时间的写法：09:30、20:00"),),
        help=write(guess) if guess else (),
        mend=Mend(span, guess, sure=guesses.is_certain(text)) if guess else None,
    )


def not_a_number(span: Span, text: str, kind: Said, guess: str | None, example: str) -> Problem:
    """`kind` completes “is not …”: “a percentage”."""
    return slips.in_word(text, span) or Problem(
        "E215",
        span,
        Said(f"“{text}” is not {kind.en}", f"“{text}”不是{kind.zh}"),
        help=write(guess or example),
        mend=Mend(span, guess, sure=False) if guess else None,
    )


def not_yes_or_no(span: Span, text: str, guess: str | None) -> Problem:
    return slips.in_word(text, span) or Problem(
        "E216",
        span,
        Said(f"“{text}” is neither yes nor no", f"“{text}”不是 yes 也不是 no"),
        help=write(guess) if guess else (Said("write yes or no", "请写 yes 或 no"),),
        mend=Mend(span, guess) if guess else None,
    )


def not_one_of(span: Span, text: str, what: Said, words: tuple[str, ...], meant: str | None = None) -> Problem:
    """`meant`: the one that was probably meant, where that is not simply the nearest."""
    meant = meant or nearest(text, words)
    return slips.in_word(text, span) or Problem(
        "E218",
        span,
        Said(f"“{text}” is not {what.en}", f"“{text}”不是{apart(what.zh)}"),
        label=did_you_mean(meant),
        notes=(Said(f"write one of: {listed(words)}", f"可以写：{listed(words)}"),),
        mend=offer(span, text, meant),
    )


def contradiction(span: Span, message: Said, help: Said, mark: Mark | None = None) -> Problem:
    return Problem("E219", span, message, help=(help,), marks=(mark,) if mark else ())


def not_a_name(span: Span, text: str, what: Said) -> Problem:
    meant = guesses.name(text)
    return slips.in_word(text, span, lambda half: half == meant) or Problem(
        "E220",
        span,
        Said(f"“{text[:80]}” cannot be {what.en}", f"“{text[:80]}”不能作为{apart(what.zh)}"),
        notes=(
            Said(
                "letters, Chinese characters, digits, `_` and `-`; at most 60",
                "可用字母、汉字、数字、`_` 和 `-`，最多 60 个",
            ),
        ),
        help=write(meant) if meant else (),
        mend=Mend(span, meant, sure=False) if meant else None,
    )


def id_twice(span: Span, step_id: str, first: Span) -> Problem:
    return Problem(
        "E221",
        span,
        Said(f"the id `{step_id}` is used twice", f"`{step_id}` 这个 id 用了两次"),
        marks=(Mark(first, Said("first used here", "第一次用在这里")),),
        help=(Said("every step of a journey has an id of its own", "旅程里每个步骤的 id 都不能相同"),),
    )


def out_of_range(span: Span, text: str, low: str, high: str) -> Problem:
    return Problem(
        "E222",
        span,
        Said(f"{text} is out of range", f"{text} 超出了范围"),
        help=(Said(f"between {low} and {high}", f"请写 {low} 到 {high} 之间的值"),),
    )


def too_long(span: Span, what: Said, limit: int) -> Problem:
    return Problem("E223", span, Said(f"{what.en} is longer than {limit} characters", f"{what.zh}超过了 {limit} 个字"))


def not_cron(span: Span, message: Said, help: Said) -> Problem:
    return Problem("E224", span, message, help=(help,))
