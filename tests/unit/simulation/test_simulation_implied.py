"""Whoever has a last order has had an order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from engage.core.catalog import Aggregate, Brand, Catalog, Computed, Field
from engage.core.condition import ValueType
from engage.simulation.implied import implied_events

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
MONTH = timedelta(days=30)


def a_field(name: str, aggregate: Aggregate, *events: str, **more: object) -> Field:
    kind = ValueType.NUMBER if aggregate in (Aggregate.COUNT, Aggregate.SUM) else ValueType.INSTANT
    return Field(name, kind, computed=Computed(aggregate, events, **more))  # type: ignore[arg-type]


FIELDS = [
    Field("level", ValueType.NUMBER),
    a_field("orders", Aggregate.COUNT, "order_paid"),
    a_field("first_order_at", Aggregate.FIRST, "order_paid"),
    a_field("last_order_at", Aggregate.LAST, "order_paid"),
    a_field("last_active_at", Aggregate.LAST, "clicked", "order_paid"),
    a_field("complaints_30d", Aggregate.COUNT, "complaint_opened", within=MONTH),
    a_field("spent_30d", Aggregate.SUM, "order_paid", key="amount", within=MONTH),
]
CATALOG = Catalog(Brand("山野茶事", "山野茶事", {}), "Asia/Shanghai", {field.name: field for field in FIELDS})


def implied(**values: object) -> list[tuple[str, timedelta, dict[str, object]]]:
    return [(event, NOW - at, payload) for event, at, payload in implied_events(CATALOG, values, NOW)]


def ago(days: int) -> str:
    return (NOW - timedelta(days=days)).isoformat()


def test_a_last_order_is_an_order_then() -> None:
    assert implied(last_order_at=ago(95)) == [("order_paid", timedelta(days=95), {})]


def test_first_and_last_are_two_unless_they_are_one() -> None:
    assert len(implied(first_order_at=ago(200), last_order_at=ago(95))) == 2
    assert len(implied(first_order_at=ago(95), last_order_at=ago(95))) == 1


def test_a_field_of_several_events_tells_of_none() -> None:
    assert implied(last_active_at=ago(3), level=2, orders=4) == []


def test_a_field_over_a_window_is_its_events() -> None:
    complaints = implied(complaints_30d="2")
    assert [event for event, _, _ in complaints] == ["complaint_opened"] * 2
    assert all(timedelta(0) < age < MONTH for _, age, _ in complaints)
    assert implied(spent_30d="268.5") == [("order_paid", MONTH / 2, {"amount": 268.5})]
