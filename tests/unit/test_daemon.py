"""The daemon's bells: how long a loop goes on, and how a signal ends it."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from types import FrameType
from typing import IO, Any, cast

import pytest

from engage.cli.logs import log_fully
from engage.clock import SystemClock
from engage.errors import EngageError
from engage.runtime.bells import Bells
from engage.runtime.daemon import AnotherDaemon, Daemon, only_daemon, running_daemon
from engage.runtime.dispatching.handover import Patience
from engage.runtime.engine import Engine
from engage.runtime.observing import Unobserved
from engage.runtime.own_name import own_name
from engage.runtime.stride import FEWEST

ROOT = Path(__file__).parents[2]
PATIENCE = 10.0  # seconds; only a test that fails waits so long


class Idle:
    def tick(self) -> int:
        return 0


class Busy:
    """One batch that takes as long as several bells; then the signal comes."""

    batches = 0

    def tick(self) -> int:
        self.batches += 1
        if self.batches == 1:
            time.sleep(0.8)
            signal.pthread_kill(cast(int, threading.main_thread().ident), signal.SIGTERM)
        return 0


class Backlog:
    """Always more to do. In its first batch comes the signal; the batch ends only when the daemon has heard it."""

    def __init__(self, heard: threading.Event) -> None:
        self.batches = 0
        self._heard = heard

    def tick(self) -> int:
        self.batches += 1
        if self.batches == 1:
            main = cast(int, threading.main_thread().ident)
            signal.pthread_kill(main, signal.SIGTERM)
            signal.pthread_kill(main, signal.SIGWINCH)  # answered after SIGTERM: then that one was heard
            assert self._heard.wait(PATIENCE)
        return 1 if self.batches < 1000 else 0


@dataclass
class Loops:
    """As much of an engine as the daemon sees of it."""

    dispatch: Any
    receive: Any = field(default_factory=Idle)
    enrol: Any = field(default_factory=Idle)
    advance: Any = field(default_factory=Idle)
    staff: Any = field(default_factory=Idle)
    calling: Any = field(default_factory=Idle)
    deciding: Any = field(default_factory=Idle)
    letting_go: Any = field(default_factory=Idle)
    closed_after: int | None = None
    records: Callable[[Patience], None] = lambda patient: None

    def close(self, patient: Patience = lambda: False) -> None:
        self.closed_after = self.dispatch.batches
        self.records(patient)


@pytest.fixture
def heard() -> Iterator[threading.Event]:
    """Set once a SIGWINCH was answered. All handlers are as before when the test is over."""
    told = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        told.set()

    names = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGWINCH)
    before = {name: signal.getsignal(name) for name in names}
    signal.signal(signal.SIGWINCH, note)
    yield told
    for name, handler in before.items():
        signal.signal(name, handler)


@pytest.fixture
def root_logger() -> Iterator[None]:
    """As before when the test is over."""
    root, scheduler = logging.getLogger(), logging.getLogger("apscheduler")
    before = root.handlers[:], root.level, scheduler.level
    yield
    root.handlers[:], root.level = before[0], before[1]
    scheduler.setLevel(before[2])


@pytest.mark.usefixtures("heard", "root_logger")
def test_a_bell_that_rings_while_its_loop_is_busy_is_no_news(capfd: pytest.CaptureFixture[str]) -> None:
    """Four warnings a second, through every campaign, would bury the one that somebody should read."""
    log_fully()
    Daemon(cast(Engine, Loops(Busy()))).run()
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 3, lines
    assert "daemon_started" in lines[0]
    assert "daemon_stopping" in lines[1]
    assert "daemon_stopped" in lines[2]


def test_a_signal_stops_a_backlog_after_the_batch_at_hand(heard: threading.Event) -> None:
    """A campaign of a hundred thousand messages must not keep a deploy waiting for hours."""
    backlog = Backlog(heard)
    loops = Loops(backlog)
    Daemon(cast(Engine, loops)).run()
    assert backlog.batches == 1
    assert loops.closed_after == 1


class Counted:
    """Notes how often its bell has rung; the first time, something follows. `done`: what it says of each batch."""

    def __init__(self, then: Callable[[], object] = lambda: None, done: int = 0) -> None:
        self.batches = 0
        self.rung = threading.Event()
        self._then = then
        self._done = done

    def tick(self) -> int:
        self.batches += 1
        if self.batches == 1:
            self._then()
        self.rung.set()
        return self._done


def tell_main(number: signal.Signals) -> None:
    signal.pthread_kill(cast(int, threading.main_thread().ident), number)


@pytest.mark.usefixtures("heard")
def test_at_a_sighup_another_engine_takes_over_and_the_old_one_ends_its_calls() -> None:
    old = Loops(Counted(then=lambda: tell_main(signal.SIGHUP)))
    new = Loops(Counted(then=lambda: tell_main(signal.SIGTERM)))
    Daemon(cast(Engine, old), renew=lambda: cast(Engine, new)).run()
    assert old.closed_after is not None
    assert old.dispatch.batches == old.closed_after  # it rang no more once the new one did
    assert new.closed_after is not None


@pytest.mark.usefixtures("heard")
def test_an_engine_that_was_taken_over_from_records_with_patience_until_the_daemon_ends() -> None:
    """Nor does it keep the new one from its work meanwhile, or another one from taking over."""

    def waits_for_the_database(patient: Patience) -> None:
        assert patient()
        until = time.monotonic() + PATIENCE
        while patient():
            assert time.monotonic() < until
            time.sleep(0.01)
        given_up.append(True)

    given_up: list[bool] = []
    last = Loops(Counted(then=lambda: tell_main(signal.SIGTERM)))
    then = Loops(Counted(then=lambda: tell_main(signal.SIGHUP)), records=waits_for_the_database)
    old = Loops(Counted(then=lambda: tell_main(signal.SIGHUP)), records=waits_for_the_database)
    following = iter([then, last])
    Daemon(cast(Engine, old), renew=lambda: cast(Engine, next(following))).run()
    assert given_up == [True, True]
    assert last.closed_after == 1


def test_signals_that_come_together_end_it_all_the_same() -> None:
    """In a process of its own: a handler must not wait for what it has interrupted."""
    idle = """
