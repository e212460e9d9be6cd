"""A command that is imported when it is called. Until then its name and one line are enough: help stays quick."""

from __future__ import annotations

import gc
import re
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

import typer
from typer.core import TyperCommand
from typer.main import get_command

# A line break inside a paragraph: Typer would keep it.
_NOT_BEFORE_AN_EXAMPLE = re.compile(r"(?<=[^\n])\n(?=[^\n ])")


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
        found = getattr(_imported(module), name)
        if isinstance(found, typer.Typer):
            return flowing(get_command(found))
        alone = typer.Typer(add_completion=False)
        alone.command(self.name)(found)
        return flowing(get_command(alone))


def _imported(name: str) -> ModuleType:
    """The module, with all that it brings: there to stay, so there is nothing to collect, now or later."""
    if name in sys.modules:
        return sys.modules[name]  # what has come since is not its own
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        gc.enable()


def flowing(command: Any) -> Any:
    """The help of a command, and of those under it, as paragraphs that fit any width. Indented lines stay lines."""
    command.help = _NOT_BEFORE_AN_EXAMPLE.sub(" ", command.help or "")
    for below in getattr(command, "commands", {}).values():
        if not isinstance(below, Later):
            flowing(below)
    return command
