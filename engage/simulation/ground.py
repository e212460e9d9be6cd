"""The ground that worlds stand on: an empty database with a project applied to it, made once and copied for each world.

    with Ground(project) as ground:
        with ground.world(begins) as world: ...

The databases are files in a temporary folder, without durability: memory does not grow with the number of members.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from engage.bootstrap import build_context
from engage.clock import VirtualClock
from engage.config import Config
from engage.content.project import Project
from engage.runtime.applied import Applied, load_applied
from engage.runtime.applying import apply
from engage.simulation.channels import Fate, taken
from engage.simulation.settings import USUAL
from engage.simulation.world import SWEEP_EVERY, World, close_channels
from engage.store.database import Database

# Long before any world begins: every journey has been in force since then.
_APPLIED_AT = datetime(2000, 1, 1, tzinfo=UTC)


class Ground:
    """`applied`: what was made of the project; a world may be given a variation of it."""

    applied: Applied

    def __init__(self, project: Project, config: Config = USUAL) -> None:
        self._folder = TemporaryDirectory(prefix="engage-world-")
        self._worlds = count(1)
        # Closed, and to be used again: they still know the statements they have compiled.
        self._spare: list[Database] = []
        empty = self._open("empty")
        empty.create_all()
        apply(empty, project, _APPLIED_AT)
        with empty.read() as connection:
            self.applied = load_applied(connection)
        self._wired = build_context(config, VirtualClock(_APPLIED_AT), empty)
        empty.close()

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
        database = self._spare.pop() if self._spare else self._open(f"world-{next(self._worlds)}")
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
        close_channels(self._wired)
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
