"""The trail of each run: what it decided at every step and why. `engage explain` reads it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from engage.store.statements.ids import take_ids
from engage.store.statements.rows import add_rows
from engage.store.tables import decision

Line = tuple[int, int, str | None, str, Mapping[str, Any]]
"""(bucket, enrolment id, step id, what, detail)"""


def note(connection: Connection, lines: Sequence[Line], now: datetime) -> None:
    if not lines:
        return
    ids = take_ids(connection, "decision", len(lines))
    rows = [
        {"bucket": bucket, "id": i, "enrolment_id": e, "at": now, "step_id": step, "what": what, "detail": dict(detail)}
        for i, (bucket, e, step, what, detail) in zip(ids, lines, strict=True)
    ]
    add_rows(connection, decision, rows)
