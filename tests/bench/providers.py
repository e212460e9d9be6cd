"""The other end of the `sending` section, in a process of its own: WeChat's API and Aliyun's, as lean as they can be.

They speak the same wire as the sandbox (which checks signatures, plays people, and takes a few hundred calls a second),
say yes to everything, and keep the truth: who was written to, and how often.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from urllib.parse import parse_qsl

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass
class Truth:
    """How often each address was written to, and when first, by the machine's monotonic clock."""

    calls: Counter[str] = field(default_factory=Counter)
    first_at: dict[str, float] = field(default_factory=dict)

    def note(self, address: str) -> str:
        """Returns an id for the message."""
        self.calls[address] += 1
        self.first_at.setdefault(address, time.monotonic())
        return str(self.calls.total())


class _Provider(asyncio.Protocol):
    """HTTP/1.1 with kept connections; one request after the other on each."""

    def __init__(self, truth: Truth) -> None:
        self._truth = truth
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        length = _LENGTH.search(head)
        needed = int(length[1]) if length else 0
        if len(rest) >= needed:
            self._received = rest[needed:]
            answer = json.dumps(self._answer(head.split(b" ", 2)[1].decode(), rest[:needed])).encode()
            form = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            self._transport.write(form % (len(answer), answer))

    def _answer(self, target: str, body: bytes) -> dict[str, object]:
        path, _, query = target.partition("?")
        if path.endswith("stable_token"):
            return {"access_token": "TOKEN", "expires_in": 7200}
        if path.startswith("/cgi-bin/"):
            message_id = self._truth.note(json.loads(body)["touser"])
            return {"errcode": 0, "errmsg": "ok", "msgid": int(message_id)}
        message_id = self._truth.note(dict(parse_qsl(query))["PhoneNumbers"])
        return {"Code": "OK", "Message": "OK", "BizId": f"{message_id}^0", "RequestId": "A1B2"}


def _serve(parent: Connection) -> None:
    asyncio.run(_serve_until_asked(parent))


async def _serve_until_asked(parent: Connection) -> None:
    truth = Truth()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Provider(truth), "127.0.0.1", 0)
    parent.send(server.sockets[0].getsockname()[1])
    await loop.run_in_executor(None, parent.recv)
    parent.send(truth)


class Provider:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.url = f"http://127.0.0.1:{connection.recv()}"

    def truth(self) -> Truth:
        """Ends the provider."""
        self._connection.send("over")
        told: Truth = self._connection.recv()
        return told


@contextmanager
def provider() -> Iterator[Provider]:
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    yield Provider(ours)
    process.kill()
    process.join()
