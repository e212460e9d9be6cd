"""Writing down what came back from calls: a group in one transaction, each outcome in one statement, before anything
that follows from it. The calls are over: whatever goes wrong here, only the writing is tried again."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from engage.core import delivery as protocol
from engage.core.delivery import REPEAT_PAUSE, Recorded, Status
from engage.core.outcome import Accepted, Rejected, SendOutcome
from engage.errors import DatabaseUnavailable
from engage.runtime.context import Context
from engage.runtime.dispatching.follow_up import after_failing, after_sending, fallback_of
from engage.runtime.dispatching.handover import Called
from engage.runtime.dispatching.lessons import learn, outcome_values
from engage.store import dispatching, inbound, reaching
from engage.store.dispatching import Move, Settled

# Seconds before each further try: a server that is started again, or another one that takes over, is back within a
# minute.
_PAUSES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
_TRIES_ARE_OVER = timedelta(seconds=60)  # where each of them waits 15 s for a lock
log = structlog.get_logger("engage.dispatch")


class Recorder:
    def __init__(self, context: Context) -> None:
        self._context = context

    def record(self, group: Sequence[Called], *, once: bool = False) -> Sequence[Called]:
        """Together; if that fails, each on its own, so that none is lost for another's sake. A database that is gone
        fails them all alike, and is tried again for a minute, unless `once`. Returns those that it did not take."""
        try:
            self._write(group, () if once else _PAUSES)
        except DatabaseUnavailable:
            return group
        except Exception:
            if len(group) == 1:
                # Not recorded: the lease runs out and the reconciler makes it ambiguous.
                log.exception("send_not_recorded", delivery_id=group[0].delivery_id)
                return ()
            log.warning("recorded_one_by_one", delivery_id=[called.delivery_id for called in group], exc_info=True)
            return [left for called in group for left in self.record([called], once=once)]
        return ()

    def _write(self, group: Sequence[Called], pauses: Sequence[float]) -> None:
        """Nobody can say whether a connection was lost before its COMMIT or after: written again, what stands as it was
        recorded stays so. So does what somebody took for ambiguous because the lease was over, unless it was sent."""
        until = self._context.clock.now() + _TRIES_ARE_OVER
        for pause in (*pauses, None):
            now = self._context.clock.now()
            try:
                with self._context.database.write() as connection:
                    _write_down(connection, group, now)
                return
            except DatabaseUnavailable:
                if pause is None or self._context.clock.now() > until:
                    raise
                log.warning("record_tried_again", delivery_id=[called.delivery_id for called in group])
                time.sleep(pause)


def _write_down(connection: Connection, group: Sequence[Called], now: datetime) -> None:
    """The outcomes first; then what follows from how each delivery now stands."""
    settled = [(called, called.outcome, _settled(called, called.outcome, now)) for called in group if called.outcome]
    # Before any row is changed: it may have to wait for RECEIVE, which may be about to change the same.
    inbound.take_up(connection, _named_by_providers(settled))
    stands = dispatching.record(connection, [of_call for _, _, of_call in settled])
    for called, outcome, of_call in settled:
        status = stands.get(of_call.claimed.id)
        if status is not None:
            _follow_up(connection, called, outcome, of_call.recorded, status, now)
        else:
            log.warning("settled_by_another", delivery_id=of_call.claimed.id)
    _never_called(connection, [called for called in group if called.outcome is None], now)


def _named_by_providers(settled: Sequence[tuple[Called, SendOutcome, Settled]]) -> Iterator[tuple[str, str]]:
    for called, outcome, _ in settled:
        if isinstance(outcome, Accepted) and outcome.provider_id is not None:
            yield called.intended.channel, outcome.provider_id


def _settled(called: Called, outcome: SendOutcome, now: datetime) -> Settled:
    intended = called.intended
    claimed = intended.ready.claimed
    recorded = protocol.record(
        outcome,
        attempts=claimed.attempts + 1,
        repeat=claimed.repeat,
        repeat_until=intended.ready.repeat_until(intended.at),
        repeats_left=claimed.repeats_left_then,
        now=now,
    )
    return Settled(claimed, recorded, outcome_values(outcome) | {"called_at": called.at, "recorded_at": now})


def _follow_up(
    connection: Connection, called: Called, outcome: SendOutcome, recorded: Recorded, stands: Status, now: datetime
) -> None:
    ready, applied = called.intended.ready, called.intended.applied
    claimed = ready.claimed
    fallback = fallback_of(applied, claimed.journey_id, claimed.step_id, claimed.pinned_version)
    if stands is Status.SENT:
        after_sending(connection, fallback, claimed.member, claimed.id, now)
    elif recorded.failover:
        after_failing(connection, fallback, claimed.member, claimed.id, now)
    if isinstance(outcome, Rejected) and stands is not Status.SENT and not claimed.repeat:
        learn(connection, applied, ready, outcome, now)


def _never_called(connection: Connection, group: Sequence[Called], now: datetime) -> None:
    """Too late for their intents, and surely not sent by them: back to the outbox, to be judged afresh. A repeat leaves
    what it found: an ambiguous message."""
    claimed = [called.intended.ready.claimed for called in group]
    intended = dispatching.still_intended(connection, claimed)  # not so, if this is written once more
    ready = [called.intended.ready for called in group if called.delivery_id in intended]
    moves: list[Move] = [
        dispatching.as_found(each.claimed, now + REPEAT_PAUSE if each.claimed.unsheltered else now)
        if each.claimed.repeat
        else dispatching.put_back(each.claimed, now, "not called in time")
        for each in ready
    ]
    dispatching.make(connection, moves)
    reaching.use_windows(connection, [each.window for each in ready if each.clear.way.uses_window], -1)
