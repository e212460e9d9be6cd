"""`/u/<token>`: a GET shows a page, only a POST opts out. Mail clients post by themselves (RFC 8058, one-click)."""

from __future__ import annotations

from datetime import datetime

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from engage.core.catalog import TopicClass
from engage.core.fact import OptedOut
from engage.core.fact_json import fact_to_json
from engage.core.problem import Lang, Said
from engage.store.inbound import PAGE, Arrived
from engage.store.insight.pages import SentOn, sent_on
from engage.web.body import read_form
from engage.web.deps import WebDeps
from engage.web.inbox import Inbox
from engage.web.pages import Pages, minute, preferred_lang

_CHANNEL_WORDS = {"wechat": Said("WeChat", "微信"), "sms": Said("SMS", "短信"), "email": Said("email", "邮件")}
_CHOOSE = Said("Please choose one of the two.", "请先选一项。")


class Unsubscribe:
    def __init__(self, deps: WebDeps, inbox: Inbox, pages: Pages) -> None:
        self._deps = deps
        self._inbox = inbox
        self._pages = pages

    def routes(self) -> list[Route]:
        return [
            Route("/u/{token}", self.show, methods=["GET"]),
            Route("/u/{token}", self.submit, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        found = await self._find(request)
        return self._form(request, found[1]) if found else self._pages.notice(request, 404)

    async def submit(self, request: Request) -> Response:
        found = await self._find(request)
        if found is None:
            return self._pages.notice(request, 404)
        delivery_id, sent = found
        form = await read_form(request)
        if form.get("List-Unsubscribe") == "One-Click":
            await self._opt_out(delivery_id, sent, "one-click", self._one_click_topics(sent))
            return PlainTextResponse("unsubscribed")
        scope = form.get("scope")
        if scope not in ("topic", "all"):
            return self._form(request, sent, 422, _CHOOSE)
        await self._opt_out(delivery_id, sent, "page", [sent.topic if scope == "topic" else None])
        return self._done(request, sent, whole_channel=scope == "all")

    async def _find(self, request: Request) -> tuple[int, SentOn] | None:
        delivery_id = self._deps.links.read_unsubscribe(request.path_params["token"])
        if delivery_id is None:
            return None
        sent = await run_in_threadpool(self._read, delivery_id)
        return (delivery_id, sent) if sent else None

    def _read(self, delivery_id: int) -> SentOn | None:
        with self._deps.database.read() as connection:
            return sent_on(connection, delivery_id)

    def _one_click_topics(self, sent: SentOn) -> list[str | None]:
        """All that is not service; and the service topic, too, if it was a service message that was refused."""
        topic = self._deps.catalog().topics.get(sent.topic)
        is_service = topic is not None and topic.topic_class is TopicClass.SERVICE
        return [None, sent.topic] if is_service else [None]

    async def _opt_out(self, delivery_id: int, sent: SentOn, how: str, topics: list[str | None]) -> None:
        now = self._deps.clock.now()
        await self._inbox.put([_record(delivery_id, sent.channel, how, topic, now) for topic in topics])

    def _form(self, request: Request, sent: SentOn, status: int = 200, fault: Said | None = None) -> Response:
        lang = preferred_lang(request, Lang.ZH)
        channel, topic = self._names(sent, lang)
        fault_words = fault.in_(lang) if fault else None
        return self._pages.page(request, "unsubscribe.html", status, channel=channel, topic=topic, fault=fault_words)

    def _done(self, request: Request, sent: SentOn, *, whole_channel: bool) -> Response:
        lang = preferred_lang(request, Lang.ZH)
        channel, topic = self._names(sent, lang)
        if whole_channel:
            said = Said(
                f"Nothing but service notices will come by {channel} any more.",
                f"除服务通知外，我们不会再通过{channel}给您发消息。",
            )
        else:
            said = Said(f"No more “{topic}” will come by {channel}.", f"我们不会再通过{channel}给您发「{topic}」。")
        heading = Said("Done", "已经为您退订")
        return self._pages.page(request, "notice.html", heading=heading.in_(lang), words=said.in_(lang))

    def _names(self, sent: SentOn, lang: Lang) -> tuple[str, str]:
        topic = self._deps.catalog().topics.get(sent.topic)
        channel = _CHANNEL_WORDS.get(sent.channel)
        return channel.in_(lang) if channel else sent.channel, topic.label if topic else sent.topic


def _record(delivery_id: int, channel: str, how: str, topic: str | None, now: datetime) -> Arrived:
    fact = OptedOut(channel, now, how, delivery_id=delivery_id, topic=topic)
    return Arrived(PAGE, f"optout:{delivery_id}:{how}:{topic or '*'}:{minute(now)}", fact_to_json(fact))
