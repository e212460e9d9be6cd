"""How fast messages leave one process, through the whole send protocol, and what a second process adds."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import time as time_of_day
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any

from sqlalchemy import select

from engage.bootstrap import build_context
from engage.channels.contract import Channel, Message, Payload
from engage.channels.registry import build_channels
from engage.clock import SystemClock
from engage.config import Config
from engage.content.links import Links
from engage.content.render import render
from engage.core.outcome import Accepted
from engage.runtime.context import Context
from engage.runtime.dispatching.dispatch import Dispatch
from engage.runtime.dispatching.wording import words_context
from engage.runtime.engine import Engine
from engage.simulation.settings import USUAL
from engage.store import dispatching, members, reaching
from engage.store.databases.database import Database
from engage.store.members import Profile
from engage.store.tables import delivery
from tests import quiet
from tests.bench import ground
from tests.bench.figures import Beside, Figure, Goal, Scale
from tests.bench.providers import provider

TITLE = "Sending"
ABOUT = (
    "Messages that are due leave through the whole protocol: claimed, judged, rendered, composed, intended (committed),"
    " called, recorded. WeChat and SMS go to simulators in a process of their own, mail to Postfix's `smtp-sink`,"
    " beside Postfix's `smtp-source` with as many connections and mails of the same size: with a connection for each"
    " mail, as it comes, and with connections that are kept (`-d`), as ours are. `smtp-source` renders nothing and"
    " writes nothing down."
)
_AT_ONCE = 16  # calls, and connections
_JOURNEY = """
    journey: 测速
    start: {{ event: store_visited }}
    reentry: always
    topic: service
    channels: [{channel}]
    steps:
      - send: sorry_personal
      - wait: 30d
