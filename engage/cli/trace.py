"""`engage trace`: one thing on its way through the system, by any handle somebody has of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.text import Text

from engage.bootstrap import build_context, clock_of
from engage.cli.ending import Ending, Refusal
from engage.cli.invocation import Invocation
from engage.cli.screen import Screen, print_json
from engage.cli.trace_words import link_words, stamp
from engage.runtime.insight.tracing import Chain, Kind, Match, Tracer

_INDENT = 22  # as wide as a time to the millisecond, and the space around it
_RAW_SHOWN = 600  # characters; --json has it whole
_WHEN = {
    Kind.DELIVERY: "queued_at",
    Kind.INBOUND: "received_at",
    Kind.EVENT: "recorded_at",
    Kind.TASK: "opened_at",
    Kind.RUN: "entered_at",
}
_WHAT = {
    Kind.DELIVERY: ("journey_id", "step_id", "template", "channel", "status"),
    Kind.INBOUND: ("source", "key", "status"),
    Kind.EVENT: ("name", "dedupe_key"),
    Kind.TASK: ("team", "words"),
    Kind.RUN: ("journey_id", "status", "step_id"),
    Kind.MEMBER: ("member_id",),
}


def trace(
    ctx: typer.Context,
    what: Annotated[str, typer.Argument(help="A number, a provider's id, a message key, an order number, a link…")],
    as_json: Annotated[bool, typer.Option("--json", help="For scripts: everything, raw records whole.")] = False,
) -> None:
    """Follow one thing through the system, by any handle.

    From the raw callback to what came of it. Takes whatever you have: our number of a delivery, an inbound record, an
    event, a task or a run; the provider's message id; a message key; the key under which the shop told an event; a
    signed link; an address or a member. Shows each state of the send protocol with its moment, receipts, clicks,
    answers, and the runs that were moved. Where several things bear the same number, they are listed: say delivery:12
    or inbound:12. Secrets are hidden.

    Examples:
      engage trace delivery:12
      engage trace 2026112310003400001   (the provider's id of an SMS)
      engage trace inbound:7 --json

    Exit codes: 0 shown · 1 nothing is known by this handle, or several things are · 4 nothing is applied yet
    """
    inv = Invocation.of(ctx)
    with inv.database() as database:
        context = build_context(inv.config, clock_of(database), database)
        with database.read() as connection:
            tracer = Tracer(context, connection)
            matches = tracer.find(what.strip())
            chain = tracer.follow(matches[0]) if len(matches) == 1 else None
    if chain is None and as_json:
        print_json({"matches": [match.handle for match in matches]})
        raise typer.Exit(Ending.NO)
    if chain is None:
        raise Refusal(_not_one(inv.screen, what, matches), Ending.NO)
    if as_json:
        print_json(_data(chain))
    else:
        _show(inv.screen, chain)


def _not_one(screen: Screen, what: str, matches: list[Match]) -> str:
    if not matches:
        return screen.word(
            f"nothing is known by “{what}”. Looked for: deliveries, inbound records, events, tasks and runs of that "
            "number; providers' ids; message keys; keys of records and events; our links; members and addresses",
            f"没有找到“{what}”。查过：这个编号的投递、收到的记录、事件、任务、入程；服务商编号；消息键；"
            "记录和事件的键；我们的链接；会员和地址",
        )
    head = screen.word(
        f"“{what}” may be any of {len(matches)}; say which:", f"“{what}”可能是以下 {len(matches)} 项之一，请写明："
    )
    return "\n".join([head, *(f"  {match.handle}  {_about(match)}" for match in matches)])


def _about(match: Match) -> str:
    at = match.row.get(_WHEN.get(match.kind, ""))
    parts = [f"{at:%Y-%m-%d %H:%M}Z"] if at is not None else []
    return " · ".join([*parts, *(str(match.row[name]) for name in _WHAT[match.kind] if match.row.get(name))])


def _show(screen: Screen, chain: Chain) -> None:
    parts = [chain.match.handle]
    if chain.member is not None:
        number, external_id, name = chain.member
        parts += [part for part in (name, external_id, screen.word(f"member {number}", f"会员 {number}")) if part]
    screen.line(" · ".join([*parts, str(chain.zone)]), "bold")
    if chain.raw is not None:
        screen.hang(Text("  " + chain.raw[:_RAW_SHOWN], "dim"), 2)
    screen.line()
    for link in chain.links:
        at = stamp(link.at, chain.zone) if link.at is not None else "—"
        screen.hang(
            Text(f"  {at:<{_INDENT - 4}}  ", "dim").append(link_words(screen, link, chain.zone), "not dim"), _INDENT
        )


def _data(chain: Chain) -> dict[str, Any]:
    number, external_id, name = chain.member or (None, None, None)
    return {
        "handle": chain.match.handle,
        "member_id": number,
        "member": external_id,
        "name": name,
        "zone": str(chain.zone),
        "raw": chain.raw,
        "links": [asdict(link) for link in chain.links],
    }
