"""The tests that come with the journeys pass and walk every way; playing them is deterministic, and opens no socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from engage.content.project import Project, project_files, read_project
from engage.content.test_files import find_test_files, read_test_files
from engage.core.testfile.model import TestFile
from engage.simulation.coverage import coverage_of
from engage.simulation.ground import Ground
from engage.simulation.playing import Played, play

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def project() -> Project:
    project, problems = read_project(project_files(PROJECT)[0])
    assert problems == []
    assert project is not None
    return project


@pytest.fixture(scope="module")
def ground(project: Project) -> Iterator[Ground]:
    with Ground(project) as ground:
        yield ground


@pytest.fixture(scope="module")
def files(project: Project) -> dict[str, TestFile]:
    files, problems = read_test_files(find_test_files(PROJECT)[0], project)
    assert problems == []
    return {file.journey: file for file in files}


@pytest.fixture(scope="module")
def played(ground: Ground, files: dict[str, TestFile]) -> list[Played]:
    return [done for file in files.values() for done in play(ground, file)]


def test_every_shipped_journey_has_tests(project: Project, files: dict[str, TestFile]) -> None:
    assert sorted(files) == sorted(project.journeys)


def test_they_all_pass(played: list[Played]) -> None:
    assert [(done.file.journey, done.case.name) for done in played if not done.passed] == []


def test_they_walk_every_way_of_every_journey(project: Project, played: list[Played]) -> None:
    missing = [arm for journey in coverage_of(project.journeys.values(), played) for arm in journey.missing]
    assert missing == []


def test_what_no_test_walks_is_told_with_its_line(project: Project, played: list[Played]) -> None:
    of_nps = [done for done in played if done.file.journey == "nps" and not done.case.name.startswith(("7", "8"))]
    (nps,) = coverage_of([project.journeys["nps"]], of_nps)
    assert [(arm.step_id, arm.name) for arm in nps.missing] == [("switch-nps", "7..8")]
    assert nps.percent < 100
    line = (PROJECT / "journeys/nps.yaml").read_text().splitlines()[nps.missing[0].span.line - 1]
    assert "switch: nps" in line


def test_the_same_again_comes_out_the_same(ground: Ground, files: dict[str, TestFile], played: list[Played]) -> None:
    again = play(ground, files["winback"])
    assert [done.timeline for done in again] == [d.timeline for d in played if d.file.journey == "winback"]


def test_a_case_alone_comes_out_as_beside_the_others(
    ground: Ground, files: dict[str, TestFile], played: list[Played]
) -> None:
    together = {done.case.name: done for done in played if done.file.journey == "nps"}
    for case in files["nps"].cases[::4]:
        (alone,) = play(ground, files["nps"], [case])
        assert _told(alone) == _told(together[case.name])


def _told(done: Played) -> list[tuple[object, ...]]:
    """Without the numbers of runs, which depend on who else is there."""
    return [(line.at, line.verb, line.names, line.via, line.why, line.step_id) for line in done.timeline]


def test_no_socket_is_opened(project: Project, files: dict[str, TestFile], monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> NoReturn:
        raise AssertionError("a world connects to nothing")

    for way in ("connect", "connect_ex", "bind", "sendto"):
        monkeypatch.setattr(socket.socket, way, refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    with Ground(project) as quiet:
        assert all(done.passed for done in play(quiet, files["refill_hard"], files["refill_hard"].cases[:3]))
