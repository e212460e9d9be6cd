"""What a user would otherwise pick for the steps of journeys, doing the same work on the same database.

Task queues and durable execution take each run as a job of its own, all queued beforehand (which is not counted), by
two processes, warm: the first tenth is not counted either. They live in a virtual environment of their own,
`build/bench-peers`, made here of `requirements.txt`; Redis comes with it. Where that cannot be made they are left out.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from engage.runtime.context import Context
from engage.store.databases.database import Database
from tests.bench import ground

_HERE = Path(__file__).parent
_PLACE = _HERE.parents[2] / "build" / "bench-peers"
_REQUIRED = _HERE / "requirements.txt"
_AT_MOST_SECONDS = 240


@dataclass(frozen=True, slots=True)
class Peer:
    """`queue` and `workers`: commands of its environment. `share`: how many runs it is given, of what the fastest
    get."""

    name: str
    queue: Sequence[str]
    workers: Sequence[Sequence[str]]
    share: float = 1.0


_CELERY = "celery -A on_celery worker --concurrency 2 --loglevel ERROR --without-gossip --without-mingle"
_DRAMATIQ = "dramatiq on_dramatiq --processes 2 --threads 8"
_PROCRASTINATE = "procrastinate --app on_procrastinate.app worker --concurrency 8"
_QUEUE_PROCRASTINATE = "import asyncio, on_procrastinate; asyncio.run(on_procrastinate.queue_all())"
TASK_QUEUES = (
    Peer("Celery", ("python", "on_celery.py"), (_CELERY.split(),)),
    Peer("dramatiq", ("python", "on_dramatiq.py"), (_DRAMATIQ.split(),)),
    Peer("procrastinate", ("python", "-c", _QUEUE_PROCRASTINATE), (_PROCRASTINATE.split(),) * 2, 0.5),
)
DBOS = Peer("DBOS", ("python", "on_dbos.py", "queue"), (("python", "on_dbos.py", "work"),) * 2, 0.2)


def environment() -> Path | None:
    """The folder of its commands; None, with a word, where it cannot be made."""
    wanted = hashlib.sha256(_REQUIRED.read_bytes()).hexdigest()
    made_of, commands = _PLACE / "made-of", _PLACE / "bin"
    if made_of.is_file() and made_of.read_text() == wanted:
        return commands
    try:
        venv.create(_PLACE, clear=True, with_pip=True)
        subprocess.run([commands / "pip", "install", "--quiet", "-r", _REQUIRED], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"  the peers are left out: {error}", file=sys.stderr)
        return None
    made_of.write_text(wanted)
    return commands


def rate(
    peer: Peer, commands: Path, context: Context, count: int, folder: Path, stand: Callable[[Context, int], None]
) -> float:
    """Runs a second. `stand`: has so many runs be due."""
    count, database = int(count * peer.share), context.database
    stand(context, count)
    with ExitStack() as stack:
        told = stack.enter_context(_surroundings(commands, database, folder))
        _run(peer.queue, commands, told)
        for command in peer.workers:
            stack.enter_context(_running(command, commands, told))
        _wait_until_moved(database, count)
    return _rate(database, count)


@contextmanager
def _surroundings(commands: Path, database: Database, folder: Path) -> Iterator[Mapping[str, str]]:
    """A Redis that is as durable as it comes, on a socket; and what the peers are told."""
    socket = folder / "redis.sock"
    server = [commands / "redis-server", "--port", "0", "--unixsocket", socket, "--dir", folder, "--save", ""]
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    told = {"PEERS_DATABASE": url, "PEERS_REDIS": str(socket), "PEERS_NOW": ground.BEGAN.isoformat()}
    with _started(server, os.environ):
        yield {**os.environ, **told, "PATH": f"{commands}:{os.environ['PATH']}", "PYTHONPATH": str(_HERE)}


def _run(command: Sequence[str], commands: Path, told: Mapping[str, str]) -> None:
    subprocess.run([commands / command[0], *command[1:]], cwd=_HERE, env=told, check=True, timeout=_AT_MOST_SECONDS)


def _running(command: Sequence[str], commands: Path, told: Mapping[str, str]) -> AbstractContextManager[None]:
    return _started([commands / command[0], *command[1:]], told)


@contextmanager
def _started(command: Sequence[str | Path], told: Mapping[str, str]) -> Iterator[None]:
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=_HERE, env=told, start_new_session=True, **silent)
    try:
        yield
    finally:
        os.killpg(process.pid, 15)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()


_MOVED = "FROM enrolment WHERE phase = 'waiting'"


def _wait_until_moved(database: Database, count: int) -> None:
    until = time.monotonic() + _AT_MOST_SECONDS
    while True:
        with database.read() as connection:
            moved = connection.scalar(text(f"SELECT count(*) {_MOVED}"))
        if moved == count:
            return
        if time.monotonic() > until:
            raise RuntimeError(f"{moved} of {count} runs moved in {_AT_MOST_SECONDS} s")
        time.sleep(0.2)


def _rate(database: Database, count: int) -> float:
    with database.read() as connection:
        moments = connection.scalars(text(f"SELECT step_started_at {_MOVED} ORDER BY 1")).all()
    counted = moments[count // 10 :]
    return float((len(counted) - 1) / (counted[-1] - counted[0]).total_seconds())
