"""The demo's folder: a project like any other (config, journeys, templates, database), with its people and their truth.

What the simulators and the engine must agree on lives in two files: `demo.json`, what was asked for, and `config.yaml`,
which is written anew at every start because the simulators' ports change.
"""

from __future__ import annotations

import json
import random
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

import engage
from engage.errors import EngageError
from engage.runtime.daemon import only_daemon
from engage.sandbox.model import SandboxSettings
from engage.sandbox.world import World

# The Monday on which every demo begins, so that the same seed tells the same story on any day it is run.
START = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)  # 08:00 in Shanghai
_SHIPPED = Path(engage.__file__).parent.parent
_SETTINGS = "demo.json"
DATABASE = "engage.db"
_LOCK = f"{DATABASE}.lock"  # of the daemon: held from before anything is cleared away until the demo ends
_ROBOTS = ("wecom_cs", "wecom_stores")
_CALLED = ("crm_sync", "coupon_issue")  # by journeys
_BRAND_MAIL = "山野茶事 <hello@shanye.example>"


class NoDemo(EngageError):
    """There is no demo to go on with in this folder."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What was asked for. A demo that goes on keeps them."""

    days: int
    members: int
    seed: int
    port: int  # of the engine's web server: links in messages carry it
    secret: str  # shared by the engine and the simulators, which are the only ones to use it


@contextmanager
def begun(folder: Path, days: int, members: int, seed: int) -> Iterator[Settings]:
    """A fresh demo, and its folder to ourselves while it lasts. An earlier demo there is cleared away, unless it or a
    daemon still runs on it: AnotherDaemon. Anything else in the folder is left alone and refused."""
    found = {path.name for path in folder.iterdir()} if folder.exists() else set()
    if found - {_LOCK} and _SETTINGS not in found:
        raise EngageError(
            f"{folder} is not empty and not a demo; choose another --folder",
            f"{folder} 不是空的，也不是演示环境；请用 --folder 另选一个文件夹",
        )
    folder.mkdir(parents=True, exist_ok=True)
    with only_daemon(folder / DATABASE):
        _clear(folder)
        yield _make(folder, days, members, seed)


@contextmanager
def resumed(folder: Path) -> Iterator[Settings]:
    """An earlier demo, and its folder to ourselves while it goes on. Raises NoDemo if there is none."""
    settings = _load(folder)
    with only_daemon(folder / DATABASE):
        yield settings


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name == _LOCK:  # held: another file of this name would be another lock
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _make(folder: Path, days: int, members: int, seed: int) -> Settings:
    for name in ("journeys", "templates"):
        shutil.copytree(_SHIPPED / name, folder / name)
    settings = Settings(days, members, seed, _free_port(), f"{random.Random(seed).getrandbits(256):064x}")  # noqa: S311
    (folder / _SETTINGS).write_text(json.dumps(asdict(settings), indent=2) + "\n", encoding="utf-8")
    return settings


def _load(folder: Path) -> Settings:
    path = folder / _SETTINGS
    if not path.is_file():
        raise NoDemo(
            f"there is no demo in {folder} to go on with; leave out --resume to start one",
            f"{folder} 里没有可以继续的演示；去掉 --resume 就会新建一个",
        )
    return Settings(**json.loads(path.read_text(encoding="utf-8")))


def sandbox_settings(settings: Settings) -> SandboxSettings:
    secret = settings.secret
    return SandboxSettings(
        engine_url=f"http://127.0.0.1:{settings.port}",
        app_id="wx5823bf96d3bd56c7",
        app_secret=secret[:32],
        account="gh_shanyechashi",
        callback_token=secret[32:48],
        encoding_aes_key=secret[:43],
        sms_access_key_id="LTAIdemo",
        sms_access_key_secret=secret[16:46],
        sms_callback_secret=secret[8:40],
        email_callback_secret=secret[12:44],
        api_key=secret[20:60],
    )


def write_config(folder: Path, settings: Settings, shared: SandboxSettings, world: World) -> Path:
    """The config the engine runs on, and that the other commands use to look into the demo."""
    data: dict[str, Any] = {
        "database": {"url": f"sqlite:///{DATABASE}"},
        "web": {
            "port": settings.port,
            "public_url": shared.engine_url,
            "signing_key": settings.secret,
            "api_keys": {"shop": shared.api_key},
        },
        "channels": _channels(shared, world),
        "webhooks": {
            **{name: {"url": f"{world.staff_url}/{name}", "format": "wecom"} for name in _ROBOTS},
            **{name: {"url": f"{world.staff_url}/calls/{name}", "secret": settings.secret} for name in _CALLED},
        },
        "test_recipients": ["test@example.com"],
    }
    path = folder / "config.yaml"
    header = "# Written by `engage demo` at every start: the simulators' ports change.\n"
    path.write_text(header + yaml.safe_dump(data, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def _channels(shared: SandboxSettings, world: World) -> dict[str, Any]:
    return {
        "wechat": {
            "app_id": shared.app_id,
            "app_secret": shared.app_secret,
            "account": shared.account,
            "callback_token": shared.callback_token,
            "encoding_aes_key": shared.encoding_aes_key,
            "base_url": world.wechat_url,
        },
        "sms": {
            "access_key_id": shared.sms_access_key_id,
            "access_key_secret": shared.sms_access_key_secret,
            "sign_name": "山野茶事",
            "callback_secret": shared.sms_callback_secret,
            "base_url": world.sms_url,
        },
        "email": {
            "host": world.smtp_host,
            "port": world.smtp_port,
            "security": "none",
            "sender": _BRAND_MAIL,
            "bounce_domain": "bounce.shanye.example",
            "callback_secret": shared.email_callback_secret,
        },
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
