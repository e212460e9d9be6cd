"""A connection to a mail server: lines out, replies in. Knows SMTP's form (RFC 5321 §4.2), and nothing of mails."""

from __future__ import annotations

import asyncio
import re
import ssl
from dataclasses import dataclass

_LONGEST_REPLY = 64 * 1024
_LAST_LINE = re.compile(rb"(?:\A|\n)(\d{3})(?: [^\n]*)?\r?\n")
_NO_REPLY = re.compile(rb"(?!\d{3}[- \r\n])[^\n]*\n")


class Broken(Exception):
    """The connection is gone, or what comes over it is no SMTP."""


@dataclass(frozen=True, slots=True)
class Reply:
    code: int
    text: str  # all its lines, in one
    lines: tuple[str, ...]  # without their codes


class Wire(asyncio.Protocol):
    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._awaited: asyncio.Future[None] | None = None
        self.lost = False  # by what is known so far

    @classmethod
    async def open(cls, host: str, port: int, tls: ssl.SSLContext | None) -> Wire:
        """Raises OSError. Nagle's algorithm is off, as always with asyncio: the final dot is a write of its own."""
        loop = asyncio.get_running_loop()
        _, wire = await loop.create_connection(cls, host, port, ssl=tls)
        return wire

    async def secure(self, host: str, tls: ssl.SSLContext) -> None:
        """After STARTTLS. What came in before was said by who knows whom: it must not count as said in secret."""
        if self._received:
            raise Broken("something was said between STARTTLS and TLS")
        loop = asyncio.get_running_loop()
        secured = await loop.start_tls(self._open_transport(), self, tls, server_hostname=host)
        if secured is None:
            raise Broken("the connection was closed during the TLS handshake")
        self._transport = secured

    def write(self, data: bytes) -> None:
        """Raises `Broken` if it is known by now that nothing can be written."""
        transport = self._open_transport()
        transport.write(data)
        if transport.is_closing():
            raise Broken("the connection broke while writing")

    async def reply(self) -> Reply:
        """The next one. Raises `Broken` if there is none to come, or it is none."""
        while (reply := self._next()) is None:
            if self.lost or len(self._received) > _LONGEST_REPLY:
                raise Broken("no reply")
            self._awaited = asyncio.get_running_loop().create_future()
            await self._awaited
        return reply

    async def ask(self, line: str) -> Reply:
        self.write(f"{line}\r\n".encode())
        return await self.reply()

    def close(self) -> None:
        """Without QUIT: the other side may be gone, and nobody waits for it."""
        self.lost = True
        if self._transport is not None:
            self._transport.abort()

    def _open_transport(self) -> asyncio.Transport:
        if self._transport is None or self.lost:
            raise Broken("the connection is closed")
        return self._transport

    def _next(self) -> Reply | None:
        received = bytes(self._received)
        found = _LAST_LINE.search(received)
        if found is None:
            if _NO_REPLY.match(received):
                raise Broken("what it says is no reply")
            return None
        del self._received[: found.end()]
        lines = tuple(line[4:].strip() for line in received[: found.end()].decode("utf-8", "replace").splitlines())
        return Reply(int(found[1]), " ".join(" ".join(lines).split()), lines)

    # --- what asyncio tells -------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # of a stream, both read and written

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        self._wake()

    def _wake(self) -> None:
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(None)
