"""The words of a trail: one sentence for each step a run took, and for each message and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from rich.text import Text

from engage.cli.reasons import reason_in
from engage.cli.screen import Screen
from engage.core.advance import Purpose
from engage.core.delivery import Status
from engage.runtime.explaining import Line, Story
from engage.store.history import PastMessage


def short(story: Story, moment: datetime) -> str:
    """In the member's own time."""
    return f"{moment.astimezone(story.zone):%m-%d %H:%M}"


# --- messages ---------------------------------------------------------------------------------------------------

_VERBS = {
    Purpose.SEND: ("send", "发送"),
    Purpose.ASK: ("ask", "提问"),
    Purpose.REMIND: ("remind of", "提醒"),
    Purpose.COMMENT: ("ask for words on", "请写原因"),
    Purpose.CONFIRM: ("confirm", "确认"),
}


def message_words(screen: Screen, story: Story, message: PastMessage) -> Text:
    name = message.template if message.purpose == Purpose.SEND else message.step_id or message.template
    verb = screen.word(*_VERBS[Purpose(message.purpose)])
    if message.purpose == Purpose.SEND and message.hop > 0:
        verb = screen.word("fall back with", "换渠道发送")
    text = Text(f"{verb} {name}", "bold")
    if message.first_sent_at is not None and message.channel is not None:
        text.append(screen.word(f" via {message.channel}", f"，经 {message.channel}"), "bold")
    said, style = _outcome(screen, story, message)
    return text.append(said, style)


def _outcome(screen: Screen, story: Story, message: PastMessage) -> tuple[str, str]:
    """What became of it, and how that looks."""
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
            return said, "yellow"
        case Status.PENDING | Status.CLAIMED | Status.SENDING as status:
            until = short(story, message.due_at) if message.due_at is not None else status
            return screen.word(f" — waits until {until}{because}", f" —— 等到 {until}{because}"), "cyan"


def _arrival(screen: Screen, story: Story, message: PastMessage) -> str:
    """What receipts said later, and when it went out if that was not at once."""
    parts = []
    if (
        message.first_sent_at is not None
        and message.hop == 0
        and short(story, message.first_sent_at) != short(story, message.queued_at)
    ):
        at = short(story, message.first_sent_at)
        parts.append(screen.word(f"went out {at}", f"{at} 发出"))
    if message.arrival is not None:
        words = {
            "delivered": ("delivered", "已送达"),
            "deferred": ("not yet", "延迟"),
            "bounced": ("bounced", "被退回"),
        }
        parts.append(screen.word(*words[message.arrival]))
    listed = screen.word(", ", "，").join(parts)
    return screen.word(f" ({listed})", f"（{listed}）") if parts else ""


# --- steps ------------------------------------------------------------------------------------------------------


def step_words(screen: Screen, story: Story, line: Line) -> str:
    """One line of the trail in words; one of an unknown kind as it is stored."""
    words = _STEP_WORDS.get(line.what)
    if words is None:
        return f"{line.what} {line.step_id or ''} {dict(line.detail) or ''}".strip()
    said = words(screen, story, line.step_id or "", line.detail)
    withheld = screen.word(" (withheld: holdout)", "（对照组：不执行）") if line.detail.get("withheld") else ""
    return said + withheld


_Words = Callable[[Screen, Story, str, Mapping[str, Any]], str]


def _until(story: Story, detail: Mapping[str, Any]) -> str:
    return short(story, datetime.fromisoformat(detail["until"]))


def _answered(screen: Screen, story: Story, step: str, detail: Mapping[str, Any]) -> str:
    given = detail.get("choice") if detail.get("score") is None else detail["score"]
    return screen.word(f"answered {step}: {given}", f"作答 {step}：{given}")


def _waits_for(screen: Screen, story: Story, step: str, detail: Mapping[str, Any]) -> str:
    events = ", ".join(detail["events"])
    return screen.word(
        f"wait for {events}  until {_until(story, detail)}", f"等待 {events}，到 {_until(story, detail)}"
    )


def _update(screen: Screen, story: Story, step: str, detail: Mapping[str, Any]) -> str:
    changes = [f"{name}={value}" for name, value in detail.get("set", {}).items()]
    changes += [f"{name}+{value:g}" for name, value in detail.get("add", {}).items()]
    changes += [f"+{tag}" for tag in detail.get("add_tags", ())]
    changes += [f"-{tag}" for tag in detail.get("remove_tags", ())]
    return screen.word(f"update {', '.join(changes)}", f"更新 {'，'.join(changes)}")


def _enroll(screen: Screen, story: Story, step: str, detail: Mapping[str, Any]) -> str:
    refused = detail.get("refused")
    why = f" — {reason_in(refused, screen.lang)}" if refused else ""
    return screen.word(f"enroll in {detail['journey']}{why}", f"带入旅程 {detail['journey']}{why}")


def _exit(screen: Screen, story: Story, step: str, detail: Mapping[str, Any]) -> str:
    kinds = {
        "goal": ("goal reached", "达成目标"),
        "exit": (f"exit {detail.get('reason', '')}", f"退出：{detail.get('reason', '')}"),
        "completed": ("end", "走完全程"),
    }
    return screen.word(*kinds.get(detail.get("kind", ""), ("end", "结束")))


def _branch(screen: Screen, story: Story, step: str, detail: Mapping[str, Any]) -> str:
    arm = detail.get("arm")
    none = screen.word("none holds, goes on", "都不成立，继续")
    return screen.word(f"branch {step}: {arm or none}", f"分支 {step}：{arm or none}")


def _why(detail: Mapping[str, Any], screen: Screen) -> str:
    return reason_in(str(detail.get("why", "")), screen.lang)


_STEP_WORDS: Mapping[str, _Words] = {
    "enter": lambda screen, _, __, detail: screen.word("enter", "进入"),
    "exit": _exit,
    "passed_over": lambda screen, _, step, d: screen.word(
        f"pass over {step}: {_why(d, screen)}", f"略过 {step}：{_why(d, screen)}"
    ),
    "passed_through": lambda screen, _, step, d: screen.word(
        f"no wait at {step}: {_why(d, screen)}", f"不等待 {step}：{_why(d, screen)}"
    ),
    "wait": lambda screen, story, step, d: screen.word(f"wait  until {_until(story, d)}", f"等到 {_until(story, d)}"),
    "wait_for": _waits_for,
    "happened": lambda screen, _, __, d: screen.word(f"happened {d['event']}", f"发生 {d['event']}"),
    "timeout": lambda screen, _, __, d: screen.word(
        f"timeout {', '.join(d['events'])}", f"等待超时：{', '.join(d['events'])}"
    ),
    "ask": lambda screen, story, step, d: screen.word(
        f"wait for an answer to {step}  until {_until(story, d)}", f"等待作答 {step}，到 {_until(story, d)}"
    ),
    "answered": _answered,
    "no_answer": lambda screen, _, step, d: screen.word(
        f"no answer to {step} within {d['after']}", f"{step} 在 {d['after']} 内没有作答"
    ),
    "branch": _branch,
    "switch": lambda screen, _, step, d: screen.word(f"switch {step}: {d['case']}", f"按答案 {step}：{d['case']}"),
    "update": _update,
    "notify": lambda screen, _, __, d: screen.word(f"task for {d['team']}", f"任务交给 {d['team']}"),
    "enroll": _enroll,
}
