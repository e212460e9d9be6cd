"""`engage send-test`: one real message, to an address of the allow-list, outside all journeys."""

from __future__ import annotations

from typing import Annotated, assert_never

import typer

from engage.bootstrap import build_context, clock_of
from engage.channels.contract import NoWay
from engage.cli.ending import Ending, Refusal
from engage.cli.invocation import Invocation
from engage.cli.reasons import reason_in
from engage.cli.screen import Screen
from engage.cli.who import find_member
from engage.content.render import Missing
from engage.core import intake
from engage.core.delivery import CALL_TIMEOUT
from engage.core.outcome import Accepted, Rejected, SendOutcome, Unknown
from engage.runtime.insight import preview


def send_test(
    ctx: typer.Context,
    template: Annotated[str, typer.Argument(help="The template's name, without channel.")],
    member: Annotated[str, typer.Argument(help="Whose values fill it.")],
    channel: Annotated[str, typer.Option("--channel", help="wechat, sms or email.")],
    to: Annotated[str, typer.Option("--to", help="Where it goes: one of `test_recipients` in config.yaml.")],
) -> None:
    """Really send a template, to a test address.

    Goes through the real provider, and costs what a message costs. Only addresses in `test_recipients` are written to.
    Where words are free, it is marked 【测试】; an approved SMS text cannot be. Nothing is recorded; its links lead to
    a page that says they are not valid. On WeChat the test account must have written to you before.

    Example:  engage send-test welcome M00001 --channel email --to me@example.com

    Exit codes: 0 the provider took it · 1 it refused, or gave no answer, or a value is missing · 4 the address is not
    in `test_recipients`
    """
    inv = Invocation.of(ctx)
    screen = inv.screen
    address = _allowed(inv, to)
    with inv.database() as database:
        context = build_context(inv.config, clock_of(database), database)
        found = context.applied.current().library.find(template, channel)
        if found is None or channel not in context.channels:
            raise Refusal(
                screen.word(
                    f"there is no applied template `{template}` for {channel}, or {channel} is not configured",
                    f"{channel} 上没有已生效的模板 `{template}`，或没有配置 {channel}",
                ),
                Ending.NO,
            )
        with database.read() as connection:
            ref = find_member(screen, connection, member)
            sheet = preview.send_test(context, connection, found, ref, address, context.clock.now())
        outcome = preview.hand_over(context, sheet, CALL_TIMEOUT.total_seconds())
    if outcome is None:
        raise Refusal(_why_not(screen, sheet), Ending.NO)
    _tell(screen, outcome, to)


def _allowed(inv: Invocation, to: str) -> str:
    """The address as it is kept. However it is written, only what is listed is written to."""
    address = intake.address(to)
    if address not in inv.config.addresses_for_tests:
        raise Refusal(
            inv.screen.word(
                f"{to} is not in `test_recipients`; put it into {inv.config_path} first",
                f"{to} 不在 `test_recipients` 里；请先写进 {inv.config_path}",
            )
        )
    return address


def _why_not(screen: Screen, sheet: preview.Shown) -> str:
    why = sheet.refused or "there is no way to send it"
    if isinstance(sheet.words, Missing):
        why = sheet.words.why
    elif isinstance(sheet.way, NoWay):
        why = sheet.way.why
    return screen.word(f"not sent: {why}", f"没有发送：{reason_in(why, screen.lang)}")


def _tell(screen: Screen, outcome: SendOutcome, to: str) -> None:
    match outcome:
        case Accepted(segments=segments, cost=cost):
            screen.say(
                f"✓ The provider took it for {to} ({segments} × billed, ¥{cost:.3f}).",
                f"✓ 已交给服务商，发往 {to}（计费 {segments} 条，¥{cost:.3f}）。",
                "green",
            )
        case Rejected(failure, code, detail):
            said = f"{failure} ({code}) {detail}".strip()
            raise Refusal(screen.word(f"the provider refused it: {said}", f"服务商拒绝：{said}"), Ending.NO)
        case Unknown(detail):
            raise Refusal(
                screen.word(f"no clear answer, it may have arrived: {detail}", f"没有明确答复，可能已送达：{detail}"),
                Ending.NO,
            )
        case _:
            assert_never(outcome)
