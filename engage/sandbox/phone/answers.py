"""What the phone's server answers, and the headers under which browsers may show it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles

_HERE = Path(__file__).parent

_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# What others wrote, a letter or a page of the engine, is shown in a frame that runs nothing and loads nothing.
_FRAME_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'self'; sandbox allow-same-origin allow-forms"
)


def static_files() -> StaticFiles:
    return _Static(directory=_HERE / "static")


class _Static(StaticFiles):
    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers.update(_HEADERS | {"cache-control": "no-cache"})
        return response


def page(name: str) -> Callable[[Request], Any]:
    async def show(request: Request) -> Response:
        headers = _HEADERS | {"content-security-policy": _PAGE_POLICY}
        return FileResponse(_HERE / "templates" / name, headers=headers, media_type="text/html")

    return show


async def polled(request: Request, read: Callable[[], Mapping[str, Any]]) -> Response:
    """The data, or 304 when the page has it already."""
    body = json.dumps(await run_in_threadpool(read), ensure_ascii=False, separators=(",", ":")).encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = _HEADERS | {"etag": etag}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


def json_answer(data: Mapping[str, Any], status: int = 200) -> Response:
    return JSONResponse(data, status, headers=_HEADERS)


def framed(html: str) -> Response:
    return HTMLResponse(html, headers=_HEADERS | {"content-security-policy": _FRAME_POLICY})
