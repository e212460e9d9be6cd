"""Real daemons, killed with `kill -9` at random moments under load and started again; then the providers' truth against
the ledger. On SQLite one daemon, on PostgreSQL as many as are asked for.

The shop keeps reporting visits over HTTP, each until somebody has acknowledged it. Every visit is to bring its member
one SMS and one mail. Afterwards the daemons end in good order, and an engine in this process, whose clock is ahead of
all leases, settles what is left.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from engage.cli.ending import Ending
from engage.clock import SystemClock, VirtualClock
from engage.config import load_config
from engage.content.project import read_project
from engage.exchange.importing import import_members
from engage.runtime.edits.applying import Done, apply
from engage.sandbox.model import Person, SandboxSettings
from engage.sandbox.world import World
from engage.serving import build
from engage.store.databases import migrating
from engage.store.databases.database import Database
from tests import quiet
from tests.acceptance.ledger import Truth, jsonl, reconcile
from tests.ports import free_ports
from tests.scenarios.stage_wiring import AES_KEY, API_KEY, WECHAT, Quiet, shipped_files

ENDED = "no outcome was recorded in time: the process ended, or the clock jumped"
_SLOTS = 400 + 8 + 8  # intents that one daemon may have on their way to a call, and calls on the wire
_A_VISIT_EVERY = 0.04  # seconds
_A_LOOK_EVERY = 1.0
_UP_WITHIN = 60.0  # seconds
_JOURNEY = """
journey: 试一试
start: { event: store_visited }
reentry: always
topic: service
steps:
  - send: sorry_personal
    id: first
    channels: { try: [sms] }
  - send: thanks_repeat
    id: second
    channels: { try: [email] }
