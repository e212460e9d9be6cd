"""Ranks: what is worked out at night, against counting heads; and who is looked at again when a threshold has moved."""

from __future__ import annotations

from datetime import timedelta
from itertools import chain, product
from typing import Any as Anything

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from store_bench import CATALOG, DAY, NOW, Bench, a_catalog
from store_oracle import Person, Reader
from store_time import crossed_by_rank, recompute

from engage.core.condition import Compare, InShare, Known, Not, RankValue, Unknown
from engage.store import members, segments
from engage.store.databases.database import Database
from engage.store.members import MemberRef
from engage.store.segments import Crossing
from engage.store.statements import ranks
from engage.store.statements.conditions import Scope, compile_condition
from engage.store.tables import member

TOP_FIFTH, LOWER_HALF = InShare(None, 20), InShare(50, None)
SHARES = [("level", 20), ("level", 50)]


def of_level(test: Anything) -> Compare:
    return Compare(RankValue("level"), test)


def matching(bench: Bench, condition: Anything) -> list[int]:
    query = select(member.c.id).where(compile_condition(condition, Scope(CATALOG, now=bench.now)))
    return sorted(bench.connection.scalars(query))


def with_levels(bench: Bench, *levels: float | None) -> list[MemberRef]:
    return [bench.member(**({} if level is None else {"level": level})) for level in levels]


def test_the_top_fifth_of_ten_are_two(bench: Bench) -> None:
    refs = with_levels(bench, *range(10))
    recompute(bench.connection, CATALOG, SHARES, NOW)
    assert matching(bench, of_level(TOP_FIFTH)) == [refs[8].id, refs[9].id]
    assert matching(bench, of_level(LOWER_HALF)) == [ref.id for ref in refs[:5]]


def test_ties_share_the_better_rank(bench: Bench) -> None:
    refs = with_levels(bench, 9, 9, 9, 1, 1)
    recompute(bench.connection, CATALOG, SHARES, NOW)
    assert matching(bench, of_level(TOP_FIFTH)) == [ref.id for ref in refs[:3]]
    assert matching(bench, of_level(LOWER_HALF)) == [ref.id for ref in refs[3:]]


def test_whoever_has_no_value_is_not_ranked_and_not_counted(bench: Bench) -> None:
    refs = with_levels(bench, None, None, None, 0, 5)
    recompute(bench.connection, CATALOG, SHARES, NOW)
    assert matching(bench, of_level(InShare(None, 50))) == [refs[4].id]
    assert matching(bench, of_level(LOWER_HALF)) == [refs[3].id]
    assert matching(bench, of_level(Known())) == [refs[3].id, refs[4].id]
    assert matching(bench, of_level(Unknown())) == [ref.id for ref in refs[:3]]


def test_before_the_first_night_nobody_is_in_any_share(bench: Bench) -> None:
    (ref,) = with_levels(bench, 5)
    assert matching(bench, of_level(TOP_FIFTH)) == matching(bench, of_level(LOWER_HALF)) == []
    assert matching(bench, Not(of_level(TOP_FIFTH))) == [ref.id]


def test_a_member_who_rises_by_day_is_held_against_last_night(bench: Bench) -> None:
    refs = with_levels(bench, *range(10))
    recompute(bench.connection, CATALOG, SHARES, NOW)
    members.set_values(bench.connection, CATALOG, {refs[0]: {"level": 8}}, NOW)
    assert matching(bench, of_level(TOP_FIFTH)) == [refs[0].id, refs[8].id, refs[9].id]
    (top, _) = ranks.thresholds(bench.connection)
    assert (top.percent, top.value, top.ranked, top.computed_at) == (20, 8, 10, NOW)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.none() | st.integers(0, 6), max_size=12))
