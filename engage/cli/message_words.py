"""The words of a message: what it was, what became of it, and what would become of one that is still to go out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import assert_never

from rich.text import Text

from engage.cli.explain_words import short
from engage.cli.reasons import reason_in
from engage.cli.screen import Screen
from engage.core.delivery import Status
from engage.core.redaction import redacted
from engage.core.turn import Purpose
from engage.runtime.dispatching.judge import Clear, Later, Overtaken, Skip, Verdict
from engage.runtime.insight.explaining import Line, Story
from engage.runtime.insight.foresight import Ahead
from engage.store import state
from engage.store.insight.history import Happening, PastMessage

_MOST_WORDS = 48  # characters of the text that are quoted

_VERBS = {
    Purpose.SEND: ("send", "发送"),
    Purpose.ASK: ("ask", "提问"),
    Purpose.REMIND: ("remind of", "提醒"),
    Purpose.COMMENT: ("ask for words on", "请写原因"),
    Purpose.CONFIRM: ("confirm", "确认"),
}


def message_words(screen: Screen, story: Story, message: PastMessage) -> Text:
    text = Text(_what(screen, message.purpose, message.hop, message.template, message.step_id), "bold")
    if message.first_sent_at is not None and message.channel is not None:
        text.append(screen.word(f" via {message.channel}", f"，经 {message.channel}"), "bold")
    said, style = _outcome(screen, story, message)
    # The number by which `engage trace` knows it.
    return text.append(said, style).append(screen.word(f" · delivery {message.id}", f" · 投递 {message.id}"), "dim")


def _what(screen: Screen, purpose: str, hop: int, template: str, step_id: str | None) -> str:
    name = template if purpose == Purpose.SEND else step_id or template
    if purpose == Purpose.SEND and hop > 0:
        return screen.word(f"fall back with {name}", f"换渠道发送 {name}")
    return f"{screen.word(*_VERBS[Purpose(purpose)])} {name}"


# --- what became of it ------------------------------------------------------------------------------------------


def _outcome(screen: Screen, story: Story, message: PastMessage) -> tuple[str, str]:
    """And how that looks."""
    why = reason_in(message.reason or "", screen.lang)
    because = screen.word(f": {why}", f"：{why}") if why else ""
    match Status(message.status):
        case Status.SENT:
            return _arrival(screen, story, message), "default"
        case Status.SKIPPED:
            return screen.word(f" — skipped{because}", f" —— 跳过{because}"), "yellow"
        case Status.CANCELLED:
            return screen.word(f" — cancelled{because}", f" —— 取消{because}"), "dim"
        case Status.FAILED:
            return screen.word(f" — failed{because}", f" —— 失败{because}"), "red"
        case Status.AMBIGUOUS:
            said = screen.word(f" — ambiguous, it may have arrived{because}", f" —— 结果不明，可能已送达{because}")
            return said + _sent_again(screen, story, message), "yellow"
        case Status.PENDING | Status.CLAIMED | Status.SENDING as status:
            if message.reason == "paused" or any(pause.scope == state.ALL for pause in story.pauses):
                return screen.word(" — ", " —— ") + _while_paused(screen), "cyan"
            until = short(story, message.due_at) if message.due_at is not None else status
            return screen.word(f" — waits until {until}{because}", f" —— 等到 {until}{because}"), "cyan"


def _while_paused(screen: Screen) -> str:
    """That it is looked at again every minute is nobody's business."""
    return screen.word("waits as long as it is paused", "暂停期间不发出")


def _sent_again(screen: Screen, story: Story, message: PastMessage) -> str:
    if message.due_at is None:
        return ""
    at = short(story, message.due_at)
    return screen.word(f"; sent again {at} unless it is heard of", f"；若无回执，{at} 重发")


def _arrival(screen: Screen, story: Story, message: PastMessage) -> str:
    """What receipts said later; when it went out if that was not at once, and what had held it back."""
    parts = []
    if (
        message.first_sent_at is not None
        and message.hop == 0
        and short(story, message.first_sent_at) != short(story, message.queued_at)
    ):
        at = short(story, message.first_sent_at)
        parts.append(screen.word(f"went out {at}", f"{at} 发出") + _held_back(screen, message))
    if message.arrival is not None:
        parts.append(screen.word(*_ARRIVALS[message.arrival]))
    if message.attempts > 1:
        parts.append(screen.word(f"{message.attempts} attempts", f"尝试 {message.attempts} 次"))
    listed = screen.word(", ", "，").join(parts)
    return screen.word(f" ({listed})", f"（{listed}）") if parts else ""


