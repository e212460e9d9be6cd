"""A command that is imported when it is called. Until then its name and one line are enough: help stays quick."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand
from typer.main import get_command


class Later(TyperCommand):
    """Stands in for `module:name`, a command function or a Typer group."""

    def __init__(self, name: str, target: str, summary: str, panel: str) -> None:
        super().__init__(name, help=summary, rich_help_panel=panel)
        self._target = target

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        return self.real().make_context(info_name, args, parent, **extra)

    def real(self) -> Any:
        """The command itself, as Typer builds it."""
        module, _, name = self._target.partition(":")
        found = getattr(import_module(module), name)
        if isinstance(found, typer.Typer):
            return get_command(found)
        alone = typer.Typer(add_completion=False)
        alone.command(self.name)(found)
        return get_command(alone)
