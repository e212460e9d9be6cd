"""`engage export`: what is stored, for spreadsheets and scripts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from engage.bootstrap import clock_of
from engage.cli.invocation import Invocation
from engage.exchange.exporting import Exported, Format
from engage.exchange.exporting import export as write_export
from engage.runtime.context import AppliedHolder


def export(
    ctx: typer.Context,
    what: Annotated[Exported, typer.Argument(help="What to write.")],
    form: Annotated[Format, typer.Option("--format", help="JSON Lines for scripts, CSV for people.")] = Format.JSONL,
    out: Annotated[Path | None, typer.Option("--out", help="A file; it is replaced. Default: the terminal.")] = None,
) -> None:
    """Write what is stored, as JSON Lines or CSV.

    Rows come in id order, all from one moment. Times are UTC. CSV opens in Excel (UTF-8 with BOM), and nothing in it
    can run as a formula. Both hold personal data: mind where the file goes.

    Examples:
      engage export answers --format csv --out answers.csv
      engage export deliveries | jq -r .status | sort | uniq -c

    Exit codes: 0 written · 4 nothing is applied yet
    """
    inv = Invocation.of(ctx)
    with inv.database() as database:
        catalog, now = AppliedHolder(database).current().catalog, clock_of(database).now()
        if out is None:
            write_export(database, what, form, sys.stdout, catalog, now)
            return
        with out.open("w", encoding="utf-8", newline="") as file:
            count = write_export(database, what, form, file, catalog, now)
    inv.screen.aside(f"{count:,} rows written to {out}", f"已写出 {count:,} 行：{out}")
