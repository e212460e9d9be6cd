"""What every world of a process begins with, made once: the shop's project applied, its members there, all wired."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from engage.bootstrap import build_context
from engage.config import Canary, Cap
from engage.core.fact_json import fact_to_json
from engage.runtime.applied import Applied, load_applied
from engage.runtime.edits.applying import Done, apply
from engage.runtime.edits.plan import Rules
from engage.runtime.receiving.receive import Receive
from engage.simulation.settings import USUAL
from engage.store import inbound, state
from engage.store.databases.database import Database
from engage.store.inbound import Arrived
from tests.harness import project
from tests.harness.boundaries import WatchedDatabase
from tests.harness.cast import PEOPLE
from tests.harness.clock import SkippingClock

BEGINS = datetime(2026, 11, 23, 2, tzinfo=UTC)  # a Monday, ten o'clock in Shanghai
_APPLIED_AT = BEGINS - timedelta(days=30)
CAPS = {"marketing": [Cap(count=2, within=timedelta(days=1)), Cap(count=4, within=timedelta(days=7))]}
STAGES = Canary(start_from=1, stages=[30, 100], wait=timedelta(minutes=30))
LIMITS = USUAL.policy.limits.model_copy(
    update={"per_address": [Cap(count=6, within=timedelta(hours=1))], "per_minute": {"sms": 4, "email": 4}}
)
POLICY = USUAL.policy.model_copy(update={"caps": CAPS, "canary": STAGES, "limits": LIMITS})
CONFIG = USUAL.model_copy(update={"policy": POLICY})


class Grounds:
    """What every world of this process begins with: the project applied, the members there. Copied for each."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="engage-harness-")
        self._known: dict[tuple[str, ...], Applied] = {}
        ground = Database(self._url("ground"), durable=False)
        ground.create_all()
        done = apply(ground, project.project(), _APPLIED_AT)
        assert isinstance(done, Done), done
        clock = SkippingClock(_APPLIED_AT)
        context = build_context(CONFIG, clock, ground)
        told = [
            Arrived(inbound.FILE, p.ref, fact_to_json(replace(p.given(_APPLIED_AT), announce=False))) for p in PEOPLE
        ]
        with ground.write() as connection:
            state.forget_time(connection)
            inbound.put(connection, told, _APPLIED_AT)
        while Receive(context).tick():
            pass
        ground.close()
        self.wired = context
        self.database = WatchedDatabase(self._url("world"), durable=False)

    def fresh(self) -> WatchedDatabase:
        """The database of a new world. One world at a time."""
        self.database.close()
        shutil.copyfile(self._file("ground"), self._file("world"))
        return self.database

    def applied(self, database: Database, edits: tuple[str, ...]) -> Applied:
        """What these edits, one after the other, have put into force: read once for all worlds."""
        if edits not in self._known:
            with database.read() as connection:
                self._known[edits] = load_applied(connection, project.project(edits[-1]))
        return self._known[edits]

    def _url(self, name: str) -> str:
        return f"sqlite:///{self._file(name)}"

    def _file(self, name: str) -> Path:
        return Path(self._folder.name) / f"{name}.db"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.database.close()
        self._folder.cleanup()


class InForce:
    """An `AppliedSource` that need not ask the database: only staff apply anything, and only while nobody writes."""

    def __init__(self, grounds: Grounds, database: Database) -> None:
        self._grounds = grounds
        self._database = database
        self._edits: tuple[str, ...] = ("as it was",)

    def current(self) -> Applied:
        return self._grounds.applied(self._database, self._edits)

    def remembered(self) -> Applied:
        return self.current()

    def apply(self, edit: str, now: datetime) -> None:
        done = apply(self._database, project.project(edit), now, rules=Rules.of(POLICY))
        assert isinstance(done, Done), done
        if edit != self._edits[-1]:
            self._edits = (*self._edits, edit)
