"""ADVANCE: what every due run does next. A batch goes step by step in rounds, each a handful of queries.

One transaction moves the runs and does what their steps ask for (messages queued, members changed, tasks opened), so
that each happens exactly once. Nothing is rendered here but the words of tasks; messages are worded when they are sent.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, assert_never
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Connection

from engage.core.advance import advance
from engage.core.journey.model import (
    Enroll,
    ExitOnCondition,
    ExitOnEvent,
    Journey,
    Since,
    Step,
    WaitFor,
)
from engage.core.turn import (
    CallWebhook,
    ChangeMember,
    Effect,
    End,
    EndKind,
    EnrollElsewhere,
    Go,
    Jumped,
    Memory,
    Note,
    OpenTask,
    Phase,
    QueueMessage,
    Seen,
    Stay,
    TookWay,
    Turn,
)
from engage.core.walked import DaysWalk
from engage.runtime.advancing.doing import Doing
from engage.runtime.advancing.knowing import Knowing
from engage.runtime.applied import Active, Applied
from engage.runtime.context import Context
from engage.runtime.enrolling import goals
from engage.runtime.quarantine import Quarantine, Resting
from engage.runtime.stride import Stride
from engage.store import advancing, journeys, splits, tallies, trail
from engage.store.advancing import RunRow
from engage.store.insight import overview

BATCH = 500
# Steps one run may take in one tick. No journey without a loop reaches it; a run that does goes on at the next tick.
MOST_ROUNDS = 100
_TRIED_AGAIN = timedelta(hours=1)  # a run whose step failed
# What these steps ask about depends on where runs stand, this one or others of its member. All other moves of a batch
# are written once, however many steps a run has taken.
_LOOKS_AT_RUNS = (WaitFor, Enroll)
log = structlog.get_logger("engage.advance")


class Advance:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._stride = Stride(BATCH, context)
        self._more_are_due = False  # the last batch was a full one: nobody needs to look
        self._resting = Resting(context.clock)  # journeys
        self._due = Quarantine(
            context,
            "advance",
            attrgetter("journey_id"),
            self._take,
            self._take_again,
            self._move,
            self._set_aside,
            self._resting,
        )

    def tick(self) -> int:
        """Move one batch of due runs. Returns how many."""
        if not self._more_are_due:
            with self._context.database.read() as connection:
                if not advancing.anything_due(connection, self._context.clock.now()):
                    return 0
        self._more_are_due = False  # also if this batch fails
        moved = self._due.together_or_singly()
        self._more_are_due = moved >= self._stride.length
        return moved

    def _take(self, connection: Connection) -> Sequence[RunRow]:
        journeys.hold(connection)  # the runs stand in what is applied
        self._context.applied.current()  # if it cannot be read, no run is to blame
        return advancing.due(connection, self._context.clock.now(), self._stride.length, self._resting.now)

    def _take_again(self, connection: Connection, run: RunRow) -> Sequence[RunRow]:
        journeys.hold(connection)
        return advancing.still_due(connection, run, self._context.clock.now())

    def _move(self, connection: Connection, runs: Sequence[RunRow]) -> None:
        now = self._context.clock.now()
        applied = self._context.applied.current()
        knowing = Knowing(connection, applied, self._context.policy.work_calendar(), now)
        zone = ZoneInfo(applied.catalog.timezone)
        walk = DaysWalk.of(self._context.policy.limits.steps_per_day, now, zone)
        with self._stride.over(len(runs)):
            _Batch(connection, applied, now, knowing, Doing(connection, applied, now), walk).move(runs)

    def _set_aside(self, connection: Connection, run: RunRow, error: Exception) -> None:
        """The member stays where they are, untouched; it is tried again later."""
        if not self._take_again(connection, run):
            return
        later = self._context.clock.now() + _TRIED_AGAIN
        advancing.save(connection, [{"bucket": run.member.bucket, "id": run.id, "due_at": later}])


@dataclass
class _Batch:
    """The runs of one transaction, on their way."""

    connection: Connection
    applied: Applied
    now: datetime
    knowing: Knowing
    doing: Doing
    walk: DaysWalk
    lines: list[trail.Line] = field(default_factory=list)
    moves: dict[int, dict[str, Any]] = field(default_factory=dict)
    ways: list[tuple[RunRow, str, str]] = field(default_factory=list)  # newly taken: (run, split, way)
    tired: Counter[str] = field(default_factory=Counter)  # runs that have walked enough for today, by journey

    def move(self, runs: Sequence[RunRow]) -> None:
        moving = list(runs)
        for _ in range(MOST_ROUNDS):
            moving = self._round(moving)
            if not moving:
                break
        self._write()
        trail.note(self.connection, self.lines, self.now)
        self._tell_tired()

    def _write(self) -> None:
        advancing.save(self.connection, self.moves.values())
        self.moves.clear()

    def _round(self, runs: Sequence[RunRow]) -> list[RunRow]:
        """One look at every run; those that went on to another step come back."""
        groups: dict[tuple[str, int, str, str], list[RunRow]] = defaultdict(list)
        for run in runs:
            groups[run.journey_id, run.pinned_version or 0, run.step_id, run.phase].append(run)
        found = [(self._step_of(group[0]), group) for _, group in sorted(groups.items())]
        if any(isinstance(at[1], _LOOKS_AT_RUNS) for at, _ in found if at is not None):
            self._write()
        onward: list[RunRow] = []
        for at, group in found:
            if at is None:
                self._park(group)
                continue
            active, step = at
            onward += self._take_turns(active, step, self._without_tired(self._without_ended(active, group)))
        self.lines += self.doing.flush()
        splits.keep_ways(self.connection, self.ways, self.now)
        self.ways.clear()
        return onward

    def _step_of(self, run: RunRow) -> tuple[Active, Step] | None:
        """Where it stands; None if no version that it follows has such a step."""
        active = self.applied.followed_by(run.journey_id, run.pinned_version)
        if active is None or run.step_id not in active.program.ids:
            return None
        return active, active.program.step(run.step_id)

    def _park(self, group: Sequence[RunRow]) -> None:
        """A step this version does not know. `apply` moves members off such steps, so this is a fault worth telling;
        they stay where they are, untouched."""
        log.error("step_unknown", journey=group[0].journey_id, step=group[0].step_id, runs=len(group))
        for run in group:
            self._set(run, due_at=None)

    # --- ends ---------------------------------------------------------------------------------------------------

    def _without_ended(self, active: Active, group: Sequence[RunRow]) -> list[RunRow]:
        ended = ends(self.connection, self.applied, active, group, self.now)
        read = self.knowing.conditions_of_exit(active, [run for run in group if run.id in ended])
        for run in group:
            if run.id in ended:
                kind, reason, seen = ended[run.id]
                self._end(active, run, kind, reason, seen, read.get(run.id))
        return [run for run in group if run.id not in ended]

    def _end(
        self,
        active: Active,
        run: RunRow,
        kind: EndKind,
        reason: str,
        seen: Seen | None = None,
        read: Mapping[str, Any] | None = None,
    ) -> None:
        goal = kind is EndKind.GOAL and seen is not None
        values = {
            "status": "ended",
            "end_kind": kind,
            "end_reason": reason,
            "ended_at": self.now,
            "due_at": None,
            "goal_at": seen.at if seen is not None and goal else None,
            "goal_counts": _counts(active.journey, run, seen) if seen is not None and goal else None,
        }
        self._set(run, **values)
        detail = {"kind": kind, "reason": reason} | ({"read": read} if read else {})
        self.lines.append((run.member.bucket, run.id, run.step_id, "exit", detail))
        if seen is not None:
            self.doing.cancel_messages(run, f"the run ended: {reason}", only_follow_ups=False)
        elif kind is EndKind.EXIT:
            self.doing.cancel_messages(run, f"the run ended: {reason}", only_follow_ups=True)

    # --- rest -------------------------------------------------------------------------------------------------------

    def _without_tired(self, group: Sequence[RunRow]) -> list[RunRow]:
        """They rest until tomorrow, also if something has woken them."""
        tired = {run.id for run in group if self.walk.is_done(run.walked)}
        for run in group:
            if run.id in tired:
                self._set(run, due_at=self.walk.goes_on_at)
        return [run for run in group if run.id not in tired]

    def _count(self, active: Active, run: RunRow, to: str) -> RunRow:
        if not active.program.comes_back:
            return run
        run = run._replace(walked=run.walked.one_more(self.walk.today))
        self._set(run, walked_on=run.walked.on, walked_steps=run.walked.steps)
        if self.walk.is_done(run.walked):
            told = {"steps": run.walked.steps, "until": self.walk.goes_on_at.isoformat()}
            self.lines.append((run.member.bucket, run.id, to, "rest", told))
            self.tired[run.journey_id] += 1
        return run

    def _tell_tired(self) -> None:
        for journey_id, runs in self.tired.items():
            log.error("runs_rest", journey=journey_id, runs=runs, steps_per_day=self.walk.most)
        counts = {f"{overview.TIRED}{journey_id}": runs for journey_id, runs in self.tired.items()}
        tallies.add(self.connection, counts, 0, self.now)

    # --- turns --------------------------------------------------------------------------------------------------

    def _take_turns(self, active: Active, step: Step, group: Sequence[RunRow]) -> list[RunRow]:
        known = self.knowing.about(step, group)
        onward = []
        for run in group:
            turn = advance(active.program, self.knowing.run(run), known[run.id], self.now)
            moved = self._apply(active, step, _after(run, known[run.id].seen), turn)
            if moved is not None:
                onward.append(moved)
        return onward

    def _apply(self, active: Active, step: Step, run: RunRow, turn: Turn) -> RunRow | None:
        match turn:
            case Stay(phase, deadline_at, effects, note):
                self._do(active, run, effects, note, step)
                self._set(run, phase=phase, deadline_at=deadline_at, due_at=deadline_at)
                return None
            case Go(to, effects, note, memory):
                self._do(active, run, effects, note, step)
                if to is None:
                    self._end(active, run, EndKind.COMPLETED, "end")
                    return None
                run = self._count(active, self._remember(run, memory), to)
                arrived = {"step_id": to, "phase": Phase.ARRIVING, "deadline_at": None}
                self._set(run, **arrived, step_started_at=self.now, step_after_event=run.last_event, due_at=self.now)
                return run._replace(step_id=to, phase=Phase.ARRIVING, deadline_at=None)
            case End(kind, reason, note):
                self._do(active, run, (), note, step)
                self._end(active, run, kind, reason)
                return None
            case _:
                assert_never(turn)

    def _do(self, active: Active, run: RunRow, effects: Sequence[Effect], note: Note | None, step: Step) -> None:
        if note is not None:
            # The holdout is measured, not sent to: it walks the same steps, and nothing comes of them.
            detail = {**note.detail, "withheld": True} if run.holdout and effects else note.detail
            self.lines.append((run.member.bucket, run.id, step.id, note.what, detail))
        if run.holdout:
            # A goal is counted from when the message would have gone out.
            if any(isinstance(effect, QueueMessage) for effect in effects):
                self._set(run, last_message_at=self.now)
            return
        for effect in effects:
            match effect:
                case QueueMessage():
                    self.doing.queue_message(active, run, effect)
                case ChangeMember(update):
                    self.doing.change_member(run, update)
                case OpenTask(notify):
                    self.doing.open_task(run, notify)
                case EnrollElsewhere(enroll):
                    self.doing.enroll(run, enroll)
                case CallWebhook():
                    self.doing.call_webhook(run, effect)
                case _:
                    assert_never(effect)

    def _remember(self, run: RunRow, memory: Memory | None) -> RunRow:
        match memory:
            case None:
                return run
            case TookWay(split, way):
                self.ways.append((run, split.id, way))
                return run
            case Jumped(goto, back):
                jumps = {**run.jumps, goto.id: run.jumps.get(goto.id, 0) + 1}
                visit = run.visit + 1 if back else run.visit
                self._set(run, jumps=jumps, visit=visit)
                return run._replace(jumps=jumps, visit=visit)
            case _:
                assert_never(memory)

    def _set(self, run: RunRow, **values: Any) -> None:
        row = self.moves.setdefault(run.id, {"bucket": run.member.bucket, "id": run.id})
        row.update(values)


def _after(run: RunRow, seen: Seen | None) -> RunRow:
    """What ended this step's wait is behind the next one, also if it was committed after the run was read."""
    return run._replace(last_event=seen.number) if seen is not None and seen.number > run.last_event else run


