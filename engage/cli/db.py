"""`engage db`: the schema, and copies of the database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engage.bootstrap import open_database
from engage.cli.ending import Refusal
from engage.cli.invocation import Invocation
from engage.runtime.daemon import running_daemon
from engage.store.backup import back_up
from engage.store.migrating import is_current, upgrade

group = typer.Typer(no_args_is_help=True, add_completion=False)


@group.callback()
def db() -> None:
    """Upgrade and back up the database."""


@group.command("upgrade")
def upgrade_database(ctx: typer.Context) -> None:
    """Bring the database to the schema this version needs. Makes it if there is none.

    Stop the daemon and back up first. If the schema is new enough, nothing happens.

    Example:  engage db backup before.db && engage db upgrade

    Exit codes: 0 the schema is the newest · 4 a daemon is running
    """
    inv = Invocation.of(ctx)
    database = open_database(inv.config, inv.folder)
    try:
        if running_daemon(database.file) is not None:
            raise Refusal(inv.screen.word("a daemon is running; stop it first", "引擎正在运行，请先停止它"))
        if is_current(database):
            inv.screen.say("✓ The schema is the newest already.", "✓ 数据库结构已是最新。", "green")
            return
        upgrade(database)
    finally:
        database.close()
    inv.screen.say("✓ The database is upgraded.", "✓ 数据库已升级。", "green")


@group.command("backup")
def back_up_database(
    ctx: typer.Context, file: Annotated[Path, typer.Argument(help="The copy. It must not exist yet.")]
) -> None:
    """Copy the database to a file, while everything goes on.

    The copy is whole and as of one moment. It holds personal data: mind where it goes.

    Example:  engage db backup backups/2026-11-23.db

    Exit codes: 0 copied · 4 the file exists already
    """
    inv = Invocation.of(ctx)
    with inv.database() as database:
        back_up(database, file)
    inv.screen.say(f"✓ Copied to {file}.", f"✓ 已备份到 {file}。", "green")
