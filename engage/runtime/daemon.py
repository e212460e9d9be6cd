"""The daemon under real time: bells ring, the loops do the work, and signals are heard: one to end in good order, one
to take up a changed config."""

from __future__ import annotations

import fcntl
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import structlog

from engage.clock import Clock, SystemClock
from engage.errors import EngageError
from engage.runtime.bells import Bells, Tick
from engage.runtime.engine import Engine
from engage.runtime.observing import Observer, Unobserved
from engage.runtime.own_name import own_name
from engage.store.databases.private import to_owner_alone

_LOOKS_EVERY_SECONDS = 1.0  # at the clock, beside the signals, which wake it
_PAUSES_FOR_WHO_ASKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.0)  # seconds
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
    try:
        handle = open(path, "a+", opener=to_owner_alone)  # noqa: SIM115
    except OSError as error:
        raise _not_told(path, error) from error
    with handle:
        if not _locked(handle):
            holder = _holder(handle)
            raise AnotherDaemon(
                f"another daemon ({holder}) runs on {database_file}; stop it first",
                f"{database_file} 上已经有一个引擎在运行（{holder}）；请先停止它",
            )
        handle.truncate(0)
        handle.write(own_name())
        handle.flush()
        yield


def _locked(handle: IO[str]) -> bool:
    """Whoever asks for a daemon holds the lock as well, for a moment."""
    for pause in _PAUSES_FOR_WHO_ASKS:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(pause)
        else:
            return True
    return False


def running_daemon(database_file: Path | None) -> str | None:
    """Who holds the lock, by machine and process; None if nobody does, or if there is no file to lock. The lock alone
    is asked: a process of that number may be another one by now, or one of another container."""
    if database_file is None:
        return None
    path = _lock_file(database_file)
    try:
        with path.open() as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _holder(handle)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _not_told(path, error) from error
    return None


def _holder(handle: IO[str]) -> str:
    handle.seek(0)
    return handle.read().strip() or "unknown"


def _not_told(path: Path, error: OSError) -> EngageError:
    return EngageError(
        f"whether a daemon runs cannot be told: {path}: {error.strerror}",
        f"无法判断引擎是否在运行：{path}：{error.strerror}",
    )


def _lock_file(database_file: Path) -> Path:
    return database_file.with_name(database_file.name + ".lock")


def keep_renewals_for_later() -> None:
    """SIGHUP is heard once the daemon runs; until then it would end the process. For who is about to start one."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})


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
        self._heard = queue.SimpleQueue[None]()  # signals: what a handler may touch, whatever it interrupts
        self._renewals_asked = 0
        self._stops_asked = 0
        self._renewing: list[threading.Thread] = []

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
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
        self._bells.start()
        log.info("daemon_started")
        renewals = 0
        while not self.stopping:
            with suppress(queue.Empty):
                self._heard.get(timeout=_LOOKS_EVERY_SECONDS)
            self._keep_pace()
            if renewals < self._renewals_asked:
                renewals = self._renewals_asked
                self._renewing = [thread for thread in self._renewing if thread.is_alive()]
                self._renewing.append(threading.Thread(target=self._take_up, name="renewal", daemon=True))
                self._renewing[-1].start()
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
        self._heard.put(None)

    def _end_in_time(self) -> None:
        """In good order, if that can be had within the time allowed and nobody asks again. If not, the process leaves
        as it stands: calls that were not recorded are ambiguous once their lease has run out, as after a crash."""
        log.info("daemon_stopping")  # heard: what follows may take as long as a batch
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
        for thread in self._renewing:
            thread.join()

    # --- another engine -----------------------------------------------------------------------------------------

    def _hear_renewal(self, *_: object) -> None:
        self._renewals_asked += 1
        self._heard.put(None)

    def _take_up(self) -> None:
        """Between two batches: what rings from now on is the new engine. Calls of the old one end and are recorded,
        however long the database is away."""
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
        old.close(lambda: not self.stopping)

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
