"""Choosing and wording a batch of claimed messages, before anything is intended. Reads; writes and sends nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from engage.channels.contract import Message, Payload, Way
from engage.content.render import Missing, render, render_words
from engage.core.journey.model import Ask, Send
from engage.core.turn import Purpose
from engage.runtime.applied import Applied
from engage.runtime.context import Context
from engage.runtime.dispatching.follow_up import step_of
from engage.runtime.dispatching.judge import Clear, Judge, Later, Overtaken, Skip
from engage.runtime.dispatching.situation import Situation
from engage.runtime.dispatching.wording import words_context
from engage.store import advancing, members
from engage.store.dispatching import Claimed
from engage.store.members import MemberRef, Profile


@dataclass(frozen=True, slots=True)
class Ready:
    """Worded for one channel; what goes on the wire, and what the database is told about it."""

    claimed: Claimed
    clear: Clear
    payload: Payload
    text: str

    @property
    def window(self) -> tuple[MemberRef, str]:
        """Whose reply window it may use, and where."""
        return self.claimed.member, self.clear.channel

    def repeat_until(self, intended_at: datetime) -> datetime | None:
        """The window opens with the first call, whatever repeats follow: no earlier than its intent."""
        if self.claimed.repeat:
            return self.claimed.repeat_until
        within = self.clear.way.repeat_within
        return intended_at + within if within is not None else None


Draft = Ready | Later | Skip | Overtaken


@dataclass(frozen=True, slots=True)
class Drafted:
    """By delivery id, and what was known when they were worded: nothing of it used up yet."""

    drafts: Mapping[int, Draft]
    situation: Situation


@dataclass(frozen=True, slots=True)
class _Known:
    """What templates may read of a batch, by member or by run: {run: {step: {score, choice, comment}}}, for answers."""

    now: datetime
    profiles: Mapping[int, Profile]
    contexts: Mapping[int, Mapping[str, Any]]
    answers: Mapping[int, Mapping[str, Mapping[str, Any]]]

    @classmethod
    def load(cls, connection: Connection, applied: Applied, batch: Sequence[Claimed], now: datetime) -> _Known:
        runs = {(claimed.member.bucket, claimed.enrolment_id) for claimed in batch if claimed.enrolment_id}
        return cls(
            now,
            members.profiles(connection, applied.catalog, {claimed.member for claimed in batch}, now),
            advancing.contexts(connection, runs),
            advancing.answer_words(connection, runs),
        )


class Drafting:
    def __init__(self, context: Context, applied: Applied) -> None:
        self._context = context
        self._applied = applied

    def draft(self, batch: Sequence[Claimed]) -> Drafted:
        """Outside any write transaction: rendering is the slow part."""
        with self._context.database.read() as connection:
            situation = Situation.load(self._context, connection, self._applied, batch)
            known = _Known.load(connection, self._applied, batch, situation.now)
        judge = Judge(self._context, self._applied, situation.copy())
        drafts: dict[int, Draft] = {}
        for claimed in batch:
            verdict = judge.judge(claimed)
            if isinstance(verdict, Clear):
                judge.reserve(claimed, verdict)
                drafts[claimed.id] = self._word(claimed, verdict, known)
            else:
                drafts[claimed.id] = verdict
        return Drafted(drafts, situation)

    def _word(self, claimed: Claimed, clear: Clear, known: _Known) -> Draft:
        if claimed.repeat:
            return self._word_for_word(claimed, clear)
        context = _words_for(self._applied, claimed, known)
        links = self._context.links.for_delivery(claimed.id)
        rendered = render(clear.template, context, links)
        if isinstance(rendered, Missing):
            return Skip(rendered.why, clear.trace)
        message = Message(
            delivery_id=claimed.id,
            key=f"engage-{claimed.id}",
            address=clear.address,
            mode=clear.way.mode,
            rendered=rendered,
            topic=claimed.topic,
            topic_class=self._applied.topic_class(claimed.topic),
            brand=self._applied.catalog.brand,
            unsubscribe_url=links.unsubscribe_url,
            at=known.now,
        )
        try:
            payload = self._context.channels[clear.channel].compose(message)
        except ValueError as error:
            return Skip(f"could not be worded for {clear.channel}: {error}", clear.trace)
        return Ready(claimed, clear, payload, payload.text)

    def _word_for_word(self, claimed: Claimed, clear: Clear) -> Draft:
        """A repeat carries the very bytes of the first call, or it is not made."""
        if claimed.channel != clear.channel or claimed.address != clear.address or claimed.payload is None:
            return Overtaken("the member can no longer be reached as before")
        cost = Decimal(str(claimed.cost or 0))
        payload = Payload(claimed.payload, claimed.text or "", claimed.segments or 1, cost)
        if claimed.unsheltered:
            # A call like any other to the provider: the way it goes must be open, and is used up.
            if claimed.mode != clear.way.mode:
                return Overtaken("the member can no longer be reached as before")
            return Ready(claimed, clear, payload, payload.text)
        # Whatever better way has opened meanwhile: these bytes are for the first one.
        same_way = Way(claimed.mode or clear.way.mode, "once more, under the same key")
        return Ready(claimed, replace(clear, way=same_way), payload, payload.text)


def _words_for(applied: Applied, claimed: Claimed, known: _Known) -> dict[str, Any]:
    found = step_of(applied, claimed.journey_id, claimed.step_id, claimed.pinned_version)
    run_id = claimed.enrolment_id or 0
    context = words_context(
        applied,
        known.profiles.get(claimed.member.id, Profile(None, None, {})),
        known.now,
        active=found[0] if found is not None else None,
        run_context=known.contexts.get(run_id),
        answers=known.answers.get(run_id),
    )
    match found:
        case (_, Ask() as ask):
            words = ask.comment if claimed.purpose is Purpose.COMMENT and ask.comment is not None else ask.question
            return context | {"question": render_words(words.source, context), "options": list(ask.options)}
        case (_, Send(values=values)) if values:
            said = {name: render_words(words.source, context) for name, words in values.items()}
            return context | {"var": {**context["var"], **said}}
        case _:
            return context
