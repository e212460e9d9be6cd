"""Writes requirements.lock here: what of the project's lock runs, and nothing of what only tests need.

.venv/bin/python deploy/docker/runtime_lock.py
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TARGET = HERE / "requirements.lock"
EXTRA = "postgres"


def runtime_lock() -> str:
    """The entries of the whole lock, with their hashes, that the project needs, as the packages installed here say."""
    wanted = _closure(_of_project())
    entries = re.findall(r"^[a-z0-9].*(?:\n    .*)*\n", (ROOT / "requirements.lock").read_text("utf-8"), re.MULTILINE)
    return "".join(entry for entry in entries if canonicalize_name(re.split(r"[=\[ ]", entry, maxsplit=1)[0]) in wanted)


def _of_project() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return [Requirement(line) for line in [*project["dependencies"], *project["optional-dependencies"][EXTRA]]]


def _closure(needed: Iterable[Requirement]) -> set[str]:
    found: set[str] = set()
    waiting = list(needed)
    while waiting:
        requirement = waiting.pop()
        if canonicalize_name(requirement.name) not in found:
            found.add(canonicalize_name(requirement.name))
            waiting += _needs(requirement.name, tuple(requirement.extras))
    return found


def _needs(name: str, extras: tuple[str, ...]) -> Iterator[Requirement]:
    try:
        lines = requires(name) or []
    except PackageNotFoundError:  # needed on other systems only
        return
    for requirement in map(Requirement, lines):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield requirement


if __name__ == "__main__":
    TARGET.write_text(runtime_lock(), encoding="utf-8")