"""


@dataclass(frozen=True, slots=True)
class Ordeal:
    """`kills`: how often a process ends in the midst of its work. `members`: visits that can be reported, one each;
    enough for the time that the trouble takes."""

    kills: int
    daemons: int = 1
    members: int = 2000
    seed: int = 1


@dataclass
class Aftermath:
    """What is true when all is over. `breaches`: what the promise forbids, in words."""

    acknowledged: int
    handed_over: int
    statuses: Counter[str]
    ambiguous: Counter[str]  # by reason
    kills: int = 0
    breaches: list[str] = field(default_factory=list)


Trouble = Callable[[Sequence["Daemon"], "Visits"], None]
"""What happens to the daemons while visits come in."""


def survive(folder: Path, database_url: str, ordeal: Ordeal) -> Aftermath:
    """`folder` must be empty, the database not be there yet, or without tables."""
    return go_through(folder, database_url, ordeal, partial(_kill, ordeal))


def go_through(folder: Path, database_url: str, ordeal: Ordeal, trouble: Trouble) -> Aftermath:
    """The same, whatever the trouble is."""
    shop = _Shop(folder, database_url, ordeal)
    with shop.open_for_business():
        visits = Visits(shop, ordeal)
        with ExitStack() as running:
            daemons = [running.enter_context(Daemon(folder, number)) for number in range(ordeal.daemons)]
            for daemon in daemons:
                daemon.start()
            with visits.keep_coming():
                trouble(daemons, visits)
        shop.settle()
    return _judged(shop, visits, ordeal)


def _kill(ordeal: Ordeal, daemons: Sequence[Daemon], visits: Visits) -> None:
    """In the midst of work, however slow the machine is, and while ops keep looking how things stand."""
    chance = random.Random(ordeal.seed)
    with _asked(daemons[0]) as asking:
        for _ in range(ordeal.kills):
            assert not asking.done(), asking.result()
            visits.wait_for_more(chance.randint(1, 20))
            time.sleep(chance.uniform(0.0, 0.3))
            daemon = chance.choice(daemons)
            daemon.kill()
            daemon.start()


@contextmanager
def _asked(daemon: Daemon) -> Iterator[Future[None]]:
    """Again and again for its status: a process that opens the database beside the daemon, and closes it."""
    over = threading.Event()

    def ask() -> None:
        while not over.wait(_A_LOOK_EVERY):
            daemon.status()

    with ThreadPoolExecutor(1) as ops:
        asking = ops.submit(ask)
        try:
            yield asking
        finally:
            over.set()
        asking.result()


# --- the shop ---------------------------------------------------------------------------------------------------


class _Shop:
    """A project, its database, its customers, and the providers around it."""

    def __init__(self, folder: Path, database_url: str, ordeal: Ordeal) -> None:
        self.folder = folder
        self.people = [_person(number) for number in range(ordeal.members)]
        ports = free_ports(2 * ordeal.daemons)
        self.ports, self._ops_ports = ports[: ordeal.daemons], ports[ordeal.daemons :]
        files = {
            p: t for p, t in shipped_files().items() if not p.startswith("journeys/") or p.endswith("catalog.yaml")
        }
        files["journeys/note.yaml"] = _JOURNEY
        for path, source in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(source, encoding="utf-8")
        project, problems = read_project(files)
        assert project is not None, problems
        self._project = project
        self.world = World(
            folder, SystemClock(), ordeal.seed, self._settings(), self.people, Quiet(), (), project.library.approved_sms
        )
        self._database_url = database_url

    @contextmanager
    def open_for_business(self) -> Iterator[None]:
        self.world.start()
        try:
            for number, ports in enumerate(zip(self.ports, self._ops_ports, strict=True)):
                text = json.dumps(self._config(*ports), ensure_ascii=False)
                config_path(self.folder, number).write_text(text, encoding="utf-8")
            self._prepare()
            yield
        finally:
            self.world.stop()

    def _prepare(self) -> None:
        database, now = Database(self._database_url), datetime.now(UTC)
        migrating.upgrade(database)
        assert isinstance(apply(database, self._project, now), Done)
        path = self.folder / "members.csv"
        rows = (f"{p.ref},{p.name},{p.phone},{p.email},yes" for p in self.people)
        path.write_text("member,name,sms,email,consent\n" + "\n".join(rows), encoding="utf-8")
        assert import_members(database, self._project.catalog, path, now).accepted == len(self.people)
        database.close()

    def settle(self) -> None:
        """Whatever is left is done once all leases have ended."""
        clock = VirtualClock(datetime.now(UTC) + timedelta(minutes=10))
        app = build(load_config(config_path(self.folder, 0)), clock, self.folder)
        app.server.start()
        until = clock.now() + timedelta(hours=2)
        try:
            while clock.now() < until:
                while app.engine.run_until_idle() + self.world.tick():
                    pass
                following = app.engine.next_going_on()
                clock.advance_to(min(following or until, until))
        finally:
            app.close()

    def deliveries(self) -> list[dict[str, Any]]:
        path = self.folder / "deliveries.jsonl"
        command = ("--config", str(config_path(self.folder, 0)), "export", "deliveries", "--format", "jsonl")
        subprocess.run([sys.executable, "-m", "engage", *command, "--out", str(path)], check=True, capture_output=True)
        return list(jsonl(path))

    def _settings(self) -> SandboxSettings:
        return SandboxSettings(
            engine_url=f"http://127.0.0.1:{self.ports[0]}",
            **WECHAT,
            encoding_aes_key=AES_KEY,
            sms_access_key_id="ak",
            sms_access_key_secret="sk",
            sms_callback_secret="smscb",
            email_callback_secret="mailcb",
            api_key=API_KEY,
            faults=False,
        )

    def _config(self, port: int, ops_port: int) -> dict[str, Any]:
        sms = {"access_key_id": "ak", "access_key_secret": "sk", "sign_name": "山野茶事", "callback_secret": "smscb"}
        email = {"host": self.world.smtp_host, "port": self.world.smtp_port, "security": "none"}
        email |= {"sender": "山野茶事 <hello@shanye.example>", "bounce_domain": "bounce.shanye.example"}
        web = {"port": port, "public_url": f"http://127.0.0.1:{port}", "signing_key": "k" * 40}
        return {
            "database": {"url": self._database_url},
            "web": web | {"api_keys": {"shop": API_KEY}},
            "ops": {"port": ops_port},
            "policy": {"quiet_hours": quiet.far_from_now()},
            "channels": {
                "sms": sms | {"base_url": self.world.sms_url},
                "email": email | {"callback_secret": "mailcb"},
            },
        }


def config_path(folder: Path, number: int) -> Path:
    return folder / f"config-{number}.yaml"


def _person(number: int) -> Person:
    return Person(
        key=f"p{number}",
        name=f"会员{number}",
        ref=f"M{number:05d}",
        phone=f"138{number:08d}",
        email=f"m{number}@example.com",
    )


# --- the daemons ------------------------------------------------------------------------------------------------


class Daemon:
    """`engage run`, as often as it is needed. What it says is in a file of its own."""

    def __init__(self, folder: Path, number: int) -> None:
        self._config = config_path(folder, number)
        self._said = folder / f"daemon-{number}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._said.open("ab") as said:
            command = [sys.executable, "-m", "engage", "--config", str(self._config), "run"]
            self._process = subprocess.Popen(command, stdout=said, stderr=said, env={**os.environ, "LC_ALL": "C.UTF-8"})
        until = time.monotonic() + _UP_WITHIN
        while not _listens(self._port("web")):
            assert self._process.poll() is None, self._said.read_text(encoding="utf-8")[-3000:]
            assert time.monotonic() < until, "the daemon did not come up"
            time.sleep(0.05)

    def says(self, page: str, within: float = _UP_WITHIN) -> int:
        """The status of a page of ops."""
        url = f"http://127.0.0.1:{self._port('ops')}{page}"
        return httpx.get(url, timeout=within, trust_env=False).status_code

    def status(self) -> None:
        """Ops look how things stand, in a process of their own."""
        command = [sys.executable, "-m", "engage", "--config", str(self._config), "status", "--json"]
        looked = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=_UP_WITHIN)
        assert looked.returncode in (Ending.DONE, Ending.NO), looked.stderr  # it is up, or it is not

    def logged(self) -> list[str]:
        """What has been told so far, by name."""
        lines = self._said.read_text(encoding="utf-8").splitlines()
        return [json.loads(line)["event"] for line in lines if line.startswith("{")]

    def _port(self, of: str) -> int:
        return int(json.loads(self._config.read_text(encoding="utf-8"))[of]["port"])

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        assert self._process.wait() == -signal.SIGKILL, self._said.read_text(encoding="utf-8")[-3000:]
        until = time.monotonic() + _UP_WITHIN
        while _listens(self._port("web")):
            assert time.monotonic() < until, "its web process has outlived it"
            time.sleep(0.01)

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            assert self._process.wait(timeout=90) == 0, self._said.read_text(encoding="utf-8")[-3000:]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# --- the visits -------------------------------------------------------------------------------------------------


class Visits:
    """Reported one after the other, each to whichever daemon is up, until one of them has taken it."""

    def __init__(self, shop: _Shop, ordeal: Ordeal) -> None:
        self._shop = shop
        self._chance = random.Random(ordeal.seed)
        self._over = threading.Event()
        self.acknowledged = 0

    @contextmanager
    def keep_coming(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._report), threading.Thread(target=self._tick)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    def wait_for_more(self, count: int) -> None:
        """Until so many more have been acknowledged."""
        wanted, until = self.acknowledged + count, time.monotonic() + _UP_WITHIN
        while self.acknowledged < min(wanted, len(self._shop.people)):
            assert time.monotonic() < until, "nobody takes a visit"
            time.sleep(0.01)

    def _tick(self) -> None:
        while not self._over.wait(0.1):
            self._shop.world.tick()

    def _report(self) -> None:
        with httpx.Client(trust_env=False, timeout=5, headers={"Authorization": f"Bearer {API_KEY}"}) as client:
            for person in self._shop.people:
                if self._over.wait(_A_VISIT_EVERY):
                    return
                visit = {"id": f"v-{person.ref}", "member": person.ref, "event": "store_visited"}
                visit["at"] = datetime.now(UTC).isoformat()
                until = time.monotonic() + _UP_WITHIN
                while not self._taken(client, visit):
                    assert time.monotonic() < until, "nobody takes a visit"
                    time.sleep(0.05)
                self.acknowledged += 1

    def _taken(self, client: httpx.Client, visit: dict[str, Any]) -> bool:
        port = self._chance.choice(self._shop.ports)
        try:
            answer = client.post(f"http://127.0.0.1:{port}/api/events", json={"events": [visit]})
        except httpx.HTTPError:
            return False
        assert answer.status_code in (202, 503), answer.text
        return answer.status_code == 202


# --- afterwards -------------------------------------------------------------------------------------------------


def _judged(shop: _Shop, visits: Visits, ordeal: Ordeal) -> Aftermath:
    truth, deliveries = Truth.read(shop.folder / "truth"), shop.deliveries()
    ambiguous = Counter(d["reason"] or "" for d in deliveries if d["status"] == "ambiguous")
    breaches = reconcile(truth, deliveries)
    for step in ("first", "second"):
        came = sum(d["step"] == step for d in deliveries)
        if came != visits.acknowledged:
            breaches.append(f"{visits.acknowledged} visits were acknowledged, and brought {came} messages “{step}”")
    for d in deliveries:
        if d["status"] not in ("sent", "ambiguous"):
            breaches.append(f"delivery {d['id']} is {d['status']}: {d['reason']}")
    if "" in ambiguous:
        breaches.append(f"{ambiguous['']} ambiguous deliveries do not say why")
    if ambiguous[ENDED] > ordeal.kills * _SLOTS:
        breaches.append(f"{ambiguous[ENDED]} messages are ambiguous after {ordeal.kills} kills")
    statuses = Counter(d["status"] for d in deliveries)
    return Aftermath(visits.acknowledged, len(truth.handovers), statuses, ambiguous, ordeal.kills, breaches)
