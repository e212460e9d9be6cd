"""Closing a task: what a colleague did about it, and the event a journey may be waiting for."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from engage.core.catalog import Catalog
from engage.store import events, tasks
from engage.store.events import NewEvent
from engage.store.tasks import TaskRow


def close_task(connection: Connection, catalog: Catalog, row: TaskRow, outcome: str, by: str, now: datetime) -> bool:
    """False, and nothing done, if somebody has closed it before."""
    if not tasks.close(connection, row, outcome, by, now):
        return False
    done = NewEvent(
        row.member,
        "task_done",
        now,
        f"task:{row.id}",
        {"outcome": outcome},
        enrolment_id=row.enrolment_id,
        journey_id=row.journey_id,
        step_id=row.step_id,
    )
    events.record(connection, catalog, [done], now)
    return True
