"""The words of a trail: one sentence for each step a run took, and for each it will take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from engage.cli.reasons import reason_in
from engage.cli.screen import Screen
from engage.core.moving import What
from engage.core.problem import Said
from engage.runtime.insight.explaining import Line, Story
from engage.runtime.insight.foresight import Ahead
from engage.store.insight.history import PastRun

WITHHELD = Said(" (withheld: holdout)", "（对照组：不执行）")


def short(story: Story, moment: datetime) -> str:
    """In the member's own time."""
    return f"{moment.astimezone(story.zone):%m-%d %H:%M}"


def step_words(screen: Screen, story: Story, line: Line | Ahead) -> str:
    """One line of the trail in words; one of an unknown kind as it is stored."""
    words = STEP_WORDS.get(line.what)
    if words is None:
        return f"{line.what} {line.step_id or ''} {dict(line.detail) or ''}".strip()
    said = words(screen, story, line.step_id or "", line.detail)
    return said + WITHHELD.in_(screen.lang) if line.detail.get("withheld") else said


def began_words(screen: Screen, story: Story, run: PastRun) -> str:
    """What has brought the member in."""
    kind, _, rest = run.occurrence.partition(":")
    event = run.began_with
    if event is not None and event.name == "segment_entered":
        segment = event.payload.get("segment", "")
        return screen.word(f"entered the segment {segment}", f"进入人群 {segment}")
    if event is not None:
        at = short(story, event.at)
        return screen.word(f"{event.name} {at} (event {event.id})", f"{at} 发生 {event.name}（事件 {event.id}）")
    match kind:
        case "existing":
            return screen.word("was there when the journey was applied", "旅程生效时已符合")
        case "slot":
            return screen.word(f"the time had come: {rest}", f"到了约定的时间：{rest}")
        case "solar" | "lunar":
            calendar = screen.word(kind, {"solar": "公历", "lunar": "农历"}[kind])
            return screen.word(f"the yearly date of {rest} ({calendar})", f"{rest} 年的周年日（{calendar}）")
        case "enroll":
            other, step, *_ = rest.split(":")
            return screen.word(f"brought by run {other}, step {step}", f"由第 {other} 次入程的 {step} 带入")
        case _:
            return run.occurrence


_Words = Callable[[Screen, Story, str, Mapping[str, Any]], str]


def _until(story: Story, detail: Mapping[str, Any]) -> str:
    return short(story, datetime.fromisoformat(detail["until"]))


def _answered(screen: Screen, story: Story, step: str, detail: Mapping[str, Any]) -> str:
    given = detail.get("choice") if detail.get("score") is None else detail["score"]
    return screen.word(f"answered {step}: {given}", f"作答 {step}：{given}")


def _waits(screen: Screen, story: Story, step: str, detail: Mapping[str, Any]) -> str:
    said = screen.word(f"wait  until {_until(story, detail)}", f"等到 {_until(story, detail)}")
    return said + screen.word(_ASSUMED_EN, _ASSUMED_ZH) if detail.get("assumed") else said


_ASSUMED_EN = " (that year's holidays are not announced yet: Monday to Friday assumed)"
_ASSUMED_ZH = "（那一年的放假安排尚未公布，暂按周一至周五）"


def _usual_hour(screen: Screen, story: Story, step: str, detail: Mapping[str, Any]) -> str:
    hour = detail["hour"]
    if hour is None:
        return screen.word("usual hour: too little is known, goes at once", "常用时段：记录太少，立即发送")
    count = detail["responses"]
    return screen.word(
        f"usual hour: {hour:02}:00, from {count} responses", f"常用时段：{hour:02}:00（根据 {count} 次回应）"
    )


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
    reason = reason_in(str(detail.get("reason", "")), screen.lang)
    kinds = {
        "goal": ("goal reached", "达成目标"),
        "exit": (f"exit {reason}", f"退出：{reason}"),
        "completed": ("end", "走完全程"),
        "never_began": (f"did not begin: {reason}", f"没有开始：{reason}"),
    }
    return screen.word(*kinds.get(detail.get("kind", ""), ("end", "结束")))


def _branch(screen: Screen, story: Story, step: str, detail: Mapping[str, Any]) -> str:
    arm = detail.get("arm")
    none = screen.word("none holds, goes on", "都不成立，继续")
    name = step if step.startswith(("if", "branch")) else screen.word(f"branch {step}", f"分支 {step}")
    return screen.word(f"{name}: {arm or none}", f"{name}：{arm or none}")


