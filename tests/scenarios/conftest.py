"""A stage for each test: its own folder, database, servers and clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import structlog
from stage import OpenStage, Stage
from stage_databases import KINDS, ON_FILE, Databases, NewDatabase
from stage_wiring import Setup


@pytest.fixture(autouse=True, scope="package")
def _plain_tracebacks() -> Iterator[None]:
    """structlog's own would show every local variable, at a second or more for each."""
    before = structlog.get_config()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ]
    )
    yield
    structlog.configure(**before)


@pytest.fixture(scope="session")
def databases(postgresql_url: str) -> Databases:
    return Databases(postgresql_url)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "new_database" in metafunc.fixturenames:
        metafunc.parametrize("new_database", KINDS, indirect=True)


@pytest.fixture
def new_database(request: pytest.FixtureRequest) -> Iterator[NewDatabase]:
    """Of the kind that the scenario is played on."""
    with ExitStack() as taken:
        if request.param == "postgresql":
            databases: Databases = request.getfixturevalue("databases")
            yield lambda: taken.enter_context(databases.one())
        else:
            yield lambda: ON_FILE


@pytest.fixture
def open_stage(tmp_path: Path, new_database: NewDatabase) -> Iterator[OpenStage]:
    """Stages that begin at another moment, with faults, or under another policy."""
    opened: list[Stage] = []

    def make(starts: str = "2026-11-23 10:00", *, faults: bool = False, **setup: Any) -> Stage:
        folder = tmp_path / str(len(opened))
        folder.mkdir()
        opened.append(Stage(folder, starts, faults, Setup(database=new_database(), **setup)))
        return opened[-1]

    yield make
    for stage in opened:
        stage.close()


@pytest.fixture
def stage(open_stage: OpenStage) -> Stage:
    """A Monday morning, ten o'clock."""
    return open_stage()
