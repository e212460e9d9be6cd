"""A step has another name now: what is on record about it follows. What is on record about a step that is gone goes
under a name that no file can say: a step that is called so later is another one.

Answers, messages, tasks, calls and ways of runs that can still act on them are told by step id, and by it what happened
once does not happen twice. The trail is history: it keeps the names of its day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, String, case, cast, exists, func, select, union_all, update

from engage.store.advancing import save
from engage.store.statements.keys import batches, given_keys, in_given_keys
from engage.store.statements.rows import change_rows
from engage.store.tables import (
    IS_ENDED,
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
Keys = Mapping[str, str]  # as `given_keys` makes them
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
    for runs in batches(_acting(connection, journey_id, now)):
        _rename_of(connection, runs, names)
    _rename_ways(connection, journey_id, names)
    _rename_jumps(connection, journey_id, names)
    here = (split_decision.c.journey_id == journey_id) & split_decision.c.split_id.in_(list(names))
    connection.execute(update(split_decision).where(here).values(split_id=_new(split_decision.c.split_id, names)))


def _acting(connection: Connection, journey_id: str, now: datetime) -> Sequence[Any]:
    """Runs that follow the journey, and are on their way or have ended lately: each kind by its own index."""
    follows = select(E.bucket, E.id, E.member_id).where(E.journey_id == journey_id, E.pinned_version.is_(None))
    lately = follows.where(IS_ENDED, E.ended_at > now - _STILL_ACTS_FOR)
    return connection.execute(union_all(follows.where(IS_LIVE), lately)).all()


def _rename_of(connection: Connection, runs: Sequence[Any], names: Mapping[str, str]) -> None:
    """What is on record of these runs: what names them is found by them, the rest by whose it is."""
    by_run = given_keys((run.bucket, run.id) for run in runs)
    for table, key in ((answer, None), (webhook_call, None), (delivery, delivery.c.message_key), (event, None)):
        _rename_in(connection, table.c.step_id, key, names, in_given_keys(table, "enrolment_id"), by_run)
    by_member = given_keys((run.bucket, run.member_id) for run in runs)
    ids = {str(run.id) for run in runs}
    _rename_tasks(connection, names, ids, by_member)
    _rename_once(connection, event.c.dedupe_key, names, ids, event.c.name.in_(_TOLD_ONCE), by_member)
    _rename_once(connection, E.occurrence, names, ids, E.occurrence.startswith("enroll:"), by_member)


def _rename_in(connection: Connection, column: Any, key: Any, names: Mapping[str, str], here: Any, given: Keys) -> None:
    """`key` begins with run and step."""
    table = column.table
    values = {column.name: _new(column, names)}
    if key is not None:
        start = cast(table.c.enrolment_id, String) + ":"
        rest = func.substr(key, func.length(start + column) + 1)
        values[key.name] = start + _new(column, names) + rest
    of_any = table.c.enrolment_id.is_not(None)  # said, or SQLite leaves an index of those alone
    connection.execute(update(table).where(here, of_any, column.in_(list(names))).values(values), given)


def _new(column: Any, names: Mapping[str, str]) -> Any:
    return case(names, value=column)


def _rename_tasks(connection: Connection, names: Mapping[str, str], ids: Set[str], by_member: Keys) -> None:
    """Opened once for each run, step and visit: their key begins with run and step."""
    columns = (task.c.bucket, task.c.id, task.c.enrolment_id, task.c.step_id, task.c.key)
    rows = []
    for found in connection.execute(select(*columns).where(in_given_keys(task, "member_id")), by_member):
        run_id, step = str(found.enrolment_id), found.step_id
        if run_id in ids and step in names:
            key = f"{run_id}:{names[step]}" + found.key.removeprefix(f"{run_id}:{step}")
            rows.append({"bucket": found.bucket, "id": found.id, "step_id": names[step], "key": key})
    change_rows(connection, task, rows)


def _rename_once(
    connection: Connection, key: Any, names: Mapping[str, str], ids: Set[str], which: Any, by_member: Keys
) -> None:
    """What happens to the member once for each run, step and visit, by a key of `word:run:step:visit`."""
    table, rows = key.table, []
    theirs = select(table.c.bucket, table.c.id, key).where(in_given_keys(table, "member_id"), which)
    for bucket, row_id, before in connection.execute(theirs, by_member):
        word, _, rest = before.partition(":")
        run_id, _, step_and_visit = rest.partition(":")
        step, _, visit = step_and_visit.rpartition(":")
        if run_id in ids and step in names:
            rows.append({"bucket": bucket, "id": row_id, key.name: f"{word}:{run_id}:{names[step]}:{visit}"})
    change_rows(connection, table, rows)


def _rename_ways(connection: Connection, journey_id: str, names: Mapping[str, str]) -> None:
    """Of all who ever went there: a split's tally knows no end."""
    follows = exists().where(E.bucket == arm.c.bucket, E.id == arm.c.enrolment_id, E.pinned_version.is_(None))
    _rename_in(connection, arm.c.split_id, None, names, (arm.c.journey_id == journey_id) & follows, {})


def _rename_jumps(connection: Connection, journey_id: str, names: Mapping[str, str]) -> None:
    here = (IS_LIVE, E.journey_id == journey_id, E.pinned_version.is_(None), E.jumps.is_not(None))
    rows = connection.execute(select(E.bucket, E.id, E.jumps).where(*here)).all()
    counted = [
        {"bucket": row.bucket, "id": row.id, "jumps": {names.get(goto, goto): n for goto, n in row.jumps.items()}}
        for row in rows
        if row.jumps
    ]
    save(connection, counted)
