"""A business at work: members with addresses, journeys applied, and a real `engage run` in a process of its own beside
a lean provider."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from engage.clock import SystemClock
from engage.runtime.context import Context
from engage.store import reaching
from engage.store.databases.database import Database
from engage.store.members import MemberRef
from engage.store.reaching import Consents
from tests import quiet
from tests.bench import ground

API_KEY = "shop-api-key"
WECHAT = {"app_id": "wxbench", "app_secret": "s", "account": "gh_bench", "callback_token": "tok"}
AES_KEY = "A" * 43
SMS_SECRET = "smscb"
_UP_WITHIN = 60.0  # seconds
_AT_ONCE = 10_000


def openid(number: int) -> str:
    return f"o{number:08d}"


def phone(number: int) -> str:
    return f"+86138{number:08d}"


def business(database: Database, journey: str, count: int) -> tuple[Context, list[MemberRef]]:
    """The journey applied, and that many members who may be written to by SMS and WeChat."""
    context = ground.context_of(database, journey, SystemClock())
    refs = ground.newcomers(database, count)
    now = context.clock.now()
    for first in range(0, count, _AT_ONCE):
        some = list(enumerate(refs[first : first + _AT_ONCE], first))
        with database.write() as connection:
            reaching.put_contact_points(connection, [(ref, "sms", phone(n), now) for n, ref in some])
            reaching.put_contact_points(connection, [(ref, "wechat", openid(n), now) for n, ref in some])
            agreed = Consents({("service", "sms"): True}, "a benchmark")
            reaching.put_consents(connection, {ref: agreed for _, ref in some}, now, own_word=False)
    return context, refs


class Daemon:
    """`engage run`, up and listening."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log
        self.port: int = urlsplit(self._serving()["url"]).port or 0

    def _serving(self) -> dict[str, Any]:
        until = time.monotonic() + _UP_WITHIN
        while time.monotonic() < until and self._process.poll() is None:
            for line in self._log.read_text(encoding="utf-8").splitlines():
                if line.startswith("{") and (said := json.loads(line))["event"] == "serving":
                    return dict(said)
            time.sleep(0.05)
        raise AssertionError(f"the daemon did not come up: {self._log.read_text(encoding='utf-8')[-3000:]}")

    def memory(self) -> float:
        """In MB, of all its processes; what they share is counted once."""
        return sum(each.memory_full_info().pss for each in self._processes()) / 2**20

    def cpu_seconds(self) -> float:
        return sum(sum(each.cpu_times()[:2]) for each in self._processes())

    def _processes(self) -> list[psutil.Process]:
        main = psutil.Process(self._process.pid)
        return [main, *main.children(recursive=True)]


@contextmanager
def daemon(folder: Path, database: Database, provider_url: str) -> Iterator[Daemon]:
    folder.mkdir(parents=True, exist_ok=True)
    log, config = folder / "daemon.log", folder / "config.yaml"
    config.write_text(json.dumps(_config(database, provider_url), ensure_ascii=False), encoding="utf-8")
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "engage", "--config", str(config), "run"],
            stdout=said, stderr=said, env={**os.environ, "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
    try:
        yield Daemon(process, log)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _config(database: Database, provider_url: str) -> dict[str, Any]:
    sms = {"access_key_id": "ak", "access_key_secret": "sk", "sign_name": "山野茶事", "callback_secret": SMS_SECRET}
    return {
        "database": {"url": database.url.render_as_string(hide_password=False)},
        "web": {
            "port": _free_port(),
            "public_url": "https://engage.example",
            "signing_key": "k" * 40,
            "api_keys": {"shop": API_KEY},
        },
        "ops": {"port": 0},
        "policy": {"quiet_hours": quiet.far_from_now()},
        "channels": {
            "wechat": WECHAT | {"encoding_aes_key": AES_KEY, "base_url": provider_url},
            "sms": sms | {"base_url": provider_url},
        },
    }


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])
