"""The protocol with one thing wrong each: the harness notices every one of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.complaints import listening
from tests.harness.grounds import Grounds
from tests.harness.mutants import MUTANTS, SEEN_IN
from tests.harness.mutation import Mutant, says
from tests.harness.running import live
from tests.harness.weather import FROST, LEAP, OUTAGE, STORM, TROUBLE
from tests.harness.world import Life, Options

MOST_SEEDS = 60
_CAUGHT: dict[str, int] = {}


@pytest.fixture(scope="module")
def grounds() -> Iterator[Grounds]:
    with listening(), Grounds() as made:
        yield made


def test_without_a_mutant_nothing_is_noticed(grounds: Grounds) -> None:
    for seed in sorted({0, *SEEN_IN.values()}):
        assert live(grounds, seed, Options(weather=STORM, acts=30))[1] == []
    for weather in (FROST, LEAP, OUTAGE, TROUBLE):
        assert live(grounds, 0, Options(weather=weather, acts=30))[1] == []


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_it_is_caught(grounds: Grounds, mutant: Mutant) -> None:
    """First in the world that caught it last, so that it takes one world as a rule. That it raises does not count."""
    last = SEEN_IN.get(mutant.name, 0)
    seeds = [last, *(seed for seed in range(MOST_SEEDS) if seed != last)]
    options = Options(weather=mutant.weather, acts=30)
    with mutant.at_work():
        caught = next((seed for seed in seeds if _is_noticed(*live(grounds, seed, options))), None)
    assert caught is not None, f"in {MOST_SEEDS} worlds nobody noticed: {mutant.name}"
    _CAUGHT[mutant.name] = caught


def _is_noticed(life: Life, wrong: list[str]) -> bool:
    return len(wrong) > len(life.complaints)


def test_a_mistake_that_raises_is_heard_of(grounds: Grounds) -> None:
    """The engine leaves what fails alone, and goes on: nothing else comes of it."""
    with _mistaken().at_work():
        life, wrong = live(grounds, 0, Options(weather=STORM, acts=30))
    assert "NameError" in wrong[0]
    assert not _is_noticed(life, wrong)


def _mistaken() -> Mutant:
    mistake = says(
        "engage.runtime.enrolling.crossings:is_news", "return event", "return (event.id == 9 and ewent) or event"
    )
    return Mutant("a name that nobody knows, once", (mistake,))


def test_they_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """What has come to be seen elsewhere is to be written into `SEEN_IN`."""
    assert len(MUTANTS) >= 60
    assert SEEN_IN.keys() <= {mutant.name for mutant in MUTANTS}
    with capsys.disabled():
        print("\nmutants, and the world in which each was noticed:")
        print(*(f"  {seed:3} {name}" for name, seed in _CAUGHT.items()), sep="\n")
