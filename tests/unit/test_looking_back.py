"""Whoever looks back further than events are kept is told so, once, by name."""

from __future__ import annotations

from datetime import timedelta

from engage.core.journey.catalog import read_catalog
from engage.core.journey.reading import read_journey
from engage.core.looking_back import looks_beyond

CATALOG = """
brand: { name: 山野茶事, sms_sign: 山野茶事 }
timezone: Asia/Shanghai
fields:
  orders: { count: order_paid }
  orders_year: { count: order_paid, within: 365d }
events:
  order_paid: { order_id: text, amount: number }
segments:
  买过: { did: order_paid }
  近来买过: { did: { order_paid: { within: 30d } } }
  老客: { orders: 3.. }
topics:
  service: { class: service, label: 服务 }
"""
JOURNEY = """
journey: 试一试
start: { event: order_paid }
audience: { segment: 买过 }
reentry: always
topic: service
exit_if: { did: { order_paid: { times: 2.., since: start } } }
steps:
  - if: { did: { order_paid: { within: 200d } } }
    then: [ { exit: 老客 } ]
"""


def beyond(kept: timedelta | None) -> list[tuple[str, timedelta | None]]:
    catalog, problems = read_catalog(CATALOG, "journeys/catalog.yaml")
    assert catalog is not None, problems
    journey, _ = read_journey(JOURNEY, "journeys/try.yaml", catalog)
    assert journey is not None
    return [(look.who.en, look.period) for look in looks_beyond(kept, catalog, [journey])]


def test_windows_longer_than_what_is_kept_and_questions_without_any_are_told_once() -> None:
    assert beyond(timedelta(days=90)) == [
        ("The field orders_year", timedelta(days=365)),
        ("The segment 买过", None),
        ("The journey try", timedelta(days=200)),
    ]


def test_what_is_kept_long_enough_is_no_news_and_kept_for_ever_nothing_is() -> None:
    assert beyond(timedelta(days=365)) == [("The segment 买过", None)]
    assert beyond(None) == []


def test_it_is_told_in_both_languages_with_the_figures() -> None:
    catalog, _ = read_catalog(CATALOG, "journeys/catalog.yaml")
    assert catalog is not None
    kept = timedelta(days=90)
    year, ever = [look.beside(kept) for look in looks_beyond(kept, catalog, [])]
    assert "365d back on order_paid" in year.en
    assert "90d" in year.en
    assert "回看 365d 的 order_paid" in year.zh
    assert "是否有过 order_paid" in ever.zh
