"""`engage preview`: a template as one member would get it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from engage.bootstrap import build_context, clock_of
from engage.channels.contract import NoWay
from engage.cli.ending import Ending, Refusal
from engage.cli.invocation import Invocation
from engage.cli.reasons import reason_in
from engage.cli.screen import Screen, print_json
from engage.cli.who import find_member
from engage.content.render import Missing
from engage.core.words import Rendered
from engage.runtime.applied import Applied
from engage.runtime.insight.preview import Shown
from engage.runtime.insight.preview import preview as show_template


def preview(
    ctx: typer.Context,
    template: Annotated[str, typer.Argument(help="The template's name, without channel: welcome.")],
    member: Annotated[str, typer.Argument(help="The shop's id, a name, a phone number, or an address.")],
    channel: Annotated[str | None, typer.Option("--channel", help="Only this one.")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write the mail's HTML to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Show a template as one member would get it.

    Uses the applied templates and what is on file of the member; what only a run would know (the event that started it,
    answers, variables) is filled with samples. For each channel: the words, how it would go out now, how many SMS it
    takes and what that costs, and what is missing. Nothing is sent.

    Examples:
      engage preview welcome M00001
      engage preview birthday 13800138000 --channel email --html birthday.html

    Exit codes: 0 shown · 1 no such template or member, or a value is missing · 4 nothing is applied yet
    """
    inv = Invocation.of(ctx)
    with inv.database() as database:
        context = build_context(inv.config, clock_of(database), database)
        applied = context.applied.current()
        with database.read() as connection:
            ref = find_member(inv.screen, connection, member)
            sheets = show_template(context, connection, template, ref, context.clock.now())
    sheets = [sheet for sheet in sheets if channel in (None, sheet.channel)]
    if not sheets:
        raise Refusal(_no_such(inv.screen, applied, template, channel), Ending.NO)
    if html is not None:
        _write_html(inv.screen, sheets, html)
    if as_json:
        print_json([_data(sheet) for sheet in sheets])
    else:
        for sheet in sheets:
            show_sheet(inv.screen, sheet)
    if any(isinstance(sheet.words, Missing) or sheet.refused for sheet in sheets):
        raise typer.Exit(Ending.NO)


def _no_such(screen: Screen, applied: Applied, template: str, channel: str | None) -> str:
    channels = sorted(applied.library.channels_of(template))
    if channels:
        known = " · ".join(channels)
        return screen.word(
            f"`{template}` has no words for {channel}; it has: {known}",
            f"模板 `{template}` 没有 {channel} 版本；已有：{known}",
        )
    known = " · ".join(sorted(applied.library.names()))
    return screen.word(
        f"no applied template is called `{template}`; there are: {known}",
        f"已生效的模板里没有 `{template}`；现有：{known}",
    )


def _write_html(screen: Screen, sheets: Sequence[Shown], file: Path) -> None:
    """`plain` is there for mail only: its body is HTML."""
    for sheet in sheets:
        if isinstance(sheet.words, Rendered) and sheet.words.plain is not None:
            file.write_text(sheet.words.body, encoding="utf-8")
            screen.aside(f"The mail's HTML is in {file}.", f"邮件的 HTML 已写到 {file}。")
            return
    raise Refusal(screen.word("there is no mail to write", "没有可写出的邮件"), Ending.NO)


def show_sheet(screen: Screen, sheet: Shown) -> None:
    screen.line(f"── {sheet.channel} ──", "bold")
    if isinstance(sheet.words, Missing):
        why = reason_in(sheet.words.why, screen.lang)
        screen.say(f"would be skipped: {why}", f"会跳过：{why}", "yellow")
        screen.line()
        return
    if sheet.words.subject is not None:
        screen.line(f"{screen.word('Subject: ', '标题：')}{sheet.words.subject}", "bold")
    screen.line(_text(sheet, sheet.words))
    screen.line(f"  {_how(screen, sheet)}", "dim")
    if sheet.refused is not None:
        screen.say(f"  cannot be put on the wire: {sheet.refused}", f"  无法发送：{sheet.refused}", "yellow")
    screen.line()


def _text(sheet: Shown, words: Rendered) -> str:
    """What is read: of a mail its plain part; elsewhere what goes on the wire, if that is known."""
    return words.plain or (sheet.payload.text if sheet.payload is not None else words.body)


def _how(screen: Screen, sheet: Shown) -> str:
    parts = []
    match sheet.way:
        case None:
            parts.append(screen.word("no address on file", "没有联系方式"))
        case NoWay(why):
            why = reason_in(why, screen.lang)
            parts.append(screen.word(f"not reachable now: {why}", f"现在发不出：{why}"))
        case way:
            parts.append(reason_in(way.why, screen.lang))
    if sheet.payload is not None:
        segments, cost = sheet.payload.segments, f"¥{sheet.payload.cost:.3f}"
        parts.append(screen.word(f"{segments} × billed, {cost}", f"计费 {segments} 条，{cost}"))
    return " · ".join(parts)


def _data(sheet: Shown) -> dict[str, Any]:
    head: dict[str, Any] = {"channel": sheet.channel, "template": sheet.template.name}
    head["reachable_now"] = sheet.way is not None and not isinstance(sheet.way, NoWay)
    head["how"] = sheet.way.why if sheet.way is not None else "no address on file"
    if isinstance(sheet.words, Missing):
        return head | {"missing": list(sheet.words.names), "why": sheet.words.why}
    payload = sheet.payload
    return head | {
        "missing": [],
        "subject": sheet.words.subject,
        "text": _text(sheet, sheet.words),
        "segments": payload.segments if payload is not None else None,
        "cost": payload.cost if payload is not None else None,
        "refused": sheet.refused,
    }