_ARRIVALS = {
    "delivered": ("delivered", "已送达"),
    "deferred": ("not yet", "延迟"),
    "bounced": ("bounced", "被退回"),
}


def _held_back(screen: Screen, message: PastMessage) -> str:
    if message.held_back is None:
        return ""
    why = reason_in(message.held_back, screen.lang)
    return screen.word(f" ({why})", f"（{why}）")


# --- the lines below it -----------------------------------------------------------------------------------------


def words_of(message: PastMessage) -> Text | None:
    """What the member read, in its beginning."""
    if not message.text:
        return None
    first = next((line.strip() for line in redacted(message.text).splitlines() if line.strip()), "")
    quoted = first if len(first) <= _MOST_WORDS else f"{first[:_MOST_WORDS]}…"
    return Text(f"“{quoted}”", "italic")


def aftermath(screen: Screen, story: Story, line: Line) -> Iterator[Text]:
    """What the member did with it, a code of the provider's, and what had used up the frequency cap."""
    message = line.message
    if message is None:
        return
    came = [_response(screen, story, happening) for happening in line.came if happening.name != message.arrival]
    if came:
        yield Text("→ " + screen.word(", ", "，").join(came), "green")
    if message.code and message.arrival != "delivered" and message.code not in (message.reason or ""):
        yield Text(screen.word(f"the provider says {message.code}", f"服务商代码 {message.code}"), "dim")
    if line.spent_on:
        yield Text(_spent_on(screen, story, line.spent_on), "yellow")


_RESPONSES = {
    "delivered": ("delivered", "已送达"),
    "opened": ("opened", "打开"),
    "clicked": ("clicked", "点击"),
    "replied": ("replied", "回复"),
    "answered": ("answered", "作答"),
    "bounced": ("bounced", "被退回"),
    "complained": ("complained", "投诉"),
    "unsubscribed": ("unsubscribed", "退订"),
    "task_done": ("task closed", "任务完成"),
}


def _response(screen: Screen, story: Story, happening: Happening) -> str:
    payload = happening.payload
    said = payload.get("link") or payload.get("text") or payload.get("score") or payload.get("code")
    what = screen.word(*_RESPONSES.get(happening.name, (happening.name, happening.name)))
    return f"{what}{f' “{said}”' if said is not None else ''} {short(story, happening.at)}"


def _spent_on(screen: Screen, story: Story, spent: Sequence[PastMessage]) -> str:
    listed = [
        f"{message.journey_id or '—'} › {message.template} {short(story, message.first_sent_at)}"
        for message in spent
        if message.first_sent_at is not None
    ]
    return screen.word("used up by ", "已用于 ") + screen.word(", ", "，").join(listed)


# --- what would become of it ------------------------------------------------------------------------------------


def ahead_words(screen: Screen, story: Story, ahead: Ahead) -> Text:
    """Of a message that is to come."""
    message = ahead.message
    if message is None:
        raise AssertionError("only of messages")
    text = Text(_what(screen, message.purpose, message.hop, message.template, message.step_id), "bold")
    if ahead.verdict is None:
        return text.append(screen.word(" — withheld: holdout", " —— 对照组：不发送"), "yellow")

    verdict = verdict_words(screen, ahead.verdict, lambda moment: short(story, moment))
    return text.append(screen.word(" — ", " —— ")).append(verdict)


def verdict_words(screen: Screen, verdict: Verdict, when: Callable[[datetime], str]) -> str:
    """What the judge says of a message that has not gone out."""
    match verdict:
        case Clear(channel=channel):
            return screen.word(f"would be sent via {channel}", f"会经 {channel} 发出")
        case Later(why="paused"):
            return _while_paused(screen)
        case Later(until=until, why=why):
            why, at = reason_in(why, screen.lang), when(until)
            return screen.word(f"waits until {at}: {why}", f"推迟到 {at}：{why}")
        case Skip(why=why):
            return screen.word(f"would be skipped: {why}", f"会跳过：{reason_in(why, screen.lang)}")
        case Overtaken(why=why):
            return screen.word(f"would be cancelled: {why}", f"会取消：{reason_in(why, screen.lang)}")
        case _:
            assert_never(verdict)
