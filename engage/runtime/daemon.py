"""The daemon under real time: bells ring, the loops do the work, and signals are heard: one to end in good order, one
to take up a changed config."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import structlog

from engage.clock import Clock, SystemClock
from engage.errors import EngageError
from engage.runtime.bells import Bells, Tick
from engage.runtime.engine import Engine
from engage.runtime.observing import Observer, Unobserved
from engage.store.private import to_owner_alone

_LOOKS_EVERY_SECONDS = 1.0  # at the clock, beside the signals, which wake it
STOPS_WITHIN_SECONDS = 60.0  # systemd waits 90 by default, and then kills
log = structlog.get_logger("engage.daemon")


class AnotherDaemon(EngageError):
    """Another daemon runs on this SQLite database already. One is all SQLite takes; stop that one first."""


@contextmanager
def only_daemon(database_file: Path | None) -> Iterator[None]:
    """Hold the database's lock file while the daemon runs. The lock dies with the process, however it dies."""
    if database_file is None:
        yield
        return
    path = _lock_file(database_file)
    with open(path, "a+", opener=to_owner_alone) as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            holder = handle.read().strip() or "unknown"
            raise AnotherDaemon(
                f"another daemon (process {holder}) runs on {database_file}; stop it first",
                f"{database_file} 上已经有一个引擎在运行（进程 {holder}）；请先停止它",
            ) from None
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield


def running_daemon(database_file: Path | None) -> int | None:
    """The process that holds the lock; None if none does, or if there is no file to lock.

    The lock itself is asked only if a process of the number on file is alive, so that asking never stands in the way of
    a daemon that starts at this very moment.
    """
    if database_file is None:
        return None
    path = _lock_file(database_file)
    try:
        holder = int(path.read_text())
        os.kill(holder, 0)
        with path.open() as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return None
    except BlockingIOError:
        return holder
    except PermissionError:  # somebody else's process: alive
        return holder
    return None


def _lock_file(database_file: Path) -> Path:
    return database_file.with_name(database_file.name + ".lock")


class Daemon:
    """Runs the engine's loops until it is told to stop.

    `renew` is asked for another engine at every SIGHUP, and answers None where everything is to stay as it is.
    `beside`: what else rings, whichever engine runs. `guarded`: what is put around the loops that move members or speak
    to somebody.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Clock | None = None,
        observer: Observer | None = None,
        renew: Callable[[], Engine | None] = lambda: None,
        beside: Mapping[str, Tick] | None = None,
        guarded: Callable[[Tick], Tick] = lambda tick: tick,
    ) -> None:
        self._engine = engine
        self._clock = clock or SystemClock()
        self._observer = observer or Unobserved()
        self._renew = renew
        self._beside = beside or {}
        self._guarded = guarded
        self._bells = self._bells_of(engine)
        self._changing = threading.Lock()  # which engine runs, and whether one does
        self._heard = threading.Event()
        self._renewals_asked = 0
        self._stops_asked = 0

    @property
    def stopping(self) -> bool:
        return self._stops_asked > 0

    def ring(self, loop: str) -> None:
        """There is something to do for this loop."""
        self._bells.ring(loop)

    def stop(self) -> None:
        """As a signal would."""
        self._hear_stop()

    def silent_loops(self) -> list[str]:
        """Those that have not come round for far too long: whoever asks takes the daemon for stuck."""
        return self._bells.silent()

    def run(self) -> None:
        """Until SIGTERM or SIGINT. Each loop ends its batch, so that calls on the wire are finished and recorded; what
        is still waiting stays in the database."""
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, self._hear_stop)
        signal.signal(signal.SIGHUP, self._hear_renewal)
        self._bells.start()
        log.info("daemon_started")
        renewals = 0
        while not self.stopping:
            self._heard.wait(_LOOKS_EVERY_SECONDS)
            self._heard.clear()
            self._keep_pace()
            if renewals < self._renewals_asked:
                renewals = self._renewals_asked
                threading.Thread(target=self._take_up, name="renewal", daemon=True).start()
        self._end_in_time()
        log.info("daemon_stopped")

    def _keep_pace(self) -> None:
        if self._changing.acquire(blocking=False):
            try:
                self._bells.keep_pace()
            finally:
                self._changing.release()

    # --- ending -------------------------------------------------------------------------------------------------

    def _hear_stop(self, *_: object) -> None:
        self._stops_asked += 1
        self._bells.begin_nothing()
        self._heard.set()

    def _end_in_time(self) -> None:
        """In good order, if that can be had within the time allowed and nobody asks again. If not, the process leaves
        as it stands: calls that were not recorded are ambiguous once their lease has run out, as after a crash."""
        ending = threading.Thread(target=self._end, name="ending", daemon=True)
        ending.start()
        until = time.monotonic() + STOPS_WITHIN_SECONDS
        while ending.is_alive() and self._stops_asked == 1 and time.monotonic() < until:
            ending.join(0.1)
        if ending.is_alive():
            log.warning("daemon_left_unfinished", asked=self._stops_asked)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)

    def _end(self) -> None:
        with self._changing:
            self._bells.stop()
            self._engine.close()

    # --- another engine -----------------------------------------------------------------------------------------

    def _hear_renewal(self, *_: object) -> None:
        self._renewals_asked += 1
        self._heard.set()

    def _take_up(self) -> None:
        """Between two batches: what rings from now on is the new engine. Calls of the old one end and are recorded."""
        with self._changing:
            if self.stopping:
                return
            try:
                engine = self._renew()
            except Exception:
                log.exception("config_not_taken_up")
                return
            if engine is None:
                return
            self._bells.stop()
            old, self._engine = self._engine, engine
            self._bells = self._bells_of(engine)
            self._bells.start()
            old.close()

    def _bells_of(self, engine: Engine) -> Bells:
        moving: dict[str, Tick] = {
            "enrol": engine.enrol.tick,
            "advance": engine.advance.tick,
            "dispatch": engine.dispatch.tick,
            "staff": engine.staff.tick,
            "calling": engine.calling.tick,
            "deciding": engine.deciding.tick,
            "letting_go": engine.letting_go.tick,
        }
        loops = {name: self._guarded(tick) for name, tick in moving.items()}
        return Bells({"receive": engine.receive.tick, **loops, **self._beside}, self._clock, self._observer)
