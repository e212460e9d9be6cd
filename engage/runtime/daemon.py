"""The daemon under real time: APScheduler rings the bells, the loops do the work, a signal ends it in good order."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from engage.errors import EngageError
from engage.runtime.engine import Engine

# How often each loop looks for work. An idle look is one indexed read.
_EVERY_SECONDS = 0.25
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
    with path.open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            holder = handle.read().strip() or "unknown"
            raise AnotherDaemon(f"another daemon (process {holder}) runs on {database_file}; stop it first") from None
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
    """Runs the engine's loops until it is told to stop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._stop = threading.Event()
        self._scheduler = BackgroundScheduler(executors={"default": ThreadPoolExecutor(8)}, timezone="UTC")

    def run(self) -> None:
        """Until SIGTERM or SIGINT. Each loop ends its batch, so that calls on the wire are finished and recorded; what
        is still waiting stays in the database."""
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: self._stop.set())
        self._ring()
        log.info("daemon_started")
        self._stop.wait()
        self._scheduler.shutdown(wait=True)
        self._engine.close()
        log.info("daemon_stopped")

    def _ring(self) -> None:
        engine = self._engine
        loops: dict[str, Callable[[], int]] = {
            "receive": engine.receive.tick,
            "enrol": engine.enrol.tick,
            "advance": engine.advance.tick,
            "dispatch": engine.dispatch.tick,
            "staff": engine.staff.tick,
            "calling": engine.calling.tick,
            "deciding": engine.deciding.tick,
        }
        for name, tick in loops.items():
            self._scheduler.add_job(
                _until_idle,
                "interval",
                args=[name, tick, self._stop],
                seconds=_EVERY_SECONDS,
                max_instances=1,
                coalesce=True,
            )
        self._scheduler.start()


def _until_idle(name: str, tick: Callable[[], int], stop: threading.Event) -> None:
    """One bell: batches until nothing is left, or until the daemon is to stop. The one place where a loop's faults are
    caught: record, go on at the next bell."""
    try:
        while not stop.is_set() and tick():
            pass
    except Exception:
        log.exception("loop_failed", loop=name)
