"""The test files of a project: found beside its journeys, and read against what the project knows.

They are no part of what is applied: `engage check` and `engage test` read them, the daemon never does.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from engage.content.project import JOURNEYS, Project, read_text
from engage.core.problem import Problem
from engage.core.testfile.known import Known
from engage.core.testfile.model import TestFile
from engage.core.testfile.reading import SUFFIX, read_tests


def find_test_files(folder: Path) -> tuple[dict[str, str], list[Problem]]:
    """Every `journeys/<id>.test.yaml` of a folder, by path."""
    sources: dict[str, str] = {}
    problems: list[Problem] = []
    for path in sorted((folder / JOURNEYS).glob(f"*{SUFFIX}")):
        name = path.relative_to(folder).as_posix()
        text = read_text(path, name)
        if isinstance(text, Problem):
            problems.append(text)
        else:
            sources[name] = text
    return sources, problems


def read_test_files(sources: Mapping[str, str], project: Project) -> tuple[list[TestFile], list[Problem]]:
    """All of them, as far as they can be read, and every problem."""
    known = Known(project.catalog, project.journeys, tuple(project.library.names()))
    files: list[TestFile] = []
    problems: list[Problem] = []
    for path, source in sorted(sources.items()):
        file, found = read_tests(source, path, known)
        problems += found
        if file is not None:
            files.append(file)
    return files, problems
