"""How the database would carry out what a function asks of it: every statement is caught on its way and explained."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.event import listen, remove

from engage.store.tables import metadata

# Indexes of the few rows that wait for something: to walk through one of them is to read what is to be done.
_OF_WAITING = {
    *(
        "ix_member_timezone_at",
        "ix_inbound_new",
        "ix_event_fresh",
        "ix_enrolment_due",
        "ix_enrolment_journey_id_step_id",
    ),
    *("ix_enrolment_hold_id_status_hold_stage", "ix_delivery_waiting", "ix_delivery_in_hand", "ix_delivery_to_file"),
    *("ix_notice_due", "ix_webhook_call_due"),
}
# A row for each share that conditions ask for, and for each start that was held back.
_FEW = {"rank_threshold", "hold"}
_GROWING = set(metadata.tables) - _FEW
# SQLite: SEARCH goes down an index, SCAN walks through a table or an index. To look for all ids beyond one is to walk
# through a large table as well.
_SQLITE_SCAN = re.compile(r"SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?")
_LARGE = "delivery|theirs|event|enrolment|decision|member_value"
_BEYOND = r"\((?:rowid|id|member_id|enrolment_id)[<>]\?"
_SQLITE_BEYOND = re.compile(rf"SEARCH ({_LARGE}) USING (?:.*INDEX (\w+)|.*KEY) {_BEYOND}")
_SQLITE_INDEX = re.compile(r"USING (?:COVERING )?INDEX (\w+)")
# PostgreSQL: a scan, of a table or along an index; and what says where in the index to look.
_POSTGRESQL_SCAN = re.compile(
    r"(?:Seq Scan|(?:Index|Index Only) Scan(?: Backward)? using (\w+)) on (\w+)|Bitmap Index Scan on (\w+)"
)


@dataclass
class Plans:
    """What was asked, and the plan for it, statement by statement."""

    steps: list[tuple[str, str]] = field(default_factory=list)

    @property
    def walked(self) -> list[str]:
        """Plans that walk through a whole table or index, other than the small ones of what waits."""
        return [f"{plan}\n{sql}" for sql, plan in self.steps if _walks_on_sqlite(plan) or _walks_on_postgresql(plan)]

    @property
    def sorted(self) -> list[str]:
        """Plans that read all there is before the first row is had. A handful of lanes is put in order when all are
        known."""
        asked = [plan for sql, plan in self.steps if "WITH RECURSIVE" not in sql]
        return [plan for plan in asked if "Sort" in plan or "TEMP B-TREE FOR ORDER BY" in plan]

    @property
    def indexes(self) -> set[str]:
        found = [_SQLITE_INDEX.findall(plan) for _, plan in self.steps]
        found += [[a or b for a, _, b in _POSTGRESQL_SCAN.findall(plan)] for _, plan in self.steps]
        return {index for each in found for index in each if index}


def _walks_on_sqlite(plan: str) -> bool:
    walked = [*_SQLITE_SCAN.findall(plan), *_SQLITE_BEYOND.findall(plan)]
    return any(t in _GROWING and index not in _OF_WAITING for t, index in walked)


def _walks_on_postgresql(plan: str) -> bool:
    lines = plan.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        found = _POSTGRESQL_SCAN.search(line)
        few = found is not None and ((found[1] or found[3]) in _OF_WAITING or found[2] in _FEW)
        if found and "Index Cond" not in following and not few:
            return True
    return False


@contextmanager
def explained(connection: Connection, *, as_it_is: bool = False) -> Iterator[Plans]:
    """Plans of the SELECTs, UPDATEs and DELETEs that are carried out inside. Needs no rows: PostgreSQL is asked what it
    would do if walking through a table were the last thing to do, so that small tables show the plans of big ones.
    `as_it_is`: what it does with what is there."""
    plans = Plans()
    on_sqlite = connection.dialect.name == "sqlite"
    pretends = not on_sqlite and not as_it_is

    def explain(_connection: Connection, _cursor: Any, statement: str, values: Any, _context: Any, many: bool) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            words = "EXPLAIN QUERY PLAN" if on_sqlite else "EXPLAIN"
            cursor = connection.connection.cursor()
            rows = cursor.execute(f"{words} {statement}", values[0] if many else values).fetchall()
            plans.steps.append((statement, "\n".join(str(row[-1]) for row in rows)))

    if pretends:
        _walking(connection, "off")
    listen(connection, "before_cursor_execute", explain)
    try:
        yield plans
    finally:
        remove(connection, "before_cursor_execute", explain)
        if pretends:
            _walking(connection, "on")


def _walking(connection: Connection, is_now: str) -> None:
    connection.exec_driver_sql(f"SET LOCAL enable_seqscan = {is_now}")


def learn_the_sizes(connection: Connection, *names: str) -> None:
    """PostgreSQL gets to know how many rows there are, in all tables or these; on SQLite nobody ever runs ANALYZE."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"ANALYZE {', '.join(names)}")


def as_among_millions(connection: Connection) -> None:
    """PostgreSQL looks each row of a batch up. Of a few thousand it would read all, and join them to the batch."""
    for way in ("hashjoin", "mergejoin") if connection.dialect.name == "postgresql" else ():
        connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
