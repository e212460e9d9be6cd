"""What nobody can meet is told only where it is certain: nobody, in truth, ever meets it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journey_desk import condition_of, read, text_of

from engage.core.condition import All, Any, Between, Compare, Condition, FieldValue, Not, OneOf, Test, ValueType
from engage.core.journey.impossible import always_with, exclude_each_other, nobody_meets

POINTS = FieldValue("points", ValueType.NUMBER)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("points: 500..", "points: ..100"),
        ("points: 500..", "points: [1, 2]"),
        ("lifecycle: 新客", "lifecycle: [活跃, 沉睡]"),
        ("city: known", "city: unknown"),
        ("last_order_at: over 90d ago", "last_order_at: last 30d"),
        ("last_order_at: never", "last_order_at: last 30d"),
        ("employee: yes", "employee: no"),
        ("tag: VIP", "not: { tag: VIP }"),
        ("segment: VIP", "not: { segment: VIP }"),
    ],
)
def test_lines_that_exclude_each_other(one: str, other: str) -> None:
    assert exclude_each_other(condition_of(one), condition_of(other))
    assert exclude_each_other(condition_of(other), condition_of(one))
    assert nobody_meets(All((condition_of("level: 2"), All((condition_of(one), condition_of(other))))))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("points: 500..", "points: ..500"),
        ("points: 500..", "level: ..100"),
        ("lifecycle: [新客, 活跃]", "lifecycle: [活跃, 沉睡]"),
        ("city: contains 上", "city: contains 海"),
        ("last_order_at: over 30d ago", "last_order_at: last 90d"),
        ("tag: VIP", "tag: 新客"),
        ("did: order_paid", "not: { did: store_visited }"),
        ("city: known", "city: 上海"),
    ],
)
def test_lines_that_somebody_may_meet(one: str, other: str) -> None:
    assert not exclude_each_other(condition_of(one), condition_of(other))


def test_one_way_out_of_any_is_enough() -> None:
    nobody = "all: [{ points: 500.. }, { points: ..100 }]"
    _, problems = read(text_of(f"audience: {{ any: [{{ {nobody} }}, {{ city: 上海 }}] }}"))
    assert [problem.code for problem in problems] == ["E340"]  # that way, not the whole


def test_who_meets_more_meets_less() -> None:
    whole = All((condition_of("city: 上海"), condition_of("tag: VIP")))
    assert always_with(whole, condition_of("tag: VIP"))
    assert not always_with(condition_of("tag: VIP"), whole)


def test_nothing_is_said_of_lines_that_could_not_be_read() -> None:
    unread: Condition = Any(())
    assert not nobody_meets(All((unread, condition_of("city: 上海"))))
    assert not always_with(unread, unread)


numbers = st.integers(-3, 3).map(Decimal)
ends = st.one_of(st.none(), numbers)
tests = st.one_of(
    st.builds(Between, ends, ends), st.builds(OneOf, st.lists(numbers, min_size=1, max_size=2).map(tuple))
)
compares = st.builds(Compare, st.just(POINTS), tests)
conditions = st.recursive(
    compares,
    lambda inner: st.one_of(
        st.builds(All, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Any, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=6,
)


def holds(condition: Condition, points: Decimal | None) -> bool:
    match condition:
        case All(parts):
            return all(holds(part, points) for part in parts)
        case Any(parts):
            return any(holds(part, points) for part in parts)
        case Not(part):
            return not holds(part, points)
        case Compare(test=test):
            return points is not None and passes(test, points)
    raise AssertionError(condition)


def passes(test: Test, points: Decimal) -> bool:
    match test:
        case OneOf(values):
            return points in values
        case Between(low, high):
            return (low is None or points >= low) and (high is None or points <= high)
    raise AssertionError(test)


@given(conditions, st.one_of(st.none(), st.integers(-4, 4).map(Decimal)))
def test_what_is_said_to_be_impossible_is(condition: Condition, points: Decimal | None) -> None:
    assert not (nobody_meets(condition) and holds(condition, points))


@given(conditions, conditions, st.one_of(st.none(), st.integers(-4, 4).map(Decimal)))
def test_what_is_said_to_follow_does(one: Condition, other: Condition, points: Decimal | None) -> None:
    if always_with(one, other) and holds(one, points):
        assert holds(other, points)


def test_the_moment_in_which_two_periods_touch_is_in_both() -> None:
    assert not exclude_each_other(condition_of("last_order_at: over 30d ago"), condition_of("last_order_at: last 30d"))
