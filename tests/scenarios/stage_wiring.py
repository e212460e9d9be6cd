"""How a stage is wired: the shipped project, the config of a small shop, its engine, and a world around it."""

from __future__ import annotations

import itertools
import os
import random
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from engage.clock import VirtualClock
from engage.config import Config
from engage.content.project import Project, project_files, read_project
from engage.sandbox.chance import Chance
from engage.sandbox.faults import Fault, Faults
from engage.sandbox.model import Act, ChannelName, Handover, Person, Phone, Planned, Reaction, SandboxSettings
from engage.sandbox.world import World
from engage.serving import App, build

PROJECT = Path(__file__).parents[2]
SEED = 7
API_KEY = "shop-api-key"
AES_KEY = "A" * 43
WECHAT = {"app_id": "wxdemo", "app_secret": "s", "account": "gh_demo", "callback_token": "tok"}
_SMS = {"access_key_id": "ak", "access_key_secret": "sk"}


class Quiet:
    """People who do nothing of themselves."""

    def reactions(self, phone: Phone, handover: Handover, rng: random.Random) -> Sequence[Reaction]:
        return ()

    def consequences(self, person: Person, act: Act, at: datetime, rng: random.Random) -> Sequence[Reaction]:
        return ()

    def still_makes_sense(self, phone: Phone, planned: Planned) -> bool:
        return True


# --- the project ------------------------------------------------------------------------------------------------


@cache
def shipped_files() -> Mapping[str, str]:
    """The project that comes with Engage, by path."""
    files, problems = project_files(PROJECT)
    assert not problems
    return files


def shipped(journey: str, *edits: tuple[str, str]) -> str:
    """A journey of the shipped project (or its catalog), with pieces of its text replaced."""
    text = shipped_files()[f"journeys/{journey}.yaml"]
    for old, new in edits:
        assert old in text, f"{journey}.yaml has no “{old}”"
        text = text.replace(old, new)
    return text


def read_files(files: Mapping[str, str]) -> Project:
    return _read(tuple(sorted(files.items())))


@cache
def _read(files: tuple[tuple[str, str], ...]) -> Project:
    """Most tests of a module play the same piece: it is read once."""
    project, problems = read_project(dict(files))
    assert project is not None, [f"{p.span.file}:{p.span.line} {p.message.en}" for p in problems]
    return project


# --- the engine and its world -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Setup:
    """What `config.yaml` says beyond the addresses of the sandbox."""

    database: str = "sqlite:///engage.db"
    policy: dict[str, Any] = field(default_factory=dict)
    webhooks: dict[str, Any] = field(default_factory=dict)
    sms: dict[str, Any] = field(default_factory=dict)
    environment: str = "production"
    test_recipients: Sequence[str] = ()


@dataclass(frozen=True)
class House:
    """A database, an engine, a web server, and the world they run in. The server is not yet started."""

    app: App
    world: World
    config: Config

    def close(self) -> None:
        self.world.stop()
        self.app.close()


def build_house(
    folder: Path,
    clock: VirtualClock,
    people: Sequence[Person],
    *,
    faults: bool,
    setup: Setup,
) -> House:
    port = _free_port()
    world = World(
        folder,
        clock,
        SEED,
        _settings(port, faults),
        people,
        Quiet(),
        (),
        read_files(shipped_files()).library.approved_sms,
    )
    world.start()
    config = config_of(world, port, setup)
    app = build(config, clock, folder)
    app.context.database.create_all()
    return House(app, world, config)


def _settings(port: int, faults: bool) -> SandboxSettings:
    return SandboxSettings(
        engine_url=f"http://127.0.0.1:{port}",
        **WECHAT,
        encoding_aes_key=AES_KEY,
        sms_access_key_id=_SMS["access_key_id"],
        sms_access_key_secret=_SMS["access_key_secret"],
        sms_callback_secret="smscb",
        email_callback_secret="mailcb",
        api_key=API_KEY,
        faults=faults,
    )


def config_of(world: World, port: int, setup: Setup) -> Config:
    wechat = {**WECHAT, "encoding_aes_key": AES_KEY, "base_url": world.wechat_url}
    sms = {**_SMS, "sign_name": "山野茶事", "callback_secret": "smscb", "base_url": world.sms_url}
    email = {
        "host": world.smtp_host,
        "port": world.smtp_port,
        "security": "none",
        "sender": "山野茶事 <hello@shanye.example>",
        "bounce_domain": "bounce.shanye.example",
        "callback_secret": "mailcb",
    }
    web = {"port": port, "public_url": f"http://127.0.0.1:{port}", "signing_key": "k" * 40}
    return Config.model_validate(
        {
            "database": {"url": setup.database},
            "web": web | {"api_keys": {"shop": API_KEY}},
            "channels": {"wechat": wechat, "sms": sms | setup.sms, "email": email},
            "policy": setup.policy,
            "webhooks": setup.webhooks,
            "environment": setup.environment,
            "test_recipients": list(setup.test_recipients),
        }
    )


# Below the ports that the system gives away by itself: nobody takes one between the look and the listening.
_PORTS = itertools.count(20_000 + os.getpid() % 1000 * 10)


def _free_port() -> int:
    """The world must know where the engine listens before the engine exists, and the other way round."""
    return next(port for port in _PORTS if _is_free(port))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


# --- fate -------------------------------------------------------------------------------------------------------


def unlucky(channel: ChannelName, *faults: Fault) -> str:
    """An address whose first calls meet these faults, one after the other, and the next ones none."""
    fates = Faults(Chance(SEED), enabled=True)
    shape = {"wechat": "oUnlucky{:020d}", "sms": "139{:08d}", "email": "unlucky{}@example.com"}[channel]
    wanted = [*faults, Fault.NONE, Fault.NONE]
    addresses = (shape.format(number) for number in range(2_000_000))
    return next(a for a in addresses if _meets(fates, channel, a, wanted) and not fates.blocks_account(a))


def _meets(fates: Faults, channel: ChannelName, address: str, wanted: Sequence[Fault]) -> bool:
    taken = 0
    for fault in wanted:
        if fates.of_next_try(channel, address, taken) is not fault:
            return False
        taken += fault in (Fault.NONE, Fault.HUNG_UP_AFTER)
    return True


def dead_mailbox(*, at_the_door: bool) -> str:
    """Half of the dead mailboxes are refused at once; mail for the others is taken, and comes back later."""
    addresses = (f"gone{number}@example.com" for number in range(100))
    return next(a for a in addresses if (Chance(SEED).fraction("dead mailbox", a) < 0.5) is at_the_door)
