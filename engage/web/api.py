"""`POST /api/events` and `POST /api/members`: how a shop reports. Checked at once, item by item; acted on later.

A repeated report of an event changes nothing: it is known by the id the shop gives it. What is said of a member counts
each time, in the order in which it comes: yes, no and yes again is a yes.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from engage.core.catalog import Catalog
from engage.core.fact_json import fact_to_json
from engage.core.intake import Wrong
from engage.core.problem import Lang
from engage.store.inbound import API, Arrived
from engage.web.api_items import Intake, read_event, read_member
from engage.web.body import read_body
from engage.web.deps import WebDeps
from engage.web.inbox import Inbox
from engage.web.pages import preferred_lang

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
        self._items = count()

    def routes(self) -> list[Route]:
        return [
            Route("/api/events", self.events, methods=["POST"]),
            Route("/api/members", self.members, methods=["POST"]),
        ]

    async def events(self, request: Request) -> Response:
        return await self._take(request, "events", read_event, lambda read, _: f"event:{read.key}")

    async def members(self, request: Request) -> Response:
        return await self._take(request, "members", read_member, lambda read, nth: f"{read.key}:{nth}")

    async def _take(
        self,
        request: Request,
        name: str,
        read: Callable[[Catalog, object, datetime], Intake | list[Wrong]],
        key_of: Callable[[Intake, str], str],
    ) -> Response:
        """`key_of`: of what was read, and of when it came, which no other item shares."""
        self._authorise(request)
        items = _items(await read_body(request, BODY_LIMIT), name)
        now, catalog = self._deps.clock.now(), self._deps.catalog()
        records: list[Arrived] = []
        refused: list[_Refused] = []
        for index, item in enumerate(items):
            outcome = read(catalog, item, now)
            if isinstance(outcome, Intake):
                key = key_of(outcome, f"{now:%Y%m%d%H%M%S%f}:{next(self._items)}")
                records.append(Arrived(API, key, fact_to_json(outcome.fact)))
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
