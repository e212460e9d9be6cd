"""`POST /api/events` and `POST /api/members`: how a shop reports. Checked at once, item by item; acted on later.

A repeated report changes nothing: events are known by the id the shop gives them.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from engage.core.fact_json import fact_to_json
from engage.core.intake import Wrong
from engage.core.problem import Lang
from engage.store.inbound import API, Arrived
from engage.web.api_items import Intake, read_event, read_member
from engage.web.body import read_body
from engage.web.deps import WebDeps
from engage.web.inbox import Inbox
from engage.web.pages import minute, preferred_lang

BODY_LIMIT = 1024 * 1024
ITEM_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class _Refused:
    index: int
    wrong: list[Wrong]

    def in_(self, lang: Lang) -> dict[str, Any]:
        between = "；" if lang is Lang.ZH else "; "
        why = between.join(f"{wrong.where}: {wrong.why.in_(lang)}" for wrong in self.wrong)
        return {"index": self.index, "why": why}


class Api:
    def __init__(self, deps: WebDeps, inbox: Inbox) -> None:
        self._deps = deps
        self._inbox = inbox

    def routes(self) -> list[Route]:
        return [
            Route("/api/events", self.events, methods=["POST"]),
            Route("/api/members", self.members, methods=["POST"]),
        ]

    async def events(self, request: Request) -> Response:
        return await self._take(request, "events", self._event)

    async def members(self, request: Request) -> Response:
        return await self._take(request, "members", self._member)

    async def _take(
        self, request: Request, name: str, read: Callable[[object, datetime], Arrived | list[Wrong]]
    ) -> Response:
        self._authorise(request)
        items = _items(await read_body(request, BODY_LIMIT), name)
        now = self._deps.clock.now()
        records: list[Arrived] = []
        refused: list[_Refused] = []
        for index, item in enumerate(items):
            outcome = read(item, now)
            if isinstance(outcome, Arrived):
                records.append(outcome)
            else:
                refused.append(_Refused(index, outcome))
        new = await self._inbox.put_counted(records)
        lang = preferred_lang(request, Lang.EN)
        answer = {"accepted": new, "repeated": len(records) - new, "refused": [item.in_(lang) for item in refused]}
        return JSONResponse(answer, 422 if refused and not records else 202)

    def _authorise(self, request: Request) -> None:
        """Every key is compared, in constant time: neither a key nor its place may be learnt from the clock."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        digest = hashlib.sha256(given.strip().encode()).digest()
        matches = [
            hmac.compare_digest(digest, hashlib.sha256(key.encode()).digest()) for key in self._deps.api_keys.values()
        ]
        if scheme.lower() != "bearer" or not any(matches):
            raise HTTPException(
                401, "send `Authorization: Bearer <key>` with a key of web.api_keys", {"www-authenticate": "Bearer"}
            )

    def _event(self, item: object, now: datetime) -> Arrived | list[Wrong]:
        read = read_event(self._deps.catalog(), item, now)
        return self._arrived(read, f"event:{read.key}") if isinstance(read, Intake) else read

    def _member(self, item: object, now: datetime) -> Arrived | list[Wrong]:
        """Known by its content within a minute: a retry is dropped, a change there and back again is not."""
        read = read_member(self._deps.catalog(), item, now)
        return self._arrived(read, f"member:{minute(now)}:{read.key}") if isinstance(read, Intake) else read

    @staticmethod
    def _arrived(read: Intake, key: str) -> Arrived:
        return Arrived(API, key, fact_to_json(read.fact))


def _items(body: bytes, name: str) -> list[object]:
    """`{"events": […]}`, or one bare item."""
    try:
        data = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is not JSON") from None
    if not isinstance(data, Mapping):
        raise HTTPException(400, f'the body must be {{"{name}": […]}} or one bare object')
    items = data.get(name, [data])
    if not isinstance(items, list):
        raise HTTPException(400, f"`{name}` must be a list")
    if len(items) > ITEM_LIMIT:
        raise HTTPException(413, f"at most {ITEM_LIMIT} items in one request")
    return items


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
