"""How a follower may be reached now: a customer-service message in the reply window, else a template message. Pure.

Template messages may not carry marketing (errcode 40249), so they stand open to `service` topics only.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from engage.channels.contract import Contact, NoWay, Way, Window
from engage.channels.wechat.window import ALLOWANCES, closes_at, messages_left
from engage.core.catalog import TopicClass
from engage.core.duration import format_duration
from engage.core.fact import Act

CUSTOMER_SERVICE = "customer_service"
TEMPLATE = "template"
KINDS = frozenset({"text", "news", "msgmenu"})

# `client_msg_id` deduplicates for 10 minutes by the platform's word; half of it leaves room for two clocks.
REPEAT_WITHIN = timedelta(minutes=5)

_DID = {
    Act.MESSAGE: "wrote to us",
    Act.MENU: "tapped the menu",
    Act.FOLLOW: "followed us",
    Act.SCAN: "scanned our code",
}


def supports(front: Mapping[str, Any], topic_class: TopicClass) -> bool:
    return front.get("kind", "text") in KINDS or _template_message(front, topic_class)


def find_way(front: Mapping[str, Any], contact: Contact, topic_class: TopicClass, now: datetime) -> Way | NoWay:
    window = contact.window
    if window is not None and messages_left(window, now) and front.get("kind", "text") in KINDS:
        return Way(CUSTOMER_SERVICE, _open(window, now), uses_window=True, valid_until=closes_at(window))
    if _template_message(front, topic_class):
        return Way(TEMPLATE, f"模板消息 ({_closed(window, now)})", repeat_within=REPEAT_WITHIN)
    if topic_class is TopicClass.MARKETING:
        return NoWay(f"{_closed(window, now)}; marketing may not use template messages")
    return NoWay(f"{_closed(window, now)}; this template has no template_message")


def _template_message(front: Mapping[str, Any], topic_class: TopicClass) -> bool:
    return topic_class is TopicClass.SERVICE and bool(front.get("template_message"))


def _open(window: Window, now: datetime) -> str:
    total = ALLOWANCES[window.act].messages
    return f"客服消息 ({_DID[window.act]} {_ago(now - window.opened_at)}, {messages_left(window, now)}/{total} left)"


def _closed(window: Window | None, now: datetime) -> str:
    if window is None:
        return "no reply window is open"
    allowance = ALLOWANCES[window.act]
    if now < closes_at(window):
        return f"the reply window's {allowance.messages} messages are used up"
    name = "48h" if window.act is Act.MESSAGE else "1m"
    return f"{name} reply window closed {_ago(now - closes_at(window))}"


def _ago(period: timedelta) -> str:
    return "just now" if period < timedelta(minutes=1) else f"{format_duration(period)} ago"
