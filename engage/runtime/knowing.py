"""What `core.advance` asks about the step a group of runs stands at, read from the database: a query for each kind of
fact, whatever the size of the group. Decides nothing, and writes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection

from engage.core.condition import Condition
from engage.core.journey.model import (
    Ask,
    Branch,
    ExitOnCondition,
    Goto,
    Send,
    Split,
    Step,
    Switch,
    Wait,
    WaitFor,
    Webhook,
)
from engage.core.quiet import zone_of
from engage.core.split import Because, Taken, way_of
from engage.core.timing import UntilField
from engage.core.turn import GivenAnswer, Known, Phase, Run, Seen
from engage.core.usual_hour import LOOKED_BACK
from engage.core.workdays import WorkCalendar
from engage.runtime.applied import Active, Applied
from engage.store import advancing, readings, splits, webhook_calls
from engage.store.advancing import RunRow


@dataclass(frozen=True, slots=True)
class Knowing:
    connection: Connection
    applied: Applied
    calendar: WorkCalendar
    now: datetime

    def run(self, run: RunRow) -> Run:
        zone = zone_of(run.timezone, self.applied.catalog.timezone)
        return Run(
            run.step_id,
            Phase(run.phase),
            run.entered_at,
            zone,
            deadline_at=run.deadline_at,
            due_at=run.due_at,
            calendar=self.calendar,
            holdout=run.holdout,
        )

    def about(self, step: Step, group: Sequence[RunRow]) -> Mapping[int, Known]:
        """What `core.advance` asks about this step, for the whole group."""
        if not group:
            return {}
        arriving = group[0].phase == Phase.ARRIVING
        only_if = step.only_if if arriving else None
        arms = [arm.condition for arm in step.arms] if isinstance(step, Branch) else []
        holds = self._holding([only_if, *arms], group)
        seen = self._seen(step, group)
        answers = advancing.answers(self.connection, group) if isinstance(step, Ask | Switch) else {}
        dates = self._dates(step, group)
        responses = self._responses(step, group)
        taken = self._taken(step, group)
        read = self._read(step, only_if, holds, group)
        calls = webhook_calls.calls_of(self.connection, group, step.id) if isinstance(step, Webhook) else {}
        return {
            run.id: Known(
                only_if=holds[run.id][0],
                arms=holds[run.id][1:],
                seen=seen.get(run.id),
                answer=_on_this_visit(run, answers.get(run.id, {}).get(step.id)),
                answers=answers.get(run.id, {}),
                field_value=dates.get(run.id),
                responses=responses.get(run.member.id, ()),
                taken=taken.get(run.id),
                call=calls.get(run.id),
                jumps=run.jumps.get(step.id, 0) if isinstance(step, Goto) else 0,
                read=read.get(run.id, {}),
            )
            for run in group
        }

    def conditions_of_exit(self, active: Active, ended: Sequence[RunRow]) -> Mapping[int, Mapping[str, Any]]:
        """How the `exit_if` that ended a run reads; nothing for runs that an event has ended."""
        read: dict[int, dict[str, Any]] = {}
        for rule in active.journey.exit_if:
            if isinstance(rule, ExitOnCondition) and ended:
                found = readings.of_the_runs(self.connection, self.applied.catalog, rule.condition, ended, self.now)
                read |= {run_id: {"exit_if": one.as_data()} for run_id, one in found.items() if one.holds}
        return read

    def _read(
        self, step: Step, only_if: Condition | None, holds: Mapping[int, tuple[bool, ...]], group: Sequence[RunRow]
    ) -> Mapping[int, Mapping[str, Any]]:
        """Line by line what turned a run away from the step, or which way; by the name of the condition. What nobody
        needs to be told later is not read: an `only_if` that holds, an arm after the one that is taken."""
        going = [run for run in group if holds[run.id][0]]
        asked = [("only_if", only_if, [run for run in group if not holds[run.id][0]])]
        if isinstance(step, Branch):
            for place, arm in enumerate(step.arms, start=1):
                asked.append((arm.name, arm.condition, [run for run in going if not any(holds[run.id][1:place])]))
        read: dict[int, dict[str, Any]] = defaultdict(dict)
        for name, condition, runs in asked:
            if condition is not None and runs:
                found = readings.of_the_runs(self.connection, self.applied.catalog, condition, runs, self.now)
                for run_id, one in found.items():
                    read[run_id][name] = one.as_data()
        return read

    def _taken(self, step: Step, group: Sequence[RunRow]) -> dict[int, Taken]:
        if not isinstance(step, Split):
            return {}
        kept = splits.ways_of(self.connection, group, step.id)
        winner = splits.winner(self.connection, group[0].journey_id, step.id)
        there = {way.name for way in step.ways}
        return {
            run.id: Taken(kept[run.id], Because.EARLIER)
            if kept.get(run.id) in there
            else way_of(run.member.id, run.journey_id, step, winner)
            for run in group
        }

    def _holding(self, conditions: Sequence[Condition | None], group: Sequence[RunRow]) -> dict[int, tuple[bool, ...]]:
        return advancing.holding(self.connection, self.applied.catalog, conditions, group, self.now)

    def _seen(self, step: Step, group: Sequence[RunRow]) -> dict[int, Seen]:
        if not isinstance(step, WaitFor):
            return {}
        return advancing.first_seen(
            self.connection, self.applied.catalog, step.events, step.since, step.where, None, group, self.now
        )

    def _dates(self, step: Step, group: Sequence[RunRow]) -> dict[int, date | datetime]:
        if not (isinstance(step, Wait) and isinstance(step.until, UntilField)):
            return {}
        kind = self.applied.catalog.fields[step.until.field].type
        return advancing.field_dates(self.connection, step.until.field, kind, group)

    def _responses(self, step: Step, group: Sequence[RunRow]) -> Mapping[int, tuple[datetime, ...]]:
        if not (isinstance(step, Send) and step.at_usual_hour):
            return {}
        return advancing.responses_since(self.connection, [run.member for run in group], self.now - LOOKED_BACK)


def _on_this_visit(run: RunRow, given: GivenAnswer | None) -> GivenAnswer | None:
    """A question that is put again wants an answer of its own."""
    return given if given is not None and given.visit == run.visit else None
