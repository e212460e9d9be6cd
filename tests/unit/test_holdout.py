"""The control group: fixed for ever, independent from journey to journey, and of the size that was asked for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engage.core.holdout import is_held_out

# Of the members 1 to 100, at 10 percent.
FIRST_HUNDRED_OF_WINBACK = [2, 6, 12, 14, 16, 29, 31, 32, 35, 57, 83, 96]

_members = st.integers(1, 2**63 - 1)
_journeys = st.sampled_from(["winback", "welcome", "nps", "生日"])


def held_out(journey: str, percent: int, members: range = range(1, 5001)) -> set[int]:
    return {member for member in members if is_held_out(member, journey, percent)}


def test_who_is_held_out_is_fixed_for_ever() -> None:
    """Written down: if this changes, running experiments would mix the groups they compare."""
    assert sorted(held_out("winback", 10, range(1, 101))) == FIRST_HUNDRED_OF_WINBACK


@given(_members, _journeys, st.integers(0, 100), st.integers(0, 100))
def test_raising_the_percentage_only_adds(member: int, journey: str, one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert is_held_out(member, journey, high) or not is_held_out(member, journey, low)


@given(_members, _journeys)
def test_nobody_at_zero_and_everybody_at_a_hundred(member: int, journey: str) -> None:
    assert not is_held_out(member, journey, 0)
    assert is_held_out(member, journey, 100)


def test_the_share_is_what_was_asked_for() -> None:
    for percent in (1, 10, 50):
        expected = 5000 * percent / 100
        assert abs(len(held_out("winback", percent)) - expected) < 4 * (expected * (1 - percent / 100)) ** 0.5


def test_being_held_out_of_one_journey_says_nothing_about_another() -> None:
    both = held_out("winback", 20) & held_out("welcome", 20)
    assert 140 < len(both) < 260  # 4 % of 5,000 is 200
