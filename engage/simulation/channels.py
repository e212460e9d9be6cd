"""The ways out of a world: each real channel as it is, except that handing over ends in this process.

Which way is open, how a message is composed, what a window allows: the channel's own code. Only `send` is ours. It asks
the world's fate what becomes of the call, and keeps what was handed over until somebody takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engage.channels.contract import Channel, Contact, Message, NoWay, Payload, Way, Window
from engage.core.catalog import TopicClass
from engage.core.fact import Act
from engage.core.outcome import Accepted, SendOutcome
from engage.core.webhook_call import CallOutcome, Done


@dataclass(frozen=True, slots=True)
class Call:
    """One message on its way out. A keyed repeat comes from the database alone, and is told without its delivery."""

    channel: str
    payload: Payload
    delivery_id: int | None
    address: str | None


Fate = Callable[[Call], SendOutcome]
"""What the provider would say to a call. Called once for each, in order."""


def taken(call: Call) -> SendOutcome:
    """Every provider takes every message, at the price the channel named."""
    return Accepted(provider_id=f"simulated-{call.delivery_id}", segments=call.payload.segments, cost=call.payload.cost)


@dataclass(frozen=True, slots=True)
class _Addressed(Payload):
    """A payload that still knows whose it is; on the wire it is the same."""

    delivery_id: int | None = None
    address: str | None = None


class InProcess:
    """A `Channel` whose calls stay here."""

    def __init__(self, real: Channel, fate: Fate, accepted: list[Call]) -> None:
        self._real = real
        self._fate = fate
        self._accepted = accepted
        self.name = real.name
        self.talks = real.talks
        self.concurrency = 1_000  # calls take no time: there is always room
        self.per_second: float | None = None

    def supports(self, front: Mapping[str, Any], topic_class: TopicClass) -> bool:
        return self._real.supports(front, topic_class)

    def way(self, front: Mapping[str, Any], contact: Contact, topic_class: TopicClass, now: datetime) -> Way | NoWay:
        return self._real.way(front, contact, topic_class, now)

    def window_after(self, window: Window | None, act: Act, at: datetime) -> Window | None:
        return self._real.window_after(window, act, at)

    def compose(self, message: Message) -> Payload:
        return self.quote(message)

    def quote(self, message: Message) -> Payload:
        real = self._real.quote(message)
        return _Addressed(real.data, real.text, real.segments, real.cost, message.delivery_id, message.address)

    async def send(self, payload: Payload, timeout: float) -> SendOutcome:
        if isinstance(payload, _Addressed):
            call = Call(self.name, payload, payload.delivery_id, payload.address)
        else:
            call = Call(self.name, payload, None, None)
        outcome = self._fate(call)
        if isinstance(outcome, Accepted):
            self._accepted.append(call)
        return outcome

    async def close(self) -> None:
        """Nothing was opened: the real channel has made no call."""


class Colleagues:
    """Staff robot and staff mail: everybody reads at once."""

    def send(self, *words: object) -> SendOutcome:
        return Accepted(None)


class Receivers:
    """The business's own systems: they take every call of a webhook step."""

    def call(self, body: str, key: str, timeout: float) -> CallOutcome:
        return Done()