_BECAUSE = {
    "share": ("", ""),
    "winner": (" (the winner)", "（胜出的一路）"),
    "exploring": (" (still exploring)", "（继续试探）"),
    "earlier": (" (as before)", "（和之前一样）"),
}


def _split(screen: Screen, story: Story, step: str, detail: Mapping[str, Any]) -> str:
    because = screen.word(*_BECAUSE.get(detail.get("because", ""), ("", "")))
    return screen.word(f"split {step}: {detail['way']}{because}", f"分流 {step}：{detail['way']}{because}")


# By `core.moving.What`; {step} is where the run stands now, {from} where it stood.
EDITS = {
    What.RENAMED: ("{from} is called {step} now", "{from} 改名为 {step}"),
    What.RETIMED: ("{step} is timed anew", "{step} 重新计时"),
    What.PAST: ("{step} would have ended already", "按新的时间，{step} 应已结束"),
    What.ONWARD: ("{from} is gone: on to {step}", "{from} 已删除：转到 {step}"),
    What.AFRESH: ("{step} has become another kind of step: it begins afresh", "{step} 变成了另一种步骤：重新开始"),
    What.ENDED: ("{from} is gone, and nothing came after it", "{from} 已删除，后面没有步骤"),
    What.PINNED: ("finishes the version it is in", "按原来的版本走完"),
    What.STOPPED: ("the journey was stopped", "旅程已停止"),
    What.RESTORED: ("back at {step}: {undoes} was undone", "回到 {step}：已撤销 {undoes}"),
}


def _moved(screen: Screen, story: Story, step: str, detail: Mapping[str, Any]) -> str:
    said = screen.word(*EDITS[What(detail["edit"])]).format(**{"undoes": "", **detail, "step": step})
    times = f" ({' → '.join(detail['times'])})" if "times" in detail else ""
    until = (
        screen.word(f"  until {_until(story, detail)}", f"，到 {_until(story, detail)}") if "until" in detail else ""
    )
    return screen.word(f"edit {detail['plan']}: ", f"修改 {detail['plan']}：") + said + times + until


def _why(detail: Mapping[str, Any], screen: Screen) -> str:
    return reason_in(str(detail.get("why", "")), screen.lang)


STEP_WORDS: Mapping[str, _Words] = {
    "enter": lambda screen, _, __, detail: screen.word("enter", "进入"),
    "held": lambda screen, _, __, d: screen.word(
        f"held back at the start ({d['hold']}; `engage approve` shows why)",
        f"在入口暂缓（{d['hold']}；用 `engage approve` 查看原因）",
    ),
    "let_go": lambda screen, _, __, d: screen.word(f"let go, of {d['hold']}", f"放行（{d['hold']}）"),
    "exit": _exit,
    "passed_over": lambda screen, _, step, d: screen.word(
        f"pass over {step}: {_why(d, screen)}", f"略过 {step}：{_why(d, screen)}"
    ),
    "passed_through": lambda screen, _, step, d: screen.word(
        f"no wait at {step}: {_why(d, screen)}", f"不等待 {step}：{_why(d, screen)}"
    ),
    "wait": _waits,
    "usual_hour": _usual_hour,
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
    "split": _split,
    "moved": _moved,
    "webhook": lambda screen, _, __, d: screen.word(f"call {d['name']}", f"调用 {d['name']}"),
    "webhook_done": lambda screen, _, __, d: screen.word(f"{d['name']} has answered", f"{d['name']} 已应答"),
    "webhook_failed": lambda screen, _, __, d: screen.word(
        f"gave up calling {d['name']}: {_why(d, screen)}", f"放弃调用 {d['name']}：{_why(d, screen)}"
    ),
    "goto": lambda screen, _, __, d: screen.word(f"go to {d['to']}", f"转到 {d['to']}"),
    "rest": lambda screen, story, _, d: screen.word(
        f"{d['steps']} steps today are enough: it rests until {_until(story, d)}",
        f"今天已走 {d['steps']} 步，到上限了：休息到 {_until(story, d)}",
    ),
    "goto_used_up": lambda screen, _, __, d: screen.word(
        f"no further time to {d['to']}: {d['times']} were allowed", f"不再转到 {d['to']}：已用完 {d['times']} 次"
    ),
}
