"""`engage run`: the daemon. And its rehearsal, which touches nothing."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Annotated

import structlog
import typer

from engage.bootstrap import build_context, clock_of, secrets_in
from engage.cli.dry_run import show_next_tick
from engage.cli.ending import Refusal, end_in_order_if_told
from engage.cli.invocation import Invocation
from engage.cli.logs import log_fully
from engage.cli.misfits_shown import say_what_does_not_fit
from engage.cli.screen import counted
from engage.clock import SystemClock
from engage.config import Config
from engage.content.project import project_files
from engage.ops.measures import Measures
from engage.running import Renewal, Service, ops_server
from engage.runtime.continuity import Continuity, Witness
from engage.runtime.daemon import Daemon, keep_renewals_for_later, only_daemon
from engage.runtime.edits.applying import differs
from engage.runtime.housekeeping import Housekeeping
from engage.runtime.insight.dry_run import next_tick
from engage.runtime.presence import Presence
from engage.store.databases.database import Database

# The loops have time; a provider whose callback waits has not. (A "nice" value; threads that run already keep theirs,
# and so does the web process.)
_GIVES_WAY = 10
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
    provider callbacks, clicks, answers and the API on `web.host:port`; /healthz, /readyz and /metrics are on
    `ops.host:port`. Ctrl-C or SIGTERM ends it in good order, within a minute: calls on the wire are finished and
    recorded; a second one ends it at once. SIGHUP takes up a changed config.yaml, if it can be used. Logs go to stderr,
    as JSON where that is no terminal.

    On PostgreSQL any number of daemons may run, on one machine or several, each with ports of its own; on SQLite one.

    Examples:
      engage run
      engage run --dry-run

    Exit codes: 0 ended by a signal · 3 the configuration cannot be used · 4 nothing is applied, another daemon runs,
    the port is taken, or the database needs `engage db upgrade`
    """
    inv = Invocation.of(ctx)
    if dry_run:
        with inv.database() as database:
            context = build_context(inv.config, clock_of(database), database)
            show_next_tick(inv.screen, next_tick(context), context, as_json=as_json)
        return
    end_in_order_if_told()
    keep_renewals_for_later()
    with suppress(KeyboardInterrupt):  # told before it was up
        _run(inv)


def _run(inv: Invocation) -> None:
    with inv.database() as database:
        file = database.file
    with only_daemon(file):
        with inv.database() as database:  # as it stands now that nobody upgrades it any more, or moves it
            _must_be_ready(inv, database)
        _log_as_told(inv.config)
        measures = Measures()
        service = Service(inv.config, inv.folder, measures, _log_as_told)
        try:
            _serve(inv, service, measures)
        finally:
            service.close()


def _log_as_told(config: Config) -> None:
    log_fully(config.ops.log_level, secrets_in(config))


def _must_be_ready(inv: Invocation, database: Database) -> None:
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
            f"Changed since they were applied: {counted(len(changed), 'file')}; `engage apply` takes them up.",
            f"有 {len(changed)} 个文件和正在运行的版本不同；运行 `engage apply` 才会生效。",
            "yellow",
        )


def _serve(inv: Invocation, service: Service, measures: Measures) -> None:
    applied = service.context.applied.current()
    database, clock = service.context.database, service.context.clock
    presence = Presence(database, clock, lambda: daemon.silent_loops())
    housekeeping = Housekeeping(service.context, lambda: service.config.retention)
    renew = Renewal(service, inv.config_path, _log_as_told)
    witness = Witness.of(database, inv.folder)
    continuity = Continuity(database, clock, witness, lambda: service.config.policy.limits.outage)
    daemon = Daemon(
        service.engine,
        clock=clock,
        observer=measures,
        renew=renew,
        beside={"presence": presence.tick, "housekeeping": housekeeping.tick},
        guarded=continuity.guarded,
    )
    if not continuity.keep():
        _say_it_was_brought_back(inv)
    ops = ops_server(service, measures, daemon)
    service.server.start(arrived=lambda: daemon.ring("receive"), died=daemon.stop)
    ops.start()
    url, journeys = service.server.url, len(applied.journeys)
    log.info("serving", url=url, ops=ops.url, journeys=sorted(applied.journeys))
    running = [active.journey for active in applied.journeys.values()]
    say_what_does_not_fit(inv.screen, applied.catalog, running, inv.config)
    inv.screen.say(
        f"Engage runs {counted(journeys, 'journey')} and listens on {url}. Ctrl-C ends it.",
        f"Engage 已启动：{journeys} 个旅程，监听 {url}。按 Ctrl-C 结束。",
        "green",
    )
    os.nice(_GIVES_WAY)
    try:
        daemon.run()
        presence.end()
    finally:
        ops.stop()
    service.server.require_alive()


def _say_it_was_brought_back(inv: Invocation) -> None:
    inv.screen.say(
        "This database was brought back from a copy: nothing is sent, and nobody is moved, until you say that it is to "
        "go on. `engage resume --restored` shows what is at stake.",
        "这个数据库是从备份恢复的：在您确认之前，不发送任何消息，也不推进任何会员。"
        "运行 `engage resume --restored` 查看会有什么影响。",
        "yellow",
    )
