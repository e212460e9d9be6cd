"""What commands that connect to nothing start from: the project of this folder, and its rules and prices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer

from engage.bootstrap import open_database
from engage.cli.ending import Ending, Refusal
from engage.cli.invocation import Invocation
from engage.cli.language import nearest_config
from engage.cli.problems import count_errors, show_problems, show_summary
from engage.config import Config, load_config
from engage.content.project import Project, project_files, read_project
from engage.simulation.ground import Ground
from engage.simulation.settings import USUAL


def sound_project(inv: Invocation, folder: Path) -> Project:
    """Without an error; else they are shown, and that is the end."""
    sources, unreadable = project_files(folder)
    project, problems = read_project(sources)
    errors = [problem for problem in [*unreadable, *problems] if count_errors([problem])]
    if project is None or errors:
        show_problems(inv.screen, errors, sources)
        show_summary(inv.screen, errors, len(sources))
        raise typer.Exit(Ending.NO)
    return project


def rules_of_world(inv: Invocation, folder: Path) -> Config:
    """The project's own rules and prices. Secrets are not looked up: nothing is connected to."""
    path = inv.options.config or nearest_config(folder)
    return load_config(path, secrets=False) if path is not None else USUAL


@contextmanager
def real_ground(inv: Invocation, folder: Path, project: Project) -> Iterator[Ground]:
    """A world's ground over a copy of the configured database. That one is opened for reading only."""
    config = inv.config
    file = open_database(config, inv.folder).file
    if file is None:
        words = (
            "only a SQLite database can be copied for this; take synthetic members, without --real",
            "只有 SQLite 数据库可以这样复制；请去掉 --real，使用虚拟会员",
        )
        raise Refusal(inv.screen.word(*words))
    if not file.exists():
        words = (f"there is no database at {file} yet", f"数据库 {file} 还不存在")
        raise Refusal(inv.screen.word(*words))
    with Ground(project, rules_of_world(inv, folder), over=file) as ground:
        if ground.refused is not None:
            words = (
                "these files cannot be applied as they stand; `engage plan` says why",
                "这些文件现在还不能应用；`engage plan` 会说明原因",
            )
            raise Refusal(inv.screen.word(*words))
        yield ground


def must_know(inv: Invocation, project: Project, journeys: Sequence[str]) -> None:
    for name in journeys:
        if name not in project.journeys:
            known = ", ".join(project.journeys)
            words = (f"there is no journey {name}; there are: {known}", f"没有旅程 {name}；现有：{known}")
            raise Refusal(inv.screen.word(*words), Ending.USAGE)
