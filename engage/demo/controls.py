"""What the phone page may ask of the demo: the time, more of it, and what the engine is doing with a person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from engage.core.journey.model import Ask, Send, Step, Wait, WaitFor
from engage.demo.drive import Drive
from engage.runtime.context import Context
from engage.sandbox.phone.controls import JourneyLine
from engage.sandbox.world import World
from engage.store import members
from engage.store.insight import progress
from engage.store.members import MemberRef


class DemoControls:
    def __init__(self, context: Context, world: World, drive: Drive) -> None:
        self._context = context
        self._world = world
        self._drive = drive

    def now(self) -> datetime:
        return self._context.clock.now()

    def forward(self, period: timedelta) -> None:
        self._drive.forward(period)

    def journeys(self, key: str) -> Sequence[JourneyLine] | None:
        ref = self._member(key)
        if ref is None:
            return ()
        applied = self._context.applied.remembered()
        with self._context.database.read() as connection:
            standing = progress.standing_of(connection, ref)
        lines = []
        for run in standing:
            active = applied.journeys.get(run.journey_id)
            if active is not None and run.step_id in active.program.ids:
                step = active.program.step(run.step_id)
                lines.append(JourneyLine(active.journey.title, _in_words(step), run.due_at))
        return lines

    def _member(self, key: str) -> MemberRef | None:
        """The member behind a phone, by any name the engine may know them under. None for a phone just unpacked: the
        world meets its owner at their first act."""
        try:
            person = self._world.phone(key).person
        except KeyError:
            return None
        mobile = f"+86{person.phone}" if person.phone else None
        names = {members.MEMBER_KIND: person.ref, "wechat": person.openid, "sms": mobile, "email": person.email}
        with self._context.database.read() as connection:
            for kind, name in names.items():
                found = members.find(connection, kind, [name]) if name is not None else {}
                if found:
                    return next(iter(found.values()))
        return None


def _in_words(step: Step) -> str:
    """A step as somebody who has not read the journey understands it."""
    match step:
        case _ if step.label is not None:
            return step.label
        case Ask():
            return "等待回答"
        case Wait():
            return "等到约定的时间"
        case WaitFor(events=events):
            return f"等待：{'、'.join(_EVENT_WORDS.get(event, event) for event in events)}"
        case Send():
            return "准备发送"
        case _:
            return "马上继续"


_EVENT_WORDS = {
    "clicked": "点开链接",
    "replied": "回复",
    "answered": "回答",
    "task_done": "同事处理",
    "coupon_used": "用券",
    "order_paid": "下单",
    "referral_shared": "分享给朋友",
    "panel_joined": "加入顾问团",
    "store_visited": "到店",
}
