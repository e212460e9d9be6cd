"""`engage import`: files into the inbox, and read at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from engage.bootstrap import build_context, clock_of
from engage.cli.ending import Ending, Refusal
from engage.cli.invocation import Invocation
from engage.cli.screen import print_json
from engage.exchange.importing import import_events, import_members
from engage.exchange.report import ImportReport, as_data, describe
from engage.runtime.context import Context
from engage.runtime.receiving.receive import Receive

group = typer.Typer(no_args_is_help=True, add_completion=False)

_File = Annotated[Path, typer.Argument(help="CSV or xlsx. UTF-8, with or without BOM, or GBK.")]
_Json = Annotated[bool, typer.Option("--json", help="For scripts.")]


@group.callback()
def importing() -> None:
    """Bring in members or events from CSV and Excel.

    Importing is repeatable: the same file again changes nothing, a corrected one changes what is new in it. But a list
    that is older than what was reported over the HTTP API undoes that. Rows that cannot be used are listed with their
    reasons, and written to FILE.refused.csv to be put right. A daemon may be running meanwhile.
    """


@group.command("members")
def import_the_members(
    ctx: typer.Context,
    file: _File,
    announce: Annotated[
        bool, typer.Option("--announce", help="New members are news: they enter the journeys for new members.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Bring in members: their ids, names, addresses, consents, fields and tags.

    Headings may be English or Chinese (member or 会员号, phone or 手机号, …); a column that is not used is named in the
    report. Phone numbers may be written in any way.

    Example:  engage import members members.xlsx

    Exit codes: 0 all rows taken · 1 rows were refused, or the file cannot be used · 4 nothing is applied yet
    """

    def bring_in(context: Context) -> ImportReport:
        catalog = context.applied.current().catalog
        return import_members(context.database, catalog, file, context.clock.now(), announce)

    _import(Invocation.of(ctx), file, bring_in, as_json)


@group.command("events")
def import_the_events(ctx: typer.Context, file: _File, as_json: _Json = False) -> None:
    """Bring in events: orders, visits, complaints, whatever the catalog lists.

    What happened more than a day ago is history: it fills fields and segments, and starts no journey.

    Example:  engage import events orders.csv

    Exit codes: 0 all rows taken · 1 rows were refused, or the file cannot be used · 4 nothing is applied yet
    """

    def bring_in(context: Context) -> ImportReport:
        return import_events(context.database, context.applied.current().catalog, file, context.clock.now())

    _import(Invocation.of(ctx), file, bring_in, as_json)


def _import(inv: Invocation, file: Path, bring_in: Callable[[Context], ImportReport], as_json: bool) -> None:
    if not file.is_file():
        raise Refusal(inv.screen.word(f"{file} does not exist", f"{file} 不存在"), Ending.USAGE)
    with inv.database() as database:
        context = build_context(inv.config, clock_of(database), database)
        report = bring_in(context)
        receive = Receive(context)
        while receive.tick():
            pass
    if as_json:
        print_json(as_data(report, inv.lang))
    else:
        inv.screen.line(describe(report, inv.lang))
    if report.unusable is not None or report.refused:
        raise typer.Exit(Ending.NO)
