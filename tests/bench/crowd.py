"""A crowd for the `growth` section, written by the database itself: members with a past, and runs that wait.

As a business of that size has it: an order each, one in ten in 杭州, birthdays all over the year and one in five by the
lunar calendar; five runs each, whose waits end on any of the next 90 days, a message sent and a line of the trail for
every run.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import insert, text
from sqlalchemy.schema import CreateIndex, DropIndex

from engage.store.databases.database import Database
from engage.store.tables import (
    BUCKETS,
    anniversary,
    bucket_of,
    contact_point,
    decision,
    delivery,
    enrolment,
    event,
    id_block,
    identity,
    member,
    member_value,
)

RUNS_EACH = 5
# Of shipped journeys, a wait of each; not that of the birthday morning, into which nobody comes who stands in it.
_WAITING_IN = (
    ("nps", "nps"),
    ("onboarding_90d", "wait>tips60"),
    ("refill_hard", "wait>refill_last"),
    ("welcome", "wait>first_order_coupon"),
    ("winback", "wait_for-clicked"),
)
_FILLED = (member, identity, contact_point, member_value, anniversary, event, enrolment, delivery, decision)


def gather(database: Database, members: int, now: datetime) -> None:
    """Indexes are made when all is there, as after an import."""
    indexes = [index for table in _FILLED for index in table.indexes]
    with database.write() as connection:
        for index in indexes:
            connection.execute(DropIndex(index))
    crowd = _Crowd(database.is_server)
    told = {"members": members, "now": now if database.is_server else now.replace(tzinfo=None).isoformat(" ")}
    for statement in crowd.statements():
        with database.write() as connection:  # each in its own: SQLite's log would be as large as all of it
            if not database.is_server:
                connection.connection.create_function("bucket_of", 1, bucket_of)
            connection.execute(text(statement), told)
    for index in indexes:
        with database.write() as connection:
            connection.execute(CreateIndex(index))
    per_member = {"member": 1, "event": 1, "enrolment": RUNS_EACH, "delivery": RUNS_EACH, "decision": RUNS_EACH}
    with database.write() as connection:
        taken = [{"kind": kind, "next_id": members * each + 1} for kind, each in per_member.items()]
        connection.execute(insert(id_block), taken)


class _Crowd:
    """The statements, which the two databases spell alike but for checksums and moments."""

    def __init__(self, on_server: bool) -> None:
        self.on_server = on_server

    def statements(self) -> Iterator[str]:
        yield f"""
            INSERT INTO member (bucket, id, external_id, last_event, created_at, updated_at)
            WITH RECURSIVE m(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM m WHERE id < :members)
            SELECT {self._bucket("m.id")}, id, 'm' || id, 1, {self._later("0")}, {self._later("0")} FROM m
            ORDER BY 1, 2"""
        yield """
            INSERT INTO identity (kind, value, bucket, member_id)
            SELECT 'member', external_id, bucket, id FROM member ORDER BY 2"""
        yield f"""
            INSERT INTO contact_point (bucket, member_id, channel, address, status, status_at)
            SELECT bucket, id, 'sms', '138' || (10000000 + id), 'active', {self._later("0")} FROM member m"""
        yield f"""
            INSERT INTO anniversary (bucket, member_id, field, calendar, month, day, leap, year)
            SELECT bucket, id, 'birthday', CASE WHEN {_lot(7919)} % 5 = 0 THEN 'lunar' ELSE 'solar' END,
                1 + {_lot(104729)} % 12, 1 + {_lot(15485863)} % 29, false, 1960 + {_lot(31)} % 50 FROM member m"""
        yield from self._values()
        yield f"""
            INSERT INTO event (bucket, id, member_id, number, name, at, payload, dedupe_key, recorded_at, fresh)
            SELECT bucket, id, id, 1, 'order_paid', {self._ordered()}, '{{"order_id": "A1", "amount": 128}}',
                'order:' || id, {self._ordered()}, false FROM member m"""
        yield from self._runs()

    def _values(self) -> Iterator[str]:
        city = f"CASE WHEN {_lot(523)} % 10 = 0 THEN '杭州' ELSE '城市' || ({_lot(523)} % 300) END"
        for field, column, value in (
            ("city", "text_value", city),
            ("lifecycle", "text_value", f"CASE WHEN {_lot(89)} % 2 = 0 THEN '活跃' ELSE '沉睡' END"),
            ("level", "number_value", f"1 + {_lot(17)} % 5"),
            ("orders", "number_value", "1"),
            ("spent", "number_value", f"50 + {_lot(101)} % 4000"),
            ("first_order_at", "at_value", self._ordered()),
            ("last_order_at", "at_value", self._ordered()),
        ):
            yield f"""
                INSERT INTO member_value (bucket, member_id, field, {column})
                SELECT bucket, id, '{field}', {value} FROM member m"""

    def _runs(self) -> Iterator[str]:
        began = self._later(f"-86400 - {_lot(11)} * 8")
        due = self._later(f"86400 + (m.id * 7368787 + k.number * 1299709) % {90 * 86_400}")
        kinds = (f"SELECT {n} AS number, '{j}' AS journey, '{s}' AS step" for n, (j, s) in enumerate(_WAITING_IN))
        runs = f"FROM member m CROSS JOIN ({' UNION ALL '.join(kinds)}) k"
        run = f"((m.id - 1) * {RUNS_EACH} + k.number + 1)"
        yield f"""
            INSERT INTO enrolment (bucket, id, member_id, journey_id, version, occurrence, per_value, holdout, status,
                entered_at, context, after_event, step_id, step_started_at, step_after_event, phase, deadline_at,
                due_at, last_message_at)
            SELECT bucket, {run}, m.id, journey, 1, 'event:' || m.id, '', false, 'live', {began},
                '{{"event": {{}}, "var": {{}}}}', 1, step, {began}, 1, 'waiting', {due}, {due}, {began} {runs}"""
        yield f"""
            INSERT INTO delivery (bucket, id, member_id, message_key, hop, purpose, enrolment_id, journey_id, version,
                step_id, visit, topic, priority, template, status, queued_at, channel, address, mode, decision, payload,
                text, fence, attempts, first_sent_at, sent_at, recorded_at, provider_id, arrival, arrival_at)
            SELECT bucket, {run}, m.id, {run} || ':send:0', 0, 'send', {run}, journey, 1, 'send', 0, 'marketing', 50,
                'birthday', 'sent', {began}, 'sms', '138' || (10000000 + m.id), 'sms', '{{}}',
                '{{"template": "SMS_1", "params": {{"name": "林晚"}}}}', '【山野茶事】林晚，您的新茶到了，回T退订',
                1, 1, {began}, {began}, {began}, 'biz-' || {run}, 'delivered', {began} {runs}"""
        yield f"""
            INSERT INTO decision (bucket, id, enrolment_id, at, step_id, what, detail)
            SELECT bucket, {run}, {run}, {began}, step, 'wait', '{{"until": "2026-12-23T02:00:00+00:00"}}' {runs}"""

    def _ordered(self) -> str:
        """In the last thirteen months."""
        return self._later(f"-{_lot(11)} * 34")

    def _bucket(self, member_id: str) -> str:
        of_text = f"crc32(CAST(CAST({member_id} AS text) AS bytea)) % {BUCKETS}"
        return of_text if self.on_server else f"bucket_of({member_id})"

    def _later(self, seconds: str) -> str:
        if self.on_server:
            return f"CAST(:now AS timestamptz) + ({seconds}) * interval '1 second'"
        return f"strftime('%Y-%m-%d %H:%M:%f000', :now, ({seconds}) || ' seconds')"


def _lot(factor: int) -> str:
    """Of a million, and another one for each factor: the same crowd is the same everywhere, and no column follows
    another one."""
    return f"(m.id * {factor} % 1000003)"