Ended = tuple[EndKind, str, Seen | None]


def ends(
    connection: Connection, applied: Applied, active: Active, group: Sequence[RunRow], now: datetime
) -> dict[int, Ended]:
    """Runs whose goal is reached, or that an `exit_if` rule ends; read before every step and before every send."""
    journey = active.journey
    ended: dict[int, Ended] = {}
    catalog = applied.catalog
    for rule in journey.exit_if:
        match rule:
            case ExitOnEvent(event, where):
                found = advancing.first_seen(connection, catalog, [event], Since.START, where, journey.per, group, now)
                ended |= {i: (EndKind.EXIT, seen.name, seen) for i, seen in found.items()}
            case ExitOnCondition(condition):
                holding = advancing.holding(connection, catalog, [condition], group, now)
                at = {i: Seen("exit_if", now) for i, (holds,) in holding.items() if holds}
                ended |= {i: (EndKind.EXIT, "exit_if", seen) for i, seen in at.items()}
            case _:
                assert_never(rule)
    goal = journey.goal
    if goal is not None and goal.then_exit:
        found = advancing.first_seen(connection, catalog, [goal.event], Since.START, goal.where, None, group, now)
        ended |= {i: (EndKind.GOAL, "goal", seen) for i, seen in found.items()}
    return ended


def _counts(journey: Journey, run: RunRow, seen: Seen) -> bool:
    return journey.goal is not None and goals.counts(journey.goal, run, seen)
