"""Closing tasks: what a colleague did about them, and the events that journeys may be waiting for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from engage.core.catalog import Catalog
from engage.store import events, tasks
from engage.store.events import NewEvent
from engage.store.tasks import TaskRow


def close_task(connection: Connection, catalog: Catalog, row: TaskRow, outcome: str, by: str, now: datetime) -> bool:
    """False, and nothing done, if somebody has closed it before."""
    return bool(close_tasks(connection, catalog, [row], outcome, by, now))


def close_tasks(
    connection: Connection, catalog: Catalog, rows: Sequence[TaskRow], outcome: str, by: str, now: datetime
) -> list[TaskRow]:
    """Several with the same outcome. Returns those that nobody had closed before."""
    closed = tasks.close(connection, rows, outcome, by, now)
    if closed:
        events.record(connection, catalog, [_done(row, outcome, now) for row in closed], now)
    return closed


def _done(row: TaskRow, outcome: str, now: datetime) -> NewEvent:
    return NewEvent(
        row.member,
        "task_done",
        now,
        f"task:{row.id}",
        {"outcome": outcome},
        enrolment_id=row.enrolment_id,
        journey_id=row.journey_id,
        step_id=row.step_id,
    )
