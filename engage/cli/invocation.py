"""One call of `engage`: which project, which language, which database, which time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import typer
import yaml

from engage.cli.ending import Refusal
from engage.cli.logs import log_quietly
from engage.cli.options import GlobalOptions
from engage.cli.screen import Screen
from engage.config import Config, ConfigError, load_config
from engage.core.problem import Lang

if TYPE_CHECKING:
    from engage.store.database import Database

CONFIG_NAME = "config.yaml"


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
            raise ConfigError("there is no config.yaml here or in a folder above; `engage init DIR` makes a project")
        return found.absolute()

    @property
    def folder(self) -> Path:
        """Of the project: where the config file is."""
        return self.config_path.parent

    @cached_property
    def config(self) -> Config:
        return load_config(self.config_path)

    @cached_property
    def screen(self) -> Screen:
        return Screen(self.lang)

    @cached_property
    def lang(self) -> Lang:
        """Read without the rest of the config: a command must be able to complain about it in the right language."""
        path = self.options.config or nearest_config(Path.cwd())
        return Lang(self.options.lang or _configured_lang(path) or system_lang(os.environ))

    # --- the database ---

    @contextmanager
    def database(self) -> Iterator[Database]:
        """The project's database, at the schema this version needs. Raises Refusal or SchemaTooOld, and makes no file
        where there is none."""
        # These bring the whole engine along; `check` can do without.
        from engage.bootstrap import open_database
        from engage.store.migrating import require_current

        database = open_database(self.config, self.folder)
        try:
            if database.file is not None and not database.file.exists():
                raise Refusal(
                    self.screen.word(
                        f"there is no database at {database.file} yet; `engage apply` makes it",
                        f"数据库 {database.file} 还不存在；先运行 `engage apply`",
                    )
                )
            require_current(database)
            yield database
        finally:
            database.close()


def nearest_config(folder: Path) -> Path | None:
    return next((path for up in (folder, *folder.parents) if (path := up / CONFIG_NAME).is_file()), None)


def system_lang(environment: Mapping[str, str]) -> Lang:
    """As POSIX has it: LC_ALL over LC_MESSAGES over LANG."""
    named = (environment.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return Lang.ZH if next((value for value in named if value), "").lower().startswith("zh") else Lang.EN


def _configured_lang(path: Path | None) -> str | None:
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8")) if path is not None else None
    except (OSError, ValueError, yaml.YAMLError):
        return None
    lang = raw.get("lang") if isinstance(raw, dict) else None
    return lang if lang in list(Lang) else None
