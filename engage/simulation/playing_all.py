"""Many test files, played on every core: a part of a file each, on a copy of the ground that costs nothing to make.

A copy is a fork of this process, which is safe on Linux while it has one thread; elsewhere they are played one after
the other. What comes out is the same: cases do not touch each other (see `playing`).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import active_children, get_context, parent_process

from engage.core.testfile.model import Case, TestFile
from engage.simulation.ground import Ground
from engage.simulation.playing import Played, play

# Cases of one world share its moments: a larger part is played faster, smaller ones are shared out more evenly.
_CASES_OF_A_PART = 12
_TOLD_TO_END = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Part:
    """Cases of one file, played in one process."""

    file: TestFile
    cases: Sequence[Case]


def play_all(ground: Ground, wanted: Sequence[Part]) -> list[Played]:
    """The cases that are wanted, in their order."""
    parts = [part for whole in wanted for part in _parted(whole)]
    workers = min(len(parts), _cores())
    played = _shared_out(ground, parts, workers) if workers > 1 else None
    return played if played is not None else [done for part in parts for done in play(ground, part.file, part.cases)]


def _shared_out(ground: Ground, parts: Sequence[Part], workers: int) -> list[Played] | None:
    """None where that cannot be: a machine without shared memory has no pool, and one that is short of memory may end a
    process of it. What is wrong with a test itself comes up again when it is played by this process, and is told."""
    try:
        pool = ProcessPoolExecutor(workers, get_context("fork"), _begin, (ground, parts))
    except OSError:
        return None
    try:
        with _undisturbed():
            playing = [pool.submit(_play, number) for number in range(len(parts))]
        results = [part.result() for part in playing]
    except (BrokenProcessPool, OSError):
        return None
    except KeyboardInterrupt:
        for process in active_children():
            process.terminate()
        raise
    finally:
        with suppress(OSError):  # of its own pipes, if the pool has broken meanwhile
            pool.shutdown(cancel_futures=True)
    return [
        replace(done, file=part.file, case=case)  # as we know them, not as they were sent over
        for part, played in zip(parts, results, strict=True)
        for case, done in zip(part.cases, played, strict=True)
    ]


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ctrl-C waits: in the middle of a fork it would leave locks behind that nobody opens."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _TOLD_TO_END)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _TOLD_TO_END)


def _parted(whole: Part) -> Iterator[Part]:
    for first in range(0, len(whole.cases), _CASES_OF_A_PART):
        yield Part(whole.file, whole.cases[first : first + _CASES_OF_A_PART])


def _cores() -> int:
    """How many processes can play at the same time."""
    if sys.platform != "linux" or threading.active_count() > 1:
        return 1
    return len(os.sched_getaffinity(0))


# --- in a process of the pool -----------------------------------------------------------------------------------

_stage: tuple[Ground, Sequence[Part]]


def _begin(ground: Ground, parts: Sequence[Part]) -> None:
    """What a process of the pool plays, and on what."""
    global _stage  # the pool has no other place for what its processes begin with
    _stage = ground, parts
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears of it as well, and ends us
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _TOLD_TO_END)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    """Killed, the parent cannot tell its pool, which would wait for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _play(number: int) -> list[Played]:
    ground, parts = _stage
    return play(ground, parts[number].file, parts[number].cases)
