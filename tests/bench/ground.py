"""What several benchmarks stand on: databases of both kinds, filled with members who have entered a small journey."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

import psutil
from sqlalchemy import create_engine, select, text

from engage.bootstrap import build_context
from engage.clock import Clock, VirtualClock
from engage.content.project import Project, project_files, read_project
from engage.runtime.context import Context
from engage.runtime.edits.applying import Done, apply
from engage.simulation.settings import USUAL
from engage.store import enrolling, members
from engage.store.databases import migrating
from engage.store.databases.database import Database
from engage.store.enrolling import Entrant
from engage.store.members import MemberRef
from engage.store.tables import decision, delivery, enrolment, member
from tests.bench.figures import Scale
from tests.postgresql import Server, server_to_stop

BEGAN = datetime(2026, 11, 23, 2, tzinfo=UTC)
_PROJECT = Path(__file__).parents[2]
_AT_ONCE = 10_000


@contextmanager
def sqlite(scale: Scale, name: str = "engage.db") -> Iterator[Database]:
    """An empty file with all tables, as durable as in life."""
    database = Database(f"sqlite:///{scale.folder / name}")
    migrating.upgrade(database)
    yield database
    database.close()


@contextmanager
def postgresql(*, of_memory: float | None = None) -> Iterator[Database]:
    """A server of its own with all tables, as durable as in life. `of_memory`: the share of the machine's memory that
    it keeps pages in, instead of the 128 MB it comes with."""
    with server_to_stop(durable=True) as server:
        if of_memory is not None:
            _keep_pages_in(server, psutil.virtual_memory().total * of_memory)
        database = Database(server.url)
        migrating.upgrade(database)
        yield database
        database.close()


def _keep_pages_in(server: Server, size: float) -> None:
    """Bytes."""
    engine = create_engine(server.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"ALTER SYSTEM SET shared_buffers = '{round(size / 2**20)}MB'"))
    engine.dispose()
    server.stop("fast")
    server.start()


def context_of(database: Database, journey: str, clock: Clock | None = None, *, shipped: bool = False) -> Context:
    """The shipped catalog and templates, and this journey, applied; alone, or beside the `shipped` ones."""
    context = build_context(USUAL, clock or VirtualClock(BEGAN), database)
    outcome = apply(database, _project(journey, shipped), context.clock.now())
    assert isinstance(outcome, Done), outcome
    return context


def _project(journey: str, shipped: bool) -> Project:
    files, _ = project_files(_PROJECT)
    if not shipped:
        files = {path: text for path, text in files.items() if not path.startswith("journeys/") or "catalog" in path}
    project, problems = read_project({**files, "journeys/bench.yaml": dedent(journey)})
    assert project is not None, [f"{p.span.file}:{p.span.line} {p.message.en}" for p in problems]
    return project


def running_context(database: Database) -> Context:
    """As another process has it, which finds everything applied."""
    return build_context(USUAL, VirtualClock(BEGAN), database)


def newcomers(database: Database, count: int) -> list[MemberRef]:
    """That many members, of whom nothing is known."""
    refs: list[MemberRef] = []
    while len(refs) < count:
        names = range(len(refs), min(len(refs) + _AT_ONCE, count))
        with database.write() as connection:
            refs += members.create_all(connection, BEGAN, [(f"m{name}", None) for name in names])
    return refs


def enter(context: Context, refs: list[MemberRef], occurrence: str = "bench") -> None:
    """They enter the journey now."""
    active = context.applied.current().journeys["bench"]
    for first in range(0, len(refs), _AT_ONCE):
        some = [Entrant(ref, occurrence, {"event": {}, "var": {}}, 0) for ref in refs[first : first + _AT_ONCE]]
        with context.database.write() as connection:
            first_step, now = active.program.first, context.clock.now()
            enrolling.enter(connection, active.journey, active.version, first_step, [(e, False) for e in some], now)


def all_members(database: Database, count: int) -> list[MemberRef]:
    with database.read() as connection:
        return [MemberRef(*row) for row in connection.execute(select(member.c.bucket, member.c.id).limit(count))]


def forget_runs(database: Database) -> None:
    """No run, no message, no trail is left."""
    with database.write() as connection:
        for table in (enrolment, delivery, decision):
            connection.execute(text(f"DELETE FROM {table.name}"))


def vacuum(database: Database) -> None:
    """As a database that has been at work for a while looks after itself."""
    _by_itself(database, "VACUUM ANALYZE" if database.is_server else "ANALYZE")


def written_out(database: Database) -> None:
    """Of what was written so far nothing is left for a server to bring to the disk while it is measured."""
    if database.is_server:
        _by_itself(database, "CHECKPOINT")


def _by_itself(database: Database, statement: str) -> None:
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(statement)


def warm(database: Database) -> None:
    """In memory, as a database has what it works on; and nothing is left to fold into the file from before."""
    if database.file is not None:
        with database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        with database.file.open("rb") as file:
            while file.read(_MUCH):
                pass
        return
    with database.write() as connection:
        connection.execute(text("CREATE EXTENSION IF NOT EXISTS pg_prewarm"))
        connection.execute(_PREWARMED)


_MUCH = 16 * 2**20
# The largest first: if not all has room, they have gone again.
_PREWARMED = text("""
    SELECT pg_prewarm(oid) FROM (
        SELECT oid FROM pg_class WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace
        ORDER BY pg_relation_size(oid) DESC) AS relations""")
