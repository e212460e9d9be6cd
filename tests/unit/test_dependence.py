"""What can change a condition, and what tells that its meaning has changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from engage.core.catalog import Aggregate, Brand, Catalog, Computed, Field
from engage.core.condition import (
    All,
    Any,
    Between,
    Compare,
    Condition,
    Did,
    FieldValue,
    HasTag,
    InSegment,
    InShare,
    Known,
    Not,
    RankValue,
    ValueType,
)
from engage.core.dependence import meaning, shares_in, stirring_events

ARRIVALS = {"member_created", "member_imported"}
PROFILE = ARRIVALS | {"member_updated"}
_FIELDS = (
    Field("city", ValueType.TEXT),
    Field("spent", ValueType.NUMBER, computed=Computed(Aggregate.SUM, ("order_paid",), "amount")),
    Field(
        "acts_30d", ValueType.NUMBER, computed=Computed(Aggregate.COUNT, ("clicked", "replied"), None, timedelta(30))
    ),
)
CATALOG = Catalog(Brand("茶", "茶", {}), "Asia/Shanghai", fields={field.name: field for field in _FIELDS})
CITY = Compare(FieldValue("city", ValueType.TEXT), Known())
SPENT = Compare(FieldValue("spent", ValueType.NUMBER), Between(Decimal(1), None))
TOP = Compare(RankValue("acts_30d"), InShare(20, 50))


@pytest.mark.parametrize(
    ("condition", "events"),
    [
        (CITY, PROFILE),
        (HasTag(("VIP",)), PROFILE),
        (SPENT, ARRIVALS | {"order_paid"}),
        (TOP, ARRIVALS | {"clicked", "replied"}),
        (Did("store_visited", 0, 0), ARRIVALS | {"store_visited"}),
        (Not(Any((SPENT, InSegment("x", All((Did("a"), TOP)))))), ARRIVALS | {"order_paid", "a", "clicked", "replied"}),
    ],
)
def test_a_condition_is_stirred_by_what_its_lines_look_at(condition: Condition, events: set[str]) -> None:
    assert stirring_events(condition, CATALOG) == events


def test_a_meaning_is_the_words_and_what_their_fields_count() -> None:
    assert meaning(SPENT, CATALOG) == meaning(SPENT, replace(CATALOG, segments={"x": CITY}))
    assert meaning(SPENT, CATALOG) != meaning(Not(SPENT), CATALOG)
    refunds = replace(CATALOG.fields["spent"], computed=Computed(Aggregate.SUM, ("refunded",), "amount"))
    assert meaning(SPENT, CATALOG) != meaning(SPENT, replace(CATALOG, fields={**CATALOG.fields, "spent": refunds}))
    assert meaning(CITY, CATALOG) == meaning(CITY, replace(CATALOG, fields={**CATALOG.fields, "spent": refunds}))


def test_shares_are_found_wherever_they_are_tested() -> None:
    assert set(shares_in(({"a": Not(TOP)}, [SPENT, replace(TOP, test=InShare(None, 10))]))) == {
        ("acts_30d", 20),
        ("acts_30d", 50),
        ("acts_30d", 10),
    }
    assert list(shares_in(replace(TOP, test=Known()))) == []