def test_shares_side_by_side_have_everybody_once(database_of_module: Database, levels: list[int | None]) -> None:
    parts = [InShare(None, 10), InShare(10, 34), InShare(34, 50), InShare(50, None)]
    people = [Person({} if level is None else {"level": level}) for level in levels]
    reader = Reader(CATALOG, NOW, everybody=people)
    with database_of_module.engine.connect() as connection, connection.begin() as transaction:
        bench = Bench(connection)
        refs = with_levels(bench, *levels)
        recompute(connection, CATALOG, product(["level"], (10, 34, 50)), NOW)
        found = [matching(bench, of_level(part)) for part in parts]
        assert sorted(chain(*found)) == [ref.id for ref, level in zip(refs, levels, strict=True) if level is not None]
        for part, ids in zip(parts, found, strict=True):
            expected = [ref.id for ref, p in zip(refs, people, strict=True) if reader.holds(of_level(part), p)]
            assert ids == expected
        transaction.rollback()


# --- what the night changes -------------------------------------------------------------------------------------


def test_what_is_not_asked_for_any_more_is_forgotten_and_what_is_new_does_not_wait(bench: Bench) -> None:
    with_levels(bench, 1, 2)
    ranks.work_out_new(bench.connection, CATALOG, SHARES, NOW)
    ranks.work_out_new(bench.connection, CATALOG, [("spent", 20)], NOW + DAY)
    found = {(t.field, t.percent): t.computed_at for t in ranks.thresholds(bench.connection)}
    assert found == {("level", 20): NOW, ("level", 50): NOW, ("spent", 20): NOW + DAY}
    assert recompute(bench.connection, CATALOG, [("level", 20)], NOW + DAY) == []
    assert [(t.field, t.percent) for t in ranks.thresholds(bench.connection)] == [("level", 20)]


@pytest.mark.parametrize("field", ["spent", "spent_3d"])
def test_only_those_whose_side_has_changed_are_looked_at(bench: Bench, field: str) -> None:
    """Kept from events, and counted in a window."""
    catalog = a_catalog(
        best=Compare(RankValue(field), InShare(None, 50)), rest=Not(Compare(RankValue(field), InShare(None, 50)))
    )
    refs = [bench.member() for _ in range(4)]
    for ref, amount in zip(refs, (10, 20, 30, 40), strict=True):
        bench.happens(ref, "order_paid", amount=amount)
    shares = [(field, 50)]
    ranks.work_out_new(bench.connection, catalog, shares, NOW)
    segments.settle_changed(bench.connection, catalog, NOW)
    for ref in (new := [bench.member(), bench.member()]):
        bench.happens(ref, "order_paid", amount=99)
    (moved,) = recompute(bench.connection, catalog, shares, NOW + timedelta(hours=1))
    assert (moved.before, moved.after) == (30, 40)
    side = bench.connection.execute(ranks.on_another_side(catalog, moved, NOW + timedelta(hours=1)))
    assert [tuple(row) for row in side] == [(refs[2].bucket, refs[2].id)]
    crossings = crossed_by_rank(bench.connection, catalog, [moved], NOW + timedelta(hours=1))
    assert crossings == [Crossing(refs[2], "best", False), Crossing(refs[2], "rest", True)]
    assert new[0] not in segments.members_of(bench.connection, "best")  # their own event brings them in


def test_a_threshold_where_there_was_none_concerns_all_who_are_ranked(bench: Bench) -> None:
    catalog = a_catalog(lower=Compare(RankValue("level"), LOWER_HALF), top=Compare(RankValue("level"), TOP_FIFTH))
    ranks.work_out_new(bench.connection, catalog, SHARES, NOW)
    refs = with_levels(bench, 1, 2, 3)
    moved = recompute(bench.connection, catalog, SHARES, NOW)
    assert {each.before for each in moved} == {None}
    crossings = crossed_by_rank(bench.connection, catalog, moved, NOW)
    assert crossings == [Crossing(refs[0], "lower", True), Crossing(refs[2], "top", True)]


def test_a_number_that_nobody_has_leaves_no_threshold(bench: Bench) -> None:
    bench.member()
    recompute(bench.connection, CATALOG, [("orders_3d", 20)], NOW)
    (found,) = ranks.thresholds(bench.connection)
    assert (found.value, found.ranked) == (None, 0)
