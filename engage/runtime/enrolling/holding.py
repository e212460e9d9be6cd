"""Starts that would bring many at once: held back at the door, and let go by stages or by approval.

Whoever is held back has a run already, which has not begun: the start is not offered twice, and nobody is lost between
the start and the approval.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil

import structlog
from sqlalchemy import Connection

from engage.config import Policy
from engage.content.project import CATALOG, JOURNEYS
from engage.core.catalog import Catalog
from engage.core.condition import All, InSegment
from engage.core.journey.check import every_step
from engage.core.journey.model import Ask, Journey, OnSchedule, OnSegment, Send
from engage.core.lot import lot
from engage.core.turn import EndKind
from engage.runtime.applied import Active, Applied
from engage.runtime.context import Context
from engage.runtime.enrolling.crossings import ONE_START, came_into
from engage.runtime.quarantine import Quarantine, Resting, all_of
from engage.store import enrolling, holding, journeys, tallies, trail
from engage.store.holding import Came, Hold, HoldStatus, Waiting
from engage.store.members import MemberRef

BATCH = 1000
_LOOKED_AT_AGAIN = timedelta(minutes=1)
_ENOUGH_TO_SAY = 100  # who have asked, before their share is one of all who will
_A_FEW_MORE = 1.1  # may join a start that was approved
_NEVER_FEWER = 3  # failures and refusals stop nothing: a single unlucky member is no sign
_REFUSED = "the start was not approved"
_PATIENCE = timedelta(hours=3)  # with one over whom the code fails: the next stage waits for them
_FAILED = "letting them in has failed; the log says why"
log = structlog.get_logger("engage.holding")


@dataclass(frozen=True, slots=True)
class Bulk:
    """A start that may bring many at once. `start` tells it from others of the journey. `expected`: how many it brings
    in all, where it does so batch by batch and knows; `segment`: it brings those who come into one, as many as these
    are. `foreseen`: nobody is there to let it go on, as in a simulation: that it would be held back is written down,
    and everybody enters."""

    policy: Policy
    start: str
    expected: int = 0
    segment: str | None = None
    foreseen: bool = False


def stage_of(hold: Hold, ref: MemberRef) -> int:
    """By hash: the same member is always in the same one, and who is early is another question for each hold."""
    drawn = lot("canary", hold.id, ref.id)
    return next(stage for stage, percent in enumerate(hold.stages) if drawn < percent)


def hold_back(
    connection: Connection, applied: Applied, active: Active, bulk: Bulk, count: int, asked: int, now: datetime
) -> Hold | None:
    """The hold in which they wait, all of them: to let somebody go is `LettingGo`'s. None: they may come in, now.
    `count`: who would, of so many who `asked`."""
    at_once = _at_once(connection, active, bulk, count, asked, now)
    known = holding.same_start(connection, active.journey.id, bulk.start) if not bulk.foreseen else None
    if known is not None:
        look = {"next_at": now} if known.status is HoldStatus.GOING else {}
        holding.change(connection, known.id, members=known.members + count, **look)
        return known
    made = _hold_of(connection, applied, active, bulk, at_once, now) if at_once >= _smallest(bulk.policy) else None
    if made is None:
        return None
    if bulk.foreseen:
        noted = replace(made, members=at_once, status=HoldStatus.RELEASED, stage=len(made.stages) - 1, settled_at=now)
        holding.add(connection, noted)
        return None
    made = holding.add(connection, replace(made, members=count))
    level = log.info if made.status is HoldStatus.GOING else log.warning
    level("start_held_back", hold=made.name, journey=made.journey_id, members=at_once, why=made.why)
    return made


def _at_once(connection: Connection, active: Active, bulk: Bulk, count: int, asked: int, now: datetime) -> int:
    """How many the start brings: those of the last hour, and those who are still to come, as far as can be said. Of
    whoever came into a segment as large a share enters as of those who have asked."""
    start = f"{active.journey.id}:{bulk.start}"
    entered, asking = f"entered:{start}", f"asked:{start}"
    tallies.add(connection, {entered: count, asking: asked}, 0, now)
    came = {came_into(bulk.segment)} if bulk.segment is not None else set()
    lately = tallies.counted(connection, {entered, asking} | came, now - ONE_START)
    in_all, of_all = lately[entered], lately[asking]
    share = in_all / of_all if of_all >= _ENOUGH_TO_SAY else 0
    return max(in_all, bulk.expected, *(round(lately.get(name, 0) * share) for name in came))


def _smallest(policy: Policy) -> int:
    guard = policy.audience_guard
    of_all = [guard.count, guard.share_from, policy.canary.start_from]
    return min(of_all + ([policy.approvals.start_from] if policy.approvals.topics else []))


def _hold_of(
    connection: Connection, applied: Applied, active: Active, bulk: Bulk, count: int, now: datetime
) -> Hold | None:
    canary = bulk.policy.canary
    staged = count >= canary.start_from and active.journey.canary
    why = _why_it_waits(connection, applied, active, bulk.policy, count)
    if why is None and not staged:
        return None
    stages = list(canary.stages) if staged else [100]
    waits = Hold(0, active.journey.id, bulk.start, now, 0, HoldStatus.WAITING, why or "", stages)
    if why is not None:
        return waits
    listed = ", ".join(f"{percent} %" for percent in stages)
    going = replace(waits, status=HoldStatus.GOING, why=f"by stages: {listed}", stage=0)
    return replace(going, next_at=now, digest=_what_they_get(connection, active.journey.id))


def _why_it_waits(connection: Connection, applied: Applied, active: Active, policy: Policy, count: int) -> str | None:
    guard, journey = policy.audience_guard, active.journey
    if count > guard.count:
        return f"{count} members at once, {guard.count} allowed"
    everyone_was_said = isinstance(journey.start, OnSchedule) and journey.audience is None
    if count >= guard.share_from and not everyone_was_said and guard.share < 1:
        of_all = holding.base(connection, ceil(count / guard.share) if guard.share else count)
        if count > guard.share * of_all:
            return f"{count} of {of_all} members at once, {guard.share * 100:.0f} % allowed"
    if count >= policy.approvals.start_from and asks_approval(policy, applied.catalog, journey):
        return "starts of this topic need approval"
    return None


def asks_approval(policy: Policy, catalog: Catalog, journey: Journey) -> bool:
    """Whether it sends anything of the topics, or classes of topics, that need approval. A name that is neither was
    meant for something: until it is mended, it is taken for all."""
    if policy.approvals.topics - catalog.topic_names:
        return True
    of_steps = (step.topic for step in every_step(journey.steps) if isinstance(step, Send | Ask))
    return not topics_that_ask(policy, catalog).isdisjoint({journey.topic, *of_steps})


def topics_that_ask(policy: Policy, catalog: Catalog) -> set[str]:
    asked = policy.approvals.topics
    return {name for name, topic in catalog.topics.items() if name in asked or topic.topic_class.value in asked}


def digest_of(connection: Connection, held: Hold) -> str:
    """Of all that an approval is about: what they would get, and how many they are. A few more do not void what the
    first of two has approved, twice as many do."""
    return _digest([_what_they_get(connection, held.journey_id), held.start, held.members.bit_length()])


def _what_they_get(connection: Connection, journey_id: str) -> str:
    """A digest of the journey's text, the catalog, and the templates."""
    files = journeys.applied(connection).files
    mine = f"{JOURNEYS}{journey_id}.yaml"
    told = {path: text for path, text in files.items() if path == mine or not _is_journey(path)}
    return _digest([journey_id, sorted(told.items())])


