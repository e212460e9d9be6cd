"""`engage explain`: why a member got what they got, and did not get the rest. Reads only.

What has happened is told as it was written down at the time; nothing of it is judged again. What has not happened has
left no trace: there the door is asked as it is now (`door`). What comes next is foreseen (`foresight`). Words and
columns are the reader's matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from engage.core.delivery import Status
from engage.core.journey.model import Ask
from engage.core.quiet import zone_of
from engage.core.turn import Purpose
from engage.runtime.applied import Applied
from engage.runtime.context import Context
from engage.runtime.dispatching.follow_up import policy_of, step_of
from engage.runtime.dispatching.judge import cap_of
from engage.runtime.insight.door import Door, Visitor
from engage.runtime.insight.foresight import Ahead, Foresight
from engage.store import members, reaching
from engage.store.insight import history, overview
from engage.store.insight.history import ConsentOnFile, Decided, Happening, PastMessage, PastRun, PastTask
from engage.store.insight.overview import Paused
from engage.store.members import MemberRef

MOST_RUNS = 10  # shown without being asked for all
MOST_DOORS = 20  # likewise, of journeys the member has never been in
_WENT_OUT = (Status.SENDING, Status.SENT, Status.AMBIGUOUS)


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be explained. `at`: as of that moment; `everything`: every run, and every journey never entered."""

    at: datetime
    journey_id: str | None = None
    step_id: str | None = None
    everything: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened in a run. A message is told with its last judgement and what became of it; `spent_on`:
    the earlier messages that used up its frequency cap."""

    at: datetime
    what: str  # of the trail; or "message"
    step_id: str | None
    detail: Mapping[str, Any] = field(default_factory=dict)
    message: PastMessage | None = None
    came: tuple[Happening, ...] = ()
    spent_on: tuple[PastMessage, ...] = ()
    task: PastTask | None = None


@dataclass(frozen=True, slots=True)
class RunStory:
    run: PastRun
    title: str
    lines: tuple[Line, ...]
    ahead: tuple[Ahead, ...] = ()


@dataclass(frozen=True, slots=True)
class WayIn:
    """How one channel stands for the member, whatever the message."""

    channel: str
    address: str
    status: str
    status_at: datetime
    suppressed: tuple[str, datetime] | None
    consents: tuple[ConsentOnFile, ...]
    unconsented: tuple[str, ...]  # topics that need a grant and have neither it nor a refusal


@dataclass(frozen=True, slots=True)
class Story:
    """One member. `earlier`: how many runs are left out. `others`: messages that belong to no run, such as the
    confirmation of an opt-out. `doors`: journeys that have not taken the member in, or would now a second time;
    `unasked`: how many of them were not looked at."""

    member_id: int
    external_id: str | None
    name: str | None
    zone: ZoneInfo
    at: datetime
    runs: tuple[RunStory, ...]
    earlier: int
    others: tuple[Line, ...]
    doors: tuple[Door, ...]
    unasked: int
    ways: tuple[WayIn, ...]
    pauses: tuple[Paused, ...]


def explain(context: Context, connection: Connection, ref: MemberRef, question: Question) -> Story:
    return _Explaining(context, connection, context.applied.current(), ref, question).tell()


@dataclass(frozen=True, slots=True)
class _Explaining:
    context: Context
    connection: Connection
    applied: Applied
    ref: MemberRef
    question: Question

    def tell(self) -> Story:
        connection, ref, asked = self.connection, self.ref, self.question
        profile = members.profiles(connection, self.applied.catalog, [ref], asked.at)[ref.id]
        zone = zone_of(profile.timezone, self.applied.catalog.timezone)
        begun = [run for run in history.runs(connection, ref, asked.journey_id) if run.entered_at <= asked.at]
        shown = begun if asked.everything else begun[-MOST_RUNS:]
        told = _Told(self.context, self.applied, history.messages(connection, ref), asked)
        return Story(
            member_id=ref.id,
            external_id=profile.external_id,
            name=profile.values.get("name"),
            zone=zone,
            at=asked.at,
            runs=tuple(self._runs(shown, told)),
            earlier=len(begun) - len(shown),
            others=told.of_no_run() if asked.journey_id is None else (),
            **self._doors(begun, zone),
            ways=tuple(self._ways()),
            pauses=tuple(overview.pauses(connection)),
        )

    def _runs(self, runs: Sequence[PastRun], told: _Told) -> Iterator[RunStory]:
        trail = history.trail(self.connection, self.ref, [run.id for run in runs])
        responses = history.responses(self.connection, self.ref)
        tasks = {(task.enrolment_id, task.step_id): task for task in history.tasks(self.connection, self.ref)}
        foresight = Foresight(self.context, self.connection, self.applied)
        live = [run for run in runs if run.status == "live"]
        ahead = foresight.of_runs(self.ref, [run.id for run in live], self.question.at)
        for run in runs:
            active = self.applied.followed_by(run.journey_id, run.pinned_version)
            title = active.journey.title if active is not None else run.journey_id
            yield RunStory(run, title, told.of_run(run, trail.get(run.id, []), responses, tasks), ahead.get(run.id, ()))

    def _doors(self, begun: Sequence[PastRun], zone: ZoneInfo) -> dict[str, Any]:
        asked = self.question
        if asked.journey_id is not None:
            live = any(run.status == "live" and not run.per_value for run in begun)
            known = asked.journey_id in self.applied.journeys
            wanted = [asked.journey_id] if known and not live and asked.step_id is None else []
        else:
            been_in = {run.journey_id for run in begun if not run.never_began}
            wanted = sorted(set(self.applied.journeys) - been_in)
        looked_at = wanted if asked.everything or len(wanted) <= MOST_DOORS else []
        work = self.context.policy.work_calendar()
        visitor = Visitor(self.connection, self.applied, self.ref, zone, work, asked.at)
        doors = tuple(visitor.at(self.applied.journeys[journey_id]) for journey_id in looked_at)
        return {"doors": doors, "unasked": len(wanted) - len(looked_at)}

    def _ways(self) -> Iterator[WayIn]:
        consents = history.consents(self.connection, self.ref)
        for (_, channel), point in sorted(reaching.contact_points(self.connection, [self.ref]).items()):
            said = {consent.topic for consent in consents if consent.channel == channel}
            yield WayIn(
                channel,
                point["address"],
                point["status"],
                point["status_at"],
                history.suppressed(self.connection, channel, point["address"]),
                tuple(consent for consent in consents if consent.channel == channel),
                tuple(topic for topic in self.applied.refusable_topics if topic not in said),
            )


@dataclass(frozen=True, slots=True)
class _Told:
    """The member's messages, and how lines are made of them."""

    context: Context
    applied: Applied
    messages: Sequence[PastMessage]
    question: Question

    def of_no_run(self) -> tuple[Line, ...]:
        lines = [
            self._line(message, message.queued_at, {}) for message in self.messages if message.enrolment_id is None
        ]
        return tuple(line for line in lines if self._wanted(line))

    def of_run(
        self,
        run: PastRun,
        trail: Sequence[Decided],
        responses: Mapping[int, Sequence[Happening]],
        tasks: Mapping[tuple[int | None, str | None], PastTask],
    ) -> tuple[Line, ...]:
        lines = [
            Line(told.at, told.what, told.step_id, told.detail, task=self._task(run, told, tasks)) for told in trail
        ]
        mine = [message for message in self.messages if message.enrolment_id == run.id]
        lines += [self._line(message, _moment(self.applied, run, message, mine), responses) for message in mine]
        active = self.applied.followed_by(run.journey_id, run.pinned_version)
        order = {step_id: place for place, step_id in enumerate(active.program.ids)} if active is not None else {}
        return tuple(sorted(filter(self._wanted, lines), key=lambda line: _place(line, order)))

    def _wanted(self, line: Line) -> bool:
        return line.at <= self.question.at and self.question.step_id in (None, line.step_id)

    def _task(
        self, run: PastRun, told: Decided, tasks: Mapping[tuple[int | None, str | None], PastTask]
    ) -> PastTask | None:
        return tasks.get((run.id, told.step_id)) if told.what == "notify" else None

    def _line(self, message: PastMessage, at: datetime, responses: Mapping[int, Sequence[Happening]]) -> Line:
        came = tuple(heard for heard in responses.get(message.id, ()) if heard.recorded_at <= self.question.at)
        spent_on = tuple(self._spent_on(message))
        return Line(at, "message", message.step_id, message=message, came=came, spent_on=spent_on)

    def _spent_on(self, message: PastMessage) -> Iterator[PastMessage]:
        """Of a message that was one too many: those that had used the cap when it was judged, one hop of each."""
        judged_at = message.claimed_at
        if judged_at is None or not (message.reason or "").startswith("frequency cap"):
            return
        policy = self.context.policy
        cap = cap_of(policy, self.applied, message.topic)
        longest = max((rule.within for rule in policy.caps.get(cap or "", [])), default=None)
        keys = {message.message_key}
        for other in self.messages:
            sent_at = other.first_sent_at
            counts = sent_at is not None and longest is not None and judged_at - longest < sent_at <= judged_at
            same = cap_of(policy, self.applied, other.topic) == cap and other.status in _WENT_OUT
            if counts and same and other.message_key not in keys:
                keys.add(other.message_key)
                yield other


