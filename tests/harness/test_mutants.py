"""The protocol with one thing wrong each: the harness notices every one of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness import weather
from tests.harness.mutants import MUTANTS, NOT_YET_CAUGHT, Mutant
from tests.harness.running import live, quietly
from tests.harness.world import Grounds, Options

MOST_SEEDS = 60
_NEEDED: dict[str, int] = {}


@pytest.fixture(scope="module")
def grounds() -> Iterator[Grounds]:
    with quietly(), Grounds() as made:
        yield made


@pytest.mark.parametrize("mutant", [m for m in MUTANTS if m.name not in NOT_YET_CAUGHT], ids=lambda mutant: mutant.name)
def test_it_is_caught(grounds: Grounds, mutant: Mutant) -> None:
    with mutant.at_work():
        caught = next((seed for seed in range(MOST_SEEDS) if live(grounds, seed, _IN_A_STORM)[1]), None)
    assert caught is not None, f"in {MOST_SEEDS} worlds nobody noticed: {mutant.name}"
    _NEEDED[mutant.name] = caught + 1


def test_they_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(MUTANTS) - len(NOT_YET_CAUGHT) >= 25
    with capsys.disabled():
        print("\nworlds needed to notice:")
        print(*(f"  {needed:3} {name}" for name, needed in _NEEDED.items()), sep="\n")


_IN_A_STORM = Options(weather=weather.STORM, acts=30)
