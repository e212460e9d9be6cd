"""Whether the work goes on where it stopped: a database that was brought back from a copy is paused before it moves
anything, and what came due while nobody was at work goes out one after the other.

Every few seconds a count grows in the database, and is written beside it, on each machine: for SQLite next to the file,
for a server into the project's folder. See `store.continuity` for what follows from that.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy import Connection

from engage.clock import Clock
from engage.runtime.own_name import own_name
from engage.store import state, tallies
from engage.store.databases import continuity
from engage.store.databases.continuity import Life
from engage.store.databases.database import Database
from engage.store.statements import ids

_EVERY = timedelta(seconds=10)
_COUNTED_FOR = timedelta(days=7)  # what was stopped is told of for so long
log = structlog.get_logger("engage.continuity")

Tick = Callable[[], int]


class Witness:
    """The file beside the database."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, database: Database, folder: Path) -> Witness:
        file = database.file
        return cls(file.with_name(f"{file.name}.life") if file is not None else folder / "engage.life")

    def read(self) -> Life | None:
        """None if there is none that can be read."""
        try:
            return Life.from_data(json.loads(self.path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def write(self, life: Life) -> bool:
        """Whether it could be written. Whole, or not at all."""
        new = self.path.with_name(f"{self.path.name}.{own_name()}")
        try:
            with new.open("w", encoding="utf-8") as handle:
                json.dump(life.as_data(), handle)
                handle.flush()
                os.fsync(handle.fileno())
            new.replace(self.path)
        except OSError as error:
            new.unlink(missing_ok=True)
            log.warning("life_not_written", path=str(self.path), why=error.strerror)
            return False
        return True


class Continuity:
    """Asked before every batch. It looks every ten seconds; and each time, as long as the work may not go on."""

    def __init__(self, database: Database, clock: Clock, witness: Witness, outage: Callable[[], timedelta]) -> None:
        """`outage`: how long nobody has to have been at work, as it is configured at the moment."""
        self._database = database
        self._clock = clock
        self._witness = witness
        self._outage = outage
        self._lived: Life | None = None  # as this process knows it
        self._goes_on = False
        self._lock = threading.Lock()

    def guarded(self, tick: Tick) -> Tick:
        """A loop that moves members or speaks to somebody: it stands still on a database that was brought back."""

        def go_on() -> int:
            return tick() if self.keep() else 0

        return go_on

    def keep(self) -> bool:
        """Give a sign of life, if it is time. False: this database was brought back, and nobody has said yet that it is
        to go on."""
        now = self._clock.now()
        with self._lock:
            if self._lived is None or not timedelta(0) <= now - self._lived.at < _EVERY:
                self._lived = self._live_on(now)
                self._goes_on = False
            if not self._goes_on:
                with self._database.read() as connection:
                    self._goes_on = state.RESTORED not in state.paused(connection)
            return self._goes_on

    def _live_on(self, now: datetime) -> Life:
        seen = self._lived or self._witness.read()
        with self._database.write() as connection:
            before = continuity.life(connection, to_change=True)
            server = continuity.server_of(self._database, connection)
            why = _brought_back(connection, before, seen, server, file=self._database.file is not None)
            if why is not None:
                ids.leap(connection, now)  # meanwhile what comes in is still read, and given ids
                if state.RESTORED not in state.paused(connection):
                    state.pause_scopes(connection, [state.RESTORED], why, now)
                    log.error("database_was_brought_back", why=why)
                # As it was, until somebody says that it is the true one: the evidence must not wear off.
                return replace(seen or before or _newborn(now), at=now)
            self._tell_outage(connection, before, now)
            if before is None or before.at.hour != now.hour:
                tallies.forget(connection, now - _COUNTED_FOR)
            life = replace((before or _newborn(now)).onward(now), server=server)
            continuity.put_life(connection, life)
        beside = self._witness.write(life)
        if beside != life.beside:
            with self._database.write() as connection:
                continuity.note_beside(connection, beside)
        return life

    def _tell_outage(self, connection: Connection, before: Life | None, now: datetime) -> None:
        """Also where the clock has jumped: to members it is the same."""
        if before is not None and now - before.at > self._outage():
            log.warning("nobody_was_at_work", since=before.at.isoformat(), until=now.isoformat())
            state.fall_into_arrears(connection, now, now)


def _newborn(now: datetime) -> Life:
    return Life(now.isoformat(), now)


def brought_back(database: Database, folder: Path) -> str | None:
    """The evidence that this database is not the one that was worked with last, if there is any."""
    seen = Witness.of(database, folder).read()
    with database.read() as connection:
        server = continuity.server_of(database, connection)
        return _brought_back(connection, continuity.life(connection), seen, server, file=database.file is not None)


def _brought_back(
    connection: Connection, life: Life | None, seen: Life | None, server: dict[str, object] | None, *, file: bool
) -> str | None:
    """The evidence, if there is any."""
    copied_at = continuity.copied_at(connection)
    if copied_at is not None:
        return f"it is a copy made at {copied_at:%Y-%m-%d %H:%M} UTC"
    if life is None:
        return None
    stands_at = f"{life.at:%Y-%m-%d %H:%M} UTC"
    same = seen is not None and seen.born == life.born
    if seen is not None and same and life.mark < seen.mark:
        return f"it stands at {stands_at}; this machine has seen it at {seen.at:%Y-%m-%d %H:%M} UTC"
    if file and not same and life.beside:
        return f"it stands at {stands_at}, and nothing beside it says that this is the latest"
    known = dict(life.server or {})
    if known and server and (known["system"], known["database"]) != (server["system"], server["database"]):
        return f"it stands at {stands_at}, and was on another server then"
    if known and server and not same and known["timeline"] != server["timeline"]:
        return f"it stands at {stands_at}, and its server has begun another history since"
    return None
