"""The tests that come with the journeys notice when a journey is wrong: every mutant fails at least one of them, but
for those listed here, which no member could tell from the journey itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import pytest
from mutants import Mutant, mutants_of

from engage.cli.logs import log_faults
from engage.content.project import project_files, read_project
from engage.content.test_files import find_test_files, read_test_files
from engage.core.testfile.model import Case, TestFile, Verb
from engage.runtime.applied import Applied, activate
from engage.simulation.ground import Ground
from engage.simulation.playing import Played, play

PROJECT = Path(__file__).parents[2]
JOURNEYS = sorted(path.name.removesuffix(".test.yaml") for path in (PROJECT / "journeys").glob("*.test.yaml"))
_ALONE = 3  # cases, before the rest are played together

# Why nobody in a test of one journey could notice. Any journey: what its name ends with.
EVERYWHERE = {
    "lowest priority": "priority decides between journeys that want to write to the same member at the same moment",
    "late removed": "nothing is late unless the daemon was down",
    "on_fail retry": "every call succeeds in a test",
    "on_fail exit": "every call succeeds in a test",
}
EQUIVALENT = {
    "onboarding_90d: if: then 1..3 low - 1": "nobody can answer 0",
    "birthday: another reentry": "a yearly date comes once in its cycle year, whatever is said of re-entry",
    "birthday: reentry a year later": "a yearly date comes once in its cycle year, whatever is said of re-entry",
    "birthday: wait>birthday: an hour longer": "with `at`, hours count only past midnight",
    "service_recovery: another reentry": "nobody is brought in twice within 30 days",
    "service_recovery: if: then 1..3 low - 1": "nobody can answer 0",
    "service_recovery: wait_for-task_done~2: up_to an hour shorter": "both ways lead to the same wait until 10:00",
    "service_recovery: wait>csat: an hour longer": "with `at`, hours count only past midnight",
    "welcome: another reentry": "a member is created once",
    "welcome: wait>welcome_guide: an hour longer": "with `at`, hours count only past midnight",
    "welcome: wait>first_order_coupon: an hour longer": "with `at`, hours count only past midnight",
    "welcome: wait>first_order_coupon: without at": "the wait begins at 10:00",
    "winback: another reentry": "time alone moves nobody into a segment in a test, so nobody falls asleep twice",
    "winback: reentry a year later": "time alone moves nobody into a segment in a test, so nobody falls asleep twice",
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
        nobody_enters = [case for case in cases if case.name in self._empty(file)]
        others = [case for case in cases if case not in nobody_enters]
        alone = 0 if hardy else _ALONE
        rest = sorted(others[alone:], key=lambda case: case.until is not None)
        short = [case for case in rest if case.until is None]
        for chosen in (nobody_enters, *([case] for case in others[:alone]), short, rest[len(short) :]):
            failed = [done.case.name for done in play(self.ground, file, chosen, applied) if not done.passed]
            self.kills.update(failed)
            if failed:
                return False
        return all(
            done.passed for guests, cases in self._guests(mutant) for done in play(self.ground, guests, cases, applied)
        )

    def _guests(self, mutant: Mutant) -> Iterator[tuple[TestFile, list[Case]]]:
        """Cases of other journeys that lead their members into this one."""
        for name, played in self.played.items():
            entering = [done.case for done in played if _enters(done, mutant.journey.id)]
            if entering and name != mutant.journey.id:
                yield self.files[name], entering

    def _empty(self, file: TestFile) -> set[str]:
        return {done.case.name for done in self.played[file.journey] if not done.timeline}

    def _with(self, mutant: Mutant) -> Applied:
        applied, name = self.ground.applied, mutant.journey.id
        active = applied.journeys[name]
        changed = activate(mutant.journey, active.version, draining=False, since=active.since)
        return replace(applied, journeys={**applied.journeys, name: changed}, mark=mutant.what)

    def _most_telling_first(self, mutant: Mutant) -> list[Case]:
        """The cases that come by the changed step, those first that expect something of it: others cannot notice. Of
        the journey as a whole, those first that nobody enters, or that end early: the others rarely tell."""
        passing = [done for done in self.played[mutant.journey.id] if mutant.step_id in (None, *_steps_of(done))]
        telling = _tells_of_the_top if mutant.step_id is None else _expects_something_of(mutant.step_id)
        ranked = sorted(passing, key=lambda done: (not telling(done), -self.kills[done.case.name], len(done.timeline)))
        return [done.case for done in ranked]


def _enters(played: Played, journey_id: str) -> bool:
    return any(line.verb == Verb.ENTER and line.name == journey_id for line in played.timeline)


def _tells_of_the_top(played: Played) -> bool:
    kinds = {line.name for line in played.timeline if line.verb == Verb.EXIT}
    return not played.timeline or bool(kinds - {"end"})


def _expects_something_of(step_id: str) -> Callable[[Played], bool]:
    return lambda played: any(
        found.by is not None and played.timeline[found.by].step_id == step_id for found in played.found
    )


def _steps_of(played: Played) -> set[str | None]:
    return {line.step_id for line in played.timeline}


@cache
def shooting_range() -> Range:
    """One for each process, and as long as it lives."""
    project, _ = read_project(project_files(PROJECT)[0])
    assert project is not None
    files, problems = read_test_files(find_test_files(PROJECT)[0], project)
    assert not problems
    ground = Ground(project)
    played = {file.journey: play(ground, file) for file in files}
    return Range(ground, {file.journey: file for file in files}, played, Counter())


def equivalents(mutants: Iterable[Mutant]) -> set[str]:
    """Those that nobody could notice, by the lists above."""
    return {m.what for m in mutants if m.what in EQUIVALENT or m.what.endswith(tuple(EVERYWHERE))}


def survivors(journey_id: str) -> set[str]:
    log_faults()
    at = shooting_range()
    mutants = list(mutants_of(at.ground.applied.journeys[journey_id].journey))
    hardy = equivalents(mutants)
    return {mutant.what for mutant in mutants if at.survives(mutant, hardy=mutant.what in hardy)}


@pytest.fixture(scope="module")
def shot_at() -> Iterator[Mapping[str, Future[set[str]]]]:
    """By journey, its survivors. On every core at once: there are hundreds of mutants."""
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        yield {journey_id: pool.submit(survivors, journey_id) for journey_id in JOURNEYS}


@pytest.mark.parametrize("journey_id", JOURNEYS)
def test_every_mutant_of_a_shipped_journey_fails_one_of_its_tests(
    journey_id: str, shot_at: Mapping[str, Future[set[str]]]
) -> None:
    project, _ = read_project(project_files(PROJECT)[0])
    assert project is not None
    assert shot_at[journey_id].result() == equivalents(mutants_of(project.journeys[journey_id]))


def test_every_mutant_that_is_listed_is_one() -> None:
    project, _ = read_project(project_files(PROJECT)[0])
    assert project is not None
    there = {mutant.what for journey in project.journeys.values() for mutant in mutants_of(journey)}
    assert set(EQUIVALENT) <= there
    assert len(there) > 250
