"""Providers' callbacks: genuine → stored → answered. What they mean is read later, off the queue, by the receive loop.

WeChat gives five seconds and shows its follower an error page otherwise; nothing slow belongs here.
"""

from __future__ import annotations

import time
from typing import assert_never
from urllib.parse import parse_qsl

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from engage.channels.contract import CallbackRequest, CallbackSource, Received, Refused
from engage.store.inbound import Arrived
from engage.web.body import read_body
from engage.web.deps import WebDeps
from engage.web.inbox import Inbox, NotStored

# WeChat's envelopes are a few KB, and 8 MB of tiny XML elements cost 13 s of CPU. An SMS push is an array of reports,
# some 250 bytes each: 64 KB would refuse a few hundred. A bounce may carry the message it returns.
BODY_LIMIT = 64 * 1024
BODY_LIMITS = {"aliyun_sms": 512 * 1024, "email": 1024 * 1024}  # by source, where another one is needed

_log = structlog.get_logger(__name__)


class Callbacks:
    def __init__(self, deps: WebDeps, inbox: Inbox) -> None:
        self._deps = deps
        self._inbox = inbox

    def routes(self) -> list[Route]:
        methods = ["GET", "POST"]
        return [
            Route("/callbacks/{source}", self, methods=methods),
            Route("/callbacks/{source}/{secret}", self, methods=methods),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Plain ASGI: what Starlette puts around a function is a seventh of all that a callback takes."""
        response = await self.receive(Request(scope, receive))
        await response(scope, receive, send)

    async def receive(self, request: Request) -> Response:
        source = self._deps.sources.get(request.path_params["source"])
        if source is None:
            return PlainTextResponse("not found", 404)
        begun, status = time.monotonic(), 500
        try:
            response = await self._take(request, source)
            status = response.status_code
            return response
        except HTTPException as error:
            status = error.status_code
            raise
        except NotStored:
            status = 503
            raise
        finally:
            self._deps.observer.callback(source.name, status, time.monotonic() - begun)

    async def _take(self, request: Request, source: CallbackSource) -> Response:
        body = await read_body(request, BODY_LIMITS.get(source.name, BODY_LIMIT))
        opened = source.open(_as_request(request, body), self._deps.clock.now())
        match opened:
            case Refused(status, why):
                _log.warning("callback refused", source=source.name, why=why)
                return PlainTextResponse("refused", status)
            case Received(records, answer, media_type):
                await self._inbox.put([Arrived(source.name, record.key, record.body) for record in records])
                return Response(answer, media_type=media_type)
            case _:
                assert_never(opened)


def _as_request(request: Request, body: bytes) -> CallbackRequest:
    return CallbackRequest(
        method=request.method,
        secret=request.path_params.get("secret", ""),
        query=dict(parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)),
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]},
        body=body,
    )