import signal, sys
sys.path.insert(0, "tests/unit")
from test_daemon import Counted, Loops
from engage.runtime.daemon import AnotherDaemon, Daemon, only_daemon, running_daemon
Daemon(Loops(Counted(then=lambda: print("runs", flush=True))), renew=lambda: None).run()
"""
    process = subprocess.Popen([sys.executable, "-c", idle], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        while "runs" not in process.stdout.readline():
            assert process.poll() is None
        for _ in range(3000):
            process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()


@pytest.mark.usefixtures("heard")
def test_a_renewal_that_comes_to_nothing_or_fails_leaves_the_engine_as_it_is() -> None:
    def fails() -> None:
        asked.append(len(asked))
        if len(asked) == 1:
            tell_main(signal.SIGHUP)
            raise RuntimeError("a fault of ours")
        tell_main(signal.SIGTERM)

    asked: list[int] = []
    loops = Loops(Counted(then=lambda: tell_main(signal.SIGHUP)))
    Daemon(cast(Engine, loops), renew=fails).run()
    assert asked == [0, 1]
    assert loops.closed_after is not None


def test_a_second_signal_ends_it_at_once_whatever_hangs() -> None:
    """In a process of its own, which it leaves: a batch that never ends cannot be ended otherwise."""
    hangs = """
import signal, sys, threading
sys.path.insert(0, "tests/unit")
from test_daemon import Counted, Loops
from engage.runtime.daemon import AnotherDaemon, Daemon, only_daemon, running_daemon
def hang():
    print("hangs", flush=True)
    threading.Event().wait()
Daemon(Loops(Counted(then=hang))).run()
"""
    process = subprocess.Popen([sys.executable, "-c", hangs], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        _read_until(process.stdout, "hangs")
        process.send_signal(signal.SIGTERM)
        _read_until(process.stdout, "daemon_stopping")  # two signals at once are heard as one
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)  # it waits for the batch
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()


def _read_until(lines: IO[str], word: str) -> None:
    for line in lines:
        if word in line:
            return
    pytest.fail(f"it ended without {word!r}")


def test_the_lock_alone_says_whether_a_daemon_runs(tmp_path: Path) -> None:
    """Its number may be another process's by now, or one of another container."""
    file = tmp_path / "engage.db"
    assert running_daemon(file) is None
    with only_daemon(file):
        assert running_daemon(file) == own_name()
        with pytest.raises(AnotherDaemon, match=own_name()), only_daemon(file):
            pass
    assert str(os.getpid()) in (tmp_path / "engage.db.lock").read_text()
    assert running_daemon(file) is None


def test_a_lock_that_cannot_be_opened_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "engage.db.lock").mkdir()
    with pytest.raises(EngageError, match="cannot be told"):
        running_daemon(tmp_path / "engage.db")
    with pytest.raises(EngageError, match="cannot be told"), only_daemon(tmp_path / "engage.db"):
        pass


