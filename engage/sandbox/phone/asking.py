"""Which requests are heeded: small ones, from this very page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request

_BODY_LIMIT = 64 * 1024


async def asked_by_us(request: Request) -> Mapping[str, Any]:
    """A small JSON object that this page posted."""
    _must_be_small_and_ours(request.headers)
    try:
        asked = await request.json()
    except ValueError as error:
        raise HTTPException(400) from error
    if not isinstance(asked, dict):
        raise HTTPException(400)
    return asked


async def form_by_us(request: Request) -> Mapping[str, str]:
    """The fields of a form on a page that this page shows."""
    _must_be_small_and_ours(request.headers)
    async with request.form(max_files=0, max_fields=20) as form:
        return {name: value for name, value in form.items() if isinstance(value, str)}


def _must_be_small_and_ours(headers: Headers) -> None:
    must_be_ours(headers)
    if int(headers.get("content-length", "0")) > _BODY_LIMIT:
        raise HTTPException(413)


def must_be_ours(headers: Headers) -> None:
    """Browsers say where a request comes from; one that comes from another site, or does not say, is refused."""
    if (site := headers.get("sec-fetch-site")) is not None:
        ours = site == "same-origin"
    else:
        source = headers.get("origin") or headers.get("referer") or ""
        ours = bool(source) and urlsplit(source).netloc == headers.get("host")
    if not ours:
        raise HTTPException(403)
