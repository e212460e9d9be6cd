"""Whose turn it is to write to a SQLite file: one after the other, and whoever answers callers goes before the loops.

SQLite lets one write at a time, and whoever waits for that looks again now and then; loops that write one batch after
the other are always quicker. (Measured: 90 callbacks/s beside them, within minutes.) So the threads of a process wait
for one another here; and whoever goes first holds the turnstile, through which all the others have to pass, from before
they wait for the transaction at hand until their own is over. The others hold it no longer than it takes to pass, so
that nobody waits there who has no time to wait.
"""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from engage.errors import DatabaseUnavailable
from engage.store.databases.private import to_owner_alone

# How long a writer waits for another one before SQLite says “database is locked”. Transactions here last milliseconds.
BUSY_TIMEOUT_MS = 15_000
# And whoever has callers who wait: a provider that is told within three seconds to send it again does so; WeChat has
# gone after five. Less than half of that: what comes in while others wait in vain waits anew.
CALLERS_TIMEOUT_MS = 1_000


class WriteTurns:
    """Of one process, on one file."""

    def __init__(self, database_file: Path, wait_ms: int, *, goes_first: bool) -> None:
        self._path = database_file.with_name(database_file.name + ".turn")
        self._wait_ms = wait_ms
        self._goes_first = goes_first
        self._writing = threading.Lock()
        self._turnstile: IO[bytes] | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """For one transaction. Whoever waits in vain goes on without: SQLite has the words for that."""
        mine = self._writing.acquire(timeout=self._wait_ms / 1000)
        try:
            turnstile = self._opened()
            fcntl.flock(turnstile, fcntl.LOCK_EX)
            try:
                if not self._goes_first:
                    fcntl.flock(turnstile, fcntl.LOCK_UN)
                yield
            finally:
                fcntl.flock(turnstile, fcntl.LOCK_UN)
        finally:
            if mine:
                self._writing.release()

    def _opened(self) -> IO[bytes]:
        if self._turnstile is None:
            try:
                self._turnstile = open(self._path, "ab", opener=to_owner_alone)  # noqa: SIM115
            except OSError as error:
                raise DatabaseUnavailable(
                    f"no file can be made beside the database: {error.strerror}",
                    f"无法在数据库旁边建立文件：{error.strerror}",
                ) from error
        return self._turnstile

    def close(self) -> None:
        if self._turnstile is not None:
            self._turnstile.close()
            self._turnstile = None