def _digest(about: object) -> str:
    return hashlib.sha256(json.dumps(about, ensure_ascii=False).encode()).hexdigest()[:32]


def _is_journey(path: str) -> bool:
    return path.startswith(JOURNEYS) and path != CATALOG


def go_on(connection: Connection, held: Hold, now: datetime) -> None:
    """It was approved, as it is: the next stage is let go."""
    onward = {"status": HoldStatus.GOING, "stage": held.stage + 1, "let_go_at": None, "next_at": now}
    approved = {"digest": _what_they_get(connection, held.journey_id), "approved_for": held.members}
    holding.change(connection, held.id, **onward, **approved)


def refuse(connection: Connection, held: Hold, why: str, now: datetime) -> None:
    """Whoever still waits in it does not enter."""
    log.warning("start_refused", hold=held.name, journey=held.journey_id, why=why)
    holding.change(connection, held.id, status=HoldStatus.REFUSED, why=why[:300], next_at=now)


# --- letting go -------------------------------------------------------------------------------------------------


class LettingGo:
    """A loop: whoever may begin, begins, a batch at a time; and after each stage somebody looks at what came of it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._resting = Resting(context.clock)  # holds

    def tick(self) -> int:
        now, resting = self._context.clock.now(), self._resting.now
        with self._context.database.read() as connection:
            due = [hold_id for hold_id in holding.at_work(connection, now) if hold_id not in resting]
        return all_of(*(_Due(self._context, self._resting, hold_id, now).work_on for hold_id in due))

    def next_due(self, connection: Connection, now: datetime) -> datetime | None:
        return holding.next_due(connection, now)


@dataclass(frozen=True, slots=True)
class _Due:
    """A hold about which there is something to do."""

    context: Context
    resting: Resting
    hold_id: int
    now: datetime

    def work_on(self) -> int:
        """A batch of those who may go on; if there is none, what is next for the hold. 0: nothing is left to do now."""
        runs = Quarantine(
            self.context,
            "letting_go",
            lambda _: self.hold_id,
            self._take,
            self._take_again,
            self._go_on,
            self._set_aside,
            self.resting,
            _PATIENCE,
        )
        return runs.together_or_singly() or self._look_on()

    def _take(self, connection: Connection) -> Sequence[Waiting]:
        work = self._hold(connection)
        if work is None or not work.they_may_go_on:
            return []
        return holding.waiting(connection, work.held, BATCH, self.resting.alone)

    def _take_again(self, connection: Connection, waits: Waiting) -> Sequence[Waiting]:
        work = self._hold(connection)
        still = work is not None and work.they_may_go_on and holding.still_waits(connection, waits)
        return [waits] if still else []

    def _go_on(self, connection: Connection, runs: Sequence[Waiting]) -> None:
        if (work := self._hold(connection)) is not None:
            work.go_on(runs)

    def _set_aside(self, connection: Connection, waits: Waiting, error: Exception) -> None:
        """Their run ends, and nobody waits behind it."""
        work = self._hold(connection)
        if work is not None and holding.still_waits(connection, waits):
            work.set_aside(waits)

    def _look_on(self) -> int:
        with self.context.database.write() as connection:
            work = self._hold(connection)
            return 1 if work is not None and work.look_on() else 0

    def _hold(self, connection: Connection) -> _Work | None:
        """Nobody else works on it until the transaction ends. None: there is nothing to do about it any more."""
        journeys.hold(connection)
        applied = self.context.applied.current()
        held = holding.get(connection, self.hold_id, to_change=True)
        if held is None or held.settled_at is not None or held.next_at is None or held.next_at > self.now:
            return None
        return _Work(connection, self.context.policy, applied, held, self.now)


@dataclass(frozen=True, slots=True)
class _Work:
    """On one hold, in one transaction."""

    connection: Connection
    policy: Policy
    applied: Applied
    held: Hold
    now: datetime

    @property
    def _active(self) -> Active | None:
        """The journey, if it takes anybody."""
        active = self.applied.journeys.get(self.held.journey_id)
        return active if active is not None and not active.draining else None

    @property
    def they_may_go_on(self) -> bool:
        """Into the journey; or to their end, of a start that was refused."""
        active = self._active
        if self.held.status is HoldStatus.REFUSED:
            return True
        return active is not None and self._why_no_longer(active) is None

    def go_on(self, runs: Sequence[Waiting]) -> None:
        if self.held.status is HoldStatus.REFUSED:
            self._turn_away(runs, _REFUSED)
        elif (active := self._active) is not None:
            self._let_go(active, runs)

    def set_aside(self, waits: Waiting) -> None:
        self._turn_away([waits], _FAILED)

    def look_on(self) -> bool:
        """What is next, where nobody goes on. No, if there is nothing: somebody is left alone, and waited for."""
        active, anybody = self._active, holding.waiting(self.connection, self.held, 1)
        if self.held.status is HoldStatus.REFUSED:
            if anybody:
                return False
            self._change(settled_at=self.now)
        elif active is None:
            refuse(self.connection, self.held, "the journey takes nobody new any more", self.now)
        elif not anybody and self.held.is_whole:
            self._change(status=HoldStatus.RELEASED, settled_at=self.now)
        elif why := self._why_no_longer(active):
            self._stop(why, self.held.stage - (self.held.let_go_at is None))  # that one is not through yet
        elif anybody:
            return False
        else:
            self._look_at_stage()
        return True

    def _look_at_stage(self) -> None:
        """All of it are let go."""
        if self.held.let_go_at is None:
            self._change(let_go_at=self.now, next_at=self.now + self.policy.canary.wait)
        elif self.now < (judged_at := self.held.let_go_at + self.policy.canary.wait):
            self._change(next_at=judged_at)
        else:
            self._judge(holding.came_of(self.connection, self.held.id))

    def _why_no_longer(self, active: Active) -> str | None:
        """What was approved, or tried on a few, is not what the others would get; or more have joined them."""
        held = self.held
        if held.digest != _what_they_get(self.connection, held.journey_id):
            return "it was changed while it was being let go"
        if held.approved_for is None:
            return _why_it_waits(self.connection, self.applied, active, self.policy, held.members)
        if held.members > held.approved_for * _A_FEW_MORE:
            return f"{held.members} members by now, {held.approved_for} were approved"
        return None

    def _let_go(self, active: Active, runs: Sequence[Waiting]) -> None:
        """Whom audience and exclude do not let in any more does not enter; nor who has left the segment since. They are
        due since their stage was to be let go."""
        refs = [ref for _, ref in runs]
        journey = _for_those_still_in(self.applied.catalog, active.journey)
        let_in = enrolling.admitted(self.connection, self.applied.catalog, journey, refs, self.now)
        entering = [each for each in runs if each.member.id in let_in]
        begun = {
            "status": "live",
            "entered_at": self.now,
            "step_id": active.program.first,
            "step_started_at": self.now,
            "version": active.version,
            "due_at": self.held.next_at,
        }
        holding.change_runs(self.connection, entering, begun)
        left_out = [each for each in runs if each.member.id not in let_in]
        self._turn_away(left_out, "audience or exclude does not let them in")
        lines = [(ref.bucket, run, None, "let_go", {"hold": self.held.name}) for run, ref in entering]
        trail.note(self.connection, lines, self.now)

    def _turn_away(self, runs: Sequence[Waiting], why: str) -> None:
        """Their start, this very occurrence, does not come again; the next one finds them as if they had never come."""
        kind = EndKind.NEVER_BEGAN
        ended = {"status": "ended", "end_kind": kind, "end_reason": why, "ended_at": self.now}
        holding.change_runs(self.connection, runs, ended)
        lines = [(ref.bucket, run, None, "exit", {"kind": kind, "reason": why}) for run, ref in runs]
        trail.note(self.connection, lines, self.now)

    # --- the canary ---------------------------------------------------------------------------------------------

    def _judge(self, came: Came) -> None:
        if came.known * 2 < came.runs:
            self._change(next_at=self.now + _LOOKED_AT_AGAIN)  # too early to say
            return
        why = self._amiss(came)
        if why is not None:
            self._stop(why, self.held.stage)
            return
        stage = self.held.stage + 1
        log.info("stage_let_go", hold=self.held.name, journey=self.held.journey_id, percent=self.held.stages[stage])
        self._change(stage=stage, let_go_at=None)  # due since this look was

    def _amiss(self, came: Came) -> str | None:
        canary = self.policy.canary
        for what, count, most in (
            ("failed", came.failed, canary.most_failed),
            ("unsubscribed", came.unsubscribed, canary.most_unsubscribed),
            ("complained", came.complained, canary.most_complained),
        ):
            if count >= _NEVER_FEWER and count > most * came.sent:
                return f"{what}: {count} of {came.sent}, {most * 100:.1f} % allowed"
        return None

    def _stop(self, why: str, stage: int) -> None:
        """Until it is approved; then it goes on with the stage after this one."""
        log.error("start_stopped", hold=self.held.name, journey=self.held.journey_id, why=why)
        self._change(status=HoldStatus.WAITING, why=why[:300], next_at=None, digest=None, stage=stage)

    def _change(self, **values: object) -> None:
        holding.change(self.connection, self.held.id, **values)


def _for_those_still_in(catalog: Catalog, journey: Journey) -> Journey:
    """The journey, with the segment whose entering starts it as a part of its audience."""
    match journey.start:
        case OnSegment(name):
            inside = InSegment(name, catalog.segments[name])
            return replace(journey, audience=All((inside, journey.audience)) if journey.audience else inside)
        case _:
            return journey
