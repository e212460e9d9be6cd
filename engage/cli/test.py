"""`engage test`: the project's own tests, in a virtual world: the real engine, a fake clock, nothing sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from engage.cli.ending import Ending, Refusal, end_in_order_if_told
from engage.cli.invocation import Invocation
from engage.cli.logs import log_faults
from engage.cli.offline import rules_of_world
from engage.cli.problems import count_errors, show_problems, show_summary
from engage.cli.screen import print_json
from engage.cli.test_pages import show_case, show_coverage, show_totals
from engage.cli.test_report import report
from engage.config import Config
from engage.content.project import Project, project_files, read_project
from engage.content.test_files import find_test_files, read_test_files
from engage.core.testfile.model import TestFile
from engage.simulation.coverage import coverage_of
from engage.simulation.ground import Ground
from engage.simulation.playing_all import Part, play_all


@dataclass(frozen=True, slots=True)
class _Readied:
    project: Project
    files: Sequence[TestFile]
    config: Config


def run_tests(
    ctx: typer.Context,
    which: Annotated[
        list[str] | None,
        typer.Argument(metavar="WHICH…", help="Journeys, or test files. Default: all of the project of this folder."),
    ] = None,
    named: Annotated[str | None, typer.Option("-k", help="Only tests whose name contains this.")] = None,
    coverage: Annotated[bool, typer.Option("--coverage", help="Also list what no test has walked.")] = False,
    coverage_min: Annotated[
        int | None, typer.Option("--coverage-min", min=0, max=100, help="Fail if a journey is covered less, in %.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Run the tests of journeys; nothing is sent.

    They are journeys/<id>.test.yaml. The real engine with the files as they stand, in a world of its own: the clock
    jumps, providers take every message, and no secret is needed. For a test that fails the member's whole timeline is
    shown beside what was expected.

    Examples:
      engage test
      engage test winback -k 下单
      engage test --coverage-min 100

    Exit codes: 0 all passed · 1 some failed, or the files have mistakes · 2 no such journey or file
    """
    inv = Invocation.of(ctx)
    log_faults()
    end_in_order_if_told()
    readied = _ready(inv, which or [])
    wanted = [Part(f, [case for case in f.cases if named is None or named in case.name]) for f in readied.files]
    with Ground(readied.project, readied.config) as ground:
        played = play_all(ground, wanted)
    journeys = [readied.project.journeys[file.journey] for file in readied.files]
    walked = coverage_of(journeys, played) if coverage or coverage_min is not None else []
    if as_json:
        print_json(report(played, walked, inv.lang))
    else:
        for file in readied.files:
            inv.screen.line(file.path, "bold")
            for done in (done for done in played if done.file is file):
                show_case(inv.screen, done)
        show_coverage(inv.screen, walked)
        show_totals(inv.screen, played)
    too_little = coverage_min is not None and any(journey.percent < coverage_min for journey in walked)
    if too_little or not all(done.passed for done in played):
        raise typer.Exit(Ending.NO)


def _ready(inv: Invocation, which: Sequence[str]) -> _Readied:
    """The project and its test files, without a mistake; else they are shown, and that is the end."""
    folder = inv.folder_of_journeys
    sources, problems = project_files(folder)
    project, more = read_project(sources)
    tests, untold = find_test_files(folder)
    files, wrong = read_test_files(tests, project) if project is not None else ([], [])
    errors = [problem for problem in [*problems, *more, *untold, *wrong] if count_errors([problem])]
    if project is None or errors:
        show_problems(inv.screen, errors, sources | tests)
        show_summary(inv.screen, errors, len(sources) + len(tests))
        raise typer.Exit(Ending.NO)
    return _Readied(project, _wanted(inv, folder, files, which), rules_of_world(inv, folder))


def _wanted(inv: Invocation, folder: Path, files: Sequence[TestFile], which: Sequence[str]) -> list[TestFile]:
    if not files:
        raise Refusal(inv.screen.word("there are no journeys/*.test.yaml here", "这里没有 journeys/*.test.yaml"))
    wanted = []
    for name in which:
        found = [file for file in files if file.journey == name or _is_file(folder / file.path, name)]
        if not found:
            known = ", ".join(file.journey for file in files)
            raise Refusal(
                inv.screen.word(f"no tests for {name}; there are: {known}", f"没有 {name} 的测试；现有：{known}"),
                Ending.USAGE,
            )
        wanted += found
    return wanted or list(files)


def _is_file(path: Path, name: str) -> bool:
    """Whether `name` is that file, or the folder it is in."""
    given = Path(name).absolute()
    return given in (path.absolute(), *path.absolute().parents)
