"""How many a loop takes at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from engage.clock import Clock, SystemClock, VirtualClock
from engage.runtime.context import Context
from engage.runtime.stride import Stride

MOST = 500


@dataclass
class Watch:
    now: float = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    shown = Watch()
    monkeypatch.setattr("engage.runtime.stride.time", shown)
    return shown


def stride(clock: Clock | None = None, *, is_server: bool = False) -> Stride:
    context: Any = SimpleNamespace(clock=clock or SystemClock(), database=SimpleNamespace(is_server=is_server))
    return Stride(MOST, cast(Context, context))


def taken(of: Stride, count: int, seconds: float, watch: Watch) -> int:
    with of.over(count):
        watch.now += seconds
    return of.length


def test_a_batch_that_kept_others_waiting_is_followed_by_a_smaller_one(watch: Watch) -> None:
    assert taken(stride(), MOST, 0.25, watch) == 50


def test_it_grows_again_where_full_batches_take_no_time(watch: Watch) -> None:
    of = stride()
    taken(of, MOST, 0.25, watch)
    assert [taken(of, of.length, 0.001, watch) for _ in range(5)] == [100, 200, 400, MOST, MOST]


def test_few_that_are_slow_do_not_bring_it_to_a_halt(watch: Watch) -> None:
    assert taken(stride(), 1, 5.0, watch) == 20


def test_a_small_batch_says_nothing_about_larger_ones(watch: Watch) -> None:
    of = stride()
    taken(of, MOST, 0.25, watch)
    assert taken(of, 3, 0.001, watch) == 50


@pytest.mark.parametrize("is_server", [False, True], ids=["virtual time", "a server"])
def test_where_nobody_waits_or_time_is_not_real_it_stays_as_it_is(watch: Watch, is_server: bool) -> None:
    clock = None if is_server else VirtualClock(datetime(2026, 11, 23, 2, tzinfo=UTC))
    assert taken(stride(clock, is_server=is_server), MOST, 5.0, watch) == MOST
