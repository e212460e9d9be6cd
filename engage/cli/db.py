"""`engage db`: the schema, and copies of the database."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from engage.bootstrap import build_context, clock_of, open_database
from engage.cli.ending import Refusal, end_in_order_if_told
from engage.cli.invocation import Invocation
from engage.cli.reasons import reason_in
from engage.cli.screen import Screen
from engage.config import looked_up
from engage.config_words import Unfit
from engage.runtime.continuity import brought_back
from engage.runtime.daemon import only_daemon
from engage.runtime.housekeeping import Housekeeping
from engage.runtime.presence import daemons_at_work
from engage.store.daemons import HEARD_OF_WITHIN, kept_out
from engage.store.databases.backup import back_up
from engage.store.databases.database import Database
from engage.store.databases.distributing import distribute
from engage.store.databases.migrating import is_current, require_schema, revision_of, upgrade

group = typer.Typer(no_args_is_help=True, add_completion=False)


@group.callback()
def db() -> None:
    """Upgrade, back up, tidy and move the database."""


@group.command("upgrade")
def upgrade_database(ctx: typer.Context) -> None:
    """Bring the database to the schema this version needs. Makes it if there is none.

    On PostgreSQL the daemons run on meanwhile: those of the version before live with the new schema. If it cannot be
    changed for the moment, or was interrupted, run it again. On SQLite stop the daemon first; a copy of the file is
    made beside it. If the schema is new enough, nothing happens.

    Example:  engage db upgrade

    Exit codes: 0 the schema is the newest · 4 a daemon is running on SQLite, another upgrade is under way, or another
    version of Engage made the schema, which this one does not know
    """
    end_in_order_if_told()
    inv = Invocation.of(ctx)
    database = open_database(inv.config, inv.folder)
    try:
        nothing_to_do = is_current(database)
        with only_daemon(database.file):  # none starts meanwhile
            if not nothing_to_do:
                _copy_before(inv.screen, database)
            upgrade(database)
    finally:
        database.close()
    if nothing_to_do:
        inv.screen.say("✓ The schema is the newest already.", "✓ 数据库结构已是最新。", "green")
    else:
        inv.screen.say("✓ The database is upgraded.", "✓ 数据库已升级。", "green")


def _copy_before(screen: Screen, database: Database) -> None:
    """Of a file that holds something. One that is there was made before an earlier try."""
    revision = revision_of(database) if database.file is not None else None
    if database.file is None or revision is None:
        return
    copy = database.file.with_name(f"{database.file.name}.before-upgrade-of-{revision}")
    if not copy.exists():
        back_up(database, copy, clock_of(database).now())
        screen.say(f"The database as it was is in {copy}.", f"升级前的数据库已备份到 {copy}。")


@group.command("backup")
def back_up_database(
    ctx: typer.Context, file: Annotated[Path, typer.Argument(help="The copy. It must not exist yet.")]
) -> None:
    """Copy the database to a file, while everything goes on.

    The copy is whole and as of one moment. It holds personal data: mind where it goes.

    Example:  engage db backup backups/2026-11-23.db

    Exit codes: 0 copied · 4 the file exists already, or cannot be made
    """
    end_in_order_if_told()
    inv = Invocation.of(ctx)
    with inv.database() as database:
        back_up(database, file, clock_of(database).now())
    inv.screen.say(f"✓ Copied to {file}.", f"✓ 已备份到 {file}。", "green")


@group.command("housekeep")
def keep_house(ctx: typer.Context) -> None:
    """File away what is long over, and drop what `retention` says, now instead of tonight.

    The daemon does it every night from two o'clock on. Small batches: everything else goes on meanwhile. What waits for
    a table that somebody else holds is passed over, and named.

    Example:  engage db housekeep

    Exit codes: 0 done · 4 a daemon is at it, or something was passed over
    """
    inv = Invocation.of(ctx)
    with inv.database() as database:
        clock = clock_of(database)
        house = Housekeeping(build_context(inv.config, clock, database), lambda: inv.config.retention)
        total: Counter[str] = Counter()
        while done := house.do_some(clock.now()):
            total.update(done)
        if done is None:
            raise Refusal(inv.screen.word("a daemon is keeping house already", "引擎正在做同样的整理"))
    for chore, count in sorted(total.items()):
        inv.screen.line(f"  {chore} {count:,}")
    if house.passed_over:
        raise Refusal(_waits(inv.screen, ", ".join(house.passed_over)))
    inv.screen.say("✓ The house is in order.", "✓ 整理完毕。", "green")


def _waits(screen: Screen, chores: str) -> str:
    return screen.word(
        f"passed over, since the database let it wait too long: {chores}. Somebody holds a table, mostly a pg_dump or "
        "a long report (`pg_stat_activity` says who). Run `engage db housekeep` again when that is over; a daemon "
        "tries again by itself, every ten minutes from two o'clock at night on",
        f"等数据库等得太久，跳过了：{chores}。有人占着表，多半是 pg_dump 或者很长的报表（见 `pg_stat_activity`）。"
        "等它结束后再运行一次 `engage db housekeep`；引擎从夜里两点起，每十分钟也会自己再试",
    )


@group.command("migrate")
def migrate_database(
    ctx: typer.Context,
    to: Annotated[
        str, typer.Option("--to", help="An empty database: env:NAME or file:PATH, as in the config, or postgresql://…")
    ],
) -> None:
    """Move everything from the SQLite file to PostgreSQL.

    All or nothing: every table is compared when it has arrived. Nothing may run meanwhile. The file keeps its rows, and
    is refused from then on, so that nothing is sent by both. What is left to do is to write the new URL into
    config.yaml. A password on a command line can be read by everybody on the machine: better name where it is kept.

    Examples:
      engage db migrate --to env:DATABASE_URL
      engage db migrate --to file:/run/secrets/database_url

    Exit codes: 0 everything has moved · 4 a daemon is running, the file was brought back from a copy and nobody has
    let it go on, or the other database is not empty
    """
    inv = Invocation.of(ctx)
    source, target = open_database(inv.config, inv.folder), Database(_looked_up(inv, to))
    try:
        _require_file_and_server(inv.screen, source, target)
        from engage.store.databases.transfer import require_room, transfer  # needs the driver of PostgreSQL

        with only_daemon(source.file):  # none starts meanwhile
            require_schema(source)
            _require_the_true_one(inv, source)
            require_room(source, target)  # one with rows in it may be somebody's at work: its schema stays as it is
            upgrade(target)
            rows = transfer(source, target, clock_of(source).now(), inv.screen.line)
    finally:
        source.close()
        target.close()
    inv.screen.say(
        f"✓ {rows:,} rows have moved. Now write the new URL into config.yaml (database: url:) and start the daemon.",
        f"✓ 已迁移 {rows:,} 行。请把新的 URL 写入 config.yaml（database: url:），再启动引擎。",
        "green",
    )


def _looked_up(inv: Invocation, to: str) -> str:
    try:
        return looked_up(to, inv.folder)
    except Unfit as error:
        raise Refusal(f"--to: {error.said.in_(inv.lang)}") from None


def _require_file_and_server(screen: Screen, source: Database, target: Database) -> None:
    if source.file is None or not source.file.exists():
        raise Refusal(screen.word("only a SQLite file can be moved", "只能迁移 SQLite 数据库文件"))
    if not target.is_server:
        raise Refusal(
            screen.word("write a URL like --to postgresql://user@host/name", "请写成 --to postgresql://用户@主机/库名")
        )


def _require_the_true_one(inv: Invocation, source: Database) -> None:
    """What tells a copy from it stands beside the file, and would be left behind."""
    why = brought_back(source, inv.folder)
    if why is not None:
        raise Refusal(
            inv.screen.word(
                f"this database was brought back from a copy: {why}; start the daemon on it, and say first that it is "
                "to go on (`engage resume --restored`)",
                f"这个数据库是恢复出来的：{reason_in(why, inv.lang)}；请先启动引擎，并确认从这里继续"
                "（`engage resume --restored`）",
            )
        )


@group.command("distribute")
def distribute_database(ctx: typer.Context) -> None:
    """Spread a PostgreSQL with Citus over its servers.

    What belongs to members is laid out by their bucket; the rest stays on the coordinator. Stop the daemons first; one
    that is started meanwhile does nothing until it is over. What is spread already stays as it is, so an interrupted
    run is simply repeated.

    Example:  engage db upgrade && engage db distribute

    Exit codes: 0 it is spread · 4 a daemon is running, or the database is not a PostgreSQL with the Citus extension
    """
    inv = Invocation.of(ctx)
    with inv.database() as database, kept_out(database):
        _require_no_daemon(inv.screen, database)
        spread = distribute(database)
    if not spread:
        inv.screen.say("✓ Every table is spread already.", "✓ 所有的表都已分布。", "green")
        return
    inv.screen.say(f"✓ {len(spread)} tables are spread.", f"✓ 已分布 {len(spread)} 张表。", "green")


def _require_no_daemon(screen: Screen, database: Database) -> None:
    with database.read() as connection:
        at_work = ", ".join(daemons_at_work(database, connection, clock_of(database).now()))
    if at_work:
        counts = HEARD_OF_WITHIN.seconds
        raise Refusal(
            screen.word(
                f"daemons run on this database ({at_work}); stop them first (one that was killed counts for "
                f"{counts} seconds more)",
                f"这个数据库上还有引擎在运行（{at_work}）；请先停止它们（被杀掉的还会算 {counts} 秒）",
            )
        )
