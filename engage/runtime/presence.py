"""Presence: this process tells the database, now and then, that it runs and how it is. `engage doctor` and
`/metrics` of any daemon can so tell of all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog
from sqlalchemy import Connection

import engage
from engage.clock import Clock
from engage.errors import DatabaseUnavailable
from engage.runtime.daemon import running_daemon
from engage.runtime.own_name import own_name
from engage.store import daemons
from engage.store.daemons import HEARD_OF_WITHIN, DaemonSign
from engage.store.databases.database import Database

_EVERY_SECONDS = 10.0
log = structlog.get_logger("engage.daemon")


def daemons_at_work(database: Database, connection: Connection, now: datetime) -> list[str]:
    """By machine and process. A file has one daemon at most, and its lock says at any moment whether it lives; those of
    a server are counted on for a while after their last sign of life."""
    if database.is_server:
        return [sign.name for sign in daemons.signs(connection) if sign.at > now - HEARD_OF_WITHIN]
    name = running_daemon(database.file)
    return [] if name is None else [name]


class Presence:
    """Given as a loop beside the others: its bell rings as often as theirs, and is mostly passed over."""

    def __init__(self, database: Database, clock: Clock, silent_loops: Callable[[], Sequence[str]]) -> None:
        self._database = database
        self._clock = clock
        self._silent_loops = silent_loops
        self._name = own_name()
        self._started_at = clock.now()
        self._given_at: float | None = None

    def tick(self) -> int:
        """Never anything more to do."""
        if self._given_at is None or time.monotonic() - self._given_at >= _EVERY_SECONDS:
            self._give(self._clock.now())
            self._given_at = time.monotonic()
        return 0

    def end(self) -> None:
        """In good order: nobody is to look for this process."""
        try:
            with self._database.write() as connection:
                daemons.drop_sign(connection, self._name, self._clock.now())
        except DatabaseUnavailable:
            log.warning("end_not_told")  # it will be taken for one that was killed

    def _give(self, now: datetime) -> None:
        said = {
            "started_at": self._started_at.isoformat(),
            "version": engage.__version__,
            "silent_loops": list(self._silent_loops()),
        }
        with self._database.write() as connection:
            daemons.put_sign(connection, DaemonSign(self._name, now, said))
