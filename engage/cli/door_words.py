"""The words of a journey's door: what would let a member in, what does not, and how each line of a condition reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.cells import cell_len
from rich.text import Text

from engage.cli.reasons import reason_in
from engage.cli.screen import Screen
from engage.core.problem import Said
from engage.runtime.insight.door import Check, Door, Part
from engage.store.statements.readings import Reading

_PARTS: Mapping[Part, Said] = {
    Part.JOURNEY: Said("journey", "旅程"),
    Part.START: Said("start", "开始"),
    Part.AUDIENCE: Said("audience", "受众"),
    Part.EXCLUDE: Said("exclude", "排除"),
    Part.REENTRY: Said("reentry", "再次进入"),
    Part.HOLDOUT: Said("holdout", "对照组"),
}
_MARKS = {True: ("✓", "green"), False: ("✗", "red"), None: ("·", "cyan")}
_NOTHING = Said("nothing on file", "没有记录")

# By `Check.why`; {…} are the check's facts.
WHYS: Mapping[str, Said] = {
    "draining": Said("its file is gone, or is a draft: nobody enters any more", "文件已删除，或是草稿：不再有人进入"),
    "event_never": Said("{event} has never happened", "从未发生过 {event}"),
    "event_misses": Said(
        "{event} happened ({times}×, last {at}), but its `where` does not hold",
        "发生过 {event}（{times} 次，最近 {at}），但不符合 where",
    ),
    "event_fresh": Said("{event} happened {at}, and will be looked at next", "{event} 发生于 {at}，马上会处理"),
    "event_before": Said(
        "{event} happened {at}, before this journey was first applied ({applied})",
        "{event} 发生于 {at}，早于旅程首次生效（{applied}）",
    ),
    "event_late": Said(
        "{event} happened {at} and was told {recorded_at}, more than a day later: history starts nothing",
        "{event} 发生于 {at}，{recorded_at} 才得知，超过一天：历史不会触发旅程",
    ),
    "event_lacks_key": Said(
        "{event} came {at} without `{key}`, which tells runs apart", "{event} 在 {at} 到来，但缺少区分各次的 `{key}`"
    ),
    "event_came": Said("{event} happened {at}", "{event} 发生于 {at}"),
    "segment_not_in": Said("not in the segment {segment}", "不在人群 {segment} 中"),
    "segment_about_to": Said(
        "belongs to the segment {segment}, and is taken in at the next look", "符合人群 {segment}，下次检查时进入"
    ),
    "segment_before": Said(
        "in the segment {segment} since {since}, before this journey was first applied ({applied}): only entering "
        "counts (`engage apply --existing`)",
        "{since} 起就在人群 {segment} 中，早于旅程首次生效（{applied}）：只有新进入才算（`engage apply --existing`）",
    ),
    "segment_entered": Said("entered the segment {segment} {at}", "{at} 进入人群 {segment}"),
    "date_unknown": Said("{field} is not on file", "没有 {field} 的记录"),
    "date_other_calendar": Said(
        "{field} is on file in the other calendar than {calendar}", "{field} 的历法不是 {calendar}"
    ),
    "date_none_ahead": Said("{field} is not celebrated in the next 20 years", "今后 20 年都不过 {field}"),
    "date_ahead": Said("next {next} (last {last})", "下次 {next}（上次 {last}）"),
    "time_ahead": Said("next {next}", "下次 {next}"),
    "by_hand": Said("only by `enroll` or by hand", "只能由 enroll 或人工加入"),
    "audience_yes": Said("lets them in", "符合"),
    "audience_no": Said("does not let them in", "不符合"),
    "exclude_yes": Said("leaves them out", "属于排除范围"),
    "exclude_no": Said("does not concern them", "不在排除范围"),
    "barred": Said("{reason}", "{reason}"),
    "held_out": Said(
        "would be in the holdout ({percent}%): measured, not sent to", "会分到对照组（{percent}%）：只衡量，不打扰"
    ),
}


def check_words(screen: Screen, check: Check, when: Callable[[datetime], str]) -> str:
    facts = {name: _fact(screen, name, value, when) for name, value in check.facts.items()}
    said = WHYS[check.why].in_(screen.lang).format(**facts)
    per = check.facts.get("per")
    return f"{said} ({per})" if per else said


def _fact(screen: Screen, name: str, value: Any, when: Callable[[datetime], str]) -> str:
    match value:
        case datetime():
            return when(value)
        case None:
            return "—"
        case _:
            return reason_in(value, screen.lang) if name == "reason" else str(value)


def first_obstacle(screen: Screen, door: Door, when: Callable[[datetime], str]) -> str:
    """In one line: what is in the way, else what it waits for."""
    shut = [check for check in door.checks if check.holds is False]
    open_still = [check for check in door.checks if check.holds is None]
    first = next(iter([*shut, *open_still, *door.checks]))
    missing = next((line.line for line in first.lines if _is_in_the_way(first, line)), None)
    part, why = _PARTS[first.part].in_(screen.lang), check_words(screen, first, when)
    said = screen.word(f"{part}: {why}", f"{part}：{why}")
    if missing is None or first.holds is not False:
        return said
    return screen.word(f"{said} ({missing})", f"{said}（{missing}）")


def _is_in_the_way(check: Check, line: Reading) -> bool:
    return line.holds is (check.part is Part.EXCLUDE)


def door_lines(screen: Screen, door: Door, when: Callable[[datetime], str]) -> Iterator[Text]:
    """Check by check, each followed by the lines of its condition."""
    width = max(cell_len(_PARTS[check.part].in_(screen.lang)) for check in door.checks)
    for check in door.checks:
        mark, style = _MARKS[check.holds]
        part = padded(_PARTS[check.part].in_(screen.lang), width)
        yield Text(f"{mark} {part}  ", style).append(check_words(screen, check, when), "default")
        yield from reading_lines(screen, check.lines, when, indent=width + 4)


def reading_lines(
    screen: Screen, lines: Sequence[Reading], when: Callable[[datetime], str], indent: int = 0
) -> Iterator[Text]:
    """✗ spent: 3000..   1288"""
    width = max((2 * line.depth + cell_len(line.line) for line in lines if line.about), default=0)
    for line in lines:
        mark, style = _MARKS[line.holds]
        shown = Text(" " * (indent + 2 * line.depth)).append(f"{mark} ", style).append(line.line)
        if line.about:
            shown.append(" " * (width - 2 * line.depth - cell_len(line.line)))
            shown.append(f"   {_on_file(screen, line.value, when)}", "dim")
        yield shown


def _on_file(screen: Screen, value: Any, when: Callable[[datetime], str]) -> str:
    match value:
        case None | []:
            return _NOTHING.in_(screen.lang)
        case bool():
            return screen.word("yes", "是") if value else screen.word("no", "否")
        case list():
            return screen.word(", ", "、").join(value)
        case str() if (moment := _as_moment(value)) is not None:
            return when(moment)
        case _:
            return str(value)


def _as_moment(value: str) -> datetime | None:
    """A moment as JSON keeps it. Calendar days stay as they are."""
    try:
        moment = datetime.fromisoformat(value) if "T" in value else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


def padded(text: str, width: int) -> str:
    """Chinese characters are two columns wide."""
    return text + " " * (width - cell_len(text))
