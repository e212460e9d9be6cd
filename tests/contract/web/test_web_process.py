"""A web server in a process of its own, and the one that started it."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from engage.config import Config
from engage.runtime.observing import Observer, Unobserved
from engage.simulation.settings import USUAL
from engage.web.process import WebProcess
from engage.web.server import ServerError

PATIENCE = 30.0  # seconds; only a test that fails waits so long


class Page:
    """Says which process answers, and the address that followers see, which a changed config changes."""

    def __init__(self, config: Config, observer: Observer, arrived: Callable[[], None]) -> None:
        self._observer = observer
        self._arrived = arrived

    def app(self, config: Config) -> ASGIApp:
        async def answer(request: Request) -> Response:
            self._observer.callback("wechat", 200, 0.25)
            self._arrived()
            return PlainTextResponse(f"{os.getpid()} {config.web.public_url}")

        return Starlette(routes=[Route("/", answer)])

    def look(self) -> None:
        pass


@dataclass
class Heard(Unobserved):
    callbacks: list[tuple[str, int, float]] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)
    died: threading.Event = field(default_factory=threading.Event)

    def callback(self, source: str, status: int, seconds: float) -> None:
        self.callbacks.append((source, status, seconds))


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def web(heard: Heard) -> Iterator[WebProcess]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = WebProcess(_config(port, "https://one.example"), Page, heard)
    process.start(arrived=heard.arrived.set, died=heard.died.set)
    yield process
    process.stop()


def _config(port: int, public_url: str) -> Config:
    web = USUAL.web.model_copy(update={"port": port, "public_url": public_url})
    return USUAL.model_copy(update={"web": web})


def _ask(web: WebProcess) -> tuple[int, str]:
    pid, url = httpx.get(web.url, trust_env=False, timeout=PATIENCE).text.split()
    return int(pid), url


def test_another_process_answers_and_tells_what_it_saw(web: WebProcess, heard: Heard) -> None:
    pid, _ = _ask(web)
    assert pid != os.getpid()
    assert heard.arrived.wait(PATIENCE)
    assert heard.callbacks == [("wechat", 200, 0.25)]


def test_it_takes_up_another_config_while_it_answers(web: WebProcess) -> None:
    before = _ask(web)
    web.change(_config(web.port, "https://two.example"))
    after = _ask(web)
    assert before[1].startswith("https://one.example")
    assert after[1].startswith("https://two.example")
    assert after[0] == before[0]


def test_signals_of_a_terminal_are_for_the_daemon_alone(web: WebProcess) -> None:
    pid, _ = _ask(web)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(pid, number)
    assert _ask(web)[0] == pid


def test_the_daemon_hears_of_its_death(web: WebProcess, heard: Heard) -> None:
    web.require_alive()
    os.kill(_ask(web)[0], signal.SIGKILL)
    assert heard.died.wait(PATIENCE)
    with pytest.raises(ServerError, match="ended by itself"):
        web.require_alive()


def test_stopped_it_leaves_the_port_and_nobody_is_alarmed(web: WebProcess, heard: Heard) -> None:
    _ask(web)
    web.stop()
    assert not heard.died.is_set()
    with pytest.raises(httpx.ConnectError):
        _ask(web)
