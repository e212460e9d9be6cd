"""The web server of a daemon in a process of its own, so that it answers at once, however busy the loops are.

In one process all threads take turns at Python's lock, and each answer would wait for several turns of the loops:
measured on 2 cores, 280 callbacks/s within 13 s each. Two processes are still one daemon: they start together, and
neither outlives the other. The process is forked: what is imported is in memory once.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection
from typing import Protocol

import structlog
from starlette.types import ASGIApp

from engage.config import Config
from engage.runtime.observing import Observer, Unobserved
from engage.web.server import STOPS_WITHIN, Server, ServerError, listen

_LOOKS_EVERY = 1.0  # seconds
# Told of at once, what came in is looked at at once. More often, and the loops would do little else than hear of it.
_TELLS_EVERY = 0.05
_STARTS_WITHIN = 60  # seconds
_FOR_THE_DAEMON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # it hears them, and tells
log = structlog.get_logger("engage.web")

Seen = tuple[str, int, float]
"""A callback: its source, the status it was answered with, and the seconds that took."""


class Front(Protocol):
    """What answers. It is made in the process that uses it: no connection to a database is shared."""

    def app(self, config: Config) -> ASGIApp: ...

    def look(self) -> None:
        """Take up what was applied meanwhile. Does not raise."""


MakeFront = Callable[[Config, Observer, Callable[[], None]], Front]
"""Given the config, the observer, and whom to tell that something came in."""


class WebProcess:
    """As the daemon's own process has it. To be made before that one has threads or connections, which must not be
    forked. Takes the port at once; answers once it is started."""

    def __init__(self, config: Config, make_front: MakeFront, observer: Observer) -> None:
        listening = listen(config.web.host, config.web.port, "web.port")
        self.host, self.port = config.web.host, int(listening.getsockname()[1])
        self._observer = observer
        self._ours, theirs = multiprocessing.Pipe()
        self._answered = threading.Event()
        self._stopping = False
        self._process = multiprocessing.get_context("fork").Process(
            target=_run, args=(theirs, self._ours, listening, config, make_front), name="engage-web", daemon=True
        )
        with _undisturbed():
            self._process.start()
        theirs.close()
        listening.close()

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def start(self, *, arrived: Callable[[], None], died: Callable[[], None]) -> None:
        """Returns once requests are answered. `arrived` is called when something has come in, `died` if the process
        ends before it is told to."""
        self._ours.send(True)
        threading.Thread(target=self._hear, args=(arrived, died), name="engage-web", daemon=True).start()
        self._await_answer()

    def change(self, config: Config) -> None:
        """Requests are answered by this config from now on."""
        self._answered.clear()
        self._ours.send(config)
        self._await_answer()

    def stop(self) -> None:
        """Lets requests under way finish, then returns. Harmless where it has never started, or has died."""
        self._stopping = True
        with suppress(OSError):  # it has ended already
            self._ours.send(False)
        self._process.join(STOPS_WITHIN + _LOOKS_EVERY + 1)
        self._process.kill()
        self._process.join()

    def require_alive(self) -> None:
        """Raises ServerError if the process has ended without being told to."""
        if not self._process.is_alive():
            raise ServerError(
                "the web process has ended by itself, and the daemon with it; the log says why",
                "网页进程自己结束了，引擎也随之结束；原因见日志",
            )

    def _await_answer(self) -> None:
        if not self._answered.wait(_STARTS_WITHIN) or self._process.exitcode is not None:
            raise ServerError(
                f"the web server on {self.url} did not answer; the log says why",
                f"{self.url} 上的网页服务没有应答；原因见日志",
            )

    def _hear(self, arrived: Callable[[], None], died: Callable[[], None]) -> None:
        try:
            while True:
                self._take(self._ours.recv(), arrived)
        except (EOFError, OSError):
            self._answered.set()
            if not self._stopping:
                self._process.join()
                log.critical("web_process_died", exit_code=self._process.exitcode)
                died()

    def _take(self, told: list[Seen] | None, arrived: Callable[[], None]) -> None:
        if told is None:
            self._answered.set()
            return
        for seen in told:
            self._observer.callback(*seen)
        arrived()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Signals wait meanwhile: an exception out of a handler would be lost inside `fork`, and locks stay held for ever;
    and the new process would follow handlers that are not its own."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _FOR_THE_DAEMON)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# --- in the process itself --------------------------------------------------------------------------------------


def _run(
    connection: Connection, parents: Connection, listening: socket.socket, config: Config, make_front: MakeFront
) -> None:
    """Until it is told to stop, in good order; or at once where the daemon is gone, as after a crash."""
    parents.close()
    for name in _FOR_THE_DAEMON:
        signal.signal(name, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FOR_THE_DAEMON)
    try:
        if not connection.recv():
            return
        telling = _Telling(connection)
        front = make_front(config, telling, telling.arrived)
        front.look()
        server = Server(front.app(config), config.web.host, config.web.port, listening=listening)
        server.start()
        for work in (telling.run, partial(_keep_looking, front)):
            threading.Thread(target=work, daemon=True).start()
        telling.answer()
        while server.runs:
            if connection.poll(_LOOKS_EVERY):
                if not (config := connection.recv()):
                    server.stop()
                    return
                server.serve(front.app(config))
                telling.answer()
    except (EOFError, OSError):
        os._exit(1)
    log.critical("web_server_ended")
    sys.exit(1)


def _keep_looking(front: Front) -> None:
    while True:
        time.sleep(_LOOKS_EVERY)
        front.look()


class _Telling(Unobserved):
    """Tells the daemon what was seen and that something came in; on a thread of its own, which may have to wait until
    the daemon listens."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._seen: list[Seen] = []
        self._news = threading.Event()

    def callback(self, source: str, status: int, seconds: float) -> None:
        self._seen.append((source, status, seconds))
        self._news.set()

    def arrived(self) -> None:
        self._news.set()

    def answer(self) -> None:
        self._send(None)

    def run(self) -> None:
        while self._news.wait():
            self._news.clear()
            seen, self._seen = self._seen, []
            self._send(seen)
            time.sleep(_TELLS_EVERY)

    def _send(self, told: list[Seen] | None) -> None:
        with self._sending:
            self._connection.send(told)
