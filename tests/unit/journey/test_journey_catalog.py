"""The catalog: fields of every kind, events, segments, topics, teams, brand."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from journey_desk import catalog, underlined

from engage.core.catalog import (
    MEMBER_EVENTS,
    RESPONSE_EVENTS,
    Aggregate,
    Brand,
    Catalog,
    Computed,
    Field,
    Team,
    Topic,
    TopicClass,
)
from engage.core.condition import All, Any, Between, Compare, FieldValue, HasTag, InSegment, OverAgo, ValueType
from engage.core.journey.reading import read_catalog

BRAND = "brand: { name: 茶 }\n"
EVENTS = "events:\n  order_paid: { amount: number, order_id: text }\n"


def good(source: str) -> Catalog:
    found, problems = read_catalog(source, "catalog.yaml")
    assert [(problem.code, problem.message.en) for problem in problems] == []
    assert found is not None
    return found


def problems_of(source: str) -> list[tuple[str, str]]:
    _, problems = read_catalog(source, "catalog.yaml")
    return [(problem.code, underlined(source, problem)) for problem in problems]


def test_fields() -> None:
    fields = good(
        BRAND
        + EVENTS
        + """
fields:
  name: { type: text, default: 朋友 }
  level: { type: number, default: 1 }
  stage: { type: [新客, 老客], default: 新客 }
  lifecycle: [新客, 活跃]
  birthday: anniversary
  employee: boolean
  contract_end: date
  orders: { count: order_paid }
  actions: { count: [order_paid, clicked], within: 30d }
  spent: { sum: order_paid.amount, within: 365d }
  first_at: { first: order_paid }
  last_at: { last: [order_paid, replied] }
"""
    ).fields
    assert list(fields.values()) == [
        Field("name", ValueType.TEXT, default="朋友"),
        Field("level", ValueType.NUMBER, default="1"),
        Field("stage", ValueType.TEXT, ("新客", "老客"), "新客"),
        Field("lifecycle", ValueType.TEXT, ("新客", "活跃")),
        Field("birthday", ValueType.ANNIVERSARY),
        Field("employee", ValueType.BOOLEAN),
        Field("contract_end", ValueType.DATE),
        Field("orders", ValueType.NUMBER, computed=Computed(Aggregate.COUNT, ("order_paid",))),
        Field(
            "actions",
            ValueType.NUMBER,
            computed=Computed(Aggregate.COUNT, ("order_paid", "clicked"), within=timedelta(days=30)),
        ),
        Field(
            "spent",
            ValueType.NUMBER,
            computed=Computed(Aggregate.SUM, ("order_paid",), "amount", timedelta(days=365)),
        ),
        Field("first_at", ValueType.INSTANT, computed=Computed(Aggregate.FIRST, ("order_paid",))),
        Field("last_at", ValueType.INSTANT, computed=Computed(Aggregate.LAST, ("order_paid", "replied"))),
    ]


def test_events_engage_records_itself_are_always_there() -> None:
    events = good(BRAND).events
    assert set(events) == {*MEMBER_EVENTS, *RESPONSE_EVENTS}
    assert events["clicked"].payload == {"link": ValueType.TEXT}


def test_a_file_may_add_to_those_events_but_not_change_them() -> None:
    events = good(BRAND + "events: { member_created: { source: text }, wechat_followed: { scene: text } }").events
    assert events["member_created"].payload == {"source": ValueType.TEXT}
    assert problems_of(BRAND + "events: { clicked: { link: number } }") == [("E219", "number")]


def test_segments_in_any_order() -> None:
    segments = good(
        BRAND
        + EVENTS
        + """
fields:
  last_at: { last: order_paid }
  spent: { sum: order_paid.amount }
segments:
  沉睡VIP: { segment: VIP, last_at: over 90d ago }
  VIP: { any: [ { spent: 3000.. }, { tag: VIP } ] }
