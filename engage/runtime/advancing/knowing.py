"""What `core.advance` asks about the step a group of runs stands at, read from the database: a query for each kind of
fact, whatever the size of the group. Decides nothing, and writes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
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
from engage.store import advancing, splits, webhook_calls
from engage.store.advancing import RunRow
from engage.store.statements import readings
from engage.store.statements.readings import Read

_NOTHING = Known()


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
        facts = defaultdict(dict, self._conditions(step, group))
        for name, values in self._values(step, group):
            for run_id, value in values.items():
                facts[run_id][name] = value
        return {run.id: Known(**facts[run.id]) if run.id in facts else _NOTHING for run in group}

    def _values(self, step: Step, group: Sequence[RunRow]) -> Iterator[tuple[str, Mapping[int, Any]]]:
        """A field of `Known`, and its value by run, of those of whom there is any."""
        match step:
            case Ask() | Switch():
                answers = advancing.answers(self.connection, group)
                yield "answers", answers
                yield "answer", _on_this_visit(step, group, answers)
            case Wait(until=UntilField(field)):
                kind = self.applied.catalog.fields[field].type
                yield "field_value", advancing.field_dates(self.connection, field, kind, group)
            case WaitFor():
                yield "seen", self._seen(step, group)
            case Send(at_usual_hour=True):
                since = self.now - LOOKED_BACK
                by_member = advancing.responses_since(self.connection, [run.member for run in group], since)
                yield "responses", {run.id: by_member.get(run.member.id, ()) for run in group}
            case Split():
                yield "taken", self._taken(step, group)
            case Webhook():
                yield "call", webhook_calls.calls_of(self.connection, group, step.id)
            case Goto():
                yield "jumps", {run.id: run.jumps.get(step.id, 0) for run in group}

    def conditions_of_exit(self, active: Active, ended: Sequence[RunRow]) -> Mapping[int, Mapping[str, Any]]:
        """How the `exit_if` that ended a run reads; nothing for runs that an event has ended."""
        read: dict[int, dict[str, Any]] = {}
        for rule in active.journey.exit_if:
            if isinstance(rule, ExitOnCondition):
                found = self._read(rule.condition, ended)
                read |= {run_id: {"exit_if": one.as_data()} for run_id, one in found.items() if one.holds}
        return read

    def _conditions(self, step: Step, group: Sequence[RunRow]) -> dict[int, dict[str, Any]]:
        """How the conditions of a step turned out, by run; nothing of a run that no condition keeps from going on.
        How they read is for the trail: what turned the run away, or led it into its arm."""
        facts: dict[int, dict[str, Any]] = {}
        if step.only_if is not None and group[0].phase == Phase.ARRIVING:
            for run_id, read in self._read(step.only_if, group).items():
                if not read.holds:
                    facts[run_id] = {"only_if": False, "read": {"only_if": read.as_data()}}
        if isinstance(step, Branch):
            facts |= self._arms(step, [run for run in group if run.id not in facts])
        return facts

    def _arms(self, step: Branch, group: Sequence[RunRow]) -> dict[int, dict[str, Any]]:
        """Each arm of those whom none before it has taken."""
        arms: dict[int, list[bool]] = {run.id: [] for run in group}
        read: dict[int, dict[str, Any]] = {run.id: {} for run in group}
        left = group
        for arm in step.arms:
            found = self._read(arm.condition, left) if arm.condition is not None else {}
            for run_id, one in found.items():
                read[run_id][arm.name] = one.as_data()
            for run in group:
                arms[run.id].append(found[run.id].holds if run.id in found else arm.condition is None)
            left = [run for run in left if not arms[run.id][-1]]
        return {run.id: {"arms": tuple(arms[run.id]), "read": read[run.id]} for run in group}

    def _read(self, condition: Condition, runs: Sequence[RunRow]) -> dict[int, Read]:
        if not runs:
            return {}
        return readings.of_the_runs(self.connection, self.applied.catalog, condition, runs, self.now)

    def _seen(self, step: WaitFor, group: Sequence[RunRow]) -> dict[int, Seen]:
        return advancing.first_seen(
            self.connection, self.applied.catalog, step.events, step.since, step.where, None, group, self.now
        )

    def _taken(self, step: Split, group: Sequence[RunRow]) -> dict[int, Taken]:
        kept = splits.ways_of(self.connection, group, step.id)
        winner = splits.winner(self.connection, group[0].journey_id, group[0].pinned_version, step.id)
        there = {way.name for way in step.ways}
        return {
            run.id: Taken(kept[run.id], Because.EARLIER)
            if kept.get(run.id) in there
            else way_of(run.member.id, run.journey_id, step, winner)
            for run in group
        }


def _on_this_visit(
    step: Ask | Switch, group: Sequence[RunRow], answers: Mapping[int, Mapping[str, GivenAnswer]]
) -> dict[int, GivenAnswer]:
    """A question that is put again wants an answer of its own."""
    given = {run.id: answers.get(run.id, {}).get(step.id) for run in group}
    return {run.id: one for run in group if (one := given[run.id]) is not None and one.visit == run.visit}
