"""`engage approve`: what waits for somebody's word, what it would do, and the word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer

from engage.bootstrap import build_context, clock_of
from engage.cli.ending import Ending, Refusal
from engage.cli.invocation import Invocation
from engage.cli.plan_words import show_plan
from engage.cli.preview import show_sheet
from engage.cli.project import rules_of
from engage.cli.reasons import reason_in
from engage.cli.screen import Screen, local
from engage.config import Policy
from engage.core.journey.model import Send
from engage.core.quiet import zone_of
from engage.runtime.context import Context
from engage.runtime.edits import approving
from engage.runtime.edits.applying import project_with
from engage.runtime.edits.approving import Approved, NotWaiting
from engage.runtime.edits.plan import Terms
from engage.runtime.edits.planning import make_plan
from engage.runtime.enrolling import holding
from engage.runtime.insight import preview
from engage.store import holding as store
from engage.store.databases.database import Database
from engage.store.edits import plans
from engage.store.holding import Hold, HoldStatus

_HOLD = re.compile(r"hold-(\d{1,15})")


def approve(
    ctx: typer.Context,
    what: Annotated[
        str | None, typer.Argument(metavar="PLAN|HOLD", help="What to approve. Without it: what waits.")
    ] = None,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who approves it.")] = "",
    refuse: Annotated[bool, typer.Option("--refuse", help="A start that is held back: nobody of it enters.")] = False,
) -> None:
    """Show what waits for approval, and let it go on.

    A start waits that would bring too many members at once (`policy.audience_guard`), that went badly in its first
    stages (`policy.canary`), or of which the policy says that somebody has to approve it (`policy.approvals`), as it
    may say of plans. Shown is what would happen, to how many, and a sample of the words for each channel; with `--by`
    it is approved, as it is now. If journey, catalog, templates or the number of members change, that is void.

    Examples:
      engage approve
      engage approve hold-3
      engage approve hold-3 --by 王芳
      engage approve plan-3f9c --by 李雷

    Exit codes: 0 shown, approved or refused · 1 there is nothing of that name that waits, or it has changed meanwhile ·
    2 options that do not go together
    """
    inv = Invocation.of(ctx)
    found = _HOLD.fullmatch(what or "")
    if refuse and found is None:
        raise typer.BadParameter(
            "only a start that is held back is refused: `engage approve hold-3 --refuse --by NAME`"
        )
    with inv.database() as database:
        if what is None:
            _list(inv.screen, database)
            return
        context = build_context(inv.config, clock_of(database), database)
        word = _Word(inv, context, by[:100], context.clock.now())
        if found is not None:
            word.on_hold(int(found[1]), refuse=refuse)
        else:
            word.on_plan(what)


def _list(screen: Screen, database: Database) -> None:
    with database.read() as connection:
        unsettled = store.unsettled(connection)
    if not unsettled:
        screen.say("Nothing is held back.", "没有被暂缓的内容。")
    for held in unsettled:
        show_hold(screen, held)


def show_hold(screen: Screen, held: Hold) -> None:
    """In one line."""
    why = reason_in(held.why, screen.lang)
    match held.status:
        case HoldStatus.WAITING:
            en, zh = "waits for approval", "等待批准"
        case HoldStatus.GOING:
            percent = held.stages[held.stage]
            en, zh = f"let go up to {percent} %", f"已放行到 {percent}%"
        case _:
            en, zh = "refused", "已拒绝"
    screen.say(
        f"‖ {held.name}: {held.journey_id}, {held.members:,} members, {held.start}: {en} ({why})",
        f"‖ {held.name}：{held.journey_id}，{held.members:,} 位会员，{held.start}：{zh}（{why}）",
        "yellow",
    )


@dataclass(frozen=True, slots=True)
class _Word:
    """Somebody's, given now; no name: they only look."""

    inv: Invocation
    context: Context
    by: str
    now: datetime

    @property
    def _policy(self) -> Policy:
        return self.context.policy

    # --- a start that is held back ------------------------------------------------------------------------------

    def on_hold(self, hold_id: int, *, refuse: bool) -> None:
        with self.context.database.read() as connection:
            held = store.get(connection, hold_id)
            digest = holding.digest_of(connection, held) if held is not None else ""
        if held is None or held.settled_at is not None:
            raise Refusal(self._nothing(f"hold-{hold_id}"), Ending.NO)
        self._show_hold(held)
        if not self.by:
            self._say_how(held.name)
        elif refuse:
            with self.context.database.write() as connection:
                refused = approving.refuse_hold(connection, hold_id, self.by, self.now)
            if isinstance(refused, NotWaiting):
                raise Refusal(self._nothing(held.name), Ending.NO)
            self.inv.screen.say("✓ Refused: nobody else of it enters.", "✓ 已拒绝：其余的人不会进入。", "green")
        else:
            with self.context.database.write() as connection:
                came = approving.approve_hold(connection, hold_id, digest, self.by, self._policy, self.now)
            if isinstance(came, NotWaiting):
                raise Refusal(self._nothing(held.name), Ending.NO)
            if self.by not in came.by:
                raise Refusal(self._changed(held.name), Ending.NO)
            self._say_what_came(came, "it goes on now", "现在继续放行")

    def _show_hold(self, held: Hold) -> None:
        screen, applied = self.inv.screen, self.context.applied.current()
        show_hold(screen, held)
        screen.line(f"  {local(held.made_at, zone_of(None, applied.catalog.timezone))}")
        stages = " → ".join(f"{percent} %" for percent in held.stages)
        screen.say(f"  stages: {stages}", f"  分批：{stages}")
        with self.context.database.read() as connection:
            came = store.came_of(connection, held.id)
            one = store.one_of(connection, held.id)
            active = applied.journeys.get(held.journey_id)
            steps = (active.program.step(i) for i in active.program.ids) if active is not None else ()
            sends = [step for step in steps if isinstance(step, Send)]
            first = next((step.template for step in sends if step.template is not None), None)
            sheets = preview.preview(self.context, connection, first, one, self.now) if first and one else []
        if came.runs:
            screen.say(
                f"  let go so far: {came.runs:,}; sent {came.sent:,}, failed {came.failed:,}, unsubscribed "
                f"{came.unsubscribed:,}, complained {came.complained:,}",
                f"  已放行 {came.runs:,} 位；发送 {came.sent:,}，失败 {came.failed:,}，退订 {came.unsubscribed:,}，"
                f"投诉 {came.complained:,}",
            )
        for sheet in sheets:
            show_sheet(screen, sheet)

    # --- a plan -------------------------------------------------------------------------------------------------

    def on_plan(self, plan_id: str) -> None:
        with self.context.database.read() as connection:
            known = plans.get(connection, plan_id)
            if known is None or known.applied_at is not None:
                raise Refusal(self._nothing(plan_id), Ending.NO)
            project = project_with(connection, known.files)
            terms, rules = Terms.from_data(known.options), rules_of(self.inv)
            made = make_plan(connection, project, self.now, terms, rules).plan
        show_plan(self.inv.screen, made, zone_of(None, project.catalog.timezone))
        if not self.by:
            self._say_how(plan_id)
            return
        with self.context.database.write() as connection:
            came = approving.approve_plan(connection, plan_id, self.by, self._policy, self.now)
        if came is None:
            raise Refusal(self._nothing(plan_id), Ending.NO)
        self._say_what_came(came, f"`engage apply {plan_id}` applies it", f"用 `engage apply {plan_id}` 使它生效")

    # --- words --------------------------------------------------------------------------------------------------

    def _nothing(self, name: str) -> str:
        return self.inv.screen.word(
            f"there is no {name} that waits; `engage approve` lists what does",
            f"没有等待中的 {name}；用 `engage approve` 查看列表",
        )

    def _changed(self, name: str) -> str:
        return self.inv.screen.word(
            f"{name} has changed while it was shown; look at it again with `engage approve {name}`",
            f"{name} 在显示期间有了变化；请用 `engage approve {name}` 重新查看",
        )

    def _say_how(self, name: str) -> None:
        self.inv.screen.say(
            f"To approve it as it is now:  engage approve {name} --by NAME",
            f"按现在的样子批准：  engage approve {name} --by 姓名",
        )

    def _say_what_came(self, came: Approved, en: str, zh: str) -> None:
        names, given, needed = _listed(came.by), len(came.by), came.needed
        if came.goes_on:
            self.inv.screen.say(f"✓ Approved by {names}: {en}.", f"✓ 已由 {names} 批准：{zh}。", "green")
        else:
            self.inv.screen.say(
                f"✓ Approved by {names}: {given} of {needed}.", f"✓ 已由 {names} 批准：{given}/{needed}。", "yellow"
            )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
