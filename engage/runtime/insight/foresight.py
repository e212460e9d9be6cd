"""What comes next for one member if nothing happens: where their runs go, and what would become of the next message.

The same machine and the same judge as in the loops, at the moments to come, over what is on file now. Reads only: what
a step would do on the way is named, not done, so that conditions behind an `update` read the member as of today.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, assert_never

from sqlalchemy import Connection

from engage.clock import VirtualClock
from engage.core.advance import advance
from engage.core.journey.model import Webhook
from engage.core.turn import Call, End, EndKind, Go, Jumped, Phase, Purpose, QueueMessage, Stay, Turn
from engage.core.webhook_call import CallStatus
from engage.runtime.advancing.advance import ends
from engage.runtime.advancing.doing import message_of
from engage.runtime.advancing.knowing import Knowing
from engage.runtime.applied import Active, Applied
from engage.runtime.context import Context
from engage.runtime.dispatching.judge import Judge, Later, Verdict
from engage.runtime.dispatching.situation import Situation
from engage.store import advancing, dispatching, judging
from engage.store.advancing import RunRow
from engage.store.dispatching import Claimed
from engage.store.members import MemberRef

_MOST_STEPS = 30  # looked ahead: enough for the next message of any journey a person would write
_MOST_DEFERRALS = 3  # quiet hours, then sending hours of the channel; a channel at rest is not waited out


@dataclass(frozen=True, slots=True)
class Ahead:
    """One thing to come. `verdict`: of a message; None where it would be withheld from the holdout."""

    at: datetime
    what: str  # of the trail; or "message"
    step_id: str | None
    detail: Mapping[str, Any] = field(default_factory=dict)
    message: Claimed | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Foresight:
    context: Context
    connection: Connection
    applied: Applied

    def of_runs(self, ref: MemberRef, run_ids: Sequence[int], now: datetime) -> dict[int, tuple[Ahead, ...]]:
        """Up to the next message of each run, by run id. Empty for a moment that has passed: it is in the trail."""
        if not run_ids or now < self.context.clock.now():
            return {}
        rows = advancing.runs_by_id(self.connection, [(ref.bucket, run_id) for run_id in run_ids])
        waiting = judging.waiting_of(self.connection, ref, now)
        found = {}
        for row in rows:
            queued = [self._judged(due_at, claimed) for due_at, claimed in waiting if claimed.enrolment_id == row.id]
            found[row.id] = tuple(sorted([*queued, *self._walk(row, now)], key=lambda ahead: ahead.at))
        return found

    # --- the run ------------------------------------------------------------------------------------------------

    def _walk(self, row: RunRow, now: datetime) -> list[Ahead]:
        active = self.applied.followed_by(row.journey_id, row.pinned_version)
        if active is None or row.step_id not in active.program.ids or row.due_at is None:
            return []
        ahead: list[Ahead] = []
        place: _Place | Ahead = _Place(row, max(row.due_at, now), has_stood_here=True)
        for _ in range(_MOST_STEPS):
            if isinstance(place, Ahead):
                return [*ahead, place]
            ended = ends(self.connection, self.applied, active, [place.row], place.at).get(row.id)
            if ended is not None:
                return [*ahead, place.exit(ended[0], ended[1])]
            turn = self._turn(active, place)
            ahead += self._seen_in(active, place, turn)
            if any(one.message is not None for one in ahead):
                break
            place = _after(place, turn)
        return ahead

    def _turn(self, active: Active, place: _Place) -> Turn:
        row = place.row
        step = active.program.step(row.step_id)
        knowing = Knowing(self.connection, self.applied, self.context.policy.work_calendar(), place.at)
        known = knowing.about(step, [row])[row.id]
        if not place.has_stood_here:
            # What is on record already was not for this step; and a call that is still to be made will succeed.
            waits = isinstance(step, Webhook) and row.phase == Phase.WAITING
            known = known._replace(seen=None, answer=None, call=Call(CallStatus.DONE) if waits else None)
        return advance(active.program, knowing.run(row), known, place.at)

    def _seen_in(self, active: Active, place: _Place, turn: Turn) -> list[Ahead]:
        note = turn.note
        seen = [Ahead(place.at, note.what, place.row.step_id, note.detail)] if note is not None else []
        messages = [] if isinstance(turn, End) else [e for e in turn.effects if isinstance(e, QueueMessage)]
        for effect in messages:
            if effect.purpose in (Purpose.SEND, Purpose.ASK):
                new = message_of(active, place.row, effect, place.at)
                judged = self._judged(new.due_at, dispatching.foreseen(new, place.at))
                seen.append(replace(judged, verdict=None) if place.row.holdout else judged)
        return seen

    # --- its messages -------------------------------------------------------------------------------------------

    def _judged(self, due_at: datetime, claimed: Claimed) -> Ahead:
        """What would become of it when it is due; where the hours defer it, when they let it go."""
        moment = max(due_at, self.context.clock.now())
        verdict = self._judge(claimed, moment)
        for _ in range(_MOST_DEFERRALS):
            if not isinstance(verdict, Later) or verdict.why != "outside sending hours":
                break
            moment = verdict.until
            verdict = self._judge(claimed, moment)
        return Ahead(moment, "message", claimed.step_id, message=claimed, verdict=verdict)

    def _judge(self, claimed: Claimed, moment: datetime) -> Verdict:
        then = replace(self.context, clock=VirtualClock(moment))
        situation = Situation.load(then, self.connection, self.applied, [claimed])
        return Judge(then, self.applied, situation).judge(claimed)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a run will be looked at, and when. `has_stood_here`: at the step where it stands now, which may have been
    given what it waits for."""

    row: RunRow
    at: datetime
    has_stood_here: bool = False

    def exit(self, kind: EndKind, reason: str) -> Ahead:
        return Ahead(self.at, "exit", self.row.step_id, {"kind": kind, "reason": reason})


def _after(place: _Place, turn: Turn) -> _Place | Ahead:
    """Where the run is looked at next, or how it ends."""
    row = place.row
    match turn:
        case Stay(phase, deadline_at):
            waiting = row._replace(phase=phase, deadline_at=deadline_at)
            return replace(place, row=waiting, at=max(place.at, deadline_at))
        case Go(None):
            return place.exit(EndKind.COMPLETED, "end")
        case Go(to):
            if isinstance(turn.memory, Jumped):
                goto = turn.memory.goto.id
                row = row._replace(jumps={**row.jumps, goto: row.jumps.get(goto, 0) + 1})
            arrived = row._replace(step_id=to or "", phase=Phase.ARRIVING, deadline_at=None, due_at=place.at)
            return _Place(arrived, place.at)
        case End(kind, reason):
            return place.exit(kind, reason)
        case _:
            assert_never(turn)
