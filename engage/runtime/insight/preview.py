"""A template as one member would get it: with what is on file of them, and samples for what a run would bring.

Nothing is stored. Links are those of a delivery that does not exist: they lead to a polite page, and count nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from engage.channels.contract import Channel, Contact, Message, NoWay, Payload, Way
from engage.content.links import DeliveryLinks
from engage.content.render import Missing, render, render_words
from engage.content.template import Template
from engage.core.catalog import TopicClass
from engage.core.condition import ValueType
from engage.core.fact import Act
from engage.core.journey.check import INLINE_TEXT_CHANNELS, every_step
from engage.core.journey.model import Ask, Send
from engage.core.outcome import SendOutcome
from engage.core.words import Rendered
from engage.runtime.applied import Active, Applied
from engage.runtime.context import Context
from engage.runtime.dispatching.wording import words_context
from engage.runtime.receiving.membership import window_of
from engage.store import members, reaching
from engage.store.members import MemberRef, Profile

_NO_DELIVERY = 0
_SAMPLES: Mapping[ValueType, Any] = {
    ValueType.TEXT: "示例",
    ValueType.NUMBER: 128,
    ValueType.BOOLEAN: True,
    ValueType.DATE: "2026-11-23",
    ValueType.INSTANT: "2026-11-23T10:00:00+08:00",
}
# What a run that began with a yearly date is told of it (content.names.DATE_EVENT_KEYS).
_DATE_SAMPLES = {"calendar": "lunar", "lunar_text": "腊月初八", "age": 36}
_ANSWER = {"score": 9, "choice": "示例选项", "comment": "茶很好，包装可以再简单些"}
_TEST_MARK = "【测试】"


@dataclass(frozen=True, slots=True)
class Shown:
    """The words on one channel. `words` Missing: this member would be skipped. `way`: how it would go out now;
    `payload` None where that cannot be known or the words do not fit, and then `refused` says why."""

    channel: str
    template: Template
    words: Rendered | Missing
    way: Way | NoWay | None
    payload: Payload | None = None
    refused: str | None = None

    @property
    def cost(self) -> Decimal | None:
        return self.payload.cost if self.payload is not None else None


def preview(context: Context, connection: Connection, name: str, ref: MemberRef, now: datetime) -> list[Shown]:
    """On every channel the template has words for; empty if there is no such template."""
    applied = context.applied.current()
    profile = members.profiles(connection, applied.catalog, [ref], now)[ref.id]
    points = reaching.contact_points(connection, [ref])
    shown = []
    for channel in sorted(applied.library.channels_of(name)):
        template = applied.library.find(name, channel)
        if template is not None:
            point = points.get((ref.id, channel))
            contact = Contact(point["address"], window_of(point)) if point is not None else None
            shown.append(_Sheet(context, applied, template, profile, now).show(contact))
    return shown


def send_test(
    context: Context, connection: Connection, template: Template, ref: MemberRef, to: str, now: datetime
) -> Shown:
    """The message as it would be handed to the channel for a test address, marked as a test where words are free.
    Not yet sent: that is `hand_over`."""
    applied = context.applied.current()
    profile = members.profiles(connection, applied.catalog, [ref], now)[ref.id]
    owner = members.find(connection, template.channel, [to]).get(to)
    point = reaching.contact_points(connection, [owner]).get((owner.id, template.channel)) if owner else None
    contact = Contact(to, window_of(point) if point is not None else None)
    return _Sheet(context, applied, template, profile, now, test=True).show(contact)


def hand_over(context: Context, shown: Shown, timeout: float) -> SendOutcome | None:
    """One call of the channel, nothing recorded. None if there is nothing to hand over."""
    return asyncio.run(_call(context.channels[shown.channel], shown.payload, timeout)) if shown.payload else None


async def _call(channel: Channel, payload: Payload, timeout: float) -> SendOutcome:
    try:
        return await channel.send(payload, timeout)
    finally:
        await channel.close()


@dataclass(frozen=True, slots=True)
class _Sheet:
    """One template, about to be filled for one member."""

    context: Context
    applied: Applied
    template: Template
    profile: Profile
    now: datetime
    test: bool = False

    def show(self, contact: Contact | None) -> Shown:
        sender = _sender_of(self.applied, self.template)
        links = self.context.links.for_delivery(_NO_DELIVERY)
        words = render(self.template, self._words(sender), links)
        if self.test and isinstance(words, Rendered):
            words = _marked(words, self.template.channel)
        way = self._way(contact, sender)
        shown = Shown(self.template.channel, self.template, words, way)
        if isinstance(words, Missing) or contact is None or self.template.channel not in self.context.channels:
            return shown
        return self._composed(shown, words, contact, sender, links)

    def _composed(
        self, shown: Shown, words: Rendered, contact: Contact, sender: _Sender | None, links: DeliveryLinks
    ) -> Shown:
        way = shown.way if isinstance(shown.way, Way) else self._if_they_wrote(contact, sender)
        if not isinstance(way, Way):
            return shown
        topic = _topic(sender)
        message = Message(
            delivery_id=_NO_DELIVERY,
            key=f"engage-test-{self.now:%Y%m%d%H%M%S%f}",
            address=contact.address,
            mode=way.mode,
            rendered=words,
            topic=topic,
            topic_class=self._topic_class(sender),
            brand=self.applied.catalog.brand,
            unsubscribe_url=links.unsubscribe_url,
            at=self.now,
        )
        try:
            return replace(shown, payload=self.context.channels[shown.channel].compose(message))
        except ValueError as error:
            return replace(shown, refused=str(error))

    def _way(self, contact: Contact | None, sender: _Sender | None) -> Way | NoWay | None:
        channel = self.context.channels.get(self.template.channel)
        if channel is None or contact is None:
            return None
        return channel.way(self.template.front, contact, self._topic_class(sender), self.now)

    def _if_they_wrote(self, contact: Contact, sender: _Sender | None) -> Way | NoWay | None:
        """How it would go out if the member had just written to us: a preview shows the words even while no reply
        window is open. A test is not sent that way."""
        if self.test:
            return None
        window = self.context.channels[self.template.channel].window_after(None, Act.MESSAGE, self.now)
        return self._way(Contact(contact.address, window), sender)

    def _topic_class(self, sender: _Sender | None) -> TopicClass:
        return self.applied.topic_class(_topic(sender)) if sender is not None else TopicClass.SERVICE

    # --- what there is to say ---

    def _words(self, sender: _Sender | None) -> dict[str, Any]:
        samples = self._samples()
        context = words_context(
            self.applied,
            self.profile,
            self.now,
            active=sender.active if sender is not None else None,
            run_context={"event": samples.pop("event", {}), "var": samples.pop("var", {})},
            answers=samples,
        )
        match sender.step if sender is not None else None:
            case Ask() as ask:
                question = render_words(ask.question.source, context)
                return context | {"question": question, "options": list(ask.options)}
            case Send(values=values):
                said = {name: render_words(words.source, context) for name, words in values.items()}
                return context | {"var": {**context["var"], **said}}
            case _:
                return context | {"question": "（提问的内容）", "options": ["选项一", "选项二"]}

    def _samples(self) -> dict[str, dict[str, Any]]:
        """A value for everything a run would bring: event payload, variables, answers."""
        samples: dict[str, dict[str, Any]] = {}
        for used, _ in self.template.used():
            match used.path:
                case ("event", key):
                    samples.setdefault("event", {})[key] = self._event_sample(key)
                case ("var", key):
                    samples.setdefault("var", {})[key] = _SAMPLES[ValueType.TEXT]
                case (root, part) if part in _ANSWER and root not in ("member", "journey", "brand"):
                    samples.setdefault(root, {})[part] = _ANSWER[part]
        return samples

    def _event_sample(self, key: str) -> Any:
        kinds = [event.payload[key] for event in self.applied.catalog.events.values() if key in event.payload]
        return _DATE_SAMPLES.get(key) or _SAMPLES.get(kinds[0] if kinds else ValueType.TEXT)


# --- who sends it -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Sender:
    """The first step that sends the template: its topic and words are taken for the preview."""

    active: Active
    step: Send | Ask


def _sender_of(applied: Applied, template: Template) -> _Sender | None:
    return next(_senders(applied, template.name), None)


def _senders(applied: Applied, name: str) -> Iterator[_Sender]:
    for active in applied.journeys.values():
        for step in every_step(active.journey.steps):
            match step:
                case Send(template=template) if template == name:
                    yield _Sender(active, step)
                case Ask(id=step_id, survey=survey) if name in (step_id, f"ask-{survey}"):
                    yield _Sender(active, step)
                case _:
                    pass


def _topic(sender: _Sender | None) -> str:
    return (sender.step.topic or sender.active.journey.topic) if sender is not None else ""


def _marked(words: Rendered, channel: str) -> Rendered:
    """A provider's approved text cannot be marked; a subject, else the words, can."""
    if channel not in INLINE_TEXT_CHANNELS:
        return words
    if words.subject is not None:
        return replace(words, subject=_TEST_MARK + words.subject)
    return replace(words, body=_TEST_MARK + words.body)
