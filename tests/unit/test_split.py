"""Which way a member takes, and when a way has won."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engage.core.journey.model import Split, Way, WinBy, WinnerRule
from engage.core.problem import Span
from engage.core.split import Because, Decision, Ruling, Taken, Tally, decide, way_of

SPAN = Span("journeys/j.yaml", 1, 1, 1, 1)
RULE = WinnerRule(by=WinBy.GOAL, after=timedelta(days=14), at_least=100, confidence=95)
MEMBERS = range(1, 10_001)


def a_split(*shares: int, id: str = "文案", exploring: int = 0) -> Split:
    ways = tuple(Way(name, share, ()) for name, share in zip("ABCDE", shares, strict=False))
    rule = WinnerRule(by=WinBy.GOAL, after=timedelta(days=14), keep_exploring=exploring)
    return Split(id=id, span=SPAN, ways=ways, winner=rule)


def ways(split: Split, winner: str | None = None, journey: str = "j") -> list[str]:
    return [way_of(member, journey, split, winner).way for member in MEMBERS]


# --- ways -------------------------------------------------------------------------------------------------------


def test_the_shares_are_kept() -> None:
    counted = Counter(ways(a_split(50, 30, 20)))
    for way, share in (("A", 50), ("B", 30), ("C", 20)):
        assert counted[way] / 100 == pytest.approx(share, abs=1.5)


def test_a_share_of_nothing_gets_nobody_and_one_of_everything_all() -> None:
    assert set(ways(a_split(0, 100))) == {"B"}
    assert set(ways(a_split(100, 0))) == {"A"}


@given(member=st.integers(1, 2**62), grown=st.integers(51, 100))
def test_a_member_always_takes_the_same_way_and_a_larger_share_only_adds(member: int, grown: int) -> None:
    half = a_split(50, 50)
    first = way_of(member, "j", half, None)
    assert first == way_of(member, "j", half, None)
    if first.way == "A":
        assert way_of(member, "j", a_split(grown, 100 - grown), None).way == "A"


def test_one_split_says_nothing_about_another_nor_about_the_holdout() -> None:
    for other in (ways(a_split(50, 50, id="标题")), ways(a_split(50, 50), journey="k")):
        same = sum(a == b for a, b in zip(ways(a_split(50, 50)), other, strict=True))
        assert 4_800 < same < 5_200


def test_after_a_winner_most_take_it_and_a_few_go_on_by_the_shares() -> None:
    split = a_split(50, 50, exploring=10)
    taken = [way_of(member, "j", split, "B") for member in MEMBERS]
    because = Counter(each.because for each in taken)
    assert 900 < because[Because.EXPLORING] < 1_100
    assert because[Because.WINNER] == 10_000 - because[Because.EXPLORING]
    explorers = Counter(each.way for each in taken if each.because is Because.EXPLORING)
    assert 400 < explorers["A"] < 600  # who explores is drawn apart from the way


def test_without_exploring_everybody_takes_the_winner() -> None:
    assert set(ways(a_split(90, 10), winner="B")) == {"B"}


def test_a_winner_that_an_edit_removed_is_none() -> None:
    assert way_of(1, "j", a_split(100, 0), "Z") == Taken("A", Because.SHARE)


# --- the winner -------------------------------------------------------------------------------------------------


def test_a_clear_lead_wins() -> None:
    decision = decide(RULE, {"A": Tally(400, 80), "B": Tally(400, 40)})
    assert (decision.ruling, decision.winner) == (Ruling.WON, "A")
    assert decision.by_chance["B"] < 0.001


def test_the_same_lead_among_few_is_not_sure() -> None:
    assert decide(RULE, {"A": Tally(100, 20), "B": Tally(100, 14)}).ruling is Ruling.NO_DIFFERENCE


def test_every_way_needs_its_members() -> None:
    assert decide(RULE, {"A": Tally(5_000, 900), "B": Tally(99, 0)}) == Decision(Ruling.TOO_FEW)
    assert decide(RULE, {"A": Tally(100, 50), "B": Tally(100, 10)}).winner == "A"


def test_the_best_must_beat_each_of_the_others() -> None:
    decision = decide(RULE, {"A": Tally(500, 100), "B": Tally(500, 98), "C": Tally(500, 20)})
    assert (decision.ruling, decision.winner) == (Ruling.NO_DIFFERENCE, None)
    assert decision.by_chance["B"] > 0.5 > decision.by_chance["C"]


def test_more_ways_ask_for_a_larger_lead() -> None:
    """p is 0.03: enough between two, not where three pairs could have shown it."""
    two = {"A": Tally(1_000, 150), "B": Tally(1_000, 117)}
    assert decide(RULE, two).winner == "A"
    assert decide(RULE, {**two, "C": Tally(1_000, 117)}).winner is None


def test_one_way_alone_and_no_members_decide_nothing() -> None:
    assert decide(RULE, {"A": Tally(500, 100)}).ruling is Ruling.TOO_FEW
    assert decide(RULE, {"A": Tally(0, 0), "B": Tally(0, 0)}).ruling is Ruling.TOO_FEW


def test_ways_that_are_all_alike_are_seldom_told_apart() -> None:
    """At 95 %, a winner is crowned by chance in at most one of twenty splits, however many ways there are."""
    rng = random.Random(7)
    for count in (2, 4):
        crowned = 0
        for _ in range(1_000):
            tallies = {str(way): Tally(200, sum(rng.random() < 0.2 for _ in range(200))) for way in range(count)}
            crowned += decide(RULE, tallies).winner is not None
        assert crowned < 65
