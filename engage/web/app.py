"""The web application: provider callbacks, followers' pages, and the HTTP API."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from engage.web.api import Api
from engage.web.callbacks import Callbacks
from engage.web.clicks import Clicks
from engage.web.deps import WebDeps
from engage.web.headers import HEADERS, SecurityHeaders
from engage.web.inbox import Inbox, NotStored
from engage.web.pages import Pages
from engage.web.survey import SurveyPages
from engage.web.unsubscribe import Unsubscribe

__all__ = ["WebDeps", "make_app"]

# Word for programs; people get a page.
_SHORT = {
    400: "bad request",
    404: "not found",
    405: "method not allowed",
    413: "too large",
    503: "not stored, send again",
}


def make_app(deps: WebDeps) -> Starlette:
    """One application for one event loop. It owns nothing of `deps`, and closes nothing."""
    inbox = Inbox(deps.database, deps.clock, deps.outage, deps.arrived)
    pages = Pages(deps.catalog)
    failures = _Failures(pages)
    return Starlette(
        routes=[
            *Callbacks(deps, inbox).routes(),
            *Clicks(deps, inbox, pages).routes(),
            *SurveyPages(deps, inbox, pages).routes(),
            *Unsubscribe(deps, inbox, pages).routes(),
            *Api(deps, inbox).routes(),
        ],
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={
            HTTPException: failures.refused,
            NotStored: failures.not_stored,
            Exception: failures.broken,
        },
    )


class _Failures:
    """How each kind of caller is told no: JSON for the API, one short line for providers, a page for people."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    async def refused(self, request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        answer = self._say(request, error.status_code, error.detail)
        answer.headers.update(error.headers or {})
        return answer

    async def not_stored(self, request: Request, error: Exception) -> Response:
        return self._say(request, 503, str(error))

    async def broken(self, request: Request, error: Exception) -> Response:
        """A fault of ours; a provider will send again. Starlette answers with this outside all middleware, then raises
        the fault again, for the server's log."""
        answer = self._say(request, 500, "something went wrong on our side; please send it again")
        answer.headers.update(HEADERS)
        return answer

    def _say(self, request: Request, status: int, detail: str) -> Response:
        path = request.url.path
        if path.startswith("/api/"):
            return JSONResponse({"error": detail}, status)
        if path.startswith("/callbacks/"):
            return PlainTextResponse(_SHORT.get(status, "refused"), status)
        return self._pages.notice(request, status)
