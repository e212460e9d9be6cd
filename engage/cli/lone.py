"""Journey files checked by themselves, outside a project: with the nearest catalog, templates and other journeys."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engage.cli.language import CONFIG_NAME
from engage.cli.problems import renamed
from engage.cli.settings_files import SETTINGS
from engage.cli.shipped import ROOT
from engage.content.project import CATALOG, JOURNEYS, project_files, read_project, read_text
from engage.core.problem import Problem

_CATALOG_NAME = "catalog.yaml"


def check_lone(path: Path, shown_as: str) -> tuple[str, list[Problem]]:
    """The file's text and its problems, at `shown_as`. A catalog that cannot be read is reported instead."""
    source = read_text(path, shown_as)
    if isinstance(source, Problem):
        return "", [source]
    base = _base(path)
    if path.name == _CATALOG_NAME:
        place, sources = CATALOG, base | {CATALOG: source}
    else:
        place = f"{JOURNEYS}{path.stem}.yaml"
        sources = base | {place: source}
    _, problems = read_project(sources)
    own = [
        renamed(problem, lambda name: shown_as if name == place else name)
        for problem in problems
        if problem.span.file == place
    ]
    unreadable = [problem for problem in problems if problem.span.file == CATALOG]
    return source, own or unreadable


def _base(path: Path) -> dict[str, str]:
    """The folder's own catalog if it has one; else the nearest project; else what is shipped."""
    folder = path.absolute().parent
    if (folder / _CATALOG_NAME).is_file() and folder.name != JOURNEYS.rstrip("/"):
        own = {CATALOG: (folder / _CATALOG_NAME).read_text(encoding="utf-8")}
        return _texts(ROOT, only="templates/") | own
    places = (*_upwards(folder), *_upwards(Path.cwd()), ROOT)
    return _texts(next(place for place in places if _is_project(place)))


def _texts(folder: Path, only: str = "") -> dict[str, str]:
    sources, _ = project_files(folder)
    return {path: source for path, source in sources.items() if path.startswith(only)}


def _upwards(folder: Path) -> Iterable[Path]:
    return (folder, *folder.parents)


def _is_project(folder: Path) -> bool:
    return (folder / CATALOG).is_file()


def is_inside_project(path: Path) -> Path | None:
    """The project folder that this file is a journey, a template or one of the settings of."""
    full = path.absolute()
    for folder in full.parents:
        if _is_project(folder) or (folder / CONFIG_NAME).is_file():
            first = full.relative_to(folder).parts[0]
            return folder if first in ("journeys", "templates", *SETTINGS) else None
    return None
