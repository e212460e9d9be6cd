"""What steps ask for, done in the transaction that moves their runs: messages queued, members changed, tasks opened,
other journeys entered. Collected over a round, then written in bulk."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from engage.content.render import render_words
from engage.core.coerce import field_value
from engage.core.delivery import MOST_REPEATS
from engage.core.journey.model import Ask, Enroll, Notify, OnAmbiguous, Send, Update
from engage.core.turn import CallWebhook, Purpose, QueueMessage
from engage.runtime.applied import Active, Applied
from engage.runtime.batches import each_once
from engage.runtime.dispatching.wording import words_context
from engage.runtime.enrolling.enrol import admit
from engage.store import advancing, dispatching, events, fallbacks, members, tasks, trail, webhook_calls
from engage.store.advancing import RunRow
from engage.store.dispatching import NewMessage
from engage.store.enrolling import Entrant
from engage.store.events import NewEvent
from engage.store.members import Profile
from engage.store.tasks import NewTask
from engage.store.webhook_calls import NewCall


@dataclass
class Doing:
    connection: Connection
    applied: Applied
    now: datetime
    _messages: list[NewMessage] = field(default_factory=list)
    _gone_on: list[tuple[int, int]] = field(default_factory=list)  # runs that say something for another time
    _changes: list[tuple[RunRow, Update]] = field(default_factory=list)
    _tasks: list[tuple[RunRow, Notify]] = field(default_factory=list)
    _enrolls: list[tuple[RunRow, Enroll]] = field(default_factory=list)
    _calls: list[tuple[RunRow, CallWebhook]] = field(default_factory=list)
    _overtaken: dict[tuple[str, bool], list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))

    def queue_message(self, active: Active, run: RunRow, effect: QueueMessage) -> None:
        self._messages.append(message_of(active, run, effect, self.now))
        if run.last_message_at is not None and effect.purpose in (Purpose.SEND, Purpose.ASK):
            self._gone_on.append((run.member.bucket, run.id))

    def change_member(self, run: RunRow, step: Update) -> None:
        self._changes.append((run, step))

    def open_task(self, run: RunRow, step: Notify) -> None:
        self._tasks.append((run, step))

    def enroll(self, run: RunRow, step: Enroll) -> None:
        self._enrolls.append((run, step))

    def call_webhook(self, run: RunRow, effect: CallWebhook) -> None:
        self._calls.append((run, effect))

    def cancel_messages(self, run: RunRow, why: str, *, only_follow_ups: bool) -> None:
        self._overtaken[why, only_follow_ups].append((run.member.bucket, run.id))

    def flush(self) -> list[trail.Line]:
        """Write everything that was asked for. Members first: tasks and other journeys read what they have become.
        Returns lines for the trail."""
        self._flush_changes()
        self._flush_messages()
        for (why, only_follow_ups), runs in self._overtaken.items():
            advancing.cancel_messages(self.connection, runs, why, only_follow_ups=only_follow_ups)
        self._overtaken.clear()
        return self._flush_words()

    # --- messages -----------------------------------------------------------------------------------------------

    def _flush_messages(self) -> None:
        """A new message of a run puts an end to the fallbacks of its earlier ones; a first one has none."""
        fallbacks.drop_fallbacks(self.connection, self._gone_on, "overtaken by the next message")
        dispatching.queue(self.connection, self._messages, self.now)
        self._gone_on.clear()
        self._messages.clear()

    # --- members ------------------------------------------------------------------------------------------------

    def _flush_changes(self) -> None:
        if not self._changes:
            return
        catalog = self.applied.catalog
        zone = ZoneInfo(catalog.timezone)
        # Told like any other change, so that segments look again; and done only where it is news: an edit may lead a
        # run past a step that it has had.
        told = [
            _told(run, "member_updated", f"{run.id}:{step.id}:{run.visit}", self.now) for run, step in self._changes
        ]
        news = {new.key for new in events.record(self.connection, catalog, told, self.now)}
        undone = [change for change, new in zip(self._changes, told, strict=True) if new.key in news]
        # A member whom two runs change at once is changed twice, in order.
        for changes in each_once(undone, lambda change: [change[0].member]):
            values = {
                run.member: {n: field_value(catalog.fields[n].type, text, zone) for n, text in step.set.items()}
                for run, step in changes
            }
            members.set_values(self.connection, catalog, values, self.now)
            members.add_tags(self.connection, {run.member: step.add_tags for run, step in changes}, self.now)
            members.remove_tags(self.connection, {run.member: step.remove_tags for run, step in changes})
            for run, step in changes:
                for name, amount in step.add.items():
                    members.add_to_number(self.connection, run.member, name, amount)
        self._changes.clear()

    # --- tasks and other journeys -------------------------------------------------------------------------------

    def _flush_words(self) -> list[trail.Line]:
        asked = [run for run, _ in (*self._tasks, *self._enrolls, *self._calls)]
        if not asked:
            return []
        profiles = members.profiles(self.connection, self.applied.catalog, {run.member for run in asked}, self.now)
        contexts = self._contexts(asked, profiles)
        new = [_task(run, notify, contexts[run.id], self.now) for run, notify in self._tasks]
        tasks.open_all(self.connection, new, self.now)
        lines = self._enter_elsewhere(contexts)
        calls = [
            _call(run, effect, profiles.get(run.member.id, _NOBODY), contexts[run.id], self.now)
            for run, effect in self._calls
        ]
        webhook_calls.queue(self.connection, calls, self.now)
        self._tasks.clear()
        self._enrolls.clear()
        self._calls.clear()
        return lines

    def _contexts(self, runs: Iterable[RunRow], profiles: Mapping[int, Profile]) -> dict[int, dict[str, Any]]:
        """What words may read, by run."""
        by_id = {run.id: run for run in runs}
        keys = [(run.member.bucket, i) for i, run in by_id.items()]
        begun_with = advancing.contexts(self.connection, keys)
        answers = advancing.answer_words(self.connection, keys)
        return {
            run.id: words_context(
                self.applied,
                profiles.get(run.member.id, _NOBODY),
                self.now,
                active=self.applied.journeys[run.journey_id],
                run_context=begun_with.get(run.id),
                answers=answers.get(run.id),
            )
            for run in by_id.values()
        }

    def _enter_elsewhere(self, contexts: Mapping[int, Mapping[str, Any]]) -> list[trail.Line]:
        """Offer the members to the other journeys' door; what it said goes into the trail of the run that asked."""
        by_target: dict[str, list[tuple[RunRow, Enroll]]] = defaultdict(list)
        for run, step in self._enrolls:
            by_target[step.journey].append((run, step))
        lines: list[trail.Line] = []
        for target, asked in sorted(by_target.items()):  # doors in one order: two processes never deadlock
            active = self.applied.journeys.get(target)
            entrants = [_entrant(run, step, contexts[run.id]) for run, step in asked]
            said = admit(self.connection, self.applied, active, entrants, self.now) if active is not None else {}
            for run, step in asked:
                why = said.get(run.member) if active is not None else "this journey is not applied"
                detail = {"journey": target} | ({"refused": why} if why is not None else {})
                lines.append((run.member.bucket, run.id, step.id, "enroll", detail))
        return lines


