"""What happens in a world while test cases are played: how each journey begins for its member, and what people do.

An `Outside` of the world. Everything goes the way it goes in life: facts through the inbox, a task closed by
`close_task`, a manual start by `admit`. What could not happen (a click before anything was sent) is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import assert_never
from zoneinfo import ZoneInfo

from engage.core.fact import Answered, Arrival, Clicked, Followed, Happened, MemberGiven, OptedOut, Receipt, Typed
from engage.core.fact import Unfollowed as UnfollowedFact
from engage.core.journey.model import Ask, Manual, OnEvent, OnSegment, Survey
from engage.core.outcome import Failure
from engage.core.problem import Said
from engage.core.quiet import zone_of
from engage.core.testfile.model import (
    Answers,
    Changes,
    ClosesTask,
    DayTime,
    Deed,
    Doing,
    Follows,
    Happens,
    Responds,
    Says,
)
from engage.core.timing import local_moment
from engage.core.turn import Purpose
from engage.runtime.closing import close_task
from engage.runtime.dispatching.follow_up import step_of
from engage.runtime.enrolling.enrol import admit
from engage.simulation.casting import Role
from engage.simulation.world import World
from engage.store import segments, tasks
from engage.store.enrolling import Entrant
from engage.store.insight import history
from engage.store.insight.history import PastMessage

_ASKING = (Purpose.ASK, Purpose.REMIND)


@dataclass(frozen=True, slots=True)
class Stumble:
    """Something that a test says happens, and that could not."""

    deed: Deed
    why: Said


class Script:
    """The deeds of all roles, in the order of their moments."""

    def __init__(self, world: World, journey_id: str, clock: datetime, roles: Sequence[Role]) -> None:
        self._world = world
        self._journey_id = journey_id
        self._clock = clock
        self._begun = False
        self._roles = roles
        self._stumbles: dict[str, list[Stumble]] = {}
        self._ahead: list[tuple[datetime, int, Role, Deed]] = sorted(
            (
                (moment_of(world, role, deed.at, clock), number, role, deed)
                for role in roles
                for number, deed in enumerate(role.case.deeds)
            ),
            key=lambda due: due[:2],
            reverse=True,
        )

    # --- Outside ------------------------------------------------------------------------------------------------

    def next_due(self) -> datetime | None:
        begins = None if self._begun else self._clock.astimezone(UTC)
        deed = self._ahead[-1][0] if self._ahead else None
        return min((moment for moment in (begins, deed) if moment is not None), default=None)

    def tick(self, now: datetime) -> int:
        done = 0
        if not self._begun and now >= self._clock:
            self._begun = True
            done += self._begin()
        # One at a time: what a deed starts is settled before the next.
        if self._ahead and self._ahead[-1][0] <= now:
            _, _, role, deed = self._ahead.pop()
            why = _Doer(self._world, role).do(deed.doing)
            if why is not None:
                self._stumbles.setdefault(role.external_id, []).append(Stumble(deed, why))
            done += 1
        return done

    def stumbles_of(self, role: Role) -> list[Stumble]:
        return self._stumbles.get(role.external_id, [])

    # --- how it begins ------------------------------------------------------------------------------------------

    def _begin(self) -> int:
        """What starts the journey happens to everybody; a date or a schedule comes by itself."""
        active = self._world.applied.journeys[self._journey_id]
        now = self._world.clock.now()
        match active.journey.start:
            case OnEvent(event):
                self._world.tell(Happened(r.external_id, event, r.case.start_event, now) for r in self._roles)
            case OnSegment(segment):
                with self._world.database.read() as connection:
                    inside = set(segments.members_of(connection, segment))
                entering = [role for role in self._roles if role.ref in inside]
                payload = {"segment": segment}
                self._world.tell(Happened(r.external_id, "segment_entered", payload, now) for r in entering)
            case Manual():
                with self._world.database.write() as connection:
                    brought = [Entrant(r.ref, "test", {"event": {}, "var": dict(r.case.values)}) for r in self._roles]
                    admit(connection, self._world.applied, active, brought, now)
            case _:
                pass
        return 1


def zone_in(world: World, role: Role) -> ZoneInfo:
    return zone_of(role.case.member.timezone, world.applied.catalog.timezone)


def moment_of(world: World, role: Role, at: DayTime, clock: datetime) -> datetime:
    """Day 0 is the date of the clock; the time is the member's own."""
    day: date = clock.date() + timedelta(days=at.day)
    return local_moment(day, at.at, zone_in(world, role))


