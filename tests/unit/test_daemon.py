"""The daemon's bells: how long a loop goes on, and how a signal ends it."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, cast

import pytest

from engage.cli.logs import log_fully
from engage.runtime.daemon import Daemon
from engage.runtime.engine import Engine

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
    closed_after: int | None = None

    def close(self) -> None:
        self.closed_after = self.dispatch.batches


@pytest.fixture
def heard() -> Iterator[threading.Event]:
    """Set once a SIGWINCH was answered. All handlers are as before when the test is over."""
    told = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        told.set()

    names = (signal.SIGTERM, signal.SIGINT, signal.SIGWINCH)
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
    assert len(lines) == 2, lines
    assert "daemon_started" in lines[0]
    assert "daemon_stopped" in lines[1]


def test_a_signal_stops_a_backlog_after_the_batch_at_hand(heard: threading.Event) -> None:
    """A campaign of a hundred thousand messages must not keep a deploy waiting for hours."""
    backlog = Backlog(heard)
    loops = Loops(backlog)
    Daemon(cast(Engine, loops)).run()
    assert backlog.batches == 1
    assert loops.closed_after == 1
