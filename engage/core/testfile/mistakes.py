"""Mistakes that only a test file can make (codes E5xx). What it shares with journeys is in `core.journey`."""

from __future__ import annotations

from collections.abc import Iterable

from engage.core.journey.mistakes import did_you_mean, listed
from engage.core.journey.vocabulary import nearest
from engage.core.problem import Mark, Problem, Said, Span

_WHENS = "95d ago · 30h ago · now · in 30d · 2026-08-01 · 2026-08-01 10:00"


def not_a_day_time(span: Span, text: str) -> Problem:
    return Problem(
        "E501",
        span,
        Said(f"“{text}” is not a moment of the test", f"“{text}”不是测试里的时刻"),
        help=(
            Said(
                "write day 2 09:00: day 0 is the day of `clock`",
                "请写 day 2 09:00；day 0 就是 `clock` 那一天",
            ),
        ),
    )


def not_a_clock(span: Span, text: str) -> Problem:
    return Problem(
        "E502",
        span,
        Said(f"“{text}” is not a date and time", f"“{text}”不是日期加时间"),
        help=(Said("write 2026-11-23 10:00", "请写 2026-11-23 10:00"),),
    )


def not_a_when(span: Span, text: str) -> Problem:
    return Problem(
        "E502",
        span,
        Said(f"“{text}” is not a moment I understand", f"看不懂“{text}”这个时间"),
        notes=(Said(f"moments look like {_WHENS}", f"时间的写法：{_WHENS}"),),
    )


def unknown_member(span: Span, name: str, known: Iterable[str]) -> Problem:
    names = tuple(known)
    return Problem(
        "E503",
        span,
        Said(f"there is no member `{name}` in this file", f"这个文件的 members 里没有 `{name}`"),
        label=did_you_mean(nearest(name, names)),
        notes=(Said(f"members here: {listed(names)}", f"这里的会员：{listed(names)}"),) if names else (),
    )


def other_journey(span: Span, name: str, stem: str) -> Problem:
    return Problem(
        "E504",
        span,
        Said(
            f"this file is named after `{stem}`, and tests `{name}`",
            f"文件名是 `{stem}`，里面测试的却是 `{name}`",
        ),
        help=(Said(f"rename it to {name}.test.yaml", f"请改名为 {name}.test.yaml"),),
    )


def name_twice(span: Span, name: str, first: Span) -> Problem:
    return Problem(
        "E505",
        span,
        Said(f"two tests are called “{name}”", f"有两个测试都叫“{name}”"),
        marks=(Mark(first, Said("the first one", "第一个在这里")),),
        help=(Said("give each a name of its own", "请给每个测试起不同的名字"),),
    )


def what_happens(span: Span, verbs: tuple[str, ...]) -> Problem:
    return Problem(
        "E506",
        span,
        Said("this line does not say what happens", "这一行没有写发生了什么"),
        notes=(Said(f"write one of: {listed(verbs)}", f"可以写：{listed(verbs)}"),),
    )


def one_verb(span: Span, verbs: tuple[str, ...]) -> Problem:
    return Problem(
        "E506",
        span,
        Said("one line says one thing", "一行只写一件事"),
        label=Said(f"here are {listed(verbs)}", f"这里写了 {listed(verbs)}"),
        help=(Said("make a line of each", "请分成几行"),),
    )


def does_not_fit_start(span: Span, word: str, why: Said) -> Problem:
    return Problem("E507", span, Said(f"`{word}` has no place here: {why.en}", f"这里不能写 `{word}`：{why.zh}"))


def no_address(span: Span, name: str, channel: str) -> Problem:
    return Problem(
        "E508",
        span,
        Said(f"{name} has no {channel} in this file", f"这个文件里的 {name} 没有 {channel}"),
        help=(Said(f"write `{channel}: yes` for the member", f"请给这位会员写上 `{channel}: yes`"),),
    )


def cannot_be_told(span: Span, event: str) -> Problem:
    return Problem(
        "E509",
        span,
        Said(f"`{event}` is not told from outside", f"`{event}` 不是从外面报来的"),
        help=(
            Said(
                "it follows by itself: write what the member does (answer, text, follow), or what the shop tells (set)",
                "它会自己发生：请写会员做了什么（answer、text、follow），或商家改了什么（set）",
            ),
        ),
    )


def unknown_name(span: Span, verb: str, name: str, known: Iterable[str]) -> Problem:
    """An expectation that nothing could ever meet."""
    names = tuple(known)
    few = Said(f"there are: {listed(names)}", f"现有：{listed(names)}") if 0 < len(names) <= 12 else None
    return Problem(
        "E510",
        span,
        Said(f"no journey has `{verb}: {name}`", f"没有哪个旅程会有 `{verb}: {name}`"),
        label=did_you_mean(nearest(name, names)),
        notes=(few,) if few else (),
    )


def not_changes(span: Span, text: str) -> Problem:
    return Problem(
        "E511",
        span,
        Said(f"“{text}” is not a change", f"“{text}”不是一处改动"),
        help=(
            Said(
                "write { add: { tag: VIP } }, or “add tag=VIP; set lifecycle=活跃; remove tag=新客”",
                "请写 { add: { tag: VIP } }，或“add tag=VIP; set lifecycle=活跃; remove tag=新客”",
            ),
        ),
    )


def unknown_zone(span: Span, text: str) -> Problem:
    return Problem(
        "E512",
        span,
        Said(f"there is no time zone “{text}”", f"没有“{text}”这个时区"),
        help=(Said("write a name like Asia/Shanghai", "请写 Asia/Shanghai 这样的名字"),),
    )


def after_the_end(span: Span, text: str, until: int) -> Problem:
    return Problem(
        "E513",
        span,
        Said(f"{text} is after the test has ended", f"{text} 晚于测试结束的时间"),
        help=(
            Said(f"`until: day {until}` ends it: make it later", f"`until: day {until}` 那天测试就结束了，请写晚一些"),
        ),
    )


def not_yet(span: Span, text: str) -> Problem:
    return Problem(
        "E513",
        span,
        Said(f"“{text}” is after the test begins", f"“{text}”晚于测试开始的时间"),
        help=(Said("what happens during the test goes to `when`", "测试期间发生的事请写在 `when` 里"),),
    )


def kept_from_events(span: Span, field: str) -> Problem:
    return Problem(
        "E305",
        span,
        Said(
            f"the shop cannot set `{field}`: Engage keeps it from events",
            f"商家不能修改 `{field}`：它由系统根据事件计算",
        ),
        help=(Said("let the event happen: `event: …`", "请让事件发生：`event: …`"),),
    )


def not_an_address(span: Span, text: str, channel: str) -> Problem:
    example = {"sms": "+8613800138000", "email": "wang@example.com"}[channel]
    return Problem(
        "E508",
        span,
        Said(f"“{text}” is not an address of {channel}", f"“{text}”不是 {channel} 的地址"),
        help=(Said(f"write {example}, or `yes`", f"请写 {example}，或者 `yes`"),),
    )


def in_the_past(span: Span, text: str) -> Problem:
    return Problem(
        "E513",
        span,
        Said(f"{text} is before the test begins", f"{text} 早于测试开始的时间"),
        help=(
            Said(
                "what was before `clock` belongs to the member: `history`, or a field",
                "`clock` 之前的事请写在会员下面：用 `history` 或字段",
            ),
        ),
    )
