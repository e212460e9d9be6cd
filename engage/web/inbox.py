"""The way into the `inbound` table: a request is answered once its records are committed, and many share one commit.

On SQLite one writer with a group commit took 2,400 callbacks a second, against 1,000 with a commit each (measured, 2
cores). Must not look into what it stores.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import structlog
from starlette.concurrency import run_in_threadpool

from engage.clock import Clock
from engage.errors import DatabaseUnavailable, EngageError
from engage.runtime.outage import Outage
from engage.store import inbound
from engage.store.databases.database import Database
from engage.store.inbound import Arrived

LARGEST_COMMIT = 500  # requests
# Where so many have come during a commit, the next one waits for more company: a fifth less work for the same requests.
# A few callers who each wait for their answers wait for nobody else.
_MANY = 8  # requests
_GATHERED_FOR = 0.015  # seconds

_log = structlog.get_logger(__name__)


class NotStored(EngageError):
    """The records could not be stored. Answer 503, so that the caller sends them again; never claim success."""


class _Waiting(NamedTuple):
    records: Sequence[Arrived]
    counted: bool
    stored: asyncio.Future[int]


class Inbox:
    """Belongs to the event loop of one server. What arrives while a commit is under way goes together in the next."""

    def __init__(
        self, database: Database, clock: Clock, outage: Outage, arrived: Callable[[], None] = lambda: None
    ) -> None:
        self._database = database
        self._clock = clock
        self._outage = outage
        self._arrived = arrived
        self._queue: deque[_Waiting] = deque()
        self._writer: asyncio.Task[None] | None = None

    async def put(self, records: Sequence[Arrived]) -> None:
        """Returns once the records are safe on disk, whether new or known. Raises NotStored."""
        await self._enqueue(records, counted=False)

    async def put_counted(self, records: Sequence[Arrived]) -> int:
        """The same; answers how many of the records were new. Costs statements of its own: for the API only."""
        return await self._enqueue(records, counted=True)

    async def _enqueue(self, records: Sequence[Arrived], *, counted: bool) -> int:
        if not records:
            return 0
        waiting = _Waiting(
            [_storable(record) for record in records], counted, asyncio.get_running_loop().create_future()
        )
        self._queue.append(waiting)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_queued())
        # Shielded: a caller that hangs up must not cancel what others wait for.
        return await asyncio.shield(waiting.stored)

    async def _write_queued(self) -> None:
        try:
            while self._queue:
                await run_in_threadpool(self._write_until_empty, asyncio.get_running_loop())
        finally:
            self._writer = None

    def _write_until_empty(self, loop: asyncio.AbstractEventLoop) -> None:
        """On a thread that goes on by itself: the next commit does not wait until the loop has come round, which has
        the answers to give meanwhile."""
        while self._queue:
            batch = [self._queue.popleft() for _ in range(min(LARGEST_COMMIT, len(self._queue)))]
            try:
                counts = self._commit(batch)
            except DatabaseUnavailable as error:
                loop.call_soon_threadsafe(_fail, batch, error)
                self._outage.begun("inbox", error)
            except Exception as error:
                # Only the kind: the text of a database error quotes what was to be stored.
                _log.error("inbound facts not stored", requests=len(batch), error=type(error).__name__)
                loop.call_soon_threadsafe(_fail, batch, error)
            else:
                come = len(self._queue)  # before those who are answered come again
                self._outage.over("inbox")
                self._arrived()
                loop.call_soon_threadsafe(_answer, batch, counts)
                if _MANY <= come < LARGEST_COMMIT:
                    time.sleep(_GATHERED_FOR)

    def _commit(self, batch: Sequence[_Waiting]) -> list[int]:
        now = self._clock.now()
        together = [record for waiting in batch if not waiting.counted for record in waiting.records]
        with self._database.write() as connection:
            inbound.put(connection, together, now)
            return [inbound.put(connection, waiting.records, now) if waiting.counted else 0 for waiting in batch]


def _answer(batch: Sequence[_Waiting], counts: Sequence[int]) -> None:
    for waiting, count in zip(batch, counts, strict=True):
        waiting.stored.set_result(count)


def _fail(batch: Sequence[_Waiting], cause: Exception) -> None:
    for waiting in batch:
        refusal = NotStored(
            "the database could not store what came in; it has to be sent again",
            "数据库没能存下收到的内容；请重新发送",
        )
        refusal.__cause__ = cause
        waiting.stored.set_exception(refusal)


def _storable(record: Arrived) -> Arrived:
    """JSON can carry half a surrogate pair (a truncated emoji), which UTF-8 cannot: it must not fail its neighbours."""
    if record.body.isascii() and record.key.isascii():
        return record
    key, body = (text.encode("utf-8", "replace").decode() for text in (record.key, record.body))
    return Arrived(record.source, key, body)
