"""Which behaviour file a simulation goes by."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import typer

from engage.cli.ending import Ending, Refusal
from engage.cli.invocation import Invocation
from engage.cli.problems import count_errors, show_problems, show_summary
from engage.cli.shipped import BEHAVIOUR
from engage.content.project import Project, read_text
from engage.core.behaviour.model import Behaviour
from engage.core.behaviour.reading import read_behaviour
from engage.core.problem import Problem


def behaviour_of(inv: Invocation, folder: Path, project: Project, given: Path | None) -> tuple[Behaviour, str]:
    """And what it is called. A project without one goes by the shipped one, as far as that speaks of its words."""
    path = given if given is not None else folder / BEHAVIOUR.name
    if not path.is_file():
        if given is not None:
            raise Refusal(inv.screen.word(f"{given} does not exist", f"{given} 不存在"), Ending.USAGE)
        usual, _ = read_behaviour(BEHAVIOUR.read_text(encoding="utf-8"), BEHAVIOUR.name, project.catalog, ())
        return usual or Behaviour(), inv.screen.word("the usual one", "通用默认值")
    text = read_text(path, path.as_posix())
    if isinstance(text, Problem):
        _refuse(inv, [text], "", path)
    behaviour, problems = read_behaviour(text, path.as_posix(), project.catalog, project.journeys)
    if behaviour is None or count_errors(problems):
        _refuse(inv, problems, text, path)
    return behaviour, path.name


def _refuse(inv: Invocation, problems: list[Problem], text: str, path: Path) -> NoReturn:
    show_problems(inv.screen, problems, {path.as_posix(): text})
    show_summary(inv.screen, problems, 1)
    raise typer.Exit(Ending.NO)
