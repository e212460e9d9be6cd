"""A small catalog, one template at a time, and the words it makes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from engage.content.library import Library
from engage.content.links import DeliveryLinks, Links
from engage.content.render import Missing, render
from engage.content.template import Template
from engage.core.catalog import Brand, Catalog, Event, Field
from engage.core.condition import ValueType
from engage.core.problem import Problem, Severity
from engage.core.words import Rendered

ROOT = Path(__file__).parents[3]
KEY = "a signing key of at least 32 characters"
SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=SHANGHAI)
LAYOUT = "<html><body>{{ content }}<a href='{{ unsubscribe_url }}'>退订</a></body></html>"


def a_catalog() -> Catalog:
    fields = [
        Field("name", ValueType.TEXT, default="茶友"),
        Field("city", ValueType.TEXT),
        Field("spent", ValueType.NUMBER),
        Field("last_order_at", ValueType.INSTANT),
    ]
    return Catalog(
        Brand("山野茶事", "山野茶事", {"shop": "https://shop.example/", "story": "https://shop.example/story"}),
        "Asia/Shanghai",
        fields={field.name: field for field in fields},
        events={"order_paid": Event("order_paid", {"order_id": ValueType.TEXT, "amount": ValueType.NUMBER})},
    )


def a_library(**templates: str) -> tuple[Library, list[Problem]]:
    """`welcome_wechat="…"` is the file `templates/welcome.wechat.j2`."""
    sources = {f"templates/{name.replace('_', '.', 1)}.j2": source for name, source in templates.items()}
    return Library.read(sources, a_catalog())


def problems_of(source: str, channel: str = "wechat") -> list[Problem]:
    return Library.read({f"templates/x.{channel}.j2": source}, a_catalog())[1]


def errors_of(source: str, channel: str = "wechat") -> list[Problem]:
    return [problem for problem in problems_of(source, channel) if problem.severity is Severity.ERROR]


def a_template(source: str, channel: str = "wechat", layout: str | None = None) -> Template:
    sources = {f"templates/x.{channel}.j2": source}
    if layout is not None:
        sources["templates/layouts/brand.email.j2"] = layout
    library, problems = Library.read(sources, a_catalog())
    template = library.find("x", channel)
    assert template is not None, problems
    return template


def some_links() -> DeliveryLinks:
    return Links(KEY, "https://engage.example").for_delivery(42)


def said(
    source: str, context: Mapping[str, Any] | None = None, channel: str = "wechat", layout: str | None = None
) -> Rendered | Missing:
    return render(a_template(source, channel, layout), {"now": NOW, **(context or {})}, some_links())


def body_of(source: str, context: Mapping[str, Any] | None = None, channel: str = "wechat") -> str:
    rendered = said(source, context, channel)
    assert isinstance(rendered, Rendered), rendered
    return rendered.body


def shipped_sources() -> dict[str, str]:
    paths = [*ROOT.glob("templates/**/*.j2"), *ROOT.glob("journeys/*.yaml")]
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for path in paths
        if not path.name.endswith(".test.yaml")
    }
