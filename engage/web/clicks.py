"""`/c/<token>`: records a click, then leads to where the catalog says. Changes nothing else: scanners click, too."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from engage.core.fact import Clicked
from engage.core.fact_json import fact_to_json
from engage.store.inbound import PAGE, Arrived
from engage.web.deps import WebDeps
from engage.web.inbox import Inbox
from engage.web.pages import Pages, minute

# Mail scanners and link previewers that say who they are (Cubot makes phones); others come as HEAD or with a prefetch
# header.
_SCANNERS = re.compile(
    r"(?<!cu)bot\b|spider|crawl|preview|scanner|slurp|facebookexternalhit|googleimageproxy|yahoomailproxy|barracuda|mimecast"
    r"|proofpoint|safelinks|messagelabs|symantec|headlesschrome|python-requests|curl/|wget/|go-http-client",
    re.IGNORECASE,
)
_PREFETCH_HEADERS = ("purpose", "sec-purpose", "x-purpose", "x-moz")
_PREFETCH_WORDS = ("prefetch", "preview", "prerender")


class Clicks:
    def __init__(self, deps: WebDeps, inbox: Inbox, pages: Pages) -> None:
        self._deps = deps
        self._inbox = inbox
        self._pages = pages

    def routes(self) -> list[Route]:
        return [Route("/c/{token}", self.follow, methods=["GET"])]

    async def follow(self, request: Request) -> Response:
        read = self._deps.links.read_click(request.path_params["token"])
        target = self._deps.catalog().brand.links.get(read[1]) if read else None
        if read is None or target is None:
            return self._pages.notice(request, 404)
        delivery_id, link = read
        await self._inbox.put([self._record(delivery_id, link, looks_like_a_machine(request))])
        return RedirectResponse(target, 302)

    def _record(self, delivery_id: int, link: str, machine: bool) -> Arrived:
        # A scanner that comes first must not hide the person who follows within the minute.
        now = self._deps.clock.now()
        who = "machine" if machine else "person"
        fact = Clicked(delivery_id, link, now, machine)
        return Arrived(PAGE, f"click:{delivery_id}:{link}:{minute(now)}:{who}", fact_to_json(fact))


def looks_like_a_machine(request: Request) -> bool:
    """HEAD requests, prefetching browsers, and agents that say they scan. A guess, kept with the click as such."""
    if request.method == "HEAD":
        return True
    hints = " ".join(request.headers.get(name, "") for name in _PREFETCH_HEADERS).lower()
    if any(word in hints for word in _PREFETCH_WORDS):
        return True
    return _SCANNERS.search(request.headers.get("user-agent", "")) is not None
