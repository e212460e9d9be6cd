"""What `core.advance` asks about the step a group of runs stands at, read from the database: a query for each kind of
fact, whatever the size of the group. Decides nothing, and writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
from engage.store.readings import Read


@dataclass(slots=True)
class _Asked:
    """How the conditions of a step turned out for one run. `read`, line by line and by the condition's name, is for the
    trail: what turned the run away, or led it into its arm. What held by the way is not told."""

    only_if: bool = True
    arms: list[bool] = field(default_factory=list)
    read: dict[str, Any] = field(default_factory=dict)


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
        asked = self._conditions(step, group)
        seen = self._seen(step, group)
        answers = advancing.answers(self.connection, group) if isinstance(step, Ask | Switch) else {}
        dates = self._dates(step, group)
        responses = self._responses(step, group)
        taken = self._taken(step, group)
        calls = webhook_calls.calls_of(self.connection, group, step.id) if isinstance(step, Webhook) else {}
        return {
            run.id: Known(
                only_if=asked[run.id].only_if,
                arms=tuple(asked[run.id].arms),
                read=asked[run.id].read,
                seen=seen.get(run.id),
                answer=_on_this_visit(run, answers.get(run.id, {}).get(step.id)),
                answers=answers.get(run.id, {}),
                field_value=dates.get(run.id),
                responses=responses.get(run.member.id, ()),
                taken=taken.get(run.id),
                call=calls.get(run.id),
                jumps=run.jumps.get(step.id, 0) if isinstance(step, Goto) else 0,
            )
            for run in group
        }

    def conditions_of_exit(self, active: Active, ended: Sequence[RunRow]) -> Mapping[int, Mapping[str, Any]]:
        """How the `exit_if` that ended a run reads; nothing for runs that an event has ended."""
        read: dict[int, dict[str, Any]] = {}
        for rule in active.journey.exit_if:
            if isinstance(rule, ExitOnCondition):
                found = self._read(rule.condition, ended)
                read |= {run_id: {"exit_if": one.as_data()} for run_id, one in found.items() if one.holds}
        return read

    def _conditions(self, step: Step, group: Sequence[RunRow]) -> Mapping[int, _Asked]:
        """`only_if` of those who arrive; then the arms of a branch, each for those whom none before it has taken."""
        asked = {run.id: _Asked() for run in group}
        if step.only_if is not None and group[0].phase == Phase.ARRIVING:
            for run_id, read in self._read(step.only_if, group).items():
                asked[run_id].only_if = read.holds
                if not read.holds:
                    asked[run_id].read["only_if"] = read.as_data()
        left = [run for run in group if asked[run.id].only_if]
        for arm in step.arms if isinstance(step, Branch) else ():
            found = self._read(arm.condition, left) if arm.condition is not None else {}
            for run_id, read in found.items():
                asked[run_id].read[arm.name] = read.as_data()
            for run in group:
                asked[run.id].arms.append(found[run.id].holds if run.id in found else arm.condition is None)
            left = [run for run in left if not asked[run.id].arms[-1]]
        return asked

    def _read(self, condition: Condition, runs: Sequence[RunRow]) -> dict[int, Read]:
        if not runs:
            return {}
        return readings.of_the_runs(self.connection, self.applied.catalog, condition, runs, self.now)

    def _taken(self, step: Step, group: Sequence[RunRow]) -> dict[int, Taken]:
        if not isinstance(step, Split):
            return {}
        kept = splits.ways_of(self.connection, group, step.id)
        winner = splits.winner(self.connection, group[0].journey_id, group[0].pinned_version, step.id)
        there = {way.name for way in step.ways}
        return {
            run.id: Taken(kept[run.id], Because.EARLIER)
            if kept.get(run.id) in there
            else way_of(run.member.id, run.journey_id, step, winner)
            for run in group
        }

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
