"""What a follower sees of a message as it came over the wire, or why WeChat will not have it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engage.sandbox.links import links_in, without_anchors
from engage.sandbox.model import Link

_TEXT_BYTES = 2048  # of a customer-service text; above: 45002
_FIELD_CHARACTERS = 20  # of a template message's field
_STRIPPED_FIELDS = {"first", "remark"}  # silently, since 2023-05-04; colours and emoji go with them
_EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f\u200d]")


@dataclass(frozen=True, slots=True)
class Seen:
    text: str
    links: tuple[Link, ...] = ()
    menu: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """An errcode; `detail` replaces the usual errmsg."""

    code: int
    detail: str = ""


def read_custom(body: Mapping[str, Any]) -> Seen | Refusal:
    """A customer-service message."""
    kind = body.get("msgtype")
    content = body.get(str(kind))
    if not isinstance(content, Mapping):
        return Refusal(40008)
    match kind:
        case "text":
            return _text(str(content.get("content", "")))
        case "news":
            return _news(content)
        case "msgmenu":
            return _menu(content)
        case _:
            return Refusal(40008)


def read_template(body: Mapping[str, Any]) -> Seen | Refusal:
    """A template message. Field names such as first, remark, and colours are accepted and not shown."""
    data = body.get("data")
    if not isinstance(data, Mapping) or not body.get("template_id"):
        return Refusal(47003 if body.get("template_id") else 40037)
    values = []
    for name, field in data.items():
        if name in _STRIPPED_FIELDS:
            continue
        value = field.get("value") if isinstance(field, Mapping) else None
        if not isinstance(value, str) or not value or len(value) > _FIELD_CHARACTERS or "\n" in value:
            return Refusal(47003, f"argument invalid! {name}.DATA is invalid")
        values.append(_EMOJI.sub("", value))
    if not values:
        return Refusal(47003)
    url = body.get("url")
    return Seen("\n".join(values), (Link(str(url), "查看详情"),) if url else ())


def _text(content: str) -> Seen | Refusal:
    if not content:
        return Refusal(44004)
    if len(content.encode()) > _TEXT_BYTES:
        return Refusal(45002)
    return Seen(without_anchors(content), links_in(content))


def _news(content: Mapping[str, Any]) -> Seen | Refusal:
    articles = content.get("articles")
    if not isinstance(articles, list) or len(articles) != 1:
        return Refusal(45008)
    (article,) = articles
    title, description = str(article.get("title", "")), str(article.get("description", ""))
    url = article.get("url")
    return Seen("\n".join(filter(None, [title, description])), (Link(str(url), title),) if url else ())


def _menu(content: Mapping[str, Any]) -> Seen | Refusal:
    items = content.get("list")
    if not isinstance(items, list) or not items:
        return Refusal(47001)
    menu = tuple((str(item["id"]), str(item["content"])) for item in items)
    head, tail = str(content.get("head_content", "")), str(content.get("tail_content", ""))
    text = "\n".join(filter(None, [head, *(words for _, words in menu), tail]))
    return Seen(without_anchors(text), links_in(text), menu)
