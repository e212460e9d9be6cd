"""What goes to WeChat, worded by the rules of customer-service and template messages. Pure.

The body of a template says everything; how it is read depends on `kind`:
- `text`: as it is;
- `msgmenu`: a line `[5] 很满意` is an item to tap (its id in brackets); lines before are the question, lines after the
  closing words;
- `news`: the first line is the title, a line that is only a URL is where it leads, `![](URL)` is the picture, the rest
  is the description. One article (more are refused with 45008).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engage.channels.composing import Uncomposable
from engage.channels.contract import Message, Payload
from engage.channels.wechat.way import TEMPLATE
from engage.core.words import Rendered

CUSTOM_SEND = "message/custom/send"
TEMPLATE_SEND = "message/template/send"

FIELD_LENGTH = 20  # since 2023-05-04 a template field has at most 20 characters and no newline
CLIENT_MSG_ID_LENGTH = 32  # the documented bound of the mass-send twin `clientmsgid` (45067)

_MENU_ITEM = re.compile(r"\[([^\[\]\s]{1,32})\]\s*(\S.*)")
_URL_LINE = re.compile(r"https?://\S+")
_PICTURE_LINE = re.compile(r"!\[[^\]]*\]\((https?://[^\s)]+)\)")


def compose(message: Message) -> Payload:
    """The endpoint and the JSON body. Raises `Uncomposable` if the words do not fit the kind of message."""
    if message.mode == TEMPLATE:
        return _template(message)
    content, text = _content(message.rendered)
    return Payload({"endpoint": CUSTOM_SEND, "body": {"touser": message.address, **content}}, text)


def _content(rendered: Rendered) -> tuple[dict[str, Any], str]:
    body = rendered.body.strip()
    if not body:
        raise Uncomposable("the message has no words")
    match rendered.front.get("kind", "text"):
        case "text":
            return {"msgtype": "text", "text": {"content": body}}, body
        case "msgmenu":
            return {"msgtype": "msgmenu", "msgmenu": _menu(body)}, body
        case "news":
            return {"msgtype": "news", "news": {"articles": [_article(body)]}}, body
        case other:
            raise Uncomposable(f"kind: {other} cannot be sent as a customer-service message")


@dataclass(slots=True)
class _Menu:
    head: list[str] = field(default_factory=list)
    items: list[dict[str, str]] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)


def _menu(body: str) -> dict[str, Any]:
    menu = _Menu()
    for line in body.splitlines():
        if item := _MENU_ITEM.fullmatch(line.strip()):
            menu.items.append({"id": item[1], "content": item[2].strip()})
        else:
            (menu.tail if menu.items else menu.head).append(line)
    if not menu.items:
        raise Uncomposable("kind: msgmenu needs lines like `[5] 很满意`")
    return {
        "head_content": "\n".join(menu.head).strip(),
        "list": menu.items,
        "tail_content": "\n".join(menu.tail).strip(),
    }


def _article(body: str) -> dict[str, str]:
    title, *lines = (line.strip() for line in body.splitlines())
    picture = next((found[1] for line in lines if (found := _PICTURE_LINE.fullmatch(line))), "")
    url = next((line for line in lines if _URL_LINE.fullmatch(line)), None)
    if url is None:
        raise Uncomposable("kind: news needs a line that is only the URL it leads to")
    words = [line for line in lines if not _URL_LINE.fullmatch(line) and not _PICTURE_LINE.fullmatch(line)]
    return {"title": title, "description": "\n".join(words).strip(), "url": url, "picurl": picture}


def _template(message: Message) -> Payload:
    spec = message.rendered.front.get("template_message")
    if not isinstance(spec, Mapping) or not spec.get("id") or not isinstance(spec.get("data"), Mapping):
        raise Uncomposable("template_message needs an id and its data")
    data = {str(name): {"value": field_value(str(value))} for name, value in spec["data"].items()}
    body: dict[str, Any] = {"touser": message.address, "template_id": str(spec["id"])}
    if url := spec.get("url"):
        body["url"] = str(url)
    body |= {"client_msg_id": client_msg_id(message.key), "data": data}
    return Payload({"endpoint": TEMPLATE_SEND, "body": body}, "\n".join(item["value"] for item in data.values()))


def field_value(value: str) -> str:
    """A template field as the platform takes it: one line, 20 characters, cut with an ellipsis."""
    line = " ".join(value.split())
    return line if len(line) <= FIELD_LENGTH else line[: FIELD_LENGTH - 1] + "…"


def client_msg_id(key: str) -> str:
    """The idempotency key, hashed only if it is longer than the platform may take."""
    return key if len(key) <= CLIENT_MSG_ID_LENGTH else hashlib.sha256(key.encode()).hexdigest()[:CLIENT_MSG_ID_LENGTH]
