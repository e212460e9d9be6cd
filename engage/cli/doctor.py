"""`engage doctor`: what a person on call runs, and what a monitor runs for them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from engage.bootstrap import clock_of, open_database
from engage.channels.registry import build_probes, build_sources
from engage.cli.doctor_words import in_words
from engage.cli.ending import Ending
from engage.cli.invocation import Invocation
from engage.cli.screen import Screen, print_json
from engage.clock import Clock, SystemClock
from engage.errors import EngageError
from engage.ops.examination import Case, Finding, Weight, examine, needs_a_hand
from engage.runtime.context import AppliedHolder
from engage.store.databases.database import Database

_MARKS = {Weight.WELL: ("✓", "green"), Weight.NOTE: ("·", "yellow"), Weight.HAND: ("✗", "red")}


def doctor(
    ctx: typer.Context,
    offline: Annotated[bool, typer.Option("--offline", help="Do not try the providers over the network.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts and monitoring.")] = False,
) -> None:
    """Examine a running Engage: what is wrong, and what to do.

    Looks at the database and its schema, the daemons, what is due and not done, leases nobody ended, messages that are
    ambiguous, channels that rest, pauses, callbacks, clocks, the disk; and tries each provider without sending
    anything: is it there, does it take our key and our address, does its clock agree with ours. Sends and changes
    nothing. Nothing of what it prints is personal. Cron and monitors: look at the exit code.

    Examples:
      engage doctor
      engage doctor --offline --json

    Exit codes: 0 all is well, or there are only notes (·) · 1 something needs a hand (✗) · 3 the configuration cannot
    be used
    """
    inv = Invocation.of(ctx)
    database = open_database(inv.config, inv.folder)
    try:
        findings = examine(_case(inv, database, offline=offline))
    finally:
        database.close()
    if as_json:
        print_json({"well": not needs_a_hand(findings), "findings": [asdict(finding) for finding in findings]})
    else:
        _show(inv.screen, findings)
    if needs_a_hand(findings):
        raise typer.Exit(Ending.NO)


def _case(inv: Invocation, database: Database, *, offline: bool) -> Case:
    clock = _clock(database)
    return Case(
        config=inv.config,
        database=database,
        clock=clock,
        applied=AppliedHolder(database).current,
        sources=sorted(build_sources(inv.config)),
        probes={} if offline else build_probes(inv.config, clock),
    )


def _clock(database: Database) -> Clock:
    """A database that cannot be asked lives by the system's."""
    if database.file is not None and not database.file.exists():
        return SystemClock()
    try:
        return clock_of(database)
    except EngageError:  # no schema, no server: what of it is wrong is the examination's to say
        return SystemClock()


def _show(screen: Screen, findings: list[Finding]) -> None:
    for finding in findings:
        mark, style = _MARKS[finding.weight]
        screen.line(f"{mark} {in_words(finding).in_(screen.lang)}", style if finding.weight is not Weight.WELL else "")
    screen.line()
    hands = sum(finding.weight is Weight.HAND for finding in findings)
    if hands:
        need = "1 thing needs a hand." if hands == 1 else f"{hands} things need a hand."
        screen.say(need, f"有 {hands} 项需要处理。", "bold red")
    else:
        screen.say("All is well.", "一切正常。", "bold green")
