"""A plan in words: what changes, journey by journey, and what members on their way notice of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from rich.cells import cell_len

from engage.cli.screen import Screen, local
from engage.core.journey.diff import Gone, Kept
from engage.core.moving import What
from engage.core.release import OVER, Release
from engage.runtime.edits.moving import spell_time
from engage.runtime.edits.plan import (
    Change,
    FileStays,
    Homeless,
    JourneyPlan,
    NeedsDraft,
    NotRunning,
    Plan,
    Refusal,
    SmallerHoldout,
    StepPlan,
    Unreadable,
)

_NAME_WIDTH, _WHAT_WIDTH = 30, 16  # at least
_AT_THE_DOOR = frozenset({"start", "audience", "exclude", "per", "reentry", "canary"})
_FROM_NOW_ON = frozenset({"exit_if", "goal"})
_FOR_PEOPLE = frozenset({"journey", "owner", "note"})
_FOR_EDITS = frozenset({"on_edit"})
_IN_FORCE = frozenset({"channels"})
_SINGULAR = {"have": "has", "are": "is"}
_CHOICES = frozenset({"if", "branch", "switch", "cases", "only_if", "where", "wait_for", "since"})


@dataclass(frozen=True, slots=True)
class Row:
    """`mark`: ~ changed, > renamed, - removed, + added."""

    mark: str
    name: str
    what: str
    members: str = ""


def show_plan(screen: Screen, plan: Plan, zone: tzinfo) -> None:
    for journey in plan.journeys:
        _show_journey(screen, plan, journey, zone)
    _show_other_files(screen, plan)
    for pause in plan.pauses:
        since = local(pause.since, zone)
        why = f" ({pause.reason})" if pause.reason else ""
        screen.say(f"! {pause.scope} is paused since {since}{why}", f"! {pause.scope} 自 {since} 起暂停{why}", "yellow")
    for refusal in plan.refusals:
        screen.line("✗ " + refusal_words(screen, refusal), "bold red")


# --- a journey --------------------------------------------------------------------------------------------------


def _show_journey(screen: Screen, plan: Plan, journey: JourneyPlan, zone: tzinfo) -> None:
    crowd = journey.crowd
    now = local(plan.made_at, zone)
    change = _versions(screen, journey) if journey.id not in plan.drafts else screen.word("a draft now", "现在是草稿")
    head = f"journeys/{journey.id}.yaml   {journey.title}   {change}"
    counts = screen.word(
        f"{crowd.entered:,} entered · {crowd.live:,} in flight · now {now}",
        f"共进入 {crowd.entered:,} 人 · 在途 {crowd.live:,} 人 · 现在 {now}",
    )
    screen.line()
    screen.line(f"{head}     {counts}", "bold")
    rows = list(_rows(screen, journey))
    if rows:
        screen.line()
    names, whats = (max([least, *map(cell_len, column)]) for least, column in _columns(rows))
    for row in rows:
        screen.line(f"  {row.mark} {_padded(row.name, names)}  {_padded(row.what, whats)}  {row.members}".rstrip())
    screen.line()
    for line in _sentences(screen, plan, journey):
        screen.line(f"  {line}")


def _columns(rows: Sequence[Row]) -> tuple[tuple[int, list[str]], tuple[int, list[str]]]:
    return (_NAME_WIDTH, [row.name for row in rows]), (_WHAT_WIDTH, [row.what for row in rows])


def _versions(screen: Screen, journey: JourneyPlan) -> str:
    match journey.change:
        case Change.NEW:
            return screen.word("new", "新增")
        case Change.CHANGED:
            return f"v{journey.before} → v{journey.after}"
        case Change.RETURNED:
            return screen.word("its file is back", "文件恢复")
        case Change.DRAINED | Change.STOPPED:
            return screen.word("its file is gone", "文件已删除")


def _padded(text: str, width: int) -> str:
    """Chinese characters are two columns wide."""
    return text + " " * max(width - cell_len(text), 0)


def _rows(screen: Screen, journey: JourneyPlan) -> Iterator[Row]:
    for key in journey.keys:
        yield Row("~", key, screen.word("changed", "有改动"), _about_key(screen, key))
    for step in journey.steps:
        yield from _step_rows(screen, step, pinned=bool(journey.pins))
    for step_id in journey.added:
        ahead = screen.word("for whoever gets there", "之后走到这里的会员会经过")
        yield Row("+", step_id, screen.word("added", "新增"), ahead)


def _about_key(screen: Screen, key: str) -> str:
    if key in _AT_THE_DOOR:
        return screen.word("for new entrants; nobody is re-enrolled", "只对之后进入的会员有效，不会重新进入")
    if key in _FROM_NOW_ON:
        return screen.word("from now on, for members on their way, too", "从现在起生效，在途会员也一样")
    if key == "holdout":
        return screen.word("for new entrants; everybody keeps their group", "只对之后进入的会员有效，已有的分组不变")
    if key in _FOR_PEOPLE:
        return screen.word("for people to read", "只是给人看的说明")
    if key in _FOR_EDITS:
        return screen.word("for this edit and later ones", "对这次和之后的修改有效")
    if key in _IN_FORCE:
        return screen.word("for messages that go out from now on", "对之后发出的消息有效")
    return screen.word("for messages queued from now on", "对之后产生的消息有效")


# --- a step -----------------------------------------------------------------------------------------------------


def _step_rows(screen: Screen, step: StepPlan, *, pinned: bool) -> Iterator[Row]:
    match step.fate:
        case Gone(old=old):
            yield Row("-", old, screen.word("removed", "删除"), "" if pinned else _gone_words(screen, step, step.fate))
        case Kept() as kept:
            if kept.renamed:
                renamed = screen.word(f"renamed {kept.new}", f"改名为 {kept.new}")
                yield Row(">", kept.old, renamed, _standing(screen, step.standing) if step.standing else "")
            if kept.times is not None:
                times = " → ".join(spell_time(time) for time in kept.times)
                yield Row("~", kept.new, f"{kept.timed_by} {times}", "" if pinned else _timed_words(screen, step))
            if kept.afresh:
                other = screen.word("another kind of step", "换成了另一种步骤")
                yield Row("~", kept.new, other, "" if pinned else _afresh_words(screen, step))
            if kept.changed:
                yield Row("~", kept.new, ", ".join(kept.changed), _option_words(screen, kept.changed))


def _standing(screen: Screen, standing: int) -> str:
    if not standing:
        return screen.word("nobody is there", "目前没有人")
    return screen.word(f"{standing:,} waiting", f"{standing:,} 人在等待")


def _timed_words(screen: Screen, step: StepPlan) -> str:
    retimed, past = step.moved.get(What.RETIMED, 0), step.moved.get(What.PAST, 0)
    parts = []
    if retimed:
        parts.append(screen.word(f"{retimed:,} re-timed from when they started", f"{retimed:,} 人从开始等待时重新计时"))
    if past:
        parts.append(screen.word(f"{past:,} already past it", f"{past:,} 人已超过新的期限"))
    if not parts:
        return _standing(screen, step.standing)
    return _standing(screen, step.standing) + screen.word(": ", "：") + screen.word(", ", "，").join(parts)


def _gone_words(screen: Screen, step: StepPlan, gone: Gone) -> str:
    unsent = screen.word(
        f"; {step.unsent:,} messages that wait to be sent are dropped", f"；{step.unsent:,} 条尚未发出的消息将取消"
    )
    tail = unsent if step.unsent else ""
    if not step.standing:
        return _standing(screen, 0) + tail
    onward = (
        screen.word(f"go on to `{gone.to}`", f"接着走 `{gone.to}`")
        if gone.to is not None
        else screen.word("the journey ends for them", "旅程到此结束")
    )
    if gone.homeless:
        onward = screen.word("say where they go", "请写明他们去哪里")
    return screen.word(f"{step.standing:,} waiting here → {onward}", f"{step.standing:,} 人停在这里 → {onward}") + tail


def _afresh_words(screen: Screen, step: StepPlan) -> str:
    begun = step.moved.get(What.AFRESH, 0)
    if not begun:
        return _standing(screen, 0)
    return screen.word(f"{begun:,} waiting here begin it", f"停在这里的 {begun:,} 人从头开始这一步")


def _option_words(screen: Screen, options: Sequence[str]) -> str:
    if "ways" in options:
        return screen.word("members keep their way", "已分好组的会员不变")
    if _CHOICES.intersection(options):
        return screen.word("only decisions from now on", "只影响之后的判断")
    return screen.word("from the next time on", "从下一次起用新的")


# --- what it comes to -------------------------------------------------------------------------------------------


def _sentences(screen: Screen, plan: Plan, journey: JourneyPlan) -> Iterator[str]:
    match journey.change:
        case Change.NEW:
            yield from _who_enters(screen, plan, journey)
        case Change.RETURNED:
            yield screen.word("Members enter again.", "重新接收会员进入。")
        case Change.DRAINED:
            yield from _drains(screen, journey)
        case Change.STOPPED:
            yield screen.word(
                f"{journey.stops:,} in flight end now; what is not sent yet is cancelled.",
                f"在途的 {journey.stops:,} 人现在结束，尚未发出的消息取消。",
            )
        case Change.CHANGED:
            yield from _moves(screen, plan, journey)


def _who_enters(screen: Screen, plan: Plan, journey: JourneyPlan) -> Iterator[str]:
    if not journey.would_enter:
        yield screen.word("Members enter from now on.", "从现在起接收会员进入。")
    elif plan.terms.existing:
        yield screen.word(
            f"{journey.would_enter:,} members who are in its segment already enter now.",
            f"已经在这个人群里的 {journey.would_enter:,} 人现在就进入。",
        )
    else:
        yield screen.word(
            f"{journey.would_enter:,} members who are in its segment already stay out; --existing lets them in.",
            f"已经在这个人群里的 {journey.would_enter:,} 人不会进入；加 --existing 可让他们进入。",
        )


def _drains(screen: Screen, journey: JourneyPlan) -> Iterator[str]:
    yield screen.word("Nobody enters any more.", "不再接收会员进入。")
    if journey.crowd.live:
        yield screen.word(
            f"{journey.crowd.live:,} in flight finish. To end them now instead:  --stop {journey.id}",
            f"在途的 {journey.crowd.live:,} 人走完为止。要让他们现在就结束：  --stop {journey.id}",
        )


def _moves(screen: Screen, plan: Plan, journey: JourneyPlan) -> Iterator[str]:
    if journey.pins:
        who = _customers(journey.pins, "finish")
        yield screen.word(
            f"{who} v{journey.before} (`on_edit: pin`); v{journey.after} is for who comes.",
            f"在途的 {journey.pins:,} 人按 v{journey.before} 走完（`on_edit: pin`），v{journey.after} 给之后来的会员。",
        )
        return
    if journey.crowd.pinned:
        yield screen.word(
            f"{_customers(journey.crowd.pinned, 'finish')} an earlier version, as before.",
            f"{journey.crowd.pinned:,} 人按更早的版本走完，不变。",
        )
    untouched = journey.crowd.live - journey.crowd.pinned - journey.affected
    if untouched:
        yield screen.word(
            f"{_customers(untouched, 'sit')} at unchanged steps and {_alike(untouched, 'notice')} nothing.",
            f"{untouched:,} 人停在没有改动的步骤上，不受影响。",
        )
    yield from _at_once(screen, plan, journey)
    yield from _perhaps_renamed(screen, journey)
    yield screen.word(
        "Nobody re-enters. Nobody gets a step twice. Holdout and A/B arms keep their assignment.",
        "没有人会重新进入，没有人会重复经过同一步。对照组和 A/B 分组保持不变。",
    )


def _at_once(screen: Screen, plan: Plan, journey: JourneyPlan) -> Iterator[str]:
    if journey.at_once and plan.terms.release is not Release.KEEP:
        yield screen.word(
            f"! {_customers(journey.at_once, 'would move')} on at once{_next_en(journey)}.",
            f"! {journey.at_once:,} 人会立刻往下走{_next_zh(journey)}。",
        )
        yield from _release_words(screen, plan)
    timed = any(isinstance(step.fate, Kept) and step.fate.times for step in journey.steps)
    if plan.terms.release is Release.KEEP and (timed or journey.at_once):
        yield screen.word("Waiting customers finish the old wait.", "正在等待的会员按原来的期限等完。")


def _perhaps_renamed(screen: Screen, journey: JourneyPlan) -> Iterator[str]:
    for step in journey.steps:
        if isinstance(step.fate, Gone) and step.fate.perhaps and not step.fate.homeless:
            old, new = step.fate.old, step.fate.perhaps
            yield screen.word(
                f"Is `{new}` the step that was `{old}`? Then write there:  was: {old}",
                f"`{new}` 就是原来的 `{old}` 吗？如果是，请在那里写：  was: {old}",
            )


def _customers(count: int, verb: str) -> str:
    """`1 customer finishes`, `2 customers finish`."""
    return f"{count:,} customer{'' if count == 1 else 's'} {_alike(count, verb)}"


def _members(count: int, verb: str) -> str:
    return f"{count:,} member{'' if count == 1 else 's'} {_alike(count, verb)}"


def _alike(count: int, verb: str) -> str:
    if count != 1 or " " in verb:
        return verb
    if verb in _SINGULAR:
        return _SINGULAR[verb]
    return f"{verb}es" if verb.endswith("sh") else f"{verb}s"


def _next_en(journey: JourneyPlan) -> str:
    ahead = journey.next_messages
    told = [f"{count:,} of them get `{name}`" for name, count in sorted(ahead.sure.items())]
    if ahead.perhaps:
        told.append(f"up to {ahead.perhaps:,} get {' or '.join(f'`{name}`' for name in ahead.names)}")
    return "; " + ", ".join(told) if told else ""


def _next_zh(journey: JourneyPlan) -> str:
    ahead = journey.next_messages
    told = [f"其中 {count:,} 人收到 `{name}`" for name, count in sorted(ahead.sure.items())]
    if ahead.perhaps:
        told.append(f"最多 {ahead.perhaps:,} 人收到 {' 或 '.join(f'`{name}`' for name in ahead.names)}")
    return "，" + "，".join(told) if told else ""


def _release_words(screen: Screen, plan: Plan) -> Iterator[str]:
    if plan.terms.release is Release.NOW:
        yield screen.word("  They go on now, all of them.", "  他们现在一起往下走。")
        return
    hours, most = OVER.total_seconds() / 3600, plan.rules.pace.most_an_hour
    yield screen.word(
        f"  They are released over {hours:.0f}h inside sending hours (max {most}/h), not in one burst.",
        f"  他们会在 {hours:.0f} 小时内、可发送的时段里分批往下走（每小时最多 {most} 人），不会一次涌出。",
    )
    yield screen.word(
        "  Change this with  --release now|24h|keep-old-times   (keep-old-times = let waiting customers finish the old"
        " wait)",
        "  可用  --release now|24h|keep-old-times  更改（keep-old-times：正在等待的会员按原来的期限等完）",
    )


def _show_other_files(screen: Screen, plan: Plan) -> None:
    if not plan.other_files:
        return
    screen.line()
    for path in plan.other_files:
        mark = "+" if plan.before[path] is None else "-" if plan.files[path] is None else "~"
        screen.line(f"  {mark} {path}")
    screen.say("  New words are used for what is worded from now on.", "  之后写成的消息用新的内容。")


# --- what stands in the way -------------------------------------------------------------------------------------


def refusal_words(screen: Screen, refusal: Refusal) -> str:
    match refusal:
        case Homeless():
            return _homeless_words(screen, refusal)
        case SmallerHoldout(journey_id, before, after, held_out):
            return screen.word(
                f"{journey_id}: the holdout can grow, not shrink ({before}% → {after}%): {_members(held_out, 'have')}"
                f" been in it, and some would get messages now. Leave it at {before}%, or give it up: `holdout: 0%`",
                f"{journey_id}：对照组只能变大，不能变小（{before}% → {after}%）：已有 {held_out:,} 人在对照组里，"
                f"缩小后其中一些人会开始收到消息。请保持 {before}%，或写 `holdout: 0%` 不再设对照组",
            )
        case Unreadable(journey_id, version, members, problem):
            return screen.word(
                f"{journey_id} v{version}: {_members(members, 'are')} to finish it, and the new catalog has not all of"
                f" its words: {problem.message.en}",
                f"{journey_id} v{version}：还有 {members:,} 人要走完它，而新的词表缺少它用到的词：{problem.message.zh}",
            )
        case FileStays(journey_id):
            return screen.word(
                f"--stop {journey_id}: its file is still there. Delete journeys/{journey_id}.yaml first;"
                f" `engage pause journey:{journey_id}` only holds its messages back",
                f"--stop {journey_id}：它的文件还在。请先删除 journeys/{journey_id}.yaml；"
                f"只想暂停发送，用 `engage pause journey:{journey_id}`",
            )
        case NotRunning(journey_id):
            return screen.word(
                f"--stop {journey_id}: no such journey runs", f"--stop {journey_id}：没有在运行的这个旅程"
            )
        case NeedsDraft(problem):
            place = f"{problem.span.file}:{problem.span.line}"
            return screen.word(
                f"{place}: without the drafts, {problem.message.en}. Apply the draft, too, or leave this out",
                f"{place}：不算草稿的话，{problem.message.zh}。请让草稿也生效，或去掉这一处",
            )


def _homeless_words(screen: Screen, refusal: Homeless) -> str:
    journey_id, step_id, members = refusal.journey_id, refusal.step_id, refusal.members
    words = screen.word(
        f"{journey_id}: {members:,} at `{step_id}`, and the whole way they are on is gone. Say where they belong, in"
        f" journeys/{journey_id}.yaml:  moved_to: {{ {step_id}: <a step> }}",
        f"{journey_id}：{members:,} 人停在 `{step_id}`，而他们所在的整条分支已经删除。请在 journeys/{journey_id}.yaml"
        f" 里写明他们去哪里：  moved_to: {{ {step_id}: <步骤> }}",
    )
    if refusal.perhaps is None:
        return words
    return words + screen.word(
        f"\n  or, if it is `{refusal.perhaps}` now, write there:  was: {step_id}",
        f"\n  如果它现在叫 `{refusal.perhaps}`，请在那里写：  was: {step_id}",
    )


def say_how_to_apply(screen: Screen, plan: Plan) -> None:
    screen.line()
    screen.say(
        f"Plan saved as {plan.id}. Apply with:  engage apply {plan.id}",
        f"计划已保存为 {plan.id}。应用请运行：  engage apply {plan.id}",
    )