_NOBODY = Profile(None, None, {})


def message_of(active: Active, run: RunRow, effect: QueueMessage, now: datetime) -> NewMessage:
    """What is put into the outbox for it."""
    step = effect.step
    base = f"{run.id}:{step.id}:{run.visit}"
    late = step.late if isinstance(step, Send) else None
    planned_at = effect.planned_at or run.due_at or now  # not when a late daemon got to it
    return NewMessage(
        member=run.member,
        key=f"{base}:comment" if effect.purpose is Purpose.COMMENT else base,
        purpose=effect.purpose,
        topic=step.topic or active.journey.topic,
        priority=active.journey.priority,
        template=_template_name(step, effect.purpose),
        due_at=max(planned_at, now) + effect.after if effect.after else planned_at,
        hop=1 if effect.purpose is Purpose.REMIND else 0,
        late_at=planned_at + late if late is not None else None,
        enrolment_id=run.id,
        journey_id=run.journey_id,
        version=active.version,
        pinned_version=run.pinned_version,
        step_id=step.id,
        visit=run.visit,
        channel=effect.channel,
        repeats_left=_repeats_of(step),
    )


def _repeats_of(step: Send | Ask) -> int:
    return MOST_REPEATS if isinstance(step, Send) and step.on_ambiguous is OnAmbiguous.REPEAT else 0


def _template_name(step: Send | Ask, purpose: Purpose) -> str:
    """For people who look at deliveries; which file is used is decided when the message is worded."""
    if isinstance(step, Ask):
        return "ask-comment" if purpose is Purpose.COMMENT else f"ask-{step.survey}"
    return step.template or step.id


def _task(run: RunRow, step: Notify, context: Mapping[str, Any], now: datetime) -> NewTask:
    return NewTask(
        member=run.member,
        key=f"{run.id}:{step.id}:{run.visit}",
        kind="journey",
        team=step.team,
        words=render_words(step.task.source, context),
        urgent=step.urgent,
        due_at=now + step.due if step.due is not None else None,
        enrolment_id=run.id,
        journey_id=run.journey_id,
        step_id=step.id,
        copy_to=step.copy_to,
    )


def _entrant(run: RunRow, step: Enroll, context: Mapping[str, Any]) -> Entrant:
    values = {name: render_words(words.source, context) for name, words in step.values.items()}
    return Entrant(run.member, f"enroll:{run.id}:{step.id}:{run.visit}", {"event": {}, "var": values})


def _call(run: RunRow, effect: CallWebhook, profile: Profile, context: Mapping[str, Any], now: datetime) -> NewCall:
    step = effect.step
    told = {
        "journey": run.journey_id,
        "step": step.id,
        "member": {"id": run.member.id, "external_id": profile.external_id},
        "data": {name: render_words(words.source, context) for name, words in step.values.items()},
        "at": now.isoformat(),
    }
    # Of this visit, and of no step that will ever be called so. A header carries ASCII only, and ids may be Chinese.
    visit = f"{run.journey_id}:{run.id}:{step.id}:{run.visit}:{now.isoformat()}"
    key = hashlib.sha256(visit.encode()).hexdigest()[:32]
    return NewCall(run, step.id, step.name, key, json.dumps(told, ensure_ascii=False), effect.give_up_at)


def _told(run: RunRow, name: str, key: str, now: datetime) -> NewEvent:
    return NewEvent(run.member, name, now, f"{name}:{key}", {}, enrolment_id=run.id, journey_id=run.journey_id)
