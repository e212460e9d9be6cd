"""Builders for the payload tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from engage.channels.contract import Message
from engage.core.catalog import Brand, TopicClass
from engage.core.words import Rendered


def a_message(body: str = "王芳，您好", **changes: Any) -> Message:
    """Changes named like fields of `Rendered` go there, the rest to the message."""
    words = {name: changes.pop(name) for name in ("subject", "plain", "front") if name in changes}
    given: dict[str, Any] = {
        "delivery_id": 42,
        "key": "enrolment-7/welcome/1/send",
        "address": "openid",
        "mode": "customer_service",
        "rendered": Rendered(body, **words),
        "topic": "service",
        "topic_class": TopicClass.SERVICE,
        "brand": Brand("山野茶事", "山野茶事", {}),
        "unsubscribe_url": "https://engage.example.com/u/token",
        "at": datetime(2026, 11, 23, 2, 0, tzinfo=UTC),
    }
    return Message(**(given | changes))
