"""The pages of those who run it, on a port of their own: `/healthz`, `/readyz`, `/metrics`. They change nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from engage.errors import DatabaseUnavailable, EngageError
from engage.ops.asking import Asking
from engage.store.databases.database import Database
from engage.store.databases.migrating import require_current

_NO_ANSWER = "the database does not answer"
log = structlog.get_logger("engage.ops")


class Alive(Protocol):
    """What is asked of the daemon."""

    @property
    def stopping(self) -> bool: ...

    def silent_loops(self) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class OpsDeps:
    """`applied` raises EngageError while nothing is applied that can be run."""

    daemon: Alive
    database: Database
    applied: Callable[[], object]
    registry: CollectorRegistry


def make_ops_app(deps: OpsDeps) -> Starlette:
    pages = _Pages(deps)
    return Starlette(
        routes=[
            Route("/healthz", pages.health, methods=["GET"]),
            Route("/readyz", pages.readiness, methods=["GET"]),
            Route("/metrics", pages.metrics, methods=["GET"]),
        ]
    )


class _Pages:
    def __init__(self, deps: OpsDeps) -> None:
        self._deps = deps
        self._asking = Asking(self._ask)

    async def health(self, request: Request) -> Response:
        """Whether the process is worth keeping. A database that is away, or hangs, and every loop with it, is no reason
        to start it anew."""
        stuck = self._deps.daemon.silent_loops()
        if stuck and _NO_ANSWER in await self._in_the_way():
            return PlainTextResponse(f"ok: {_NO_ANSWER}, and loops wait for it\n")
        return _answer([f"the loop {name} is stuck" for name in stuck])

    async def readiness(self, request: Request) -> Response:
        """Whether work can be given to it."""
        if self._deps.daemon.stopping:
            return _answer(["it is being stopped"])
        return _answer(await self._in_the_way())

    async def metrics(self, request: Request) -> Response:
        text = await run_in_threadpool(generate_latest, self._deps.registry)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    async def _in_the_way(self) -> list[str]:
        """One that hangs is one that does not answer."""
        found = await run_in_threadpool(self._asking.answer)
        return [_NO_ANSWER] if found is None else found

    def _ask(self) -> list[str]:
        try:
            require_current(self._deps.database)
            self._deps.applied()
        except DatabaseUnavailable:
            return [_NO_ANSWER]
        except EngageError as error:
            return [str(error)]
        except Exception as error:  # whatever it is: the question was whether work can be done
            log.error("not_ready", error=type(error).__name__)
            return [f"something is wrong with the database ({type(error).__name__})"]
        return []


def _answer(wrong: Sequence[str]) -> Response:
    return PlainTextResponse("\n".join(wrong) + "\n", 503) if wrong else PlainTextResponse("ok\n")
