"""A step has another name now: what is on record about it follows.

Answers, messages, tasks, calls and ways of runs that can still act on them are told by step id, and by it what happened
once does not happen twice. The trail is history: it keeps the names of its day.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, String, Table, and_, case, cast, func, or_, select, tuple_, update

from engage.store.advancing import save
from engage.store.tables import (
    IS_LIVE,
    answer,
    arm,
    delivery,
    enrolment,
    event,
    split_decision,
    task,
    webhook_call,
)

E = enrolment.c
# Longer than any follow-up or correction of a run that has ended.
_STILL_ACTS_FOR = timedelta(days=30)
_MEANWHILE = "»"  # no id begins like this


def rename_steps(connection: Connection, journey_id: str, names: Mapping[str, str], now: datetime) -> None:
    """`names`: old id → new id, for runs that follow the journey. Names may change places with each other."""
    changed = {old: new for old, new in names.items() if old != new}
    if set(changed) & set(changed.values()):
        _rename(connection, journey_id, {old: _MEANWHILE + new for old, new in changed.items()}, now)
        changed = {_MEANWHILE + new: new for new in changed.values()}
    _rename(connection, journey_id, changed, now)


def _rename(connection: Connection, journey_id: str, names: Mapping[str, str], now: datetime) -> None:
    if not names:
        return
    runs = _runs(journey_id, now)
    for table, key in ((answer, None), (webhook_call, None), (task, task.c.key), (delivery, delivery.c.message_key)):
        _rename_in(connection, table, table.c.step_id, key, names, runs)
    _rename_in(connection, arm, arm.c.split_id, None, names, runs)
    _rename_in(connection, event, event.c.step_id, None, names, runs)
    _rename_what_was_told(connection, names, runs)
    _rename_jumps(connection, journey_id, names)
    here = (split_decision.c.journey_id == journey_id) & split_decision.c.split_id.in_(list(names))
    connection.execute(update(split_decision).where(here).values(split_id=_new(split_decision.c.split_id, names)))


def _runs(journey_id: str, now: datetime) -> Any:
    of_journey = and_(E.journey_id == journey_id, E.pinned_version.is_(None))
    acting = or_(IS_LIVE, E.ended_at > now - _STILL_ACTS_FOR)
    return select(E.bucket, E.id).where(of_journey, acting)


def _rename_in(
    connection: Connection, table: Table, column: Any, key: Any, names: Mapping[str, str], runs: Any
) -> None:
    """`key` begins with run and step."""
    values = {column.name: _new(column, names)}
    if key is not None:
        start = cast(table.c.enrolment_id, String) + ":"
        rest = func.substr(key, func.length(start + column) + 1)
        values[key.name] = start + _new(column, names) + rest
    connection.execute(update(table).where(_of_runs(table, runs), column.in_(list(names))).values(values))


def _rename_what_was_told(connection: Connection, names: Mapping[str, str], runs: Any) -> None:
    """An `update` is told once: by run, step and visit."""
    run = cast(event.c.enrolment_id, String)
    for old, new in names.items():
        ours, theirs = (":" + run + f":{name}:" for name in (old, new))
        here = and_(_of_runs(event, runs), event.c.name == "member_updated", event.c.dedupe_key.contains(ours))
        replaced = func.replace(event.c.dedupe_key, ours, theirs)
        connection.execute(update(event).where(here).values(dedupe_key=replaced))


def _rename_jumps(connection: Connection, journey_id: str, names: Mapping[str, str]) -> None:
    here = (IS_LIVE, E.journey_id == journey_id, E.pinned_version.is_(None), E.jumps.is_not(None))
    rows = connection.execute(select(E.bucket, E.id, E.jumps).where(*here)).all()
    counted = [
        {"bucket": row.bucket, "id": row.id, "jumps": {names.get(goto, goto): n for goto, n in row.jumps.items()}}
        for row in rows
        if row.jumps
    ]
    save(connection, counted)


def _of_runs(table: Table, runs: Any) -> Any:
    return tuple_(table.c.bucket, table.c.enrolment_id).in_(runs)


def _new(column: Any, names: Mapping[str, str]) -> Any:
    return case(names, value=column)
