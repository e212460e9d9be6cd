"""How the engine is made to do one thing wrong: a mutant replaces a piece of its source, in memory. Should that piece
change, the mutant says so."""

from __future__ import annotations
import __future__

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from textwrap import dedent
from types import FunctionType
from typing import Any

import pytest

from tests.harness.weather import STORM, Weather

Change = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True, slots=True)
class Mutant:
    name: str
    changes: tuple[Change, ...]
    weather: Weather = STORM  # in which it is put out

    @contextmanager
    def at_work(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for change in self.changes:
                change(patch)
            yield


def says(where: str, old: str, new: str) -> Change:
    """A function, `module:name` or `module:Class.name`, that says `new` where it says `old`, once."""

    def change(patch: pytest.MonkeyPatch) -> None:
        module_name, _, path = where.partition(":")
        module = importlib.import_module(module_name)
        owner: Any = module
        *outer, name = path.split(".")
        for part in outer:
            owner = getattr(owner, part)
        found = inspect.getattr_static(owner, name)
        function = found.fget if isinstance(found, property) else inspect.unwrap(getattr(owner, name))
        source = getattr(function, "mutated", None) or _in_its_place(function)
        assert source.count(old) == 1, f"{where} does not say “{old}” once"
        made = _made(source.replace(old, new), module, name)
        if outer:
            patch.setattr(owner, name, made)
        else:
            _everywhere(patch, found, made)

    return change


def _in_its_place(function: Any) -> str:
    """Its source, on the lines where it stands: the boundaries are named after them."""
    lines, first = inspect.getsourcelines(function)
    return "\n" * (first - 1) + dedent("".join(lines))


def _made(source: str, module: Any, name: str) -> Any:
    names: dict[str, Any] = dict(vars(module))
    exec(compile(source, module.__file__ or name, "exec", __future__.annotations.compiler_flag), names)
    made = names[name]
    if isinstance(made, FunctionType):  # with the module's own names, patched or not
        made = FunctionType(made.__code__, vars(module), name, made.__defaults__, made.__closure__)
        made.__kwdefaults__ = names[name].__kwdefaults__
        vars(made)["mutated"] = source
    return made


def _everywhere(patch: pytest.MonkeyPatch, old: object, new: object) -> None:
    """Also where it was imported by its name."""
    for module in [module for name, module in sys.modules.items() if name.startswith(("engage.", "tests.harness."))]:
        for name, value in list(vars(module).items()):
            if value is old:
                patch.setattr(module, name, new)


def is_now(where: str, expression: str) -> Change:
    """A constant of a module, by an expression in that module's own words."""

    def change(patch: pytest.MonkeyPatch) -> None:
        module_name, _, name = where.partition(":")
        module = importlib.import_module(module_name)
        made = eval(expression, dict(vars(module)))
        assert str(made) != str(getattr(module, name)), f"{where} is that as it is"
        patch.setattr(module, name, made)

    return change
