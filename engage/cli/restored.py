"""`engage resume --restored`: a database that was brought back from a copy is taken for the true one."""

from __future__ import annotations

from datetime import datetime

from engage.bootstrap import clock_of
from engage.cli.ending import Ending, Refusal
from engage.cli.invocation import Invocation
from engage.cli.reasons import reason_in
from engage.cli.screen import Screen
from engage.runtime.continuity import Witness
from engage.store import state
from engage.store.databases import continuity
from engage.store.databases.continuity import Stake
from engage.store.databases.database import Database
from engage.store.insight import overview


def go_on_restored(inv: Invocation, *, drop_due: bool, chosen: bool) -> None:
    """Shows what is at stake; goes on if it was said what becomes of what is due."""
    with inv.database() as database:
        now = clock_of(database).now()
        with database.read() as connection:
            why = next((p.reason for p in overview.pauses(connection) if p.scope == state.RESTORED), None)
            if why is None and continuity.copied_at(connection) is None:
                words = inv.screen.word(
                    "this database was not found to be a copy; `engage resume` ends any other pause",
                    "没有发现这个数据库是恢复出来的；其他暂停用 `engage resume` 恢复",
                )
                raise Refusal(words, Ending.NO)
            stake = continuity.at_stake(connection, now)
        _show(inv.screen, why, stake)
        if not chosen:
            raise Refusal(
                inv.screen.word(
                    "say what becomes of the messages that are due: --drop-due (none of them goes out) or --send-due "
                    "(all of them do, though some may have before)",
                    "请选择如何处理已到期的消息：--drop-due（一律不发）或 --send-due（照发，其中有些可能以前发过）",
                )
            )
        _take(database, inv, now, drop_due=drop_due)
    inv.screen.say("✓ It goes on from here.", "✓ 已从这里继续。", "green")


def _take(database: Database, inv: Invocation, now: datetime, *, drop_due: bool) -> None:
    witness = Witness.of(database, inv.folder)
    seen = witness.read()
    with database.write() as connection:
        beyond = seen.epoch if seen is not None else 0
        lived = continuity.take_for_true(database, connection, beyond, now, drop_due=drop_due)
    if lived is not None:
        witness.write(lived)


def _show(screen: Screen, why: str | None, stake: Stake) -> None:
    if why is not None:
        screen.say(f"Paused, because {why}.", f"已暂停：{reason_in(why, screen.lang)}。", "yellow")
    if stake.since is not None:
        since = f"{stake.since:%Y-%m-%d %H:%M} UTC"
        screen.say(
            f"It knows nothing of what happened after {since}: what was sent since, who answered or unsubscribed.",
            f"{since} 之后的事它都不知道：发过什么、谁回复过、谁退订过。",
        )
    screen.say(
        f"Due by now: {stake.messages:,} messages that wait, and {stake.runs:,} members who go on to their next step. "
        "Some of it was probably done already.",
        f"现在已到期：{stake.messages:,} 条等待发送的消息，{stake.runs:,} 位会员该走下一步。其中一部分多半已经做过。",
    )
    if stake.on_the_wire:
        screen.say(
            f"On the wire when it was copied: {stake.on_the_wire:,}. Nobody will know what became of them; they are "
            "ambiguous.",
            f"备份时正在发送的消息：{stake.on_the_wire:,} 条。结果已无从得知，它们会标为“结果不明”。",
        )
    screen.say(
        "  --drop-due: members go on, but messages that were due by now are skipped, with that reason.",
        "  --drop-due：会员照常往下走，但到现在为止应发的消息一律跳过，并写明原因。",
    )
    screen.say(
        "  --send-due: they are sent, one after the other, service messages first.",
        "  --send-due：照发，服务类先发，其余逐条放出。",
    )
    screen.say(
        "Either way: who was further on than this database knows takes those later steps again, and gets their "
        "messages a second time. Where that must not be, pause the journey first: `engage pause journey:<id>`.",
        "无论选哪个：如果会员实际走得比这个数据库记得的更远，后面的步骤会再走一遍，那些消息也会再收到一次。"
        "哪个旅程不能这样，请先暂停它：`engage pause journey:<id>`。",
    )
