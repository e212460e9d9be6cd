"""The architecture, as tests: who may import what, who may tell the time, and what every module owes its reader."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import engage

PACKAGE = Path(engage.__file__).parent
ROOT = PACKAGE.parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# Time and chance come from one place each. A generator that was given its seed is no chance.
TELLS_TIME = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"}
MAKES_CHANCE = {"uuid.uuid1", "uuid.uuid4", "uuid4", "os.urandom", "random.SystemRandom"}
THE_CLOCK = "engage/clock.py"

# Types that the layers above hand from one query to the next; none of them builds SQL.
SQLALCHEMY_TYPES = {"Connection", "Select"}
# The URL is put together where objects are wired; what every fault is to the shell is told at the end of a command.
ALSO = {"engage/bootstrap.py": {"make_url", "ArgumentError"}, "engage/cli/ending.py": {"SQLAlchemyError"}}

LONGEST = 450
SCHEMA = "engage/store/tables.py"  # one schema in one place: columns, not code


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imported(tree: ast.Module) -> Iterator[tuple[str, set[str]]]:
    """Every module that is imported, and the names taken from it."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names):
                for alias in names:
                    yield alias.name, set()
            case ast.ImportFrom(module=str(module), names=names):
                yield module, {alias.name for alias in names}


def called(tree: ast.AST) -> Iterator[str]:
    """Dotted names as they are written: `datetime.now`, `random.choice`, `self._clock.now`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            yield ast.unparse(node)


# --- imports ----------------------------------------------------------------------------------------------------


def test_imports_go_downwards_only() -> None:
    """The contracts of pyproject.toml, by import-linter."""
    linter = Path(sys.executable).with_name("lint-imports")
    found = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout[-3000:]
    assert "0 broken" in found.stdout


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_but_the_store_knows_sql(path: Path) -> None:
    name = name_of(path)
    if name.startswith("engage/store/"):
        return
    allowed = SQLALCHEMY_TYPES | ALSO.get(name, set())
    for module, names in imported(tree_of(path)):
        assert module.split(".")[0] not in {"alembic", "sqlite3", "psycopg"}, f"{name} imports {module}"
        if module.split(".")[0] == "sqlalchemy":
            assert module in {"sqlalchemy", "sqlalchemy.exc"}, f"{name} imports {module}"
            assert names, f"{name} imports the whole of sqlalchemy"
            assert names <= allowed, f"{name} imports {names - allowed}"


def test_the_core_does_nothing_to_the_world() -> None:
    """No network, no database, no files, no threads, no environment: `now` is an argument."""
    worldly = {"os", "io", "socket", "threading", "subprocess", "logging", "structlog", "httpx", "requests"}
    worldly |= {"sqlalchemy", "smtplib", "random", "secrets", "time", "asyncio", "concurrent", "shutil", "tempfile"}
    for path in sorted((PACKAGE / "core").rglob("*.py")):
        modules = {module.split(".")[0] for module, _ in imported(tree_of(path))}
        assert not modules & worldly, name_of(path)
        calls = {ast.unparse(node.func) for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)}
        assert not calls & {"open", "print", "input"}, name_of(path)
        assert not {call for call in calls if call.endswith((".read_text", ".write_text"))}, name_of(path)


def test_channel_names_are_not_compared_outside_the_channels() -> None:
    """No `if channel == "sms"` in the engine: what a channel does differently is in its own folder. Content knows them
    (an SMS has its own grammar, a mail is HTML), and so do the simulators of the outside."""
    channels = {"wechat", "sms", "email"}
    for path in MODULES:
        name = name_of(path)
        if name.startswith(("engage/channels/", "engage/content/", "engage/sandbox/")):
            continue
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
                literals = {part.value for part in (node.left, *node.comparators) if isinstance(part, ast.Constant)}
                assert not literals & channels, f"{name}:{node.lineno}: {ast.unparse(node)}"


# --- time and chance --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_the_clock_tells_the_time_and_nothing_is_left_to_chance(path: Path) -> None:
    if name_of(path) == THE_CLOCK:
        return
    tree = tree_of(path)
    names = set(called(tree))
    assert not names & (TELLS_TIME | MAKES_CHANCE)
    assert not {name for name in names if name.startswith("random.") and not name.startswith("random.Random")}
    for module, taken in imported(tree):
        assert not (module == "random" and taken - {"Random"}), f"from random import {taken}"
        assert not (module == "uuid" and taken & {"uuid1", "uuid4"})
        assert not (module == "time" and taken & {"time", "time_ns"})


def test_only_the_edges_know_the_network() -> None:
    """Messages go out through channels; what comes in, through the web. Nothing else opens a connection."""
    network = {"socket", "ssl", "http", "urllib3", "httpx", "requests", "aiohttp", "smtplib", "ftplib", "telnetlib"}
    edges = ("engage/channels/", "engage/web/", "engage/sandbox/", "engage/demo/", "engage/cli/sandbox.py")
    edges += ("engage/config_values.py",)  # reads URLs as httpx will
    for path in MODULES:
        if name_of(path).startswith(edges):
            continue
        modules = {module for module, _ in imported(tree_of(path))}
        assert not {module.split(".")[0] for module in modules} & network, name_of(path)
        assert "urllib.request" not in modules, name_of(path)


def test_a_seeded_generator_always_has_its_seed() -> None:
    for path in MODULES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"random.Random", "Random"}:
                assert node.args, f"{name_of(path)}:{node.lineno}: a generator without a seed"


def test_the_scan_sees_what_it_looks_for() -> None:
    """A scan that finds nothing because it looks at nothing would pass for ever."""
    assert len(MODULES) > 100
    clock = set(called(tree_of(ROOT / THE_CLOCK)))
    assert clock & TELLS_TIME == {"datetime.now"}
    sample = ast.parse("import random\nx = random.choice([1]); y = time.time(); z = uuid.uuid4()")
    assert {"random.choice", "time.time", "uuid.uuid4"} <= set(called(sample))
    assert dict(imported(sample)) == {"random": set()}


# --- what a module owes its reader ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    docstring = ast.get_docstring(tree_of(path))
    assert docstring, f"{name_of(path)} has no docstring"
    assert len(docstring.split()) >= 3, f"{name_of(path)}: {docstring!r}"


@pytest.mark.parametrize("path", [path for path in MODULES if name_of(path) != SCHEMA], ids=name_of)
def test_no_module_outgrows_its_reader(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_no_module_is_a_drawer_for_everything() -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers", "base"}
    assert not {name_of(path) for path in MODULES if path.stem in drawers}
