"""What the next tick would do, for people and for scripts."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from engage.cli.channels_shown import channel_lines
from engage.cli.explain_data import verdict_data
from engage.cli.message_words import verdict_words
from engage.cli.screen import Screen, counted, local, print_json
from engage.core.quiet import zone_of
from engage.runtime.context import Context
from engage.runtime.dispatching.judge import Overtaken
from engage.runtime.insight.dry_run import MOST, Judged, NextTick


def show_next_tick(screen: Screen, tick: NextTick, context: Context, *, as_json: bool) -> None:
    if as_json:
        print_json(_data(tick))
        return
    unread, fresh = tick.inbox.unread, tick.inbox.fresh_events
    if not (unread or fresh or tick.steps or tick.messages or tick.notices):
        screen.say("Nothing is due.", "现在没有要做的事。")
        return
    moving = sum(step.due for step in tick.steps)
    screen.say(
        f"Nothing was sent or changed. The next tick would read {counted(unread, 'record')}, "
        f"look at {counted(fresh, 'event')}, move on {counted(moving, 'member')}, and tell staff of "
        f"{counted(tick.notices, 'task')}.",
        f"没有发送或改动任何东西。下一轮会读取 {unread} 条来信，处理 {fresh} 个事件，"
        f"推进 {moving} 位会员，通知同事 {tick.notices} 个任务。",
    )
    for step in tick.steps:
        screen.line(f"  {step.journey_id} › {step.step_id}  {screen.word(f'{step.due} due', f'{step.due} 人')}")
    _show_messages(screen, tick, context)


def _show_messages(screen: Screen, tick: NextTick, context: Context) -> None:
    if not tick.messages:
        return
    screen.heading(f"Due: {counted(len(tick.messages), 'message')}", f"{len(tick.messages)} 条消息待发")
    zone = zone_of(None, context.applied.current().catalog.timezone)
    for judged in tick.messages:
        message = judged.message
        place = f"{message.journey_id or '—'} › {message.step_id or message.template}"
        screen.line(
            Text(f"  {screen.word('member', '会员')} {message.member.id}  {place}  ").append(
                verdict_words(screen, judged.verdict, lambda moment: local(moment, zone)), "bold"
            )
        )
        trace = () if isinstance(judged.verdict, Overtaken) else judged.verdict.trace
        for line in channel_lines(screen, trace):
            screen.line(Text("      ").append_text(line))
    if len(tick.messages) == MOST:
        screen.say(f"  (the first {MOST}: one tick takes no more)", f"  （只列出前 {MOST} 条，一轮最多处理这么多）")


def _data(tick: NextTick) -> dict[str, Any]:
    return {
        "unread": tick.inbox.unread,
        "fresh_events": tick.inbox.fresh_events,
        "notices": tick.notices,
        "steps": [{"journey": s.journey_id, "step": s.step_id, "due": s.due} for s in tick.steps],
        "messages": [_message_data(judged) for judged in tick.messages],
    }


def _message_data(judged: Judged) -> dict[str, Any]:
    message = judged.message
    head = {
        "delivery_id": message.id,
        "member_id": message.member.id,
        "journey": message.journey_id,
        "step": message.step_id,
        "template": message.template,
    }
    return head | verdict_data(judged.verdict)
