"""Which way of a split has won: decided once, at a fixed time after the first member passed it, and never again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection

from engage.core.journey.model import Split, WinnerRule
from engage.core.split import Decision, Tally, decide
from engage.runtime.applied import Applied
from engage.runtime.context import Context
from engage.store import splits
from engage.store.splits import SplitState

log = structlog.get_logger("engage.deciding")


class Deciding:
    def __init__(self, context: Context) -> None:
        self._context = context

    def tick(self) -> int:
        """Decide what is due. Returns how many splits."""
        now = self._context.clock.now()
        with self._context.database.read() as connection:
            due = [(state, split) for at, state, split in self._ahead(connection) if at <= now]
        for state, split in due:
            self._decide(state, split, now)
        return len(due)

    def next_due(self, connection: Connection, now: datetime) -> datetime | None:
        return min((at for at, _, _ in self._ahead(connection) if at > now), default=None)

    def _ahead(self, connection: Connection) -> Iterator[tuple[datetime, SplitState, Split]]:
        """Splits that members have passed and that are still to be decided, with when. The rule is the applied one."""
        waiting = splits.known(connection, undecided=True)
        if not waiting:
            return
        applied = self._context.applied.current()
        for state in waiting:
            split = _split_of(applied, state)
            if split is not None and split.winner is not None:
                yield state.first_at + split.winner.after, state, split

    def _decide(self, state: SplitState, split: Split, now: datetime) -> None:
        rule = split.winner
        if rule is None:
            return
        with self._context.database.write() as connection:
            found = splits.tallies(connection, state.journey_id, state.split_id, rule.by)
            tallies = {way.name: found.get(way.name, Tally(0, 0)) for way in split.ways if way.share > 0}
            decision = decide(rule, tallies)
            figures = _figures(rule, tallies, decision)
            decided = splits.record_decision(connection, state, decision.ruling, decision.winner, figures, now)
        if decided:
            log.info("split_decided", journey=state.journey_id, split=state.split_id, winner=decision.winner, **figures)


def _split_of(applied: Applied, state: SplitState) -> Split | None:
    active = applied.journeys.get(state.journey_id)
    if active is None or state.split_id not in active.program.ids:
        return None
    step = active.program.step(state.split_id)
    return step if isinstance(step, Split) else None


def _figures(rule: WinnerRule, tallies: Mapping[str, Tally], decision: Decision) -> dict[str, Any]:
    """All that the decision stands on, to be read years later."""
    ways = {name: asdict(tally) | {"by_chance": decision.by_chance.get(name)} for name, tally in tallies.items()}
    return {"by": rule.by, "at_least": rule.at_least, "confidence": rule.confidence, "ways": ways}
