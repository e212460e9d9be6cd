"""One step of one run, as a job of its own takes it: the rows that our advance loop reads, adds and changes, in one
transaction. Knows none of the libraries that bring it here."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool

DATABASE = os.environ.get("PEERS_DATABASE", "")
REDIS = os.environ.get("PEERS_REDIS", "")
_NOW = datetime.fromisoformat(os.environ.get("PEERS_NOW", "2026-11-23T02:00:00+00:00"))
_TOLD = {"now": _NOW, "later": _NOW + timedelta(days=30)}
_CLAIMED = """
    SELECT e.member_id, e.visit, EXISTS (
        SELECT 1 FROM member_value v
        WHERE v.bucket = e.bucket AND v.member_id = e.member_id AND v.field = 'level' AND v.number_value >= 1)
    FROM enrolment e JOIN member m ON m.bucket = e.bucket AND m.id = e.member_id
    WHERE e.bucket = %(bucket)s AND e.id = %(run)s AND e.status = 'live' AND e.due_at <= %(now)s
    FOR UPDATE OF e
"""
_MESSAGE = """
    INSERT INTO delivery (bucket, id, member_id, message_key, hop, purpose, enrolment_id, journey_id, version, step_id,
        visit, topic, priority, template, status, queued_at, due_at)
    VALUES (%(bucket)s, %(run)s, %(member)s, %(key)s, 0, 'send', %(run)s, 'bench', 1, 'send_sorry_personal',
        %(visit)s, 'service', 50, 'sorry_personal', 'pending', %(now)s, %(now)s)
    ON CONFLICT DO NOTHING
"""
_TRAIL = """
    INSERT INTO decision (bucket, id, enrolment_id, at, step_id, what, detail)
    VALUES (%(bucket)s, %(run)s + 1000000000, %(run)s, %(now)s, 'wait', 'wait',
        '{"until": "2026-12-23T02:00:00+00:00"}')
"""
# `step_started_at` by the real clock: how long all of them took is read from there.
_MOVED = """
    UPDATE enrolment SET step_id = 'wait', phase = 'waiting', step_started_at = clock_timestamp(),
        step_after_event = 0, deadline_at = %(later)s, due_at = %(later)s
    WHERE bucket = %(bucket)s AND id = %(run)s
"""


def step(connection: psycopg.Connection[Any], bucket: int, run: int) -> None:
    told = {**_TOLD, "bucket": bucket, "run": run}
    found = connection.execute(_CLAIMED, told).fetchone()
    if found is None:
        return
    member, visit, holds = found
    if holds:
        told |= {"member": member, "visit": visit, "key": f"{run}:send_sorry_personal:{visit}"}
        connection.execute(_MESSAGE, told)
    connection.execute(_TRAIL, told)
    connection.execute(_MOVED, told)


_pool: ConnectionPool[Any] | None = None


def step_alone(bucket: int, run: int) -> None:
    """In a transaction of its own, on a connection of this process."""
    global _pool
    if _pool is None:
        _pool = ConnectionPool(DATABASE, min_size=1, max_size=20, open=True)
    with _pool.connection() as connection:
        step(connection, bucket, run)


def runs() -> list[tuple[int, int]]:
    """All that are due, as (bucket, id)."""
    with psycopg.connect(DATABASE) as connection:
        return connection.execute(
            "SELECT bucket, id FROM enrolment WHERE due_at <= %(now)s ORDER BY id", _TOLD
        ).fetchall()
