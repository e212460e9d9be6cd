"""Formulas against values worked out by hand and against the tables of the papers they come from."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engage.core.measure import Interval, csat, difference_by_chance, lift, nps, proportion_interval


def rounded(interval: Interval | None, places: str = "0.0001") -> tuple[Decimal, Decimal]:
    assert interval is not None
    return interval.low.quantize(Decimal(places)), interval.high.quantize(Decimal(places))


# --- NPS --------------------------------------------------------------------------------------------------------


def test_nps_counts_the_three_groups_at_their_borders() -> None:
    found = nps([0, 6, 7, 8, 9, 10, 10])
    assert (found.detractors, found.passives, found.promoters, found.n) == (2, 2, 3, 7)
    assert found.value is not None
    assert found.value.quantize(Decimal("0.001")) == Decimal("14.286")


def test_nps_of_the_example_report() -> None:
    """72 promoters, 36 passives and 19 detractors of 127: 53 / 127 = 41.7 points."""
    found = nps([10] * 72 + [7] * 36 + [3] * 19)
    assert found.value is not None
    assert round(found.value) == 42
    # By hand: 72.75/130 = 0.559615, 19.75/130 = 0.151923, mean 0.407692, variance 0.711538 - 0.166213 = 0.545325,
    # 1.959964 · √(0.545325 / 130) = 0.126941.
    assert rounded(found.interval, "0.01") == (Decimal("28.08"), Decimal("53.46"))


def test_three_unanimous_promoters_are_100_points_but_not_certain() -> None:
    """By hand: 3.75/6 - 0.75/6 = 0.5; variance 0.75 - 0.25 = 0.5; 1.959964 · √(0.5 / 6) = 0.565793."""
    found = nps([9, 10, 10])
    assert found.value == 100
    assert rounded(found.interval, "0.01") == (Decimal("-6.58"), Decimal("100.00"))


def test_without_answers_there_is_no_score() -> None:
    found = nps([])
    assert (found.n, found.value, found.interval) == (0, None, None)


def test_one_answer_is_a_score_without_an_interval() -> None:
    found = nps([9])
    assert found.value == 100
    assert found.interval is None


@given(scores=st.lists(st.integers(0, 10), min_size=2, max_size=200))
def test_the_interval_holds_the_score_and_stays_on_the_scale(scores: list[int]) -> None:
    found = nps(scores)
    assert found.value is not None
    assert found.interval is not None
    assert -100 <= found.interval.low <= found.value <= found.interval.high <= 100
    assert found.promoters + found.passives + found.detractors == found.n == len(scores)
    exact = Fraction(100 * (found.promoters - found.detractors), found.n)
    assert abs(Fraction(found.value) - exact) < Fraction(1, 10**20)


@pytest.mark.parametrize("score", [-1, 11])
def test_a_number_that_is_no_nps_score_is_a_fault(score: int) -> None:
    with pytest.raises(ValueError, match="not a score from 0 to 10"):
        nps([10, score])


# --- CSAT -------------------------------------------------------------------------------------------------------


def test_csat_is_the_share_of_fours_and_fives_and_the_mean() -> None:
    found = csat([1, 3, 4, 5, 5])
    assert (found.n, found.satisfied, found.share, found.mean) == (5, 3, Decimal("0.6"), Decimal("3.6"))


def test_csat_of_nobody_and_of_a_wrong_number() -> None:
    assert csat([]).share is None
    assert csat([]).mean is None
    with pytest.raises(ValueError, match="not a score from 1 to 5"):
        csat([0])


# --- shares -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        (81, 263, "0.2553", "0.3662"),
        (15, 148, "0.0624", "0.1605"),
        (0, 20, "0.0000", "0.1611"),
        (1, 29, "0.0061", "0.1718"),
    ],
)
def test_wilson_as_in_newcombes_table(hits: int, n: int, low: str, high: str) -> None:
    """Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3."""
    assert rounded(proportion_interval(hits, n)) == (Decimal(low), Decimal(high))


@pytest.mark.parametrize(
    ("treated", "control", "low", "high"),
    [
        ((56, 70), (48, 80), "0.0524", "0.3339"),
        ((9, 10), (3, 10), "0.1705", "0.8090"),
        ((6, 7), (2, 7), "0.0582", "0.8062"),
        ((5, 56), (0, 29), "-0.0381", "0.1926"),
        ((0, 10), (0, 20), "-0.1611", "0.2775"),
        ((0, 10), (0, 10), "-0.2775", "0.2775"),
        ((10, 10), (0, 20), "0.6791", "1.0000"),
    ],
)
def test_lift_as_in_newcombes_table(treated: tuple[int, int], control: tuple[int, int], low: str, high: str) -> None:
    """Newcombe, Statistics in Medicine 17 (1998) 873-890, table II, method 10."""
    found = lift(*treated, *control)
    assert rounded(found.interval) == (Decimal(low), Decimal(high))
    assert found.difference == Decimal(treated[0]) / treated[1] - Decimal(control[0]) / control[1]


def test_lift_needs_both_groups() -> None:
    found = lift(3, 10, 0, 0)
    assert (found.treated, found.control, found.difference, found.interval) == (Decimal("0.3"), None, None, None)
    assert proportion_interval(0, 0) is None


@pytest.mark.parametrize(("hits", "n"), [(3, 2), (-1, 5)])
def test_more_hits_than_members_is_a_fault(hits: int, n: int) -> None:
    with pytest.raises(ValueError, match="is not a share"):
        proportion_interval(hits, n)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_stays_between_none_and_all(case: tuple[int, int]) -> None:
    hits, n = case
    interval = proportion_interval(hits, n)
    assert interval is not None
    assert 0 <= interval.low <= Decimal(hits) / n <= interval.high <= 1


# --- is one better than the other -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [
        ((60, 100), (40, 100), 0.004678),  # z = 2√2, p = erfc(2)
        ((30, 100), (20, 100), 0.102470),  # z = 0.1 / √0.00375
        ((50, 100), (50, 100), 1.0),
    ],
)
def test_the_chance_of_a_difference_is_that_of_the_two_proportion_test(
    first: tuple[int, int], second: tuple[int, int], p: float
) -> None:
    assert difference_by_chance(*first, *second) == pytest.approx(p, abs=2e-6)
    assert difference_by_chance(*second, *first) == pytest.approx(p, abs=2e-6)


@pytest.mark.parametrize("figures", [(0, 0, 3, 10), (3, 10, 0, 0), (0, 50, 0, 50), (50, 50, 50, 50), (4, 20, 0, 20)])
def test_figures_too_small_or_all_alike_tell_nothing(figures: tuple[int, int, int, int]) -> None:
    assert difference_by_chance(*figures) == 1.0


def test_more_hits_than_tries_are_a_fault() -> None:
    with pytest.raises(ValueError, match="11 of 10"):
        difference_by_chance(11, 10, 1, 10)
