"""Where a worker may stand still, die, or meet a fault: around every transaction, and around every call on the wire.

The points of the database are named after the place in the engine's code that opens the transaction
(`dispatch.Dispatch.tick#1: before commit`); which there are is read from that code, so that none can be forgotten.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType

from sqlalchemy import Connection

import engage.runtime
from engage.store.databases.database import Database
from engage.store.databases.faults import telling_faults_apart
from tests.harness.crew import Crew

BEGIN, COMMIT, COMMITTED = "before begin", "before commit", "after commit"
WORDING = "being worded"
CALL, TAKEN, ANSWERED = "before the call", "taken, not answered", "answered"
_RUNTIME = Path(engage.runtime.__file__).parent
# Commands, the API and the daemon around the loops write here.
_NO_LOOPS = {"applying", "undoing", "continuity", "presence", "housekeeping"}
# Where several loops have their transactions: named after the loop as well.
_SHARED = "quarantine"


class WatchedDatabase(Database):
    """The real one. Its transactions have boundaries, and a writer who has to wait for another one gives way. Nobody
    gives way while reading, so that one connection, kept, is enough for all reads."""

    crew: Crew | None = None
    _writing = False
    _reading: Connection | None = None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        self._reading = self._reading or self.engine.connect()
        with telling_faults_apart(), self._reading.begin():
            yield self._reading

    def close(self) -> None:
        if self._reading is not None:
            self._reading.close()
            self._reading = None
        super().close()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        worker = self.crew.current() if self.crew is not None else None
        if self.crew is None or worker is None:
            with super().write() as connection:
                yield connection
            return
        place = _place(sys._getframe())
        self.crew.reach(f"{place}: {BEGIN}")
        while self._writing:
            self.crew.wait_for_lock()
        self._writing = True
        try:
            with super().write() as connection:
                yield connection
                self.crew.reach(f"{place}: {COMMIT}")
            worker.commits += 1
        finally:
            self._writing = False
        self.crew.reach(f"{place}: {COMMITTED}")

    @property
    def is_free(self) -> bool:
        """Nobody stands inside a transaction."""
        return not self._writing


def _place(frame: FrameType) -> str:
    """Which piece of the engine has asked for a transaction."""
    place: str | None = None
    asking: FrameType | None = frame
    while asking is not None:
        place = place or _places().get((asking.f_code.co_filename, asking.f_lineno))
        if place is not None and not place.startswith(_SHARED):
            return place
        if place is not None and asking.f_code.co_name == "tick":
            return f"{Path(asking.f_code.co_filename).stem}: {place}"
        asking = asking.f_back
    raise AssertionError("a transaction that no loop of the engine opens")


@cache
def _places() -> dict[tuple[str, int], str]:
    """Every `with database.write()` of the engine's loops, by file and line."""
    return {
        (str(path), line): f"{path.stem}.{name}"
        for path in sorted(_RUNTIME.rglob("*.py"))
        if path.stem not in _NO_LOOPS
        for line, name in _writers(path)
    }


def known_points(channels: Iterable[str], doors: Iterable[str]) -> set[str]:
    """Every point of the engine's code; and those of every channel, and of every other door at which
    something is called."""
    own = {place for place in _places().values() if not place.startswith(_SHARED)}
    shared = {place for place in _places().values() if place.startswith(_SHARED)}
    sharing = [path.stem for path in _RUNTIME.rglob("*.py") if f"import {_SHARED.title()}" in path.read_text("utf-8")]
    places = own | {f"{loop}: {place}" for loop in sharing for place in shared}
    points = {f"{place}: {when}" for place in places for when in (BEGIN, COMMIT, COMMITTED)}
    points |= {f"{channel}: {WORDING}" for channel in channels}
    return points | {f"{door}: {when}" for door in (*channels, *doors) for when in (CALL, TAKEN, ANSWERED)}


def _writers(path: Path) -> Iterator[tuple[int, str]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for owner, function in _functions(tree):
        seen = Counter[str]()
        for node in ast.walk(function):
            if isinstance(node, ast.With) and any(_writes(item.context_expr) for item in node.items):
                seen[owner] += 1
                yield node.lineno, f"{owner}#{seen[owner]}"


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{each.name}", each) for each in node.body if isinstance(each, ast.FunctionDef))


def _writes(called: ast.expr) -> bool:
    return ast.unparse(called).endswith("database.write()")
