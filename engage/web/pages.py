"""How followers' pages are made: templates, the reader's language, and the pages that say no.

Chinese unless the browser asks for English first. No script, no third-party request, nothing that is not on the page.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from engage.core.catalog import Catalog
from engage.core.problem import Lang, Said

_NOTICES: dict[int, tuple[Said, Said]] = {
    400: (
        Said("This could not be read", "没有读懂这次提交"),
        Said("Please open the link from your message once more.", "请从消息里重新打开链接，再试一次。"),
    ),
    404: (
        Said("This link does not open anything", "这个链接打不开"),
        Said(
            "It may be incomplete. Please open it from your message once more.", "链接可能不完整，请从消息里重新点开。"
        ),
    ),
    405: (
        Said("This link does not open anything", "这个链接打不开"),
        Said(
            "It may be incomplete. Please open it from your message once more.", "链接可能不完整，请从消息里重新点开。"
        ),
    ),
    410: (
        Said("This survey has closed", "这次调查已经结束"),
        Said("Thank you for coming by. We will ask again another time.", "谢谢您来看看，下次再听您的意见。"),
    ),
    413: (
        Said("That was more than we can take", "内容太长了"),
        Said("Please shorten it and send it again.", "请缩短一些，再提交一次。"),
    ),
    503: (
        Said("One moment, please", "请稍等一会儿"),
        Said("Nothing was lost on your side. Please try again in a minute.", "刚才没有保存成功，请过一分钟再试。"),
    ),
}
_FALLBACK_NOTICE = 503


def minute(moment: datetime) -> str:
    """What page facts have in their keys: a second tap within the minute is the same act, one next month is not."""
    return f"{moment:%Y%m%dT%H%M}"


class Pages:
    """Renders with the brand's name as applied now."""

    def __init__(self, catalog: Callable[[], Catalog]) -> None:
        self._catalog = catalog
        self._environment = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def page(self, request: Request, name: str, status: int = 200, /, **values: Any) -> Response:
        lang = preferred_lang(request, Lang.ZH)

        def say(zh: str, en: str) -> str:
            return Said(en, zh).in_(lang)

        html = self._environment.get_template(name).render(brand=self._catalog().brand.name, say=say, **values)
        return HTMLResponse(html, status)

    def notice(self, request: Request, status: int) -> Response:
        """A calm page for anything but success; every wrong link gets the same one."""
        heading, words = _NOTICES.get(status, _NOTICES[_FALLBACK_NOTICE])
        lang = preferred_lang(request, Lang.ZH)
        return self.page(request, "notice.html", status, heading=heading.in_(lang), words=words.in_(lang))


def preferred_lang(request: Request, default: Lang) -> Lang:
    """The first of our languages in Accept-Language, by weight."""
    best, best_weight = default, 0.0
    for part in request.headers.get("accept-language", "").split(","):
        tag, _, parameter = part.strip().partition(";")
        lang = {"zh": Lang.ZH, "en": Lang.EN}.get(tag.split("-")[0].lower())
        weight = _weight(parameter)
        if lang is not None and weight > best_weight:
            best, best_weight = lang, weight
    return best


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
