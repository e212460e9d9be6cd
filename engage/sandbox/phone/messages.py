"""One message as the page draws it: a bubble, a card, a menu, a letter. Pure.

Everything in here is data: the page puts words on the screen as words, whatever they contain. A link is spoken of by
its place among the message's links; where it leads is looked up on the server when somebody taps it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from email import message_from_string, policy
from typing import Any

from engage.sandbox.links import links_in, without_anchors
from engage.sandbox.model import Handover, Link

Json = dict[str, Any]

# A template message's fields are named by their kind and a number; their labels are known to WeChat alone.
_LABELS = {
    "time": "时间",
    "date": "日期",
    "amount": "金额",
    "phrase": "状态",
    "number": "数量",
    "character_string": "编号",
    "phone_number": "电话",
    "name": "姓名",
}
_KIND = re.compile(r"[a-z_]+")
_SNIPPET = 60  # characters
_GAPS = re.compile(r"\s+")


def drawn(handover: Handover) -> Json:
    """`shape` says which of the others are there."""
    match handover.channel:
        case "email":
            return _letter(handover)
        case "sms":
            return _bubble(handover)
        case "wechat":
            return _chat_message(handover)


def runs(text: str, links: Sequence[Link], before: int = 0) -> list[Json]:
    """The text cut at its links: pieces with `link`, the place among the message's links, can be tapped. `before`: how
    many links the message has before these."""
    return list(_cut(text, links, before))


def snippet(handover: Handover) -> str:
    """The beginning, on one line."""
    words = _GAPS.sub(" ", handover.subject or handover.text).strip()
    return words if len(words) <= _SNIPPET else words[: _SNIPPET - 1] + "…"


def _cut(text: str, links: Sequence[Link], before: int) -> Iterator[Json]:
    cursor = 0
    for place, link in enumerate(links, before):
        found = text.find(link.words, cursor)
        if found < 0 or not link.words:
            continue
        if found > cursor:
            yield {"text": text[cursor:found]}
        cursor = found + len(link.words)
        yield {"text": link.words, "link": place}
    if cursor < len(text):
        yield {"text": text[cursor:]}


def _bubble(handover: Handover) -> Json:
    return {"shape": "text", "runs": runs(handover.text, handover.links)}


def _chat_message(handover: Handover) -> Json:
    payload = handover.payload
    if "template_id" in payload:
        return _notice(handover, payload.get("data", {}))
    match payload.get("msgtype"):
        case "news":
            title, _, words = handover.text.partition("\n")
            return {"shape": "news", "title": title, "words": words, "link": _only_link(handover)}
        case "msgmenu":
            return _menu(handover, payload["msgmenu"])
        case _:
            return _bubble(handover)


def _menu(handover: Handover, menu: Mapping[str, Any]) -> Json:
    """The message's links are those above the choices, then those below."""
    head, tail = (str(menu.get(name, "")) for name in ("head_content", "tail_content"))
    below = links_in(tail)
    before = len(handover.links) - len(below)
    return {
        "shape": "menu",
        "head": runs(without_anchors(head), links_in(head)),
        "items": [{"id": item, "words": words} for item, words in handover.menu],
        "tail": runs(without_anchors(tail), below, before),
    }


def _notice(handover: Handover, data: Mapping[str, Any]) -> Json:
    """The values are those the person sees; a field that WeChat stripped has none."""
    values = handover.text.split("\n")
    names = [name for name in data if name not in ("first", "remark")]
    rows = [{"label": _label(name), "value": value} for name, value in zip(names, values, strict=False)]
    return {"shape": "notice", "rows": rows, "link": _only_link(handover)}


def _label(field: str) -> str:
    kind = _KIND.match(field)
    return _LABELS.get(kind[0], "") if kind else ""


def _only_link(handover: Handover) -> int | None:
    return 0 if handover.links else None


def _letter(handover: Handover) -> Json:
    return {
        "shape": "letter",
        "subject": handover.subject or "（无主题）",
        "sender": _sender(handover),
        "snippet": _GAPS.sub(" ", handover.text).strip()[:_SNIPPET],
        "html": handover.html is not None,
        "runs": [] if handover.html else runs(handover.text, handover.links),
        "unsubscribe": handover.unsubscribe_url is not None,
    }


def _sender(handover: Handover) -> str:
    """The name in From, or the address where there is no name."""
    head, _, _ = str(handover.payload.get("mime", "")).replace("\r\n", "\n").partition("\n\n")
    sender = message_from_string(head + "\n\n", policy=policy.default).get("From")
    addresses = getattr(sender, "addresses", ())
    return str(addresses[0].display_name or addresses[0].addr_spec) if addresses else "（无发件人）"
