"""The follower's phone as a web application: pages, what they poll, and what a tap does.

There is no login: it is served on loopback only. Whatever changes something, opening a link included, is done only when
this very page asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from engage.sandbox.model import OneClickUnsubscribe, Phone
from engage.sandbox.phone.acts import NotOnThisPhone, act_asked, form_sent, link_opened, message_on
from engage.sandbox.phone.answers import framed, json_answer, page, polled, static_files
from engage.sandbox.phone.asking import asked_by_us, form_by_us, must_be_ours
from engage.sandbox.phone.controls import Controls
from engage.sandbox.phone.letters import letter_page
from engage.sandbox.phone.newcomers import Newcomers
from engage.sandbox.phone.reading import NoSuchPhone, PhoneReader
from engage.sandbox.phone.view import people_view, phone_view, upcoming
from engage.sandbox.world import ActResult, World

_TEMPLATES = Path(__file__).parent / "templates"
_PERIODS = {"10m": timedelta(minutes=10), "1h": timedelta(hours=1), "1d": timedelta(days=1)}


def phone_app(world: World, controls: Controls, brand: str = "公众号") -> Starlette:
    """`brand`: the account's name, as its followers see it."""
    phones = _Phones(world, controls, brand)
    return Starlette(
        routes=[
            Route("/", page("people.html")),
            Route("/p/{key}", page("phone.html")),
            Route("/p/{key}/letter", phones.letter),
            Route("/p/{key}/open", phones.open_link, methods=["GET"]),
            Route("/p/{key}/open", phones.send_form, methods=["POST"]),
            Route("/api/people", phones.people),
            Route("/api/phones", phones.take_phone, methods=["POST"]),
            Route("/api/phones/{key}", phones.phone),
            Route("/api/phones/{key}/acts", phones.act, methods=["POST"]),
            Route("/api/phones/{key}/forward", phones.forward, methods=["POST"]),
            Mount("/static", static_files()),
        ],
        exception_handlers={NoSuchPhone: _refuse("没有这部手机"), NotOnThisPhone: _refuse("这部手机上没有它")},
    )


class _Phones:
    def __init__(self, world: World, controls: Controls, brand: str) -> None:
        self._world = world
        self._controls = controls
        self._brand = brand
        self._reader = PhoneReader(world, controls, Newcomers())
        self._pages = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True)

    # --- what is polled ---

    async def people(self, request: Request) -> Response:
        def read() -> Mapping[str, Any]:
            return people_view(self._reader.people(), self._controls.now())

        return await polled(request, read)

    async def phone(self, request: Request) -> Response:
        def read() -> Mapping[str, Any]:
            return phone_view(self._reader.screen(request.path_params["key"]), self._brand)

        return await polled(request, read)

    # --- what a tap does ---

    async def take_phone(self, request: Request) -> Response:
        asked = await asked_by_us(request)
        person = await run_in_threadpool(self._reader.take_phone, str(asked.get("name", "")))
        return json_answer({"key": person.key}, 201)

    async def act(self, request: Request) -> Response:
        asked = await asked_by_us(request)

        def perform() -> bool:
            act = act_asked(asked, self._phone(request))
            result = self._world.act(act)
            if isinstance(act, OneClickUnsubscribe):  # a mail program looks at the answer
                return result.status is not None and result.status < 300
            return result.done

        return json_answer({"done": await run_in_threadpool(perform)})

    async def forward(self, request: Request) -> Response:
        asked = await asked_by_us(request)
        period = await run_in_threadpool(self._period, request.path_params["key"], asked.get("by"))
        if period is None:
            return json_answer({"done": False})
        await run_in_threadpool(self._controls.forward, period)
        return json_answer({"done": True})

    def _period(self, key: str, by: object) -> timedelta | None:
        """How far to go; None: nothing is due in this person's journeys."""
        if by != "next":
            return _PERIODS.get(str(by))
        now = self._controls.now()
        due = upcoming(self._controls.journeys(key) or (), now)
        return None if due is None else due - now

    # --- what is shown in a frame ---

    async def letter(self, request: Request) -> Response:
        message = request.query_params.get("message", "")
        phone = await run_in_threadpool(self._phone, request)
        letter = message_on(phone, message)
        places = {link.url: place for place, link in reversed(list(enumerate(letter.links)))}

        def open_url(url: str) -> str | None:
            place = places.get(url)
            query = urlencode({"message": message, "link": place})
            return None if place is None else f"/p/{quote(phone.person.key, safe='')}/open?{query}"

        return framed(letter_page(letter.html or "", open_url))

    async def open_link(self, request: Request) -> Response:
        must_be_ours(request.headers)

        def tap() -> ActResult:
            return self._world.act(link_opened(self._phone(request), *_place(request)))

        return self._landed(await run_in_threadpool(tap))

    async def send_form(self, request: Request) -> Response:
        fields = await form_by_us(request)

        def send() -> ActResult:
            return self._world.act(form_sent(link_opened(self._phone(request), *_place(request)), fields))

        return self._landed(await run_in_threadpool(send))

    def _landed(self, result: ActResult) -> Response:
        """The engine's page; or a few words about where the link led."""
        if result.location is None and result.page is not None:
            return framed(result.page)
        return framed(self._pages.get_template("landed.html").render(location=result.location))

    def _phone(self, request: Request) -> Phone:
        return self._reader.phone(request.path_params["key"])


def _refuse(words: str) -> Callable[[Request, Exception], Any]:
    async def answer(request: Request, error: Exception) -> Response:
        return json_answer({"problem": words}, 404)

    return answer


def _place(request: Request) -> tuple[str, int]:
    """Which link of which message."""
    link = request.query_params.get("link", "")
    if not (link.isascii() and link.isdecimal()):
        raise HTTPException(400)
    return request.query_params.get("message", ""), int(link)
