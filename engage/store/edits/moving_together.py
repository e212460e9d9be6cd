"""Many runs moved alike: what is the same for all is one statement, however many they are. What was done to each is
kept all the same, and told in its trail.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Connection, Table, case, func, insert, literal, select, tuple_, update

from engage.store.edits.moving import as_json, everyone, following
from engage.store.statements.ids import take_ids
from engage.store.tables import Instant, decision, enrolment, enrolment_move

E = enrolment.c


@dataclass(frozen=True, slots=True)
class Together:
    """Columns as they were and as they are to be, the same for all; and what the trail tells of it: the step, the kind
    of line, and its details. `what`: of `core.moving`."""

    what: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    step_id: str | None = None
    line: str = "moved"
    told: Mapping[str, Any] | None = None  # None: nothing


def rename_places(
    connection: Connection, plan_id: str, journey_id: str, moves: Mapping[str, Together], now: datetime
) -> None:
    """Whoever follows the journey and stands at one of these steps, by its old id, stands there under its new name.
    Names may change places with each other."""
    if not moves:
        return
    for old, move in moves.items():
        _keep(connection, plan_id, following(journey_id) & (E.step_id == old), move, now)
    names = {old: move.after["step_id"] for old, move in moves.items()}
    here = following(journey_id) & E.step_id.in_(list(names))
    _set(connection, here, {"step_id": case(names, value=E.step_id)})


def move_everyone(
    connection: Connection, plan_id: str, journey_id: str, move: Together, now: datetime, *, pinned: bool
) -> None:
    """Every live run that follows the journey; `pinned`: those that do not follow it any more, too."""
    here = everyone(journey_id, pinned=pinned)
    _keep(connection, plan_id, here, move, now)
    _set(connection, here, move.after)


def _set(connection: Connection, here: Any, columns: Mapping[str, Any]) -> None:
    runs = select(E.bucket, E.id).where(here)
    connection.execute(update(enrolment).where(tuple_(E.bucket, E.id).in_(runs)).values(dict(columns)))


def _keep(connection: Connection, plan_id: str, here: Any, move: Together, now: datetime) -> None:
    states = {"before": literal(as_json(move.before), JSON), "after": literal(as_json(move.after), JSON)}
    _insert_for_each(
        connection, enrolment_move, here, {"plan_id": literal(plan_id), "what": literal(move.what), **states}
    )
    if move.told is not None:
        line = {"step_id": literal(move.step_id), "what": literal(move.line), "detail": literal(dict(move.told), JSON)}
        _insert_for_each(connection, decision, here, {"at": literal(now, Instant()), **line})


def _insert_for_each(connection: Connection, table: Table, here: Any, columns: Mapping[str, Any]) -> None:
    """A row for each of these runs."""
    count = connection.scalar(select(func.count()).select_from(enrolment).where(here)) or 0
    ids = take_ids(connection, table.name, count)
    numbered = ids.start - 1 + func.row_number().over(order_by=E.id)
    rows = select(E.bucket, numbered, E.id, *columns.values()).where(here)
    connection.execute(insert(table).from_select(["bucket", "id", "enrolment_id", *columns], rows))
