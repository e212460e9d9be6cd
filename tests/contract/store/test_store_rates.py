"""How fast a provider may be called: every call a beat of its own, whoever asks."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from store_bench import NOW, Bench

from engage.store.rates import back_off, free_from, left, take_beats

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("per_second", [0.2, 1, 7, 300])
def test_no_two_calls_are_nearer_to_each_other_than_the_limit_allows(bench: Bench, per_second: float) -> None:
    """Two daemons ask in turn, for more than there is, at all times."""
    calls = []
    for step in range(60):
        now = NOW + step * SECOND / 4
        beats = take_beats(bench.connection, "sms", per_second, 1000, now)
        calls += [beats.at(number) for number in range(beats.count)]
        assert all(now <= call <= now + SECOND for call in calls[-beats.count :] if beats.count)
    gaps = [later - earlier for earlier, later in pairwise(calls)]
    assert min(gaps) >= timedelta(seconds=1 / per_second) - timedelta(microseconds=1)
    assert len(calls) >= 15 * per_second - 1  # nor is any of it left unused


def test_what_is_not_wanted_is_there_for_others(bench: Bench) -> None:
    assert take_beats(bench.connection, "sms", 10, 3, NOW).count == 3
    assert take_beats(bench.connection, "sms", 10, 100, NOW).count == 7
    assert take_beats(bench.connection, "sms", 10, 100, NOW).count == 0
    assert take_beats(bench.connection, "email", 10, 100, NOW).count == 10


def test_time_in_which_nobody_called_is_not_saved_up(bench: Bench) -> None:
    take_beats(bench.connection, "sms", 10, 1, NOW)
    later = take_beats(bench.connection, "sms", 10, 100, NOW + timedelta(hours=1))
    assert (later.begin, later.count) == (NOW + timedelta(hours=1), 10)


def test_a_clock_that_is_set_back_gives_no_channel_an_hour_off(bench: Bench) -> None:
    take_beats(bench.connection, "sms", 10, 100, NOW + timedelta(hours=1))
    back_off(bench.connection, "email", NOW + timedelta(hours=1, seconds=15), NOW + timedelta(hours=1))
    beats = take_beats(bench.connection, "sms", 10, 4, NOW)
    assert (beats.begin, beats.count) == (NOW, 4)
    assert left(bench.connection, "sms", 10, NOW) == 6
    assert free_from(bench.connection, "email", NOW) == NOW
    assert back_off(bench.connection, "email", NOW + 15 * SECOND, NOW)
    assert free_from(bench.connection, "email", NOW) == NOW + 15 * SECOND
    assert not back_off(
        bench.connection, "email", NOW + 20 * SECOND, NOW + 5 * SECOND
    )  # told already, and put off anew
    assert not back_off(bench.connection, "email", NOW + 17 * SECOND, NOW + 2 * SECOND)  # comes late
    assert free_from(bench.connection, "email", NOW + 5 * SECOND) == NOW + 20 * SECOND