# --- the order of things ----------------------------------------------------------------------------------------


def _place(line: Line, order: Mapping[str, int]) -> tuple[datetime, int, int, int]:
    """By time; what happened in one moment by its place in the journey: a step's message, what it then waits for, and
    last what it says about an answer."""
    edge = {"enter": -1, "held": -1, "exit": 1}.get(line.what, 0)
    rank = 1
    if line.message is not None:
        rank = 0 if line.message.purpose in (Purpose.SEND, Purpose.ASK) else 2
    return line.at, edge, order.get(line.step_id or "", 0), rank


def _moment(applied: Applied, run: PastRun, message: PastMessage, of_run: Sequence[PastMessage]) -> datetime:
    """When it was decided: first messages when the step was reached; reminders and fallbacks, which run beside the
    journey, when they went out, or when their time came, if the next message or the end did not come before."""
    if message.hop == 0:
        return message.queued_at
    if message.first_sent_at is not None:
        return message.first_sent_at
    planned = _planned(applied, run, message)
    if message.status != Status.CANCELLED:
        return planned
    next_ones = (other.queued_at for other in of_run if other.hop == 0 and other.queued_at > message.queued_at)
    return min([planned, *next_ones, *([run.ended_at] if run.ended_at is not None else [])])


def _planned(applied: Applied, run: PastRun, message: PastMessage) -> datetime:
    """When its time came: it was judged then. Else the journey's own delay after the message before it; if a newer
    version has none, when it was queued."""
    if message.claimed_at is not None or message.due_at is not None:
        return message.claimed_at or message.due_at or message.queued_at
    found = step_of(applied, run.journey_id, message.step_id, run.pinned_version)
    if found is None:
        return message.queued_at
    active, step = found
    if message.purpose == Purpose.REMIND and isinstance(step, Ask) and step.remind is not None:
        return message.queued_at + step.remind
    fallback = policy_of(active.journey, step).fallback
    return message.queued_at + fallback.after if fallback is not None else message.queued_at
