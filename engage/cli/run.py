"""`engage run`: the daemon. And its rehearsal, which touches nothing."""

from __future__ import annotations

from typing import Annotated

import structlog
import typer

from engage.bootstrap import build_context, clock_of
from engage.cli.dry_run import show_next_tick
from engage.cli.ending import Refusal
from engage.cli.invocation import Invocation
from engage.cli.logs import log_fully
from engage.cli.webhooks_missing import say_which_are_missing
from engage.clock import SystemClock
from engage.content.project import project_files
from engage.runtime.applying import differs
from engage.runtime.daemon import Daemon, only_daemon
from engage.runtime.dry_run import next_tick
from engage.serving import App, build
from engage.store.database import Database

log = structlog.get_logger("engage.cli")


def run(
    ctx: typer.Context,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would happen next. Sends, claims and changes nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --dry-run, for scripts.")] = False,
) -> None:
    """Run the daemon: journeys, sending, web.

    Runs what `engage apply` has applied, not what the files say at the moment, and says so if they differ. Listens for
    provider callbacks, clicks, answers and the API on `web.host:port`. Ctrl-C or SIGTERM ends it in good order: calls
    on the wire are finished and recorded. Logs go to stderr, as JSON where that is no terminal.

    Examples:
      engage run
      engage run --dry-run

    Exit codes: 0 ended by a signal · 3 the configuration cannot be used · 4 nothing is applied, another daemon runs,
    the port is taken, the database needs `engage db upgrade`, or is PostgreSQL
    """
    inv = Invocation.of(ctx)
    with inv.database() as database:
        if dry_run:
            context = build_context(inv.config, clock_of(database), database)
            show_next_tick(inv.screen, next_tick(context), context, as_json=as_json)
            return
        file = database.file
        _must_be_ready(inv, database)
    log_fully()
    with only_daemon(file):
        app = build(inv.config, SystemClock(), inv.folder)
        try:
            _serve(inv, app)
        finally:
            app.close()


def _must_be_ready(inv: Invocation, database: Database) -> None:
    if database.is_server:
        raise Refusal(
            inv.screen.word(
                "this version checks, applies and reports on PostgreSQL, but its daemon runs on SQLite only; set "
                "`database.url` to a file, e.g. sqlite:///engage.db",
                "这个版本可以在 PostgreSQL 上检查、应用和出报告，但后台程序只能在 SQLite 上运行；"
                "请把 `database.url` 改成文件，例如 sqlite:///engage.db",
            )
        )
    if not isinstance(clock_of(database), SystemClock):
        raise Refusal(
            inv.screen.word(
                "this database belongs to a demo, which has a time of its own; go on with `engage demo --resume`",
                "这个数据库属于演示环境，有它自己的时间；请用 `engage demo --resume` 继续",
            )
        )
    changed = differs(database, project_files(inv.folder)[0])
    if changed:
        log.warning("files_differ_from_what_is_applied", files=changed)
        inv.screen.say(
            f"{len(changed)} files differ from what is applied and runs; `engage apply` takes them up.",
            f"有 {len(changed)} 个文件和正在运行的版本不同；运行 `engage apply` 才会生效。",
            "yellow",
        )


def _serve(inv: Invocation, app: App) -> None:
    applied = app.context.applied.current()
    app.server.start()
    url, journeys = app.server.url, len(applied.journeys)
    log.info("serving", url=url, journeys=sorted(applied.journeys))
    say_which_are_missing(inv.screen, (active.journey for active in applied.journeys.values()), inv.config)
    inv.screen.say(
        f"Engage runs {journeys} journeys and listens on {url}. Ctrl-C ends it.",
        f"Engage 已启动：{journeys} 个旅程，监听 {url}。按 Ctrl-C 结束。",
        "green",
    )
    Daemon(app.engine).run()