"""
    ).segments
    vip = Any((Compare(FieldValue("spent", ValueType.NUMBER), Between(Decimal(3000), None)), HasTag(("VIP",))))
    assert segments["VIP"] == vip
    assert segments["沉睡VIP"] == All(
        (
            InSegment("VIP", vip),
            Compare(FieldValue("last_at", ValueType.INSTANT), OverAgo(timedelta(days=90))),
        )
    )


def test_a_name_that_ends_like_a_rank_is_free_where_nothing_is_ranked() -> None:
    fields = good(BRAND + "fields: { search_rank: number, city: text, city_rank: text }\n").fields
    assert set(fields) == {"search_rank", "city", "city_rank"}


def test_segments_in_a_circle() -> None:
    source = BRAND + "segments:\n  甲: { segment: 乙 }\n  乙: { not: { segment: 甲 } }\n"
    _, problems = read_catalog(source, "catalog.yaml")
    assert [(problem.code, problem.message.en) for problem in problems] == [
        ("E314", "segments refer to each other in a circle: 甲 → 乙 → 甲")
    ]
    assert problems_of(BRAND + "segments: { 甲: { segment: 甲 } }") == [("E314", "甲")]


def test_topics_teams_brand() -> None:
    found = catalog()
    assert found.topics["service"] == Topic("service", TopicClass.SERVICE, "服务")
    assert found.teams["店长群"] == Team("店长群", None, "m@example.com")
    assert found.brand == Brand("山野茶事", "山野茶事", {"shop": "https://shop.example/"})
    assert found.timezone == "Asia/Shanghai"
    whole = good("brand: { name: 茶, sms_sign: 茶签 }\ntimezone: Europe/Paris\nwebhooks: [crm, coupon]\n")
    assert (whole.brand.sms_sign, whole.timezone, whole.webhooks) == ("茶签", "Europe/Paris", ("crm", "coupon"))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("fields: { a: text }\n", [("E211", "fields")]),
        ("brand: 茶\n", [("E205", "茶")]),
        ("brand: { sign: 茶 }\n", [("E210", "sign"), ("E211", "sign")]),
        ("brand: { name: 茶, links: { a: shop.example } }\n", [("E205", "shop.example")]),
        (BRAND + "timezone: Asia/Shanghia\n", [("E205", "Asia/Shanghia")]),
        (BRAND + "timezone: ../etc/passwd\n", [("E205", "../etc/passwd")]),
        (BRAND + "timezone: Asia\n", [("E205", "Asia")]),
        (BRAND + "feilds: {}\n", [("E210", "feilds")]),
        (BRAND + "fields: { a: string }\n", [("E218", "string")]),
        (BRAND + "fields: { a: }\n", [("E206", "a")]),
        (BRAND + "fields: { a b: text }\n", [("E220", "a b")]),
        (BRAND + "fields: { tag: text }\n", [("E316", "tag")]),
        (BRAND + "fields: { a: [] }\n", [("E205", "[]")]),
        (BRAND + "fields: { a: { default: 1 } }\n", [("E211", "a")]),
        (BRAND + "fields: { a: { type: number, default: x } }\n", [("E305", "x")]),
        (BRAND + "fields: { a: { type: [b], default: c } }\n", [("E312", "c")]),
        (BRAND + "fields: { a: { rank: spent } }\n", [("E316", "rank")]),
        (BRAND + "fields: { a: number, a_rank: number }\n", [("E316", "a_rank")]),
        (BRAND + "fields: { a_rank: text, a: number }\n", [("E316", "a_rank")]),
        (BRAND + "segments: { a: { did: { order_piad: {} } } }\n", [("E302", "order_piad")]),
        (BRAND + "fields: { a: { count: order_paid } }\n", [("E302", "order_paid")]),
        (BRAND + "fields: { a: { count: clicked, within: 一月 } }\n", [("E213", "一月")]),
        (BRAND + "fields: { a: { count: clicked, by: b } }\n", [("E210", "by")]),
        (BRAND + "fields: { a: { sum: order_paid } }\n", [("E205", "order_paid")]),
        # What uses a thing that is written wrong is not wrong as well.
        (BRAND + "fields: { a: { count: joined } }\nevents:\n  joined:\n", [("E206", "joined")]),
        (BRAND + EVENTS + "fields: { a: { avg: x.y } }\nsegments: { 大: { a: 5.. } }\n", [("E210", "avg")]),
        (BRAND + "fields: { a: { sum: orders.amount } }\n", [("E302", "orders")]),
        (BRAND + EVENTS + "fields: { a: { sum: order_paid.order_id } }\n", [("E305", "order_paid.order_id")]),
        (BRAND + "events: { a: [b] }\n", [("E205", "[b]")]),
        (BRAND + "events: { a: { b: money } }\n", [("E218", "money")]),
        (BRAND + "segments: { a: { b: c } }\n", [("E301", "b")]),
        (BRAND + "segments: { a: { segment: b } }\n", [("E303", "b")]),
        (BRAND + "segments: { a: { event.b: c } }\n", [("E316", "event.b")]),
        (BRAND + "segments: { a: { var.b: c } }\n", [("E316", "var.b")]),
        (BRAND + "segments: { a: { nps.score: 3 } }\n", [("E309", "nps.score")]),
        (BRAND + "topics: { a: { label: b } }\n", [("E211", "a")]),
        (BRAND + "topics: { a: { class: legal } }\n", [("E218", "legal")]),
        (BRAND + "teams: { a: b }\n", [("E205", "b")]),
        (BRAND + "teams: { a: { phone: b } }\n", [("E210", "phone")]),
        (BRAND + "webhooks: { a: b }\n", [("E205", "{ a: b }")]),
    ],
)
def test_catalogs_that_cannot_be(source: str, expected: list[tuple[str, str]]) -> None:
    assert problems_of(source) == expected


def test_a_catalog_that_is_no_mapping() -> None:
    found, problems = read_catalog("- a\n", "catalog.yaml")
    assert found is None
    assert [problem.code for problem in problems] == ["E205"]


def test_the_catalog_cannot_be_changed_by_accident() -> None:
    with pytest.raises(TypeError):
        catalog().fields["x"] = Field("x", ValueType.TEXT)  # type: ignore[index]
