"""Request bodies, never longer than their reader allows."""

from __future__ import annotations

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

FORM_LIMIT = 64 * 1024


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body; a 413 as soon as it is known to be too long, however it is sent."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise HTTPException(413)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise HTTPException(413)
    return bytes(body)


async def read_form(request: Request) -> FormData:
    """Fields of a form, url-encoded or multipart (RFC 8058 allows both). A malformed one is a 400."""
    body = await read_body(request, FORM_LIMIT)

    async def again() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return await Request(request.scope, again).form(max_files=0, max_fields=20)
