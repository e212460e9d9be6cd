"""DISPATCH: the send protocol. Claim, word, intend, hand over, record; nothing else in Engage sends.

The order is the promise. The intent is committed before the wire is touched; in its transaction the message is judged
once more. A call is made once, no later than 20 s after its intent. What comes back is recorded in one statement with
nothing fallible before it; no answer means `ambiguous`, and is never turned into another call but the keyed repeat a
provider's own dedupe window allows.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, assert_never

import structlog
from sqlalchemy import Connection

from engage.core.delivery import CALL_TIMEOUT, REPEAT_PAUSE, WIRE_DEADLINE, Status
from engage.core.reply import offered_words
from engage.core.turn import Purpose
from engage.errors import DatabaseUnavailable
from engage.runtime.applied import Applied
from engage.runtime.context import Context
from engage.runtime.dispatching.drafting import Draft, Drafted, Drafting, Ready
from engage.runtime.dispatching.handover import Calls, Intended, OnLoop, Patience, Record
from engage.runtime.dispatching.judge import Clear, Judge, Later, Overtaken, Skip, Verdict
from engage.runtime.dispatching.last_gate import LastGate
from engage.runtime.dispatching.pacing import Pacing
from engage.runtime.dispatching.recording import Recorder
from engage.runtime.dispatching.situation import PAUSED_FOR, Situation
from engage.runtime.quarantine import Failed, Resting, Sieve, count_set_aside
from engage.runtime.stride import Stride
from engage.store import dispatching, members, reaching, state
from engage.store.dispatching import Claimed, Move

BATCH = 200
_BATCH_ALONE = 500  # nothing waits for a network, and no intent grows old
_DROPPED = "was due before the database was restored, and may have been sent then"
_TRIED_AGAIN = timedelta(hours=1)  # a message over which our own code failed
log = structlog.get_logger("engage.dispatch")


class Dispatch:
    def __init__(
        self, context: Context, calls: Callable[[Context, Record], Calls] = OnLoop, *, alone: bool = False
    ) -> None:
        """`alone`: as in a world of its own, where calls take no time and nobody else writes: what was read to word a
        batch is still so when it is intended."""
        self._context = context
        self._alone = alone
        self._calls = calls(context, Recorder(context).record)
        self._pacing = Pacing(context, self._calls)
        self._stride = Stride(_BATCH_ALONE if alone else BATCH, context)
        self._resting = Resting(context.clock)  # journeys; None: what belongs to none
        self._in_hand: dict[int, tuple[Claimed, Draft | None]] = {}  # of the batch: not intended, or not surely

    def tick(self) -> int:
        """Take one batch as far as the wire. Returns how many deliveries it dealt with; calls may still be running."""
        now = self._context.clock.now()
        with self._context.database.read() as connection:
            if not self._in_hand and not dispatching.anything_due(connection, now):
                return 0
        applied = self._context.applied.current()
        with self._context.database.write() as connection:
            _give_back(connection, self._in_hand.values(), now)
            expired = dispatching.expire_leases(connection, now)
            claimed, held = self._claim(connection, now)
        self._in_hand = {each.id: (each, None) for each in claimed}
        if claimed:
            for intended in self._together_or_singly(applied, claimed):
                self._calls.begin(intended)
        return expired + len(claimed) + held

    def _claim(self, connection: Connection, now: datetime) -> tuple[list[Claimed], int]:
        """What is to be dealt with, and how many are put off at once, or not sent at all: a pause may hold a hundred
        thousand messages, and none of them is worded or judged meanwhile. (That nothing is sent in a pause is for the
        intent to see to.)"""
        paused = state.paused(connection)
        if state.ALL in paused:
            return [], 0
        names = self._context.channels
        shut = {name for name in names if self._calls.room(name) <= 0 or f"channel:{name}" in paused}
        claimed = dispatching.claim(connection, now, self._stride.length, shut, self._resting.now)
        arrears = state.arrears(connection) if claimed else None
        at_once: dict[int, Move] = {}
        for each in claimed:
            if arrears is not None and not each.repeat and arrears.has_dropped(each.due_at):
                at_once[each.id] = _not_now(each, Skip(_DROPPED))  # before anything can put it off to another moment
            elif f"journey:{each.journey_id}" in paused:
                at_once[each.id] = _not_now(each, Later(now + PAUSED_FOR, "paused"))
        dispatching.make(connection, at_once.values())
        return [each for each in claimed if each.id not in at_once], len(at_once)

    def _together_or_singly(self, applied: Applied, claimed: Sequence[Claimed]) -> Iterator[Sequence[Intended]]:
        """All of a batch; where that fails for the sake of one of them, each for itself."""
        try:
            together = self._draft_and_intend(applied, claimed)
        except DatabaseUnavailable:
            raise
        except Exception:
            log.exception("batch_failed", items=len(claimed))
        else:
            yield together
            return
        sieve = Sieve[Claimed](attrgetter("journey_id"))
        for each in claimed:
            try:
                intended = self._draft_and_intend(applied, [each])
            except DatabaseUnavailable:
                raise
            except Exception as error:
                self._leave_out(sieve.failed(each, error))
            else:
                self._leave_out(sieve.passed(each))
                yield intended
        self._leave_out(sieve.alone())
        failed_together = sieve.together()
        if failed_together:
            self._resting.add(of_journey[0].item.journey_id for of_journey in failed_together)
            raise failed_together[0][0].error  # they are still in hand, and given back

    def _leave_out(self, failed: Sequence[Failed[Claimed]]) -> None:
        for each in failed:
            now = self._context.clock.now()
            with self._context.database.write() as connection:
                dispatching.make(connection, [_later_on(each.item, each.error, now)])
                count_set_aside(connection, "dispatch", now)
            each.tell("dispatch", "set_aside")
            del self._in_hand[each.item.id]

    def _draft_and_intend(self, applied: Applied, claimed: Sequence[Claimed]) -> Sequence[Intended]:
        drafted = Drafting(self._context, applied).draft(claimed)
        self._in_hand |= {each.id: (each, drafted.drafts[each.id]) for each in claimed}
        self._calls.await_room(Counter(d.clear.channel for d in drafted.drafts.values() if isinstance(d, Ready)))
        intended = self._intend(applied, claimed, drafted)
        for each in claimed:
            del self._in_hand[each.id]
        return intended

    def settle(self) -> None:
        """Wait for every call that is on the wire."""
        self._calls.settle()

    def close(self, patient: Patience) -> None:
        """Let calls on the wire end and record them; start no other."""
        self._calls.close(patient)

    # --- intend -------------------------------------------------------------------------------------------------

    def _intend(self, applied: Applied, batch: Sequence[Claimed], drafted: Drafted) -> list[Intended]:
        """The intent's transaction: everything is looked up and judged again, then committed before any call."""
        now, uptime = self._context.clock.now(), self._context.clock.uptime()
        intended: list[Intended] = []
        with self._context.database.write() as connection, self._stride.over(len(batch)):
            held = dispatching.still_held(connection, batch)
            members.hold(connection, {claimed.member for claimed in batch})
            situation = drafted.situation if self._alone else Situation.load(self._context, connection, applied, batch)
            judge = Judge(self._context, applied, situation)
            gate = LastGate.load(self._context, connection, applied, batch, drafted.drafts)
            berths = self._pacing.berths(connection, drafted.drafts.values(), now)
            moves: list[Move] = []
            for claimed in batch:
                if claimed.id not in held:
                    continue
                draft = drafted.drafts[claimed.id]
                if isinstance(draft, Ready):
                    draft = _last_word(judge, draft)
                draft = gate.last_word(claimed, draft)
                if isinstance(draft, Ready) and not berths.any(draft.clear.channel):
                    moves.append(_waits_for_room(draft, berths.again_at(draft.clear.channel)))
                elif isinstance(draft, Ready):
                    judge.reserve(claimed, draft.clear)
                    gate.let_through(draft)
                    call_at = berths.take(draft.clear.channel)
                    intended.append(Intended(draft, applied, now, uptime, call_at))
                else:
                    moves.append(_not_now(claimed, draft))
            gate.write(connection)
            dispatching.make(connection, moves)
            ready = [each.ready for each in intended]
            dispatching.begin_sending(connection, [(r.claimed, _intent_of(r, now)) for r in ready], now)
            reaching.use_windows(connection, [r.window for r in ready if r.clear.way.uses_window], 1)
        return intended


