"""Housekeeping, once a night: what is long over is filed away, what may go goes, and the months ahead are made.

One process does it (`state.take_turn`), in small transactions between which everybody else comes through. Whoever dies
over it leaves the rest to whoever comes next; what is done is done. A chore that waits for a lock is passed over; the
night is not done before it was had.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import Connection

from engage.config import Retention
from engage.core.quiet import zone_of
from engage.errors import DatabaseBusy
from engage.runtime.context import Context
from engage.store import housekeeping, ledger, state
from engage.store.databases import months
from engage.store.tables import decision, delivery_ledger

FROM = 2  # o'clock, by the business's own time; the ranks are worked out from three on
FILED_AFTER = timedelta(days=30)  # since it was queued: receipts have come, caps have looked back, repeats are over
_OVER_FOR = timedelta(days=90)  # calls and notices are looked at by people for a while
_NEVER_APPLIED_FOR = timedelta(days=30)
_SLOTS_FOR = timedelta(days=800)  # longer than a year, the longest that a start by the calendar makes up for
_AGAIN_AFTER_SECONDS = 600.0  # what was passed over: while it waits for a table, everybody else waits behind it
log = structlog.get_logger("engage.housekeeping")

Chore = Callable[[Connection], int]


class Housekeeping:
    def __init__(self, context: Context, retention: Callable[[], Retention]) -> None:
        """`retention`: as it is configured at the moment."""
        self._context = context
        self._retention = retention
        self._done_for: date | None = None
        self._passed_over: list[str] = []
        self._rests_until = 0.0  # by the uptime

    @property
    def passed_over(self) -> list[str]:
        """Chores of this round that the database let wait in vain: somebody holds a lock, say a dump or a long report.
        They are left alone until the next round."""
        return self._passed_over

    def tick(self) -> int:
        """A batch of tonight's work, if not all is done. Returns 0, so that the next batch waits for the next bell and
        others come through."""
        now = self._context.clock.now()
        night = self._night(now)
        if night is None or night == self._done_for or self._context.clock.uptime() < self._rests_until:
            return 0
        if self.do_some(now) == {}:
            self._end_round(night, now)
        return 0

    def _end_round(self, night: date, now: datetime) -> None:
        if self._passed_over:
            self._passed_over = []
            self._rests_until = self._context.clock.uptime() + _AGAIN_AFTER_SECONDS
            return
        with self._context.database.write() as connection:
            if state.take_slot(connection, "housekeeping", night.isoformat(), now):
                log.info("housekeeping_done", night=night.isoformat())
        self._done_for = night

    def do_some(self, now: datetime) -> Mapping[str, int] | None:
        """A batch of the first chore that has any, whatever the hour: how much, by its name. Nothing: no chore has, but
        for those that were passed over. None: another process is at it. Raises DatabaseUnavailable where it is away as
        a whole: then no chore is to be passed over."""
        for name, chore in self._chores(now).items():
            if name in self._passed_over:
                continue
            try:
                with self._context.database.write() as connection:
                    if not state.take_turn(connection, "housekeeping", now):
                        return None
                    done = chore(connection)
            except DatabaseBusy as error:
                log.warning("housekeeping_waits", chore=name, error=str(error))
                self._passed_over.append(name)
                continue
            if done:
                log.info("housekeeping", chore=name, done=done)
                return {name: done}
        return {}

    def _night(self, now: datetime) -> date | None:
        """Whose chores are due; None before it has come. A daemon that was down at night does them by day."""
        local = now.astimezone(zone_of(None, self._context.applied.current().catalog.timezone))
        return local.date() if local.hour >= FROM else None

    def _chores(self, now: datetime) -> dict[str, Chore]:
        keeps, most = self._retention(), housekeeping.BATCH
        drops: dict[str, tuple[timedelta | None, Callable[[Connection, datetime], int]]] = {
            "calls": (_OVER_FOR, housekeeping.drop_calls),
            "notices": (_OVER_FOR, housekeeping.drop_notices),
            "plans": (_NEVER_APPLIED_FOR, housekeeping.drop_plans),
            "slots": (_SLOTS_FOR, housekeeping.drop_slots),
            "inbound": (keeps.inbound, housekeeping.drop_inbound),
            "events": (keeps.events, housekeeping.drop_events),
            "trail": (keeps.trail, partial(months.drop_before, table=decision, most=most)),
            "messages": (keeps.messages, partial(months.drop_before, table=delivery_ledger, most=most)),
        }
        return {
            "months": partial(months.make_months, now=now),
            "ledger": partial(ledger.file_some, before=now - FILED_AFTER, now=now, most=most),
            **{name: _older(drop, now - kept) for name, (kept, drop) in drops.items() if kept is not None},
        }


def _older(drop: Callable[[Connection, datetime], int], before: datetime) -> Chore:
    return lambda connection: drop(connection, before)
