"""Who calls a daemon over HTTP: a process of its own that sends prepared requests at a steady rate, and notes how long
each answer took.

A request that waits because all connections are busy is late from the moment it was due: a server that stalls is seen
to stall by everybody who would have come meanwhile.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

_MOST_CONNECTIONS = 512
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass
class Answers:
    """In the order of the requests. `due_at`: by the machine's monotonic clock; `seconds`: from then to the answer."""

    due_at: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    lasted: float = 0.0  # until the last answer

    @property
    def per_second(self) -> float:
        return len(self.seconds) / self.lasted

    def percentile(self, share: float) -> float:
        return sorted(self.seconds)[min(int(len(self.seconds) * share), len(self.seconds) - 1)]


def post(path: str, body: bytes, media_type: str, *headers: str) -> bytes:
    """A request as it goes over the wire, on a connection that is kept."""
    told = "".join(f"{line}\r\n" for line in headers)
    head = f"POST {path} HTTP/1.1\r\nHost: engage.example\r\nContent-Type: {media_type}\r\n{told}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def call(port: int, prepare: Callable[[], Sequence[bytes]], per_second: float) -> Answers:
    """All that `prepare` makes, in a process of its own, at this rate. `prepare` must be picklable."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_call, args=(theirs, port, prepare, per_second), daemon=True)
    process.start()
    theirs.close()  # so that there is an end to waiting for one that fails
    answers: Answers = ours.recv()
    process.join()
    return answers


def _call(parent: Connection, port: int, prepare: Callable[[], Sequence[bytes]], per_second: float) -> None:
    parent.send(asyncio.run(_Crowd(prepare(), per_second).call(port)))


class _Crowd:
    """Callers who share some connections; each takes the first that is free."""

    def __init__(self, requests: Sequence[bytes], per_second: float) -> None:
        self._requests = requests
        self._per_second = per_second
        self._free: deque[_Connection] = deque()
        self._waiting: deque[int] = deque()
        self._answers = Answers(seconds=[0.0] * len(requests))
        self._left = len(requests)

    async def call(self, port: int) -> Answers:
        loop = asyncio.get_running_loop()
        self._over = loop.create_future()
        # Each is used about once a second, before the server takes it for given up.
        for _ in range(min(_MOST_CONNECTIONS, int(self._per_second))):
            made = loop.create_connection(lambda: _Connection(self._answered, self._hung_up), "127.0.0.1", port)
            self._free.append((await made)[1])
        began = time.monotonic() + 0.05
        self._answers.due_at = [began + number / self._per_second for number in range(len(self._requests))]
        for number, due_at in enumerate(self._answers.due_at):
            if (early := due_at - time.monotonic()) > 0:
                await asyncio.sleep(early)
            self._waiting.append(number)
            self._send_on()
        await self._over
        self._answers.lasted = time.monotonic() - began
        return self._answers

    def _send_on(self) -> None:
        while self._waiting and self._free:
            number = self._waiting.popleft()
            self._free.popleft().send(number, self._requests[number])

    def _answered(self, connection: _Connection, number: int, status: int) -> None:
        self._answers.seconds[number] = time.monotonic() - self._answers.due_at[number]
        self._answers.statuses[status] += 1
        self._free.append(connection)
        self._left -= 1
        if self._left == 0:
            self._over.set_result(None)
        self._send_on()

    def _hung_up(self) -> None:
        if not self._over.done():
            self._over.set_exception(ConnectionError("the daemon has closed a connection"))


class _Connection(asyncio.Protocol):
    """HTTP/1.1, one request at a time."""

    def __init__(self, answered: Callable[[_Connection, int, int], None], hung_up: Callable[[], None]) -> None:
        self._answered = answered
        self._hung_up = hung_up
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self._hung_up()

    def send(self, number: int, request: bytes) -> None:
        self._number = number
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        length = _LENGTH.search(head)
        if len(rest) >= (int(length[1]) if length else 0):
            self._received = b""
            self._answered(self, self._number, int(head.split(b" ", 2)[1]))
