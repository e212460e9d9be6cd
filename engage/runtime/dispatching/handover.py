"""The one call for each intent: on an event loop of its own, where waiting for a provider costs no thread.

A channel has a lane: so many calls at once, and so many intents on their way to them. A slow provider fills its own
lane, and nobody else's.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog

from engage.channels.contract import Channel
from engage.core.delivery import CALL_TIMEOUT, WIRE_DEADLINE
from engage.core.outcome import SendOutcome, Unknown
from engage.runtime.applied import Applied
from engage.runtime.context import Context
from engage.runtime.dispatching.drafting import Ready

# A lane takes this many times its channel's concurrency: the next call is there when one ends. One whose calls have not
# had to wait takes more, up to as many as two batches.
_DEPTH = 4
_DEEPEST = 400
_SLOW = timedelta(seconds=2)  # from intent to call
_OVERRUN = 5.0  # seconds: a channel that does not keep to its time is not waited for any longer
_GATHERED_FOR = 0.05  # seconds: what comes back meanwhile is recorded together, unless nothing more is under way
_TRIED_AGAIN_EVERY = 10.0  # seconds: what could not be recorded within a minute
_PATIENCE = 0.25  # seconds: what a batch waits for room in a lane that moves
log = structlog.get_logger("engage.dispatch")


@dataclass(frozen=True, slots=True)
class Intended:
    """Its intent was committed `at` that moment, and that `uptime` of the clock: one call may be made, while it is
    fresh; not before `call_at`, where the provider limits how fast it may be called."""

    ready: Ready
    applied: Applied
    at: datetime
    uptime: float
    call_at: datetime

    @property
    def channel(self) -> str:
        return self.ready.clear.channel


@dataclass(frozen=True, slots=True)
class Called:
    """The one call was made, and this is what came back. None: it came too late for the call, and none was made."""

    intended: Intended
    outcome: SendOutcome | None
    at: datetime

    @property
    def delivery_id(self) -> int:
        return self.intended.ready.claimed.id


class Record(Protocol):
    """Writes down what came back, if the database takes it within a minute, or (`once`) at once. Returns what it did
    not take."""

    def __call__(self, group: Sequence[Called], *, once: bool = False) -> Sequence[Called]: ...


# Whether a database that does not answer is to be waited for any longer: else what came back is not recorded.
Patience = Callable[[], bool]


class Calls(Protocol):
    """Makes the calls of a dispatch loop, and has them recorded."""

    def room(self, channel: str) -> int:
        """How many intents it takes now."""
        ...

    def await_room(self, wanted: Mapping[str, int]) -> None:
        """Wait a moment for room in lanes that move."""
        ...

    def begin(self, intended: Sequence[Intended]) -> None: ...

    def settle(self) -> None:
        """Until every call is made and recorded."""
        ...

    def close(self, patient: Patience) -> None:
        """Settle; start no other."""
        ...


async def call(context: Context, intended: Intended) -> Called:
    """One call, or none if it is too late. Never raises."""
    called_at = context.clock.now()
    if not _is_fresh(intended, called_at, context.clock.uptime()):
        return Called(intended, None, called_at)
    channel, began = context.channels[intended.channel], time.monotonic()
    try:
        outcome = await channel.send(intended.ready.payload, CALL_TIMEOUT.total_seconds())
    except Exception as error:  # a channel must not raise; if it does, the call may have been made
        log.exception("send_raised", delivery_id=intended.ready.claimed.id)
        outcome = Unknown(f"{type(error).__name__} while sending")
    context.observer.called(channel.name, outcome, time.monotonic() - began)
    return Called(intended, outcome, called_at)


def _is_fresh(intended: Intended, now: datetime, uptime: float) -> bool:
    """Counted from the intent: a process that was frozen since does not know what has changed. The clock may have been
    set meanwhile, and back to an hour in which nothing may be sent; so both ways of counting have to agree."""
    claimed, way = intended.ready.claimed, intended.ready.clear.way
    ends = (intended.at + WIRE_DEADLINE, way.valid_until, claimed.repeat_until if claimed.repeat else None)
    until = min(moment for moment in ends if moment is not None)
    return intended.at <= now and max(now, intended.at + timedelta(seconds=uptime - intended.uptime)) < until


# --- one after the other ----------------------------------------------------------------------------------------


class InTurn:
    """On the thread that asks, one after the other, a channel's share recorded together: where calls never wait. The
    thread waits a minute at most for a database that does not answer."""

    def __init__(self, context: Context, record: Record) -> None:
        self._context = context
        self._record = record

    def room(self, channel: str) -> int:
        return _DEEPEST * 10

    def await_room(self, wanted: Mapping[str, int]) -> None:
        """There always is."""

    def begin(self, intended: Sequence[Intended]) -> None:
        by_channel: dict[str, list[Intended]] = defaultdict(list)
        for each in intended:
            by_channel[each.channel].append(each)
        for group in by_channel.values():
            _give_up(self._record([_without_waiting(call(self._context, each)) for each in group]))

    def settle(self) -> None:
        """Nothing is under way."""

    def close(self, patient: Patience) -> None:
        """Nothing was opened."""


def _without_waiting(coroutine: Coroutine[Any, Any, Called]) -> Called:
    try:
        coroutine.send(None)
    except StopIteration as done:
        called: Called = done.value
        return called
    raise RuntimeError("this channel waits for something: its calls need an event loop")


# --- on a loop --------------------------------------------------------------------------------------------------


class _Lane:
    def __init__(self, channel: Channel) -> None:
        self.slots = asyncio.Semaphore(channel.concurrency)
        self.in_flight = 0
        self._usual = channel.concurrency * _DEPTH
        self._depth = self._usual

    @property
    def room(self) -> int:
        return self._depth - self.in_flight

    @property
    def moves(self) -> bool:
        """Its calls have not had to wait lately."""
        return self._depth > self._usual

    def lacks(self, wanted: int) -> bool:
        return self.moves and self.room < min(wanted, self._depth // 2)

    def note(self, waited: timedelta) -> None:
        """A call has waited so long for its turn."""
        self._depth = self._usual if waited > _SLOW else min(self._depth + 1, max(_DEEPEST, self._usual))


class OnLoop:
    """All channels' calls on one event loop, on a thread of its own, started by the first intent. What came back is
    recorded on another thread, in groups: whatever has come back within a moment, or while the record before was
    written. A database that does not answer is waited for, until whoever closes this has no patience any more:
    without it nothing new is begun."""

    def __init__(self, context: Context, record: Record) -> None:
        self._context = context
        self._record = record
        self._lanes = {name: _Lane(channel) for name, channel in context.channels.items()}
        self._changed = threading.Condition()  # guards the lanes' counts, and what has come back
        self._came_back: list[Called] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._threads: list[threading.Thread] = []
        self._kept: Sequence[Called] = ()  # what the database has not taken yet; of the recorder's thread alone
        self._patient: Patience = lambda: True
        self._closed = False

    def room(self, channel: str) -> int:
        with self._changed:
            return self._lanes[channel].room

    def await_room(self, wanted: Mapping[str, int]) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not any(self._lanes[c].lacks(n) for c, n in wanted.items()), _PATIENCE)

    def begin(self, intended: Sequence[Intended]) -> None:
        if not intended:
            return
        with self._changed:
            for each in intended:
                self._lanes[each.channel].in_flight += 1
        self._running_loop().call_soon_threadsafe(self._start, intended)

    def settle(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not any(lane.in_flight for lane in self._lanes.values()))

    def close(self, patient: Patience) -> None:
        with self._changed:
            self._patient = patient
            self._changed.notify_all()
        self.settle()
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        loop, self._loop = self._loop, None
        if loop is not None:
            asyncio.run_coroutine_threadsafe(self._close_channels(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
        for thread in self._threads:
            thread.join()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._threads = [
                threading.Thread(target=self._run, args=[self._loop], name="calls", daemon=True),
                threading.Thread(target=self._record_what_came_back, name="records", daemon=True),
            ]
            for thread in self._threads:
                thread.start()
        return self._loop

    # --- on the loop's thread -----------------------------------------------------------------------------------

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        loop.run_forever()
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    def _start(self, intended: Sequence[Intended]) -> None:
        for each in intended:
            task = asyncio.ensure_future(self._take(each))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _take(self, intended: Intended) -> None:
        lane = self._lanes[intended.channel]
        if intended.call_at > intended.at:
            gone = self._context.clock.uptime() - intended.uptime
            await asyncio.sleep((intended.call_at - intended.at).total_seconds() - gone)
        async with lane.slots:
            try:
                async with asyncio.timeout(CALL_TIMEOUT.total_seconds() + _OVERRUN):
                    called = await call(self._context, intended)
            except TimeoutError:
                called = Called(intended, Unknown("no answer: the channel did not keep to its time"), intended.at)
        with self._changed:
            lane.note(called.at - intended.call_at)
            self._came_back.append(called)
            if len(self._came_back) == 1 or self._all_came_back:
                self._changed.notify_all()

    @property
    def _all_came_back(self) -> bool:
        return sum(lane.in_flight for lane in self._lanes.values()) == len(self._came_back)

    async def _close_channels(self) -> None:
        for channel in self._context.channels.values():
            await channel.close()

    # --- on the recorder's thread -------------------------------------------------------------------------------

    def _record_what_came_back(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._came_back or self._closed or self._is_over, self._again_in)
                self._changed.wait_for(lambda: self._all_came_back or self._closed, _GATHERED_FOR)
                group, self._came_back = self._came_back, []
            if not group and not self._kept:
                return
            dealt_with = [*self._kept, *group]
            self._kept = [*self._tried_again(self._kept), *(self._record(group) if group else ())]
            if self._is_over:
                _give_up(self._kept)
                self._kept = ()
            kept = {id(called) for called in self._kept}
            with self._changed:
                for called in dealt_with:
                    self._lanes[called.intended.channel].in_flight -= id(called) not in kept
                self._changed.notify_all()

    @property
    def _again_in(self) -> float | None:
        return _TRIED_AGAIN_EVERY if self._kept else None

    @property
    def _is_over(self) -> bool:
        return bool(self._kept) and not self._patient()

    def _tried_again(self, kept: Sequence[Called]) -> Sequence[Called]:
        """Together; then one by one up to the first that is not taken, which comes last from now on: somebody may hold
        its row, and nobody else's."""
        if not kept or not self._record(kept, once=True):
            return ()
        for number, called in enumerate(kept):
            if self._record([called], once=True):
                return [*kept[number + 1 :], called]
        return ()


def _give_up(left: Sequence[Called]) -> None:
    """Their leases run out, and the reconciler makes them ambiguous."""
    if left:
        log.error("sends_not_recorded", delivery_id=[called.delivery_id for called in left])
