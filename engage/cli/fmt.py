"""`engage fmt`: one layout for every journey, and mends for mistakes that can have only one meaning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import unified_diff
from functools import cache
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from engage.cli.ending import Ending, Refusal
from engage.cli.invocation import Invocation
from engage.cli.problems import show_problems
from engage.cli.schema import keep_schemas
from engage.cli.screen import Screen
from engage.cli.shipped import ROOT
from engage.content.project import CATALOG, JOURNEYS, read_text
from engage.core.catalog import Catalog
from engage.core.journey.model import Journey
from engage.core.journey.nodes import read_nodes
from engage.core.journey.reading import read_catalog, read_journey
from engage.core.problem import Problem
from engage.core.testfile.known import Known
from engage.core.testfile.reading import SUFFIX, read_tests
from engage.editor.formatting import formatted
from engage.editor.mending import Reader

_CATALOG_NAME = "catalog.yaml"


@dataclass
class _Outcome:
    files: int = 0
    changed: list[Path] = field(default_factory=list)
    unreadable: list[Path] = field(default_factory=list)


def fmt(
    ctx: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH…", help="Files, or folders of them. Default: the journeys of this project."),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; say what would change.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show the lines that change.")] = False,
    fix: Annotated[
        bool, typer.Option("--fix", help="Also mend what can have only one meaning: ： for :, 3天 for 3d, >= 5 for 5..")
    ] = False,
    ids: Annotated[
        bool, typer.Option("--ids", help="Also write down the ids that steps have, so that later edits keep them.")
    ] = False,
) -> None:
    """Lay out journeys, tests and catalog in one way.

    Indentation, spaces and blank lines; words, quotes and comments stay as they are, and so does the meaning. A file
    that cannot be read is left alone, and what is wrong with it is told.

    Examples:
      engage fmt
      engage fmt --fix journeys/nps.yaml
      engage fmt --check --diff

    Exit codes: 0 done · 1 --check found something to change, or a file cannot be read · 2 a path does not exist
    """
    inv = Invocation.of(ctx)
    outcome = _Outcome()
    for path in _files(paths or [inv.folder_of_journeys], inv.screen):
        outcome.files += 1
        _one(path, outcome, inv.screen, check=check, diff=diff, fix=fix, ids=ids)
    _sum_up(outcome, inv.screen, check=check)
    if not check:
        keep_schemas(paths or [inv.folder_of_journeys], inv.lang)
    if outcome.unreadable or (check and outcome.changed):
        raise typer.Exit(Ending.NO)


def _files(paths: Iterable[Path], screen: Screen) -> Iterator[Path]:
    for path in paths:
        if not path.exists():
            raise Refusal(screen.word(f"{path} does not exist", f"{path} 不存在"), Ending.USAGE)
        if not path.is_dir():
            yield path
        else:
            yield from sorted((path / JOURNEYS if (path / CATALOG).is_file() else path).glob("*.yaml"))


def _one(path: Path, outcome: _Outcome, screen: Screen, *, check: bool, diff: bool, fix: bool, ids: bool) -> None:
    before = read_text(path, str(path))
    if isinstance(before, Problem):
        outcome.unreadable.append(path)
        show_problems(screen, [before], {})
        return
    after = formatted(before, mend_by=_reader_of(path) if fix else None, ids=ids)
    if after is None:
        outcome.unreadable.append(path)
        show_problems(screen, read_nodes(before, str(path))[1], {str(path): before})
        return
    if after == before:
        return
    outcome.changed.append(path)
    screen.line(f"✎ {path}")
    if diff:
        _show_diff(path, before, after, screen)
    if not check:
        path.write_bytes(after.encode())


def _show_diff(path: Path, before: str, after: str, screen: Screen) -> None:
    lines = unified_diff(before.splitlines(), after.splitlines(), str(path), str(path), lineterm="", n=1)
    for line in list(lines)[2:]:
        screen.line(Text(line, style={"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")))


def _sum_up(outcome: _Outcome, screen: Screen, *, check: bool) -> None:
    changed, broken = len(outcome.changed), len(outcome.unreadable)
    if check:
        screen.say(
            f"{changed} of {outcome.files} files would change", f"{outcome.files} 个文件里有 {changed} 个需要调整"
        )
    else:
        screen.say(f"{changed} of {outcome.files} files changed", f"{outcome.files} 个文件里调整了 {changed} 个")
    if broken:
        screen.say(f"{broken} cannot be read, and were left alone", f"{broken} 个无法读取，没有改动", "bold red")


# --- what is wrong with a file, by itself -----------------------------------------------------------------------


def _reader_of(path: Path) -> Reader:
    """Finds the mistakes of one file, by the catalog and the journeys that stand beside it."""
    name, folder = str(path), path.absolute().parent
    if path.name == _CATALOG_NAME:
        return lambda source: read_catalog(source, name)[1]
    catalog = _catalog_beside(folder)
    if path.name.endswith(SUFFIX):
        known = Known(catalog, _journeys_beside(folder), ())
        return lambda source: read_tests(source, name, known)[1]
    return lambda source: read_journey(source, name, catalog)[1]


@cache
def _catalog_beside(folder: Path) -> Catalog:
    """Else the shipped one."""
    for place in (folder / _CATALOG_NAME, ROOT / CATALOG):
        catalog = read_catalog(place.read_text("utf-8", "replace"), place.name)[0] if place.is_file() else None
        if catalog is not None:
            return catalog
    raise AssertionError("the shipped catalog can be read")


@cache
def _journeys_beside(folder: Path) -> dict[str, Journey]:
    found: dict[str, Journey] = {}
    for path in folder.glob("*.yaml"):
        if path.name != _CATALOG_NAME and not path.name.endswith(SUFFIX):
            journey, _ = read_journey(path.read_text("utf-8", "replace"), path.name, _catalog_beside(folder))
            if journey is not None:
                found[journey.id] = journey
    return found
