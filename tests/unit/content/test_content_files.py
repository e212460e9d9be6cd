"""Files of a project that cannot be opened: told, each at its place, and the others are read all the same."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from engage.content.project import project_files, read_project
from engage.content.test_files import find_test_files

ROOT = Path(__file__).parents[3]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for part in ("journeys", "templates"):
        shutil.copytree(ROOT / part, tmp_path / part)
    return tmp_path


@pytest.mark.parametrize("name", ["journeys/spring.yaml", "templates/spring.sms.j2"])
def test_a_folder_with_the_name_of_a_file_is_told(folder: Path, name: str) -> None:
    (folder / name).mkdir()
    sources, problems = project_files(folder)
    assert [(problem.code, problem.span.file, problem.help[0].en) for problem in problems] == [
        ("E400", name, "rename the folder")
    ]
    assert name not in sources
    assert read_project(sources)[1] == []


@pytest.mark.parametrize("target", ["nowhere.yaml", "spring.yaml"], ids=["nowhere", "in a circle"])
def test_a_link_that_leads_to_no_file_is_told(folder: Path, target: str) -> None:
    (folder / "journeys" / "spring.yaml").symlink_to(target)
    _, problems = project_files(folder)
    assert [(problem.code, problem.help[0].en) for problem in problems] == [("E400", "remove it")]


def test_so_is_a_folder_with_the_name_of_a_test_file(folder: Path) -> None:
    (folder / "journeys" / "spring.test.yaml").mkdir()
    sources, problems = find_test_files(folder)
    assert [(problem.code, problem.span.file) for problem in problems] == [("E400", "journeys/spring.test.yaml")]
    assert "journeys/winback.test.yaml" in sources
