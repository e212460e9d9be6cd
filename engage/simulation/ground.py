"""The ground that worlds stand on: a database with a project applied to it, made once and copied for each world. An
empty one, or a copy of one that is only read; what is paused in that one is not paused here.

    with Ground(project) as ground:
        with ground.world(begins) as world: ...

The databases are files in a temporary folder, without durability: memory does not grow with the number of members.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from sqlalchemy import Connection

from engage.bootstrap import build_context, clock_of
from engage.clock import VirtualClock
from engage.config import Config
from engage.content.project import Project
from engage.runtime.applied import Applied, load_applied
from engage.runtime.edits.applying import Refused, apply
from engage.runtime.edits.plan import Rules
from engage.simulation.channels import Fate, taken
from engage.simulation.settings import USUAL
from engage.simulation.world import SWEEP_EVERY, World
from engage.store import state
from engage.store.databases.backup import copy_unchanged
from engage.store.databases.database import Database
from engage.store.insight import forecasting

# Long before any world begins: every journey has been in force since then.
_APPLIED_AT = datetime(2000, 1, 1, tzinfo=UTC)


class Ground:
    """`applied`: what was made of the project; a world may be given a variation of it."""

    applied: Applied
    now: datetime  # when it was applied; over a database, the moment that this one lives in
    refused: Refused | None  # the project cannot be applied there

    def __init__(self, project: Project, config: Config = USUAL, over: Path | None = None) -> None:
        """`over`: a SQLite database to stand on instead of an empty one. It is copied, and only read."""
        self._folder = TemporaryDirectory(prefix="engage-world-")
        self._worlds = count(1)
        # Closed, and to be used again: they still know the statements they have compiled.
        self._spare: list[Database] = []
        if over is not None:
            copy_unchanged(over, self._file("empty"))
        empty = self._open("empty")
        self.now = _made_ready(empty, over is not None)
        done = apply(empty, project, self.now, rules=Rules.of(config.policy))
        self.refused = done if isinstance(done, Refused) else None
        if over is None:
            with empty.write() as connection:
                state.forget_time(connection)  # it begins with each world
        with empty.read() as connection:
            self.applied = load_applied(connection, project)
        self._wired = build_context(config, VirtualClock(_APPLIED_AT), empty)
        empty.close()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """The ground itself, for what its past tells."""
        database = self._open("empty")
        try:
            with database.read() as connection:
                yield connection
        finally:
            database.close()

    @contextmanager
    def world(
        self,
        begins: datetime,
        *,
        applied: Applied | None = None,
        fate: Fate = taken,
        sweep_every: timedelta = SWEEP_EVERY,
    ) -> Iterator[World]:
        """A new world on this ground. Several may live at the same time."""
        database = self._spare.pop() if self._spare else self._open(f"world-{os.getpid()}-{next(self._worlds)}")
        shutil.copyfile(self._file("empty"), database.file or "")
        in_force = applied or self.applied
        with World(database, in_force, begins, fate=fate, sweep_every=sweep_every, wired=self._wired) as world:
            yield world
        self._spare.append(database)

    def _file(self, name: str) -> Path:
        return Path(self._folder.name) / f"{name}.db"

    def _open(self, name: str) -> Database:
        return Database(f"sqlite:///{self._file(name)}", durable=False)

    def close(self) -> None:
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _made_ready(database: Database, copied: bool) -> datetime:
    """When the project is applied there. Raises SchemaTooOld for a copy that needs an upgrade."""
    if not copied:
        database.create_all()
        return _APPLIED_AT
    from engage.store.databases.migrating import (
        require_current,  # brings Alembic along, which an empty database does without
    )

    require_current(database)
    with database.write() as connection:
        forecasting.lift_pauses(connection)
    return clock_of(database).now()
