"""`engage check`: every mistake at once, with its place and what to do about it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from engage.cli.ending import Ending, Refusal
from engage.cli.invocation import Invocation
from engage.cli.lone import check_lone, is_inside_project
from engage.cli.problems import count_errors, renamed, show_problems, show_summary
from engage.cli.schema import keep_schemas
from engage.cli.screen import Screen, print_json
from engage.cli.settings_files import read_settings
from engage.content.project import CATALOG, project_files, read_project
from engage.content.test_files import find_test_files, read_test_files
from engage.core.journey.explain_problem import problem_to_json
from engage.core.problem import Problem


@dataclass
class _Found:
    """What has been looked at; problems name their files as the reader knows them."""

    files: int = 0
    problems: list[Problem] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)


def check(
    ctx: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH…", help="Projects, or single files. Default: the project of this folder."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts and editors.")] = False,
) -> None:
    """Find every mistake in journeys, templates and catalog.

    And in tests, config.yaml and simulate.yaml. Reads files only: no database, no secrets. A journey file that belongs
    to no project is checked by itself, with the catalog of its folder, else of the nearest project, else the shipped
    one. What editors read (.engage/) is brought up to date.

    Examples:
      engage check
      engage check journeys/nps.yaml
      engage check drafts/*.yaml --json

    Exit codes: 0 no errors (there may be warnings) · 1 errors · 2 a path does not exist
    """
    inv = Invocation.of(ctx)
    found = _check(inv, paths or [])
    keep_schemas(paths or [inv.folder_of_journeys], inv.lang)
    if as_json:
        errors = count_errors(found.problems)
        counts = {"files": found.files, "errors": errors, "warnings": len(found.problems) - errors}
        print_json({**counts, "problems": [problem_to_json(problem, inv.lang) for problem in found.problems]})
    else:
        show_problems(inv.screen, found.problems, found.sources)
        show_summary(inv.screen, found.problems, found.files)
    if count_errors(found.problems):
        raise typer.Exit(Ending.NO)


def _check(inv: Invocation, paths: Sequence[Path]) -> _Found:
    found = _Found()
    if not paths:
        _add_project(found, inv.folder_of_journeys, "")
        return found
    own: dict[Path, list[Path]] = defaultdict(list)  # files of projects: one reading serves them all
    for path in paths:
        _must_exist(inv.screen, path)
        if path.is_dir() and (path / CATALOG).is_file():
            _add_project(found, path, f"{path.as_posix()}/" if path != Path() else "")
        elif path.is_dir():
            for file in sorted(path.glob("*.yaml")):
                _add_lone(found, file)
        elif (folder := is_inside_project(path)) is not None:
            own[folder].append(path)
        else:
            _add_lone(found, path)
    for folder, files in own.items():
        _add_files_of(found, folder, files)
    return found


def _must_exist(screen: Screen, path: Path) -> None:
    if not path.exists():
        raise Refusal(screen.word(f"{path} does not exist", f"{path} 不存在"), Ending.USAGE)


def _add_project(found: _Found, folder: Path, prefix: str, only: Sequence[str] | None = None) -> None:
    """`only`: the files of the project whose problems are asked for."""
    sources, problems = project_files(folder)
    project, more = read_project(sources)
    tests, untold = find_test_files(folder)
    # What a test may expect is what the journeys can do: they come first.
    told = read_test_files(tests, project)[1] if project is not None else []
    settings, amiss = read_settings(folder, project)
    sources |= tests | settings
    wanted = [
        problem for problem in [*problems, *more, *untold, *told, *amiss] if only is None or problem.span.file in only
    ]
    found.files += len(sources) if only is None else len(only)
    found.problems += [renamed(problem, lambda name: prefix + name) for problem in wanted]
    found.sources |= {f"{prefix}{name}": source for name, source in sources.items()}


def _add_files_of(found: _Found, folder: Path, files: Sequence[Path]) -> None:
    names = [file.absolute().relative_to(folder).as_posix() for file in files]
    _add_project(found, folder, "", only=names)


def _add_lone(found: _Found, path: Path) -> None:
    shown_as = path.as_posix()
    source, problems = check_lone(path, shown_as)
    found.files += 1
    found.sources[shown_as] = source
    found.problems += problems
