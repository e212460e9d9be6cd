"""One web server in a thread of its own: for the daemon, the demo and the tests."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from engage.errors import EngageError

_STARTS_WITHIN = 15  # seconds
STOPS_WITHIN = 5  # seconds, for requests under way
_DATED_EVERY = 1.0  # seconds: the `Date` of answers


class ServerError(EngageError):
    """The web server could not start; the message says on which address, and why."""


class Server:
    """Port 0 takes a free one; `port` tells which. Signals stay with the main thread. `key`: of the config, where the
    port is set; `listening`: the port as somebody else has taken it."""

    def __init__(
        self, app: ASGIApp, host: str, port: int, key: str = "web.port", *, listening: socket.socket | None = None
    ) -> None:
        self._app = app
        self._socket = listening or listen(host, port, key)
        self.host = host
        self.port: int = self._socket.getsockname()[1]
        self._uvicorn = _Uvicorn(
            uvicorn.Config(
                self._answer,
                interface="asgi3",
                lifespan="off",
                log_config=None,
                access_log=False,  # paths carry secrets and tokens
                server_header=False,
                timeout_graceful_shutdown=STOPS_WITHIN,
            )
        )
        self._thread = threading.Thread(
            target=self._uvicorn.run, kwargs={"sockets": [self._socket]}, name="engage-web", daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def runs(self) -> bool:
        return self._thread.is_alive()

    def serve(self, app: ASGIApp) -> None:
        """From the next request on, this one answers; requests under way end with the one they began with."""
        self._app = app

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def start(self) -> None:
        """Returns once requests are answered."""
        self._thread.start()
        if not self._uvicorn.ready.wait(_STARTS_WITHIN):
            raise ServerError(
                f"the web server on {self.url} did not start within {_STARTS_WITHIN} seconds",
                f"{self.url} 上的网页服务没有在 {_STARTS_WITHIN} 秒内启动",
            )

    def stop(self) -> None:
        """Lets requests under way finish, then returns. Harmless on a server that never started."""
        if self._thread.is_alive():
            self._uvicorn.end()
            self._thread.join()
        self._socket.close()


class _Uvicorn(uvicorn.Server):
    """Tells when it is up, and is told when to end, so that nobody has to poll. (By itself it looks ten times a second,
    which was a third of what the idle daemon took.)"""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self._ending = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def end(self) -> None:
        """From another thread, while it runs."""
        self.should_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._ending.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), _DATED_EVERY)


def listen(host: str, port: int, key: str) -> socket.socket:
    """Take a port. `key`: of the config, where it is set."""
    try:
        listening = socket.create_server((host, port), backlog=2048)
    except OSError as error:
        raise ServerError(
            f"cannot listen on {host}:{port}: {error.strerror}. Set {key} to a free port.",
            f"无法监听 {host}:{port}：{error.strerror}。请把 {key} 改成空闲的端口。",
        ) from error
    # asyncio leaves Nagle's algorithm on for a socket made here (its `proto` is 0), and every answer would wait 40 ms
    # for the caller's delayed ACK. Accepted connections inherit this.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
