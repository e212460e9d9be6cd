"""`engage pause` and `engage resume`: the hand on the switch."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated

import typer

from engage.bootstrap import clock_of
from engage.cli.ending import Ending, Refusal
from engage.cli.invocation import Invocation
from engage.cli.restored import go_on_restored
from engage.content.template import CHANNELS
from engage.runtime.dispatching.situation import PAUSED_FOR
from engage.store import journeys, state
from engage.store.databases.database import Database
from engage.store.insight import overview

_Scopes = Annotated[
    list[str] | None,
    typer.Argument(metavar="SCOPE…", help="all, journey:<id> or channel:<name>. Default: all."),
]


def pause(
    ctx: typer.Context,
    scopes: _Scopes = None,
    reason: Annotated[str, typer.Option("--reason", help="For whoever wonders later.")] = "",
) -> None:
    """Stop sending: everything, a journey, or a channel.

    Takes effect at once: the switch is read again with every message, just before it goes out. Only calls already on
    the wire (20 seconds at most) still end. Members keep their places, events are still taken in, and what was not sent
    waits. A journey's messages wait; a paused channel is passed over for another one.

    Examples:
      engage pause --reason "价格写错了"
      engage pause journey:winback channel:sms

    Exit codes: 0 paused · 1 there is no such journey or channel
    """
    inv = Invocation.of(ctx)
    wanted = scopes or [state.ALL]
    with inv.database() as database:
        _must_be_known(inv, database, wanted)
        with database.write() as connection:
            state.pause_scopes(connection, wanted, reason[:200], clock_of(database).now())
    listed = ", ".join(wanted)
    inv.screen.say(
        f"✓ Paused: {listed}. `engage resume` goes on.", f"✓ 已暂停：{listed}。用 `engage resume` 恢复。", "yellow"
    )


def resume(
    ctx: typer.Context,
    scopes: _Scopes = None,
    restored: Annotated[
        bool, typer.Option("--restored", help="A database that was brought back from a copy is to go on.")
    ] = False,
    drop_due: Annotated[
        bool, typer.Option("--drop-due", help="With --restored: what was due by now is not sent.")
    ] = False,
    send_due: Annotated[
        bool, typer.Option("--send-due", help="With --restored: it is sent, also if it may have been before.")
    ] = False,
) -> None:
    """Go on sending after a pause.

    What waited goes out now, each message judged afresh: hours, caps, consent, and whether it is still of use. Service
    messages go first, the others one after the other (`policy.limits.backlog_per_hour`).

    A database that was brought back from a copy is paused by the daemon, as a whole: what was sent after the copy was
    made would be sent again. `--restored` alone shows what is at stake; with `--drop-due` or `--send-due` it goes on.

    Examples:
      engage resume journey:winback
      engage resume --restored --drop-due

    Exit codes: 0 resumed · 1 it was not paused · 2 options that do not go together · 4 say what becomes of what is due
    """
    inv = Invocation.of(ctx)
    chosen = drop_due or send_due
    if (chosen and not restored) or (drop_due and send_due) or (restored and scopes):
        raise typer.BadParameter("say --restored, and one of --drop-due and --send-due")
    if restored:
        go_on_restored(inv, drop_due=drop_due, chosen=chosen)
        return
    wanted = scopes or [state.ALL]
    with inv.database() as database:
        now = clock_of(database).now()
        with database.write() as connection:
            resumed = state.resume_scopes(connection, [scope for scope in wanted if scope != state.RESTORED])
            if resumed:
                # Who waits for a pause to end is looked at once in so long.
                state.fall_into_arrears(connection, now + PAUSED_FOR, now)
            left = [paused.scope for paused in overview.pauses(connection)]
    still = _still_paused(inv, left)
    if not resumed:
        listed = ", ".join(wanted)
        raise Refusal(inv.screen.word(f"not paused: {listed}.{still}", f"没有暂停：{listed}。{still}"), Ending.NO)
    inv.screen.say(f"✓ Resumed.{still}", f"✓ 已恢复。{still}", "green")


def _must_be_known(inv: Invocation, database: Database, scopes: Sequence[str]) -> None:
    with database.read() as connection:
        known = journeys.applied(connection).versions
    for scope in scopes:
        kind, _, name = scope.partition(":")
        if scope != state.ALL and not _names(kind, name, known):
            channels = ", ".join(f"channel:{channel}" for channel in CHANNELS)
            ids = ", ".join(f"journey:{journey_id}" for journey_id in sorted(known))
            message = inv.screen.word(
                f"there is nothing called {scope}; say all, {channels}, {ids}",
                f"没有 {scope}；可以写 all、{channels}、{ids}",
            )
            raise Refusal(message, Ending.NO)


def _names(kind: str, name: str, journey_ids: Collection[str]) -> bool:
    return (kind == "channel" and name in CHANNELS) or (kind == "journey" and name in journey_ids)


def _still_paused(inv: Invocation, scopes: Sequence[str]) -> str:
    listed = ", ".join(scopes)
    hint = " (`engage resume --restored`)" if state.RESTORED in scopes else ""
    return inv.screen.word(f" Still paused: {listed}{hint}", f"仍在暂停：{listed}{hint}") if scopes else ""
