"""A step has another name now: what is on record about it follows. What is on record about a step that is gone goes
under a name that no file can say: a step that is called so later is another one.

Answers, messages, tasks, calls and ways of runs that can still act on them are told by step id, and by it what happened
once does not happen twice. The trail is history: it keeps the names of its day.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, String, Table, and_, case, cast, func, or_, select, tuple_, update

from engage.store.advancing import save
from engage.store.rows import change_rows
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
# Events that are recorded once for each run, step and visit: `name:run:step:visit`.
_TOLD_ONCE = ("member_updated", "answered", "nps_answered", "csat_answered")


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
    following = and_(E.journey_id == journey_id, E.pinned_version.is_(None))
    acting = following & or_(IS_LIVE, E.ended_at > now - _STILL_ACTS_FOR)
    for table, key in ((answer, None), (webhook_call, None), (task, task.c.key), (delivery, delivery.c.message_key)):
        _rename_in(connection, table, table.c.step_id, key, names, acting)
    _rename_in(connection, event, event.c.step_id, None, names, acting)
    _rename_in(connection, arm, arm.c.split_id, None, names, following)  # a split's tally knows no end
    told = event.c.name.in_(_TOLD_ONCE)
    _rename_once(connection, event, event.c.dedupe_key, told, names, acting)
    entered = E.occurrence.startswith("enroll:")
    _rename_once(connection, enrolment, E.occurrence, entered, names, acting)
    _rename_jumps(connection, journey_id, names)
    here = (split_decision.c.journey_id == journey_id) & split_decision.c.split_id.in_(list(names))
    connection.execute(update(split_decision).where(here).values(split_id=_new(split_decision.c.split_id, names)))


def _rename_in(
    connection: Connection, table: Table, column: Any, key: Any, names: Mapping[str, str], runs: Any
) -> None:
    """`key` begins with run and step."""
    values = {column.name: _new(column, names)}
    if key is not None:
        start = cast(table.c.enrolment_id, String) + ":"
        rest = func.substr(key, func.length(start + column) + 1)
        values[key.name] = start + _new(column, names) + rest
    of_runs = tuple_(table.c.bucket, table.c.enrolment_id).in_(select(E.bucket, E.id).where(runs))
    of_any = table.c.enrolment_id.is_not(None)  # said, or SQLite leaves an index of those alone
    connection.execute(update(table).where(of_runs, of_any, column.in_(list(names))).values(values))


def _new(column: Any, names: Mapping[str, str]) -> Any:
    return case(names, value=column)


def _rename_once(
    connection: Connection, table: Table, key: Any, some: Any, names: Mapping[str, str], runs: Any
) -> None:
    """What happens to the member once for each run, step and visit, by a key of `word:run:step:visit`."""
    run = select(E.bucket, E.id, E.member_id).where(runs).subquery()
    of_member = (table.c.bucket == run.c.bucket) & (table.c.member_id == run.c.member_id)
    of_run = key.contains(":" + cast(run.c.id, String) + ":")
    query = select(table.c.bucket, table.c.id, key, run.c.id).join_from(run, table, of_member).where(some, of_run)
    rows = []
    for bucket, row_id, before, of in connection.execute(query):
        word, run_id, step_and_visit = before.split(":", 2)
        step, _, visit = step_and_visit.rpartition(":")
        if run_id == str(of) and step in names:
            rows.append({"bucket": bucket, "id": row_id, key.name: f"{word}:{run_id}:{names[step]}:{visit}"})
    change_rows(connection, table, rows)


def _rename_jumps(connection: Connection, journey_id: str, names: Mapping[str, str]) -> None:
    here = (IS_LIVE, E.journey_id == journey_id, E.pinned_version.is_(None), E.jumps.is_not(None))
    rows = connection.execute(select(E.bucket, E.id, E.jumps).where(*here)).all()
    counted = [
        {"bucket": row.bucket, "id": row.id, "jumps": {names.get(goto, goto): n for goto, n in row.jumps.items()}}
        for row in rows
        if row.jumps
    ]
    save(connection, counted)
