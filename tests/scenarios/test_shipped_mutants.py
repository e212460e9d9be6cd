"""The tests that come with the journeys notice when a journey is wrong: every mutant fails at least one of them, but
for those listed here, which no member could tell from the journey itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from mutants import Mutant, mutants_of

from engage.content.project import project_files, read_project
from engage.content.test_files import find_test_files, read_test_files
from engage.core.testfile.model import Case, TestFile
from engage.runtime.applied import Applied, activate
from engage.simulation.ground import Ground
from engage.simulation.playing import Played, play

PROJECT = Path(__file__).parents[2]
_ALONE = 3

# Why nobody in a test of one journey could notice. Any journey: what its name ends with.
EVERYWHERE = {
    "lowest priority": "priority decides between journeys that want to write to the same member at the same moment",
    "late removed": "nothing is late unless the daemon was down",
}
EQUIVALENT = {
    "birthday: another reentry": "a yearly date comes once in its cycle year, whatever is said of re-entry",
    "birthday: reentry a year later": "a yearly date comes once in its cycle year, whatever is said of re-entry",
    "birthday: wait>birthday: an hour longer": "with `at`, hours count only past midnight",
    "service_recovery: another reentry": "a test enters a manual journey once",
    "service_recovery: reentry a year later": "a test enters a manual journey once",
    "service_recovery: wait_for-task_done~2: up_to an hour shorter": "both ways lead to the same wait until 10:00",
    "service_recovery: wait>csat: an hour longer": "with `at`, hours count only past midnight",
    "welcome: another reentry": "a member is created once",
    "welcome: wait>welcome_guide: an hour longer": "with `at`, hours count only past midnight",
    "welcome: wait>first_order_coupon: an hour longer": "with `at`, hours count only past midnight",
    "welcome: wait>first_order_coupon: without at": "the wait begins at 10:00",
    "winback: another reentry": "nobody falls asleep twice in one test",
    "winback: reentry a year later": "nobody falls asleep twice in one test",
    "winback: wait>end-of-wait_for-clicked/then: an hour longer": "with `at`, hours count only past midnight",
}


@dataclass(frozen=True)
class Range:
    """Where mutants are shot at: the ground, the tests, and how the journeys themselves fare in them."""

    ground: Ground
    files: dict[str, TestFile]
    played: dict[str, list[Played]]
    kills: Counter[str]  # by case: who noticed one mutant will notice the next

    def survives(self, mutant: Mutant, *, hardy: bool) -> bool:
        """Most fall to the case that says most about the changed step, and a case alone is played fastest. `hardy`
        ones are met by all the cases at once."""
        file, applied = self.files[mutant.journey.id], self._with(mutant)
        cases = self._most_telling_first(mutant)
        alone = 0 if hardy else _ALONE
        short = [case for case in cases[alone:] if case.until is None]
        long = [case for case in cases[alone:] if case.until is not None]
        for chosen in (*([case] for case in cases[:alone]), short, long):
            failed = [done.case.name for done in play(self.ground, file, chosen, applied) if not done.passed]
            self.kills.update(failed)
            if failed:
                return False
        return True

    def _with(self, mutant: Mutant) -> Applied:
        applied, name = self.ground.applied, mutant.journey.id
        active = applied.journeys[name]
        changed = activate(mutant.journey, active.version, draining=False, since=active.since)
        return replace(applied, journeys={**applied.journeys, name: changed}, mark=mutant.what)

    def _most_telling_first(self, mutant: Mutant) -> list[Case]:
        """The cases that come by the changed step, those first that expect something of it: others cannot notice."""
        passing = [done for done in self.played[mutant.journey.id] if mutant.step_id in (None, *_steps_of(done))]
        ranked = sorted(
            passing,
            key=lambda done: (
                mutant.step_id not in _steps_expected(done),
                -self.kills[done.case.name],
                len(done.timeline),
            ),
        )
        return [done.case for done in ranked]


def _steps_of(played: Played) -> set[str | None]:
    return {line.step_id for line in played.timeline}


def _steps_expected(played: Played) -> set[str | None]:
    return {played.timeline[found.by].step_id for found in played.found if found.by is not None}


@pytest.fixture(scope="module")
def shooting_range() -> Iterator[Range]:
    project, _ = read_project(project_files(PROJECT)[0])
    assert project is not None
    files, problems = read_test_files(find_test_files(PROJECT)[0], project)
    assert not problems
    with Ground(project) as ground:
        played = {file.journey: play(ground, file) for file in files}
        yield Range(ground, {file.journey: file for file in files}, played, Counter())


@pytest.mark.parametrize("journey_id", sorted(path.stem for path in (PROJECT / "journeys").glob("[!c]*[!t].yaml")))
def test_every_mutant_of_a_shipped_journey_fails_one_of_its_tests(journey_id: str, shooting_range: Range) -> None:
    mutants = list(mutants_of(shooting_range.ground.applied.journeys[journey_id].journey))
    equivalent = {what for what in EQUIVALENT if what.startswith(f"{journey_id}: ")}
    equivalent |= {m.what for m in mutants if any(m.what.endswith(ending) for ending in EVERYWHERE)}
    survivors = {m.what for m in mutants if shooting_range.survives(m, hardy=m.what in equivalent)}
    assert survivors == equivalent
