"""What several benchmarks stand on: databases of both kinds, filled with members who have entered a small journey."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

from sqlalchemy import select, text

from engage.bootstrap import build_context
from engage.clock import Clock, VirtualClock
from engage.content.project import Project, project_files, read_project
from engage.runtime.applying import Done, apply
from engage.runtime.context import Context
from engage.simulation.settings import USUAL
from engage.store import enrolling, members, migrating
from engage.store.database import Database
from engage.store.enrolling import Entrant
from engage.store.members import MemberRef
from engage.store.tables import decision, delivery, enrolment, member
from tests.bench.figures import Scale
from tests.postgresql import running_server

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
def postgresql() -> Iterator[Database]:
    """A server of its own with all tables, as durable as in life."""
    with running_server(durable=True) as url:
        database = Database(url)
        migrating.upgrade(database)
        yield database
        database.close()


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
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE" if database.is_server else "ANALYZE")
