"""DISPATCH: the send protocol. Claim, word, intend, hand over, record; nothing else in Engage sends.

The order is the promise. The intent is committed before the wire is touched; in its transaction the message is judged
once more. A call is made once, no later than 20 s after its intent. What comes back is recorded in one statement with
nothing fallible before it; no answer means `ambiguous`, and is never turned into another call but the keyed repeat a
provider's own dedupe window allows.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, assert_never

import structlog
from sqlalchemy import Connection

from engage.channels.contract import Channel
from engage.core import delivery as protocol
from engage.core.delivery import CALL_TIMEOUT, REPEAT_PAUSE, WIRE_DEADLINE, Recorded, Status
from engage.core.outcome import Rejected, SendOutcome, Unknown
from engage.core.reply import offered_words
from engage.core.turn import Purpose
from engage.errors import DatabaseUnavailable
from engage.runtime.applied import Applied
from engage.runtime.context import Context
from engage.runtime.drafting import Draft, Drafted, Drafting, Ready
from engage.runtime.follow_up import after_failing, after_sending, fallback_of
from engage.runtime.judge import Clear, Judge, Later, Overtaken, Skip, Verdict
from engage.runtime.lessons import learn, outcome_values
from engage.runtime.situation import Situation
from engage.store import dispatching, reaching
from engage.store.dispatching import Claimed, Move, Settled

BATCH = 100
_BATCH_ALONE = 500  # nothing waits for a network, and no intent grows old
# A channel takes this many times its concurrency into flight; the rest waits in the outbox, so that a slow provider
# neither holds up the other channels nor lets intents grow older than their deadline.
_DEPTH = 4
_BUSY_FOR = timedelta(seconds=1)
_RECORD_TRIES = 4  # of 15 s each for the lock: within the lease of two minutes
log = structlog.get_logger("engage.dispatch")


@dataclass(frozen=True, slots=True)
class Intended:
    """Its intent was committed at that moment: one call may be made, while it is fresh."""

    ready: Ready
    at: datetime


@dataclass(frozen=True, slots=True)
class Called:
    """The one call was made, and this is what came back."""

    intended: Intended
    outcome: SendOutcome
    at: datetime


def on_threads(channel: Channel) -> Executor:
    """Calls wait for the network: each on a thread of the channel's own."""
    return ThreadPoolExecutor(channel.concurrency, thread_name_prefix=f"send-{channel.name}")


