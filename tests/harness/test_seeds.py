"""Seeded worlds among faults: the promise holds in each, and every crash point of the engine's code has had its crash.

More of them: `make soak ARGS="--seeds 100000"`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.complaints import listening
from tests.harness.grounds import Grounds
from tests.harness.running import POINTS, Tally, live, told

SEEDS = 300
_AT_A_TIME = 20
_TALLY = Tally()


@pytest.fixture(scope="module")
def grounds() -> Iterator[Grounds]:
    with listening(), Grounds() as made:
        yield made


@pytest.mark.parametrize("first", range(0, SEEDS, _AT_A_TIME))
def test_the_promise_holds(grounds: Grounds, first: int) -> None:
    for seed in range(first, first + _AT_A_TIME):
        life, wrong = live(grounds, seed)
        _TALLY.add(life, wrong)
        assert not wrong, told(life, wrong)


def test_the_same_seed_is_the_same_world(grounds: Grounds) -> None:
    for seed in (3, 8):
        once, again = live(grounds, seed)[0], live(grounds, seed)[0]
        assert once.timeline == again.timeline
        assert once.tables == again.tables


@pytest.mark.skipif("_TALLY.seeds < SEEDS", reason="counts over all worlds of this module")
def test_every_point_of_the_code_was_reached_and_died_at(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{len(POINTS)} crash points, {_TALLY.died_at.total()} crashes in {_TALLY.seeds} worlds")
    assert _TALLY.never_reached == []
    assert _TALLY.never_died_at == []
