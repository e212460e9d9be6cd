"""Worlds over a test's folder, and an engine's stand-in that listens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import pytest
from sandbox_bench import CHEN, LIN, START, WANG, Bench, Engine, MakeBench, Told

from engage.clock import VirtualClock
from engage.sandbox.loopback import LoopbackServer
from engage.sandbox.model import Person, Planned, SandboxSettings
from engage.sandbox.world import World


@pytest.fixture
def engine() -> Iterator[tuple[Engine, str]]:
    stand_in = Engine()
    server = LoopbackServer(stand_in.respond)
    server.start()
    yield stand_in, server.url
    server.stop()


@pytest.fixture
def make_bench(engine: tuple[Engine, str], tmp_path: Path) -> Iterator[MakeBench]:
    """Worlds over the test's folder: making a second one continues the first, as after a kill."""
    stand_in, url = engine
    worlds: list[World] = []

    def make(
        behaviour: Told | None = None,
        script: Sequence[Planned] = (),
        *,
        at: datetime = START,
        people: Sequence[Person] = (LIN, WANG, CHEN),
        folder: Path = tmp_path,
        seed: int = 7,
        faults: bool = False,
        engine_url: str = url,
    ) -> Bench:
        settings = SandboxSettings(
            engine_url=engine_url,
            app_id="wx0000000000000001",
            app_secret="app-secret",
            account="gh_0001",
            callback_token="callback-token",
            encoding_aes_key="abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
            sms_access_key_id="LTAI0001",
            sms_access_key_secret="sms-secret",
            sms_callback_secret="sms-path",
            email_callback_secret="mail-path",
            api_key="shop-key",
            faults=faults,
        )
        clock = VirtualClock(at)
        templates = {"SMS_1": "${name}，生日快乐。拒收请回复R", "SMS_2": "您的茶已寄出"}
        world = World(folder, clock, seed, settings, people, behaviour or Told(), script, lambda: templates)
        world.start()
        worlds.append(world)
        return Bench(world, clock, stand_in, settings, folder, templates)

    yield make
    for world in worlds:
        world.stop()


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    return make_bench()
