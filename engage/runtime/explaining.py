"""`engage explain`: everything that was decided about one member, run by run, in the order it happened.

Reads what was written down at the time; nothing is judged again. Words and columns are the reader's matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from engage.core.advance import Purpose
from engage.core.delivery import Status
from engage.core.journey.model import Ask
from engage.core.quiet import zone_of
from engage.runtime.applied import Applied
from engage.runtime.follow_up import policy_of, step_of
from engage.store import history, members
from engage.store.history import Decided, PastMessage, PastRun
from engage.store.members import MemberRef


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened in a run. A message is told with its last judgement and what became of it."""

    at: datetime
    what: str  # of the trail; or "message"
    step_id: str | None
    detail: Mapping[str, Any] = field(default_factory=dict)
    message: PastMessage | None = None


@dataclass(frozen=True, slots=True)
class RunStory:
    run: PastRun
    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """One member. `others`: messages that belong to no run, such as the confirmation of an opt-out."""

    member_id: int
    external_id: str | None
    name: str | None
    zone: ZoneInfo
    runs: tuple[RunStory, ...]
    others: tuple[Line, ...]


def explain(
    connection: Connection, applied: Applied, ref: MemberRef, now: datetime, journey_id: str | None = None
) -> Story:
    """`journey_id`: only runs of this journey."""
    profile = members.profiles(connection, applied.catalog, [ref], now)[ref.id]
    runs = history.runs(connection, ref, journey_id)
    trail = history.trail(connection, ref, [run.id for run in runs])
    messages: dict[int | None, list[PastMessage]] = {}
    for message in history.messages(connection, ref):
        messages.setdefault(message.enrolment_id, []).append(message)
    others = [] if journey_id is not None else messages.get(None, [])
    return Story(
        member_id=ref.id,
        external_id=profile.external_id,
        name=profile.values.get("name"),
        zone=zone_of(profile.timezone, applied.catalog.timezone),
        runs=tuple(_story(applied, run, trail.get(run.id, []), messages.get(run.id, [])) for run in runs),
        others=tuple(_message_line(message, message.queued_at) for message in others),
    )


def _story(applied: Applied, run: PastRun, trail: Sequence[Decided], messages: Sequence[PastMessage]) -> RunStory:
    active = applied.journeys.get(run.journey_id)
    lines = [Line(line.at, line.what, line.step_id, line.detail) for line in trail]
    lines += [_message_line(message, _moment(applied, run, message)) for message in messages]
    order = {step_id: place for place, step_id in enumerate(active.program.ids)} if active is not None else {}
    lines.sort(key=lambda line: _place(line, order))
    return RunStory(run, active.journey.title if active is not None else run.journey_id, tuple(lines))


def _message_line(message: PastMessage, at: datetime) -> Line:
    return Line(at, "message", message.step_id, message=message)


def _place(line: Line, order: Mapping[str, int]) -> tuple[datetime, int, int, int]:
    """By time; what happened in one moment by its place in the journey: a step's message, what it then waits for, and
    last what it says about an answer."""
    edge = {"enter": -1, "exit": 1}.get(line.what, 0)
    rank = 1
    if line.message is not None:
        rank = 0 if line.message.purpose in (Purpose.SEND, Purpose.ASK) else 2
    return line.at, edge, order.get(line.step_id or "", 0), rank


def _moment(applied: Applied, run: PastRun, message: PastMessage) -> datetime:
    """When it was decided: first messages when the step was reached; reminders and fallbacks, which run beside the
    journey, when they went out, or when their time came."""
    if message.hop == 0:
        return message.queued_at
    if message.first_sent_at is not None:
        return message.first_sent_at
    planned = _planned(applied, run, message)
    if message.status == Status.CANCELLED and run.ended_at is not None:
        return min(planned, run.ended_at)
    return planned


def _planned(applied: Applied, run: PastRun, message: PastMessage) -> datetime:
    """The journey's own delay after the message before it; if a newer version has none, when it was queued."""
    found = step_of(applied, run.journey_id, message.step_id)
    if message.due_at is not None or found is None:
        return message.due_at or message.queued_at
    active, step = found
    if message.purpose == Purpose.REMIND and isinstance(step, Ask) and step.remind is not None:
        return message.queued_at + step.remind
    fallback = policy_of(active.journey, step).fallback
    return message.queued_at + fallback.after if fallback is not None else message.queued_at
