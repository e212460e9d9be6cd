"""The ways out of a world: each real channel as it is, but its provider is here, faulty, and keeps the truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from engage.channels.contract import Channel, Contact, Message, NoWay, Payload, Way, Window
from engage.core.catalog import TopicClass
from engage.core.fact import Act
from engage.core.outcome import Accepted, Failure, Rejected, SendOutcome, Unknown
from engage.core.webhook_call import CallOutcome, Done, Unsettled
from tests.harness.boundaries import ANSWERED, CALL, TAKEN, WORDING
from tests.harness.clock import SkippingClock
from tests.harness.crew import Crew
from tests.harness.dice import Dice
from tests.harness.promised import DEDUPED_FOR
from tests.harness.truth import Call, HookCall, Truth, said
from tests.harness.weather import Fault, Weather

_REFUSALS = {
    Fault.ERROR: Rejected(Failure.PROVIDER_ERROR, "500"),
    Fault.THROTTLED: Rejected(Failure.THROTTLED, "429"),
    Fault.QUOTA: Rejected(Failure.QUOTA, "45009"),
    Fault.NO_SUCH_ADDRESS: Rejected(Failure.INVALID_ADDRESS, "550"),
    Fault.WINDOW_CLOSED: Rejected(Failure.WINDOW_CLOSED, "45015"),
    Fault.REFUSED: Rejected(Failure.CONTENT, "words"),
}


class ChannelFault(Exception):
    """A mistake in a channel's own code, after its call."""


class Surroundings(Protocol):
    """What a provider has to do with."""

    clock: SkippingClock
    crew: Crew
    truth: Truth
    weather: Weather

    def committed(self, call: Call) -> Mapping[str, Any] | None: ...

    def reports(self, call: Call) -> None: ...

    def leaves_open(self, call: Call) -> None: ...

    def notes(self, who: str, what: str) -> None: ...


class Provider:
    """A `Channel` whose other end is here."""

    def __init__(self, real: Channel, world: Surroundings, dice: Dice) -> None:
        self._real = real
        self._world = world
        self._dice = dice
        self.name = real.name
        self.talks = real.talks
        self.concurrency = dice.one_of([1, 4])
        self.per_second: float | None = None

    def supports(self, front: Mapping[str, Any], topic_class: TopicClass) -> bool:
        return self._real.supports(front, topic_class)

    def way(self, front: Mapping[str, Any], contact: Contact, topic_class: TopicClass, now: datetime) -> Way | NoWay:
        return self._real.way(front, contact, topic_class, now)

    def window_after(self, window: Window | None, act: Act, at: datetime) -> Window | None:
        return self._real.window_after(window, act, at)

    def compose(self, message: Message) -> Payload:
        """Wording is the slow part: much may happen between that and the intent."""
        worker, payload = self._world.crew.current(), self._real.compose(message)
        if worker is not None:
            worker.words = self.name, said(payload.text)
        self._world.crew.reach(f"{self.name}: {WORDING}")
        return payload

    def quote(self, message: Message) -> Payload:
        return self._real.quote(message)

    async def send(self, payload: Payload, timeout: float) -> SendOutcome:
        world = self._world
        worker = world.crew.current()
        name = worker.name if worker is not None else "?"
        world.crew.reach(f"{self.name}: {CALL}")
        call = Call(name, self.name, dict(payload.data), world.clock.true, world.clock.now(), None)
        if worker is not None:
            call.meant, call.intended = worker.means, worker.intended
        call.committed = world.committed(call)
        world.truth.calls.append(call)
        if worker is not None:
            worker.called = call.delivery_id
            worker.heard.append(call)
        fault = self._dice.by_weight(world.weather.calls)
        outcome = self._takes(call, fault)
        world.notes(name, f"calls {self.name}: {call.saying.message} {call.saying.ref} to {call.address} → {fault}")
        if isinstance(outcome, Unknown) or fault is Fault.RAISED_AFTER:
            world.leaves_open(call)
        world.crew.reach(f"{self.name}: {TAKEN}")
        if world.clock.true - call.began > timedelta(seconds=timeout):
            outcome = Unknown("no answer in time")
        if fault is Fault.RAISED_AFTER:
            call.answer = "unknown"
            raise ChannelFault
        call.answer = {Accepted: "accepted", Rejected: "refused", Unknown: "unknown"}[type(outcome)]
        world.crew.reach(f"{self.name}: {ANSWERED}")
        return outcome

    def _takes(self, call: Call, fault: Fault) -> SendOutcome:
        has_a_window = self.name == "wechat" and call.key is None
        if fault in _REFUSALS and (fault is not Fault.WINDOW_CLOSED or has_a_window):
            call.fault = fault
            return _REFUSALS[fault]
        if fault is Fault.LOST_BEFORE:
            return Unknown("connection lost")
        call.taken = True
        before = self._world.truth.knows(call, DEDUPED_FOR)
        call.reached = before is None
        call.provider_id = before.provider_id if before is not None else f"{self.name}-{len(self._world.truth.calls)}"
        if call.reached:
            self._world.reports(call)
        return Unknown("connection lost") if fault is Fault.LOST_AFTER else Accepted(call.provider_id)

    async def close(self) -> None:
        """Nothing was opened."""


class Receiver:
    """The other end of webhook steps."""

    def __init__(self, world: Surroundings, dice: Dice) -> None:
        self._world = world
        self._dice = dice

    def call(self, body: str, key: str, timeout: float) -> CallOutcome:
        self._world.crew.reach(f"webhook: {CALL}")
        fault = self._dice.by_weight(self._world.weather.calls)
        taken = fault in (Fault.NONE, Fault.LOST_AFTER, Fault.RAISED_AFTER)
        self._world.truth.hooks.append(HookCall(key, body, self._world.clock.true, taken))
        self._world.crew.reach(f"webhook: {TAKEN}")
        outcome: CallOutcome = Done() if fault is Fault.NONE else Unsettled(fault)
        self._world.crew.reach(f"webhook: {ANSWERED}")
        return outcome


class Colleagues:
    """The group robot of staff."""

    def __init__(self, reach: Callable[[str], None]) -> None:
        self._reach = reach

    def send(self, text: str, timeout: float) -> SendOutcome:
        for when in (CALL, TAKEN, ANSWERED):
            self._reach(f"robot: {when}")
        return Accepted(None)
