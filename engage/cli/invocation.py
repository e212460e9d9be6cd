"""One call of `engage`: which project, which language, which database, which time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from engage.cli.ending import Refusal
from engage.cli.language import nearest_config, spoken
from engage.cli.logs import log_quietly
from engage.cli.options import GlobalOptions
from engage.cli.screen import Screen
from engage.config import Config, load_config
from engage.content.project import CATALOG
from engage.core.problem import Lang
from engage.errors import ConfigError

if TYPE_CHECKING:
    from engage.store.databases.database import Database


@dataclass
class Invocation:
    options: GlobalOptions

    @classmethod
    def of(cls, ctx: typer.Context) -> Invocation:
        log_quietly()
        return cls(ctx.find_object(GlobalOptions) or GlobalOptions())

    @cached_property
    def config_path(self) -> Path:
        found = self.options.config or nearest_config(Path.cwd())
        if found is None:
            raise ConfigError(
                "there is no config.yaml here or in a folder above; `engage init DIR` makes a project",
                "这里和上级文件夹都没有 config.yaml；`engage init 目录` 可以新建一个项目",
            )
        return found.absolute()

    @property
    def folder(self) -> Path:
        """Of the project: where the config file is."""
        return self.config_path.parent

    @property
    def folder_of_journeys(self) -> Path:
        """A folder with journeys is enough for what only reads files; else the config's."""
        if self.options.config is None and (Path.cwd() / CATALOG).is_file():
            return Path.cwd()
        return self.folder

    @cached_property
    def config(self) -> Config:
        return load_config(self.config_path)

    @cached_property
    def screen(self) -> Screen:
        return Screen(self.lang)

    @cached_property
    def lang(self) -> Lang:
        return spoken(self.options)

    # --- the database ---

    @contextmanager
    def database(self) -> Iterator[Database]:
        """The project's database, at the schema this version needs. Raises Refusal or SchemaTooOld, and makes no file
        where there is none."""
        # These bring the whole engine along; `check` can do without.
        from engage.bootstrap import open_database
        from engage.runtime.continuity import Witness
        from engage.store.databases.migrating import require_current

        database = open_database(self.config, self.folder)
        try:
            if database.file is not None and not database.file.exists():
                lived = Witness.of(database, self.folder).path.exists()
                raise Refusal(self.screen.word(*_no_database_at(database.file, lived=lived)))
            require_current(database)
            yield database
        finally:
            database.close()


def _no_database_at(file: Path, *, lived: bool) -> tuple[str, str]:
    """`lived`: a daemon has worked with one there."""
    if lived:
        return (
            f"the database {file} is gone: put it back where it was",
            f"数据库 {file} 不见了：请把它放回原处",
        )
    return (
        f"there is no database at {file} yet; `engage apply` makes it",
        f"数据库 {file} 还不存在；先运行 `engage apply`",
    )