def _give_back(connection: Connection, claimed: Collection[tuple[Claimed, Draft | None]], now: datetime) -> None:
    """What this process claimed, and lost the database over before any call was made. Whether its intents were
    committed nobody could say then; their rows can. Either way it is as if it had never been claimed."""
    intended = dispatching.give_back(connection, [each for each, _ in claimed], now)
    ready = [draft for each, draft in claimed if each.id in intended and isinstance(draft, Ready)]
    reaching.use_windows(connection, [each.window for each in ready if each.clear.way.uses_window], -1)


# --- intent -----------------------------------------------------------------------------------------------------


def _last_word(judge: Judge, draft: Ready) -> Draft:
    """Judged once more; and a repeat only while the provider's dedupe window surely outlasts the call: not by a clock
    that shows a time before the first one."""
    claimed, now = draft.claimed, judge.situation.now
    ends = claimed.repeat_until if claimed.repeat else None
    set_back = claimed.first_sent_at is not None and now < claimed.first_sent_at
    if ends is not None and (set_back or now + WIRE_DEADLINE + CALL_TIMEOUT >= ends):
        why = "the provider would no longer know it for the same message"
        return Later(now + REPEAT_PAUSE, why)
    verdict: Verdict = judge.confirm(claimed, draft.clear)
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
        "repeat_until": ready.repeat_until(now),
    }


def _later_on(claimed: Claimed, error: Exception, now: datetime) -> Move:
    """Over this one our own code fails. It is tried again, by then perhaps with the fault mended, at the latest when it
    is about to be too late for it."""
    why, again = f"a fault of Engage's own: {type(error).__name__}", now + _TRIED_AGAIN
    if claimed.repeat:
        return dispatching.as_found(claimed, again)
    if claimed.late_at is not None and claimed.late_at <= now:
        return _not_now(claimed, Skip(why))
    return _not_now(claimed, Later(min(again, claimed.late_at or again), why))


def _waits_for_room(ready: Ready, until: datetime) -> Move:
    if ready.claimed.repeat:
        return dispatching.leave_ambiguous(ready.claimed, until)
    return dispatching.put_back(ready.claimed, until, "the channel is busy", channel=ready.clear.channel)


def _not_now(claimed: Claimed, verdict: Later | Skip | Overtaken) -> Move:
    """An ambiguous message stays ambiguous, whatever is said of repeating it."""
    if claimed.repeat:
        return dispatching.leave_ambiguous(claimed, verdict.until if isinstance(verdict, Later) else None)
    match verdict:
        case Later(until, why, trace, channel):
            return dispatching.put_back(claimed, until, why, list(trace) or None, channel)
        case Skip(why, trace):
            return dispatching.set_aside(claimed, Status.SKIPPED, why, list(trace))
        case Overtaken(why):
            return dispatching.set_aside(claimed, Status.CANCELLED, why, None)
        case _:
            assert_never(verdict)
