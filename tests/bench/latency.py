"""How long it takes from an event that the shop reports to the message that it causes, on the wire."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select

from engage.store.databases.database import Database
from engage.store.tables import delivery
from tests.bench import ground
from tests.bench.callbacks import JOURNEY
from tests.bench.callers import Answers, call, post
from tests.bench.figures import Figure, Goal, Scale
from tests.bench.providers import Provider, provider
from tests.bench.running import API_KEY, business, daemon, phone

TITLE = "Latency"
ABOUT = (
    "The shop reports events to a running daemon, 200 a second, one in each request (`POST /api/events`). Each lets its"
    " member enter a journey, whose first step is an SMS. Measured from when the request was due to when the call came"
    " to the provider, which stands in a process of its own and notes it. The daemon has just come up: what it is told"
    " in its first three seconds counts only for the slowest."
)
PER_SECOND = 200
_FINDS_ITS_FEET = 3  # seconds
_ALL_SENT_WITHIN = 60.0  # seconds after the last event


def measure(scale: Scale) -> Iterator[Figure]:
    with ground.sqlite(scale) as database:
        yield from _measure(scale, database, "SQLite")
    with ground.postgresql() as database:
        yield from _measure(scale, database, "PostgreSQL")


def _measure(scale: Scale, database: Database, where: str) -> Iterator[Figure]:
    count = PER_SECOND * scale.of(60, 5)
    business(database, JOURNEY, count)
    ground.vacuum(database)
    with provider() as other_end:
        with daemon(scale.folder / where, database, other_end.url) as running:
            answers = call(running.port, Visits(count), PER_SECOND)
            assert set(answers.statuses) == {202}, answers.statuses
            _await_sent(database, count)
        took = list(_took(other_end, answers))
    assert len(took) == count, f"{count} events brought {len(took)} messages"
    counted = sorted(took[PER_SECOND * _FINDS_ITS_FEET :])
    for name, share in (("median", 0.5), ("p99", 0.99)):
        goal = Goal(at_most=1) if name == "p99" else None
        yield Figure(f"event to message on {where}, {name}", counted[int(len(counted) * share)], "s", goal=goal)
    yield Figure(f"event to message on {where}, slowest", max(took), "s", how=f"{count:,} events")


def _await_sent(database: Database, count: int) -> None:
    until, sent = time.monotonic() + _ALL_SENT_WITHIN, select(func.count()).where(delivery.c.status == "sent")
    while time.monotonic() < until:
        with database.read() as connection:
            if connection.scalar(sent) == count:
                return
        time.sleep(0.2)


def _took(other_end: Provider, answers: Answers) -> Iterator[float]:
    arrived = other_end.truth().first_at
    for number, due_at in enumerate(answers.due_at):
        if (at := arrived.get(phone(number).removeprefix("+86"))) is not None:
            yield at - due_at


@dataclass(frozen=True, slots=True)
class Visits:
    """One of each member's."""

    count: int

    def __call__(self) -> list[bytes]:
        return [_visit(number) for number in range(self.count)]


def _visit(number: int) -> bytes:
    at = datetime.now(UTC).isoformat()
    event = {"id": f"v{number}", "member": f"m{number}", "event": "store_visited", "at": at}
    body = json.dumps({"events": [event]}).encode()
    return post("/api/events", body, "application/json", f"Authorization: Bearer {API_KEY}")
