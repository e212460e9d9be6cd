"""`engage reread`: what came in and could not be read is read again."""

from __future__ import annotations

from typing import Annotated

import typer

from engage.cli.ending import Ending, Refusal
from engage.cli.invocation import Invocation
from engage.cli.screen import counted
from engage.store import inbound


def reread(
    ctx: typer.Context,
    ids: Annotated[
        list[int] | None, typer.Argument(metavar="ID…", help="Inbound records. Default: all that could not be read.")
    ] = None,
) -> None:
    """Read again what came in and could not be read.

    For when the cause is mended: a channel that was missing in config.yaml, a word that the catalog did not have, a
    fault of Engage. The daemon reads these records as if they had just come in; what cannot be read still is set aside
    again. What they tell of a member goes over what was told since: look at old ones first, with `engage trace
    inbound:ID`.

    Examples:
      engage reread
      engage reread 7 12

    Exit codes: 0 they are read again, or there are none · 1 one of these could be read, or is not there
    """
    inv = Invocation.of(ctx)
    with inv.database() as database:
        with database.read() as connection:
            unreadable = inbound.unreadable(connection)
        others = sorted(set(ids or []) - set(unreadable))
        if others:
            listed = ", ".join(map(str, others))
            message = inv.screen.word(
                f"not among the records that could not be read: {listed}", f"不在无法读取的来信之中：{listed}"
            )
            raise Refusal(message, Ending.NO)
        wanted = sorted(set(ids)) if ids else unreadable
        with database.write() as connection:
            inbound.read_again(connection, wanted)
    if wanted:
        count = counted(len(wanted), "record")
        inv.screen.say(f"✓ To be read again: {count}.", f"✓ 将重新读取 {len(wanted)} 条来信。", "green")
    else:
        inv.screen.say("All that came in could be read.", "没有无法读取的来信。")
