"""Plans: what was shown, what was applied, what was taken back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from engage.store.databases.database import upsert
from engage.store.tables import plan

P = plan.c

Files = Mapping[str, str | None]
"""Path → text; None where there is no such file."""


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """`mark`: of what was applied when it was made. `before` and `files`: the files that differ, as they were applied
    and as they were read."""

    id: str
    digest: str
    made_at: datetime
    mark: str
    before: Files
    files: Files
    options: Mapping[str, Any]
    effect: Mapping[str, Any]
    applied_at: datetime | None = None
    undone_by: str | None = None


def get(connection: Connection, plan_id: str) -> SavedPlan | None:
    row = connection.execute(select(plan).where(P.id == plan_id)).mappings().one_or_none()
    return SavedPlan(**row) if row is not None else None


def free_id(connection: Connection, digest: str) -> str:
    """As short as it can be and still be this plan's own."""
    ids = (f"plan-{digest[:length]}" for length in range(4, len(digest) + 1))
    return next(
        plan_id for plan_id in ids if connection.scalar(select(P.digest).where(P.id == plan_id)) in (None, digest)
    )


def save(connection: Connection, made: SavedPlan) -> None:
    """The same plan made twice is one."""
    columns = (column.name for column in plan.columns)
    row = {name: getattr(made, name) for name in columns}
    connection.execute(upsert(plan).values(row).on_conflict_do_nothing())


def note_applied(connection: Connection, plan_id: str, now: datetime) -> None:
    connection.execute(update(plan).where(P.id == plan_id).values(applied_at=now))


def note_undone(connection: Connection, plan_id: str, by: str) -> None:
    connection.execute(update(plan).where(P.id == plan_id).values(undone_by=by))
