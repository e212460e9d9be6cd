"""The last gate before a call: limits that no journey, and no mistake of the judge, can talk its way past.

It stands in the intent's transaction and goes by what the ledger says was handed over, so that it holds across restarts
and over any number of daemons: who counts only in memory lets everything through again after each crash, and a counter
beside the ledger can be wrong where the ledger is right. It knows addresses, words and channels, and nothing of
journeys. What it stops is skipped with its reason, written into the log, and counted for `engage status`.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from engage.config import Limits
from engage.content.links import Links
from engage.core.arrears import Arrears
from engage.core.catalog import TopicClass
from engage.core.duration import format_duration
from engage.core.turn import Purpose
from engage.runtime.applied import Applied
from engage.runtime.context import Context
from engage.runtime.dispatching.drafting import Draft, Ready
from engage.runtime.dispatching.judge import Later, Skip
from engage.runtime.own_name import own_name
from engage.store import handed_over, state, tallies
from engage.store.dispatching import Claimed
from engage.store.handed_over import Address, HandedOver
from engage.store.insight.overview import STOPPED

_CALLS = "calls:"
_SAME_WORDS_WITHIN = timedelta(days=1)
_SLOT = zlib.crc32(own_name().encode()) % tallies.SLOTS
log = structlog.get_logger("engage.last_gate")


@dataclass
class LastGate:
    """For one batch. What it lets through counts for the next of the batch."""

    now: datetime
    limits: Limits
    allowed: frozenset[str] | None  # the only addresses that may be written to; None: this is production
    links: Links
    applied: Applied
    arrears: Arrears | None
    calls: dict[Address, list[HandedOver]]
    a_minute: dict[str, int]  # calls of this minute, by channel
    _counts: Counter[str] = field(default_factory=Counter)
    _queued_up: bool = False

    @classmethod
    def load(
        cls,
        context: Context,
        connection: Connection,
        applied: Applied,
        batch: Sequence[Claimed],
        drafts: Mapping[int, Draft],
    ) -> LastGate:
        now, limits = context.clock.now(), context.policy.limits
        to = {(draft.clear.channel, draft.clear.address) for draft in drafts.values() if isinstance(draft, Ready)}
        longest = max([_SAME_WORDS_WITHIN, *(limit.within for limit in limits.per_address)])
        found = handed_over.lately(connection, to, now - longest)
        minute = tallies.minute_of(now)
        counted = tallies.counted(connection, {f"{_CALLS}{channel}" for channel, _ in to}, minute) if to else {}
        return cls(
            now=now,
            limits=limits,
            allowed=context.allowed,
            links=context.links,
            applied=applied,
            arrears=_arrears_of(connection, batch),
            calls={address: list(calls) for address, calls in found.items()},
            a_minute={name.removeprefix(_CALLS): count for name, count in counted.items()},
        )

    def last_word(self, claimed: Claimed, draft: Draft) -> Draft:
        """What becomes of it after all."""
        match draft:
            case Ready():
                return self._in_arrears(claimed, draft) or self._stopped(draft) or self._too_many(draft) or draft
            case Later(until):
                return self._in_arrears(claimed, draft, until) or draft
            case _:
                return draft

    def let_through(self, ready: Ready) -> None:
        channel = ready.clear.channel
        came = HandedOver(ready.claimed.id, self.now, ready.text)
        self.calls.setdefault((channel, ready.clear.address), []).append(came)
        self.a_minute[channel] = self.a_minute.get(channel, 0) + 1
        self._counts[f"{_CALLS}{channel}"] += 1

    def write(self, connection: Connection) -> None:
        tallies.add(connection, self._counts, _SLOT, self.now)
        if self._queued_up and self.arrears is not None:
            state.put_arrears(connection, self.arrears, self.now)

    # --- limits -------------------------------------------------------------------------------------------------

    def _stopped(self, ready: Ready) -> Skip | None:
        for kind, why in self._limits_passed(ready):
            self._counts[f"{STOPPED}{kind}:{ready.clear.channel}"] += 1
            claimed = ready.claimed
            log.error(
                "message_stopped",
                limit=kind,
                delivery_id=claimed.id,
                member_id=claimed.member.id,
                journey=claimed.journey_id,
                step=claimed.step_id,
                channel=ready.clear.channel,
                why=why,
            )
            return Skip(f"stopped by a last limit: {why}", ready.clear.trace)
        return None

    def _limits_passed(self, ready: Ready) -> Iterable[tuple[str, str]]:
        address = ready.clear.address
        if self.allowed is not None and address not in self.allowed:
            yield "environment", "this is no production, and the address is not one of test_recipients"
        earlier = self._earlier(ready)
        for limit in self.limits.per_address:
            count = sum(call.at > self.now - limit.within for call in earlier)
            if count >= limit.count:
                yield "per_address", f"{count} to this address in {format_duration(limit.within)}"
        same = self._same_words(ready, earlier)
        if same >= self.limits.same_words.get(self._class_of(ready.claimed), math.inf):
            yield "same_words", f"{same} with the same words to this address in 1d"

    def _earlier(self, ready: Ready) -> Sequence[HandedOver]:
        """A repeat is the same handover once more."""
        calls = self.calls.get((ready.clear.channel, ready.clear.address), [])
        return [call for call in calls if call.delivery_id != ready.claimed.id]

    def _same_words(self, ready: Ready, earlier: Sequence[HandedOver]) -> int:
        words, since = self.links.blanked(ready.text), self.now - _SAME_WORDS_WITHIN
        return sum(call.at > since and self.links.blanked(call.text) == words for call in earlier)

    def _class_of(self, claimed: Claimed) -> TopicClass:
        """A reminder may say again what the question said."""
        answers = claimed.purpose.is_reply or claimed.purpose is Purpose.REMIND
        return TopicClass.SERVICE if answers else self.applied.topic_class(claimed.topic)

    def _too_many(self, ready: Ready) -> Later | None:
        """A channel's ceiling makes messages wait: a burst may be honest."""
        channel = ready.clear.channel
        most = self.limits.per_minute.get(channel, math.inf)
        if self.a_minute.get(channel, 0) < most:
            return None
        if not self._counts[f"{STOPPED}per_minute:{channel}"]:
            log.error("channel_at_its_ceiling", channel=channel, a_minute=most)
        self._counts[f"{STOPPED}per_minute:{channel}"] += 1
        return Later(tallies.minute_of(self.now) + timedelta(minutes=1), "the channel is at its limit for this minute")

    # --- arrears ------------------------------------------------------------------------------------------------

    def _in_arrears(self, claimed: Claimed, draft: Ready | Later, until: datetime | None = None) -> Later | None:
        if self.arrears is None or claimed.repeat or not self.arrears.has(claimed.due_at):
            return None
        trace: Sequence[Mapping[str, object]] = draft.clear.trace if isinstance(draft, Ready) else draft.trace
        if self._class_of(claimed) is TopicClass.SERVICE:
            return None
        at, self.arrears = self.arrears.queue_up(until or self.now, self.now, self.limits.backlog_per_hour)
        self._queued_up = True
        if at <= self.now:
            return None
        why = draft.why if isinstance(draft, Later) else "much is due at once: one after the other"
        return Later(at, why, tuple(trace))


def _arrears_of(connection: Connection, batch: Sequence[Claimed]) -> Arrears | None:
    """Locked where some of the batch are in it: two daemons queue up in one line."""
    arrears = state.arrears(connection)
    if arrears is None or not any(arrears.has(claimed.due_at) for claimed in batch):
        return None
    return state.arrears(connection, to_change=True)
