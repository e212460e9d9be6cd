"""A project beside real processes: what is typed at it, what its daemon logs and shows."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests import quiet
from tests.ports import free_ports

PATIENCE = 60  # seconds; only a test that fails waits so long


@dataclass
class Site:
    """A project on ports of its own. What its processes say is kept in files."""

    folder: Path

    def start(self, *args: str, log: str) -> subprocess.Popen[bytes]:
        streams = (self.folder / f"{log}.log").open("ab")
        command = [sys.executable, "-m", "engage", "--lang", "en", *args]
        return subprocess.Popen(command, cwd=self.folder, stdout=streams, stderr=streams, env=self._environment)

    def engage(self, *args: str, code: int | None = 0) -> str:
        command = [sys.executable, "-m", "engage", "--lang", "en", *args]
        streams = {"capture_output": True, "text": True, "timeout": PATIENCE}
        done = subprocess.run(command, cwd=self.folder, env=self._environment, **streams)
        assert code is None or done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, "LC_ALL": "C.UTF-8"}

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(encoding="utf-8")

    def lines(self, name: str, event: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.log(name).splitlines() if line.startswith("{")]
        return [line for line in found if line["event"] == event]

    def change(self, *replaced: tuple[str, str]) -> None:
        path = self.folder / "config.yaml"
        text = path.read_text(encoding="utf-8")
        for before, after in replaced:
            assert before in text, before
            text = text.replace(before, after)
        path.write_text(text, encoding="utf-8")

    @property
    def config(self) -> dict[str, Any]:
        loaded: dict[str, Any] = yaml.safe_load((self.folder / "config.yaml").read_text(encoding="utf-8"))
        return loaded


def new_site(folder: Path) -> Site:
    """A project fresh from `engage init`, on ports of its own."""
    Site(folder).engage("init", "shop")
    site = Site(folder / "shop")
    web, wechat, sms, smtp = free_ports(4)
    site.change(
        *((f":{usual}", f":{port}") for usual, port in (("8091", wechat), ("8092", sms))),
        ("port: 8093", f"port: {smtp}"),
        ("port: 8080", f"port: {web}"),
        ("port: 8081", "port: 0"),
        ("log_level: info", "log_level: debug"),
        ('quiet_hours: { start: "21:00", end: "09:00" }', f"quiet_hours: {json.dumps(quiet.far_from_now())}"),
    )
    return site


@dataclass
class Daemon:
    site: Site
    process: subprocess.Popen[bytes]
    name: str = "daemon"

    def until(self, event: str, count: int = 1) -> dict[str, Any]:
        """The latest such line of its log, once there are so many."""
        deadline = datetime.now(UTC).timestamp() + PATIENCE
        while len(found := self.site.lines(self.name, event)) < count:
            assert self.process.poll() is None, self.site.log(self.name)
            assert datetime.now(UTC).timestamp() < deadline, self.site.log(self.name)
        return found[-1]

    @property
    def ops(self) -> str:
        return str(self.until("serving")["ops"])

    @property
    def web(self) -> str:
        return str(self.until("serving")["url"])

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.ops}{path}", timeout=PATIENCE)

    def measure(self, name: str) -> float | None:
        """One figure of /metrics, labels and all."""
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.get("/metrics").text, re.MULTILINE)
        return float(found[1]) if found else None

    def until_measured(self, name: str, least: float) -> None:
        deadline = datetime.now(UTC).timestamp() + PATIENCE
        while (self.measure(name) or 0) < least:
            assert datetime.now(UTC).timestamp() < deadline, self.get("/metrics").text + self.site.log(self.name)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)
