"""Journeys of a few lines, for one rule each. They start with an event of the shipped catalog and use its words."""

from __future__ import annotations

from textwrap import dedent


def journey(start: str, *steps: str, topic: str = "marketing", more: str = "") -> str:
    """`start` is an event. Every time it happens, these steps are taken once more."""
    head = f"journey: 试一试\nstart: {{ event: {start} }}\nreentry: always\ntopic: {topic}\n"
    lines = [line for step in steps for line in _item(step)]
    return head + dedent(more) + "steps:\n" + "\n".join(lines) + "\n"


def _item(step: str) -> list[str]:
    """A step as an item of the list, its options beneath it."""
    first, *rest = dedent(step).strip().splitlines()
    return [f"  - {first}", *(f"    {line}" for line in rest)]


COUPON = "send: birthday_coupon"  # on every channel, marketing
SERVICE = "send: sorry_personal\ntopic: service"  # on every channel; on WeChat by template message, too