class Dispatch:
    def __init__(
        self, context: Context, callers: Callable[[Channel], Executor] = on_threads, *, alone: bool = False
    ) -> None:
        """`alone`: as in a world of its own, where calls take no time and nobody else writes. A channel's share of a
        batch is then called and recorded together (else each on its own, so that no record waits for another call),
        and what was read to word a batch is still so when it is intended."""
        self._context = context
        self._alone = alone
        self._pools = {name: callers(channel) for name, channel in context.channels.items()}
        self._in_flight: dict[str, set[Future[None]]] = {name: set() for name in context.channels}

    def tick(self) -> int:
        """Take one batch as far as the wire. Returns how many deliveries it dealt with; calls may still be running."""
        now = self._context.clock.now()
        with self._context.database.read() as connection:
            if not dispatching.anything_due(connection, now):
                return 0
        applied = self._context.applied.current()
        with self._context.database.write() as connection:
            expired = dispatching.expire_leases(connection, now)
            full = {name for name in self._pools if self._room(name) <= 0}
            claimed = dispatching.claim(connection, now, _BATCH_ALONE if self._alone else BATCH, full)
        if claimed:
            drafted = Drafting(self._context, applied).draft(claimed)
            for group in self._groups(self._intend(applied, claimed, drafted)):
                self._submit(applied, group)
        return expired + len(claimed)

    def settle(self) -> None:
        """Wait for every call that is on the wire."""
        for futures in self._in_flight.values():
            wait(futures)
            futures.clear()

    def close(self) -> None:
        """Let calls on the wire end and record them; start no other."""
        for pool in self._pools.values():
            pool.shutdown(wait=True)

    # --- intend -------------------------------------------------------------------------------------------------

    def _intend(self, applied: Applied, batch: Sequence[Claimed], drafted: Drafted) -> list[Intended]:
        """The intent's transaction: everything is looked up and judged again, then committed before any call."""
        now = self._context.clock.now()
        ready: list[Ready] = []
        with self._context.database.write() as connection:
            held = dispatching.still_held(connection, batch)
            situation = drafted.situation if self._alone else Situation.load(self._context, connection, applied, batch)
            judge = Judge(self._context, applied, situation)
            room = {name: self._room(name) for name in self._pools}
            moves: list[Move] = []
            for claimed in batch:
                if claimed.id not in held:
                    continue
                draft = drafted.drafts[claimed.id]
                if isinstance(draft, Ready):
                    draft = _last_word(judge, draft)
                if isinstance(draft, Ready) and room[draft.clear.channel] <= 0:
                    moves.append(_waits_for_room(draft, now))
                elif isinstance(draft, Ready):
                    judge.reserve(claimed, draft.clear)
                    room[draft.clear.channel] -= 1
                    ready.append(draft)
                else:
                    moves.append(_not_now(claimed, draft))
            dispatching.make(connection, moves)
            dispatching.begin_sending(connection, [(r.claimed, _intent_of(r, now)) for r in ready], now)
            for r in ready:
                if r.clear.way.uses_window:
                    reaching.use_window(connection, r.claimed.member, r.clear.channel, 1)
        return [Intended(r, now) for r in ready]

    def _room(self, channel: str) -> int:
        flying = self._in_flight[channel]
        flying.difference_update({future for future in flying if future.done()})
        return self._context.channels[channel].concurrency * _DEPTH - len(flying)

    # --- hand over, record --------------------------------------------------------------------------------------

    def _groups(self, intended: Sequence[Intended]) -> list[list[Intended]]:
        """What is called one after the other and recorded together: of one channel."""
        if not self._alone:
            return [[each] for each in intended]
        by_channel: dict[str, list[Intended]] = defaultdict(list)
        for each in intended:
            by_channel[each.ready.clear.channel].append(each)
        return list(by_channel.values())

    def _submit(self, applied: Applied, group: Sequence[Intended]) -> None:
        channel = group[0].ready.clear.channel
        self._in_flight[channel].add(self._pools[channel].submit(self._hand_over, applied, group))

    def _hand_over(self, applied: Applied, group: Sequence[Intended]) -> None:
        """One call for each, then their record. Runs on the channel's own threads."""
        try:
            called = [done for intended in group if (done := self._call(intended)) is not None]
            if called:
                self._record(applied, called)
        except Exception:
            # Not recorded: the lease runs out and the reconciler makes it ambiguous.
            log.exception("send_not_recorded", delivery_id=[intended.ready.claimed.id for intended in group])

    def _call(self, intended: Intended) -> Called | None:
        """None: it came too late, and was not made."""
        ready, called_at = intended.ready, self._context.clock.now()
        if called_at >= _call_until(intended):
            self._never_called(ready)
            return None
        channel = self._context.channels[ready.clear.channel]
        try:
            outcome = channel.send(ready.payload, CALL_TIMEOUT.total_seconds())
        except Exception as error:  # a channel must not raise; if it does, the call may have been made
            log.exception("send_raised", delivery_id=ready.claimed.id)
            outcome = Unknown(f"{type(error).__name__} while sending")
        return Called(intended, outcome, called_at)

    def _never_called(self, ready: Ready) -> None:
        """Too late for this intent, and surely not sent by it: back to the outbox, to be judged afresh. A repeat leaves
        what it found: an ambiguous message."""
        now = self._context.clock.now()
        with self._context.database.write() as connection:
            if ready.claimed.repeat:
                move = dispatching.leave_ambiguous(ready.claimed, now + REPEAT_PAUSE)
            else:
                move = dispatching.put_back(ready.claimed, now, "not called in time")
            dispatching.make(connection, [move])
            if ready.clear.way.uses_window:
                reaching.use_window(connection, ready.claimed.member, ready.clear.channel, -1)

    def _record(self, applied: Applied, group: Sequence[Called]) -> None:
        now = self._context.clock.now()
        for tries_left in reversed(range(_RECORD_TRIES)):
            try:
                with self._context.database.write() as connection:
                    _write_down(connection, applied, group, now)
            except DatabaseUnavailable:
                if tries_left == 0:
                    raise
                # Only the writing is tried again, never the call. Each try waits for the lock as long as SQLite does.
                log.warning("record_tried_again", delivery_id=[called.intended.ready.claimed.id for called in group])
            else:
                return


def _write_down(connection: Connection, applied: Applied, group: Sequence[Called], now: datetime) -> None:
    """The outcomes first; then what follows from how each delivery now stands."""
    settled = [_settled(called, now) for called in group]
    stands = dispatching.record(connection, settled)
    for called, of_call in zip(group, settled, strict=True):
        status = stands.get(of_call.claimed.id)
        if status is not None:
            _follow_up(connection, applied, called, of_call.recorded, status, now)
        else:
            log.warning("settled_by_another", delivery_id=of_call.claimed.id)


