"""What `plan` and `apply` start from: the files of the folder, without errors, and the database they are applied to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from engage.bootstrap import open_database
from engage.cli.ending import Ending, Refusal
from engage.cli.invocation import Invocation
from engage.cli.problems import count_errors, show_problems, show_summary
from engage.content.project import Project, project_files, read_project
from engage.core.release import Release
from engage.runtime.edits.plan import Rules
from engage.store.databases.database import Database
from engage.store.databases.migrating import require_current, upgrade

ReleaseOption = Annotated[
    Release, typer.Option("--release", help="When members go on whose wait is over by the new files.")
]
ExistingOption = Annotated[
    bool, typer.Option("--existing", help="Members who are in a new segment already also enter the journeys it starts.")
]
StopOption = Annotated[
    list[str] | None,
    typer.Option("--stop", metavar="JOURNEY", help="End a journey without a file now; else its members finish it."),
]


def checked_project(inv: Invocation) -> Project:
    """What is wrong with the files is shown. Raises Refusal if anything is an error."""
    sources, unreadable = project_files(inv.folder)
    project, problems = read_project(sources)
    problems = [*unreadable, *problems]
    show_problems(inv.screen, problems, sources)
    if project is None or count_errors(problems):
        show_summary(inv.screen, problems, len(sources))
        raise Refusal(inv.screen.word("nothing was applied", "没有应用任何改动"), Ending.NO)
    return project


@contextmanager
def made_database(inv: Invocation) -> Iterator[Database]:
    """A missing SQLite database is made."""
    database = open_database(inv.config, inv.folder)
    try:
        if database.file is not None and not database.file.exists():
            upgrade(database)
            inv.screen.aside(f"Made the database {database.file}.", f"已建立数据库 {database.file}。")
        require_current(database)
        yield database
    finally:
        database.close()


def rules_of(inv: Invocation) -> Rules:
    return Rules.of(inv.config.policy, guarded=True)