"""
_ADDRESSES = {"wechat": "oBench{:022d}", "sms": "+86139{:08d}", "email": "m{}@example.com"}
_spawn = multiprocessing.get_context("spawn")


def measure(scale: Scale) -> Iterator[Figure]:
    for channel, goal in (("sms", 1000), ("wechat", 500)):
        yield from _calls(scale, channel, Goal(at_least=goal))
    if shutil.which("smtp-sink", path=_PATH) is None:
        print("  email is left out: install Postfix for its smtp-sink and smtp-source")
        return
    with smtp_sink() as port:
        yield from _mails(scale, port)


# --- WeChat, SMS ------------------------------------------------------------------------------------------------


def _calls(scale: Scale, channel: str, goal: Goal) -> Iterator[Figure]:
    count = scale.of(20_000, 500)
    with ground.sqlite(scale, f"{channel}.db") as database, provider() as to:
        config = _config(channel, base_url=to.url)
        _queue(database, channel, count)
        rate = count / _sent_by(1, database, config)
        truth = to.truth().calls
        assert len(truth) == count, "not everybody was called"
        assert set(truth.values()) == {1}, "somebody was called twice"
        yield Figure(f"{channel}, SQLite, one process", rate, "calls/s", goal=goal)


# --- email ------------------------------------------------------------------------------------------------------


def _mails(scale: Scale, port: int) -> Iterator[Figure]:
    count = scale.of(10_000, 500)
    config = _config("email", host="127.0.0.1", port=port, security="none")
    with ground.sqlite(scale, "email.db") as database:
        size = _queue(database, "email", count)
        each, kept = _smtp_source(port, count, size), _smtp_source(port, count, size, "-d")
        edge = count / _rendered_and_handed_over(database, config, count)
        goal = Goal(at_least=0.4)
        without = "mails rendered and handed over, without the database, one process"
        yield Figure(without, edge, "mails/s", Beside("smtp-source", each), goal)
        yield Figure(f"{without}, beside kept connections", edge, "mails/s", Beside("smtp-source -d", kept), goal)
        rate = count / _sent_by(1, database, config)
        yield Figure("email, SQLite, one process", rate, "mails/s", Beside("smtp-source", each), goal)
        yield Figure("the same, beside kept connections", rate, "mails/s", Beside("smtp-source -d", kept), goal)
    with ground.postgresql() as database:
        _queue(database, "email", count)
        one = count / _sent_by(1, database, config)
        yield Figure("email, PostgreSQL, one process", one, "mails/s", Beside("smtp-source", each), goal)
    with ground.postgresql() as database:
        _queue(database, "email", count)
        two = count / _sent_by(2, database, config)
        yield Figure("email, PostgreSQL, two processes", two, "mails/s", Beside("one process", one), Goal(at_least=1.0))


_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"


@contextmanager
def smtp_sink() -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    sink = subprocess.Popen([shutil.which("smtp-sink", path=_PATH) or "", *user, f"127.0.0.1:{port}", "1000"])
    while socket.socket().connect_ex(("127.0.0.1", port)) != 0:
        time.sleep(0.05)
    yield port
    sink.kill()
    sink.wait()


def _smtp_source(port: int, count: int, size: int, *more: str) -> float:
    """Mails a second."""
    told = ["-s", str(_AT_ONCE), "-m", str(count), "-l", str(size), *more, f"127.0.0.1:{port}"]
    began = time.perf_counter()
    subprocess.run([shutil.which("smtp-source", path=_PATH) or "", *told], check=True)
    return count / (time.perf_counter() - began)


def _rendered_and_handed_over(database: Database, config: Config, count: int) -> float:
    context = build_context(config, SystemClock(), database)
    began = time.perf_counter()
    asyncio.run(_hand_over_all(context, config, count))
    return time.perf_counter() - began


async def _hand_over_all(context: Context, config: Config, count: int) -> None:
    channel = build_channels(config, context.clock)["email"]
    payloads = iter(_worded(context, channel, count))

    async def send() -> None:
        for payload in payloads:
            assert isinstance(await channel.send(payload, 10.0), Accepted)

    await asyncio.gather(*(send() for _ in range(_AT_ONCE)))
    await channel.close()


def _worded(context: Context, channel: Channel, count: int) -> Iterator[Payload]:
    applied, links, now = context.applied.current(), Links("k" * 40, "https://engage.example.com"), context.clock.now()
    template = applied.library.find("sorry_personal", "email")
    assert template is not None
    for number in range(count):
        profile = Profile(None, None, {"name": f"王芳{number}"})
        of_this = links.for_delivery(number + 1)
        rendered = render(template, words_context(applied, profile, now), of_this)
        yield channel.compose(
            Message(
                number + 1, f"engage-{number}", f"m{number}@example.com", "email", rendered, "service",
                applied.topic_class("service"), applied.catalog.brand, of_this.unsubscribe_url, now,
            )
        )  # fmt: skip


# --- the whole protocol -----------------------------------------------------------------------------------------


def _config(channel: str, **changes: Any) -> Config:
    changed = getattr(USUAL.channels, channel).model_copy(update={"concurrency": _AT_ONCE, **changes})
    channels = USUAL.channels.model_copy(update={channel: changed})
    hours = {name: time_of_day.fromisoformat(at) for name, at in quiet.far_from_now().items()}
    policy = USUAL.policy.model_copy(update={"quiet_hours": USUAL.policy.quiet_hours.model_copy(update=hours)})
    return USUAL.model_copy(update={"channels": channels, "policy": policy})


def _queue(database: Database, channel: str, count: int) -> int:
    """That many messages, due now. Returns how long one of them is, where that is known."""
    context = ground.context_of(database, _JOURNEY.format(channel=channel), SystemClock())
    now = context.clock.now()
    refs = ground.newcomers(database, count)
    named = {ref: {"name": f"王芳{number}"} for number, ref in enumerate(refs)}
    points = [(ref, channel, _ADDRESSES[channel].format(n), now) for n, ref in enumerate(refs)]
    with database.write() as connection:
        members.set_values(connection, context.applied.current().catalog, named, now)
        reaching.put_contact_points(connection, points)
    ground.enter(context, refs)
    engine = Engine(context)
    while engine.enrol.tick() + engine.advance.tick():
        pass
    engine.close()
    email = build_channels(USUAL, context.clock)["email"]
    return len(next(_worded(context, email, 1)).data["mime"]) if channel == "email" else 0


def _sent_by(processes: int, database: Database, config: Config) -> float:
    """Seconds until all that is due is sent."""
    url = database.url.render_as_string(hide_password=False)
    pipes = [_spawn.Pipe() for _ in range(processes)]
    workers = [_spawn.Process(target=_send, args=(theirs, url, config)) for _, theirs in pipes]
    for worker in workers:
        worker.start()
    _hear(pipes)  # all are ready
    began = time.perf_counter()
    for ours, _ in pipes:
        ours.send("go")
    _hear(pipes)
    seconds = time.perf_counter() - began
    for worker in workers:
        worker.join()
    with database.read() as connection:
        statuses = set(connection.scalars(select(delivery.c.status).distinct()))
    assert statuses == {"sent"}, statuses
    return seconds


def _hear(pipes: Sequence[tuple[Connection, Connection]]) -> None:
    for ours, _ in pipes:
        ours.recv()


def _send(parent: Connection, url: str, config: Config) -> None:
    database = Database(url)
    context = build_context(config, SystemClock(), database)
    context.applied.current()
    dispatch = Dispatch(context)
    parent.send("ready")
    parent.recv()
    while dispatch.tick() or _some_wait(database):
        pass
    dispatch.close(lambda: False)
    parent.send("done")
    database.close()


def _some_wait(database: Database) -> bool:
    """For a channel that was busy a moment ago, or for their answers."""
    with database.read() as connection:
        return dispatching.next_due(connection, SystemClock().now() - timedelta(days=1)) is not None
