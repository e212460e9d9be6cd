"""What the advance loop does to the tables in the journey of `steps`, said by the database itself in sets: the least
that these rows can cost."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text

from engage.store.databases.database import Database

_STEP = "send_sorry_personal"
_DUE = """
    SELECT e.bucket, e.id, e.member_id, e.visit FROM enrolment e
    JOIN member m ON m.bucket = e.bucket AND m.id = e.member_id
    WHERE e.status = 'live' AND e.due_at <= :now AND EXISTS (
        SELECT 1 FROM member_value v
        WHERE v.bucket = e.bucket AND v.member_id = e.member_id AND v.field = 'level' AND v.number_value >= 1)
    ORDER BY e.due_at, e.id LIMIT :most
"""
_MESSAGE = f"""
    INSERT INTO delivery (bucket, id, member_id, message_key, hop, purpose, enrolment_id, journey_id, version, step_id,
        visit, topic, priority, template, status, queued_at, due_at)
    SELECT bucket, :before + n, member_id, id || ':{_STEP}:' || visit, 0, 'send', id, 'bench', 1, '{_STEP}',
        visit, 'service', 50, 'sorry_personal', 'pending', :now, :now FROM due WHERE true
    ON CONFLICT DO NOTHING
"""
_TRAIL = """
    INSERT INTO decision (bucket, id, enrolment_id, at, step_id, what, detail)
    SELECT bucket, :before + n, id, :now, 'wait', 'wait', '{"until": "2026-12-23T02:00:00+00:00"}' FROM due
"""
_MOVED = """
    UPDATE enrolment SET step_id = 'wait', phase = 'waiting', step_started_at = :now, step_after_event = 0,
        deadline_at = :later, due_at = :later
    FROM due WHERE enrolment.bucket = due.bucket AND enrolment.id = due.id
"""
_AT_ONCE = text(
    f"""
    WITH due AS MATERIALIZED (
        SELECT *, row_number() OVER () AS n FROM ({_DUE} FOR UPDATE OF e SKIP LOCKED) locked
    ), message AS ({_MESSAGE}), trail AS ({_TRAIL}), moved AS ({_MOVED})
    SELECT count(*) FROM due
    """
)
_ONE_BY_ONE = (
    "DROP TABLE IF EXISTS temp.due",
    f"CREATE TEMP TABLE due AS SELECT *, row_number() OVER () AS n FROM ({_DUE})",
    _MESSAGE,
    _TRAIL,
    _MOVED,
)


def advance_all(database: Database, batch: int, now: datetime, later: datetime) -> int:
    """Move all that are due, a batch in each transaction. Returns how many."""
    moved = 0
    while True:
        with database.write() as connection:
            some = _advance(connection, {"most": batch, "now": now, "later": later, "before": 10**6 + moved})
        if some == 0:
            return moved
        moved += some


def _advance(connection: Connection, told: dict[str, object]) -> int:
    if connection.dialect.name == "postgresql":
        return int(connection.execute(_AT_ONCE, told).scalar_one())
    as_kept = {name: _kept(value) for name, value in told.items()}
    for statement in _ONE_BY_ONE:
        connection.execute(text(statement), as_kept)
    return int(connection.execute(text("SELECT count(*) FROM due")).scalar_one())


def _kept(value: object) -> object:
    return value.replace(tzinfo=None).isoformat(" ", "microseconds") if isinstance(value, datetime) else value