def _settled(called: Called, now: datetime) -> Settled:
    ready, outcome = called.intended.ready, called.outcome
    claimed = ready.claimed
    recorded = protocol.record(
        outcome,
        attempts=claimed.attempts + 1,
        repeat=claimed.repeat,
        repeat_until=_repeat_until(ready, called.intended.at),
        repeats_left=claimed.repeats_left_then,
        now=now,
    )
    return Settled(claimed, recorded, outcome_values(outcome) | {"called_at": called.at, "recorded_at": now})


def _follow_up(
    connection: Connection, applied: Applied, called: Called, recorded: Recorded, stands: Status, now: datetime
) -> None:
    ready, outcome = called.intended.ready, called.outcome
    claimed = ready.claimed
    fallback = fallback_of(applied, claimed.journey_id, claimed.step_id, claimed.pinned_version)
    if stands is Status.SENT:
        after_sending(connection, fallback, claimed.member, claimed.id, now)
    elif recorded.failover:
        after_failing(connection, fallback, claimed.member, claimed.id, now)
    if isinstance(outcome, Rejected) and stands is not Status.SENT and not claimed.repeat:
        learn(connection, applied, ready, outcome, now)


# --- intent -----------------------------------------------------------------------------------------------------


def _last_word(judge: Judge, draft: Ready) -> Draft:
    """Judged once more; and a repeat only while the provider's dedupe window surely outlasts the call."""
    ends = draft.claimed.repeat_until if draft.claimed.repeat else None
    if ends is not None and judge.situation.now + WIRE_DEADLINE + CALL_TIMEOUT >= ends:
        why = "the provider would no longer know it for the same message"
        return Later(judge.situation.now + REPEAT_PAUSE, why)
    verdict: Verdict = judge.confirm(draft.claimed, draft.clear)
    return draft if isinstance(verdict, Clear) else verdict


def _intent_of(ready: Ready, now: datetime) -> dict[str, Any]:
    data = dict(ready.payload.data)
    canonical = json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    offers = list(offered_words(ready.text)) if ready.claimed.purpose is Purpose.SEND else []
    return {
        "channel": ready.clear.channel,
        "address": ready.clear.address,
        "mode": ready.clear.way.mode,
        "decision": list(ready.clear.trace),
        "payload": data,
        "payload_hash": hashlib.sha256(canonical.encode()).hexdigest(),
        "text": ready.text,
        "offers": offers or None,
        "segments": ready.payload.segments,
        "cost": float(ready.payload.cost),
        "repeat_until": _repeat_until(ready, now),
    }


def _repeat_until(ready: Ready, intended_at: datetime) -> datetime | None:
    """The window opens with the first call, whatever repeats follow: no earlier than its intent."""
    if ready.claimed.repeat:
        return ready.claimed.repeat_until
    within = ready.clear.way.repeat_within
    return intended_at + within if within is not None else None


def _waits_for_room(ready: Ready, now: datetime) -> Move:
    if ready.claimed.repeat:
        return dispatching.leave_ambiguous(ready.claimed, now + _BUSY_FOR)
    why = "the channel is busy"
    return dispatching.put_back(ready.claimed, now + _BUSY_FOR, why, channel=ready.clear.channel)


def _not_now(claimed: Claimed, verdict: Later | Skip | Overtaken) -> Move:
    """An ambiguous message stays ambiguous, whatever is said of repeating it."""
    if claimed.repeat:
        return dispatching.leave_ambiguous(claimed, verdict.until if isinstance(verdict, Later) else None)
    match verdict:
        case Later(until, why, trace):
            return dispatching.put_back(claimed, until, why, list(trace))
        case Skip(why, trace):
            return dispatching.set_aside(claimed, Status.SKIPPED, why, list(trace))
        case Overtaken(why):
            return dispatching.set_aside(claimed, Status.CANCELLED, why, None)
        case _:
            assert_never(verdict)


def _call_until(intended: Intended) -> datetime:
    """Counted from the intent: a process that was frozen since does not know what has changed."""
    claimed, way = intended.ready.claimed, intended.ready.clear.way
    ends = (intended.at + WIRE_DEADLINE, way.valid_until, claimed.repeat_until if claimed.repeat else None)
    return min(moment for moment in ends if moment is not None)
