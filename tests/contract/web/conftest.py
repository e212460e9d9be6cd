"""One server for all tests of this folder that do not break it: each test makes its own deliveries."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from web_world import World


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("web"))
    yield world
    world.close()