def test_who_asks_keeps_no_daemon_from_starting(tmp_path: Path) -> None:
    file, asked = tmp_path / "engage.db", tmp_path / "engage.db.lock"
    asked.touch()
    with asked.open() as handle:
        fcntl.flock(handle, fcntl.LOCK_SH)
        threading.Timer(0.1, fcntl.flock, (handle, fcntl.LOCK_UN)).start()
        with only_daemon(file):
            assert running_daemon(file) == own_name()


class Shifted(datetime):
    """The system's clock, as APScheduler reads it, and as somebody sets it."""

    by = timedelta(0)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        return datetime.now(tz) + cls.by


class ShiftedClock:
    def now(self) -> datetime:
        return Shifted.now(UTC)

    def uptime(self) -> float:
        return SystemClock().uptime()


@pytest.mark.parametrize("by", [timedelta(hours=-1), timedelta(days=1)], ids=["back", "forward"])
def test_bells_ring_on_when_the_clock_is_set(by: timedelta, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apscheduler.schedulers.base.datetime", Shifted)
    monkeypatch.setattr(Shifted, "by", timedelta(0))
    counted = Counted()
    bells = Bells({"dispatch": counted.tick}, ShiftedClock(), Unobserved())
    bells.start()
    try:
        assert counted.rung.wait(PATIENCE)
        monkeypatch.setattr(Shifted, "by", by)
        bells.keep_pace()
        counted.rung.clear()
        assert counted.rung.wait(PATIENCE)
        counted.rung.clear()
        assert counted.rung.wait(PATIENCE)
    finally:
        bells.stop()


def test_a_loop_that_does_not_come_round_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engage.runtime.bells._SILENT_AFTER_SECONDS", 2.5)  # bells ring every second
    stuck, freed = Counted(then=lambda: freed.wait(PATIENCE)), threading.Event()
    bells = Bells({"dispatch": stuck.tick, "receive": Counted().tick}, SystemClock(), Unobserved())
    assert bells.silent() == []
    bells.start()
    try:
        until = time.monotonic() + PATIENCE
        while not bells.silent():
            assert time.monotonic() < until
        assert bells.silent() == ["dispatch"]
        freed.set()
        while bells.silent():
            assert time.monotonic() < until
    finally:
        freed.set()
        bells.stop()


def test_a_loop_that_has_done_something_rings_for_those_who_go_on_from_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a second an event is to be a message: no loop waits for the next round of bells."""
    monkeypatch.setattr("engage.runtime.bells._EVERY_SECONDS", 3600.0)
    loops = {name: Passing() for name in ("receive", "enrol", "advance", "dispatch")}
    bells = Bells({name: loop.tick for name, loop in loops.items()}, SystemClock(), Unobserved())
    bells.start()
    try:
        for loop in loops.values():
            assert loop.idle.wait(PATIENCE)
        for loop in loops.values():
            loop.idle.clear()
            loop.left = 1
        bells.ring("receive")
        for loop in loops.values():
            assert loop.idle.wait(PATIENCE)
        assert all(loop.left == 0 for loop in loops.values())
    finally:
        bells.stop()


def test_what_comes_one_by_one_is_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engage.runtime.bells._GATHERS_SECONDS", 3600.0)
    loop = Counted(done=FEWEST - 1)
    bells = Bells({"receive": loop.tick}, SystemClock(), Unobserved())
    bells.start()
    assert loop.rung.wait(PATIENCE)
    time.sleep(0.2)  # enough for hundreds
    began = time.monotonic()
    bells.stop()
    assert loop.batches == 1
    assert time.monotonic() - began < PATIENCE, "whoever gathers hears that all are to stop"


def test_what_comes_by_the_batch_is_not_kept_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engage.runtime.bells._GATHERS_SECONDS", 3600.0)
    loop = Counted(done=FEWEST)
    bells = Bells({"receive": loop.tick}, SystemClock(), Unobserved())
    bells.start()
    until = time.monotonic() + PATIENCE
    while loop.batches < 100:
        assert time.monotonic() < until
        time.sleep(0.01)
    bells.stop()


class Passing:
    """Has so much to do, then nothing."""

    def __init__(self) -> None:
        self.left = 0
        self.idle = threading.Event()

    def tick(self) -> int:
        done, self.left = self.left, 0
        if not done:
            self.idle.set()
        return done