# --- deeds ------------------------------------------------------------------------------------------------------

_NOTHING_SENT = Said("nothing had been sent to them by then", "那时还没有给这位会员发过消息")
_NOTHING_ASKED = Said("nothing had been asked by then", "那时还没有提过问题")
_NO_TASK = Said("the team had no open task about this member", "这个团队没有关于这位会员的待办任务")
_NO_CHAT = Said("they have no channel to write on", "这位会员没有可以打字的渠道")


@dataclass(frozen=True, slots=True)
class _Doer:
    """One role doing one thing, now."""

    world: World
    role: Role

    def do(self, doing: Doing) -> Said | None:
        """Why it could not be done, if so."""
        match doing:
            case Responds():
                return self._respond(doing)
            case Happens(event, payload):
                self.world.tell([Happened(self.role.external_id, event, payload, self._now)])
                return None
            case Answers():
                return self._answer(doing)
            case Says(text, channel):
                return self._say(text, channel)
            case Follows(channel, follows):
                fact = Followed if follows else UnfollowedFact
                self.world.tell([fact(channel, self.role.addresses[channel], self._now)])
                return None
            case ClosesTask():
                return self._close(doing)
            case Changes(values, tags):
                self.world.tell(
                    [MemberGiven(self.role.external_id, self._now, values, {}, {}, evidence="test", tags=tags)]
                )
                return None
            case _:
                assert_never(doing)

    @property
    def _now(self) -> datetime:
        return self.world.clock.now()

    def _respond(self, doing: Responds) -> Said | None:
        message = self._last(doing.channel)
        if message is None or message.channel is None:
            return _NOTHING_SENT
        channel, now = message.channel, self._now
        match doing.event:
            case "clicked":
                link = doing.link or next(iter(self.world.applied.catalog.brand.links), "")
                self.world.tell([Clicked(message.id, link, now)])
            case "delivered":
                self.world.tell([Receipt(channel, Arrival.DELIVERED, now, message.id)])
            case "bounced":
                self.world.tell(
                    [Receipt(channel, Arrival.BOUNCED, now, message.id, failure=Failure.INVALID_ADDRESS, code="550")]
                )
            case how:
                self.world.tell([OptedOut(channel, now, how, message.id)])
        return None

    def _answer(self, doing: Answers) -> Said | None:
        message = self._last(doing.channel, asking=True) or self._last(None, asking=True)
        if message is None or message.channel is None:
            return _NOTHING_ASKED
        channel = doing.channel or message.channel
        if self.world.context.channels[channel].talks:
            return self._say(" ".join(part for part in (doing.answer, doing.comment) if part), channel)
        self.world.tell([self._on_page(message, doing)])
        return None

    def _on_page(self, message: PastMessage, doing: Answers) -> Answered:
        found = step_of(self.world.applied, message.journey_id, message.step_id)
        survey = found[1].survey if found is not None and isinstance(found[1], Ask) else Survey.TEXT
        given, now = doing.answer, self._now
        match survey:
            case Survey.NPS | Survey.CSAT:
                score = int(given) if given is not None and given.isdecimal() else None
                return Answered(message.id, now, score=score, comment=doing.comment)
            case Survey.CHOICE:
                return Answered(message.id, now, choice=given, comment=doing.comment)
            case Survey.TEXT:
                return Answered(message.id, now, comment=given or doing.comment)
            case _:
                assert_never(survey)

    def _say(self, text: str, channel: str | None) -> Said | None:
        known = [c for c in self.role.addresses if self.world.context.channels[c].talks]
        where = channel or next(iter(known), None)
        if where is None:
            return _NO_CHAT
        self.world.tell([Typed(where, self.role.addresses[where], text, self._now)])
        return None

    def _close(self, doing: ClosesTask) -> Said | None:
        with self.world.database.write() as connection:
            open_now = [t for t in tasks.open_tasks(connection, doing.team) if t.member == self.role.ref]
            if not open_now:
                return _NO_TASK
            close_task(connection, self.world.applied.catalog, open_now[0], doing.outcome, "test", self._now)
        return None

    def _last(self, channel: str | None, *, asking: bool = False) -> PastMessage | None:
        """The last message that went out to them; of questions only, if `asking`."""
        with self.world.database.read() as connection:
            sent = [m for m in history.messages(connection, self.role.ref) if m.first_sent_at is not None]
        wanted = [
            message
            for message in sent
            if channel in (None, message.channel) and (not asking or message.purpose in _ASKING)
        ]
        return max(wanted, key=lambda message: (message.first_sent_at, message.id), default=None)
