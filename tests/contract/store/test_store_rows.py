"""A batch of rows told in one text is what the rows would be, had each been written by a statement of its own."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select
from store_bench import NOW, Bench

from engage.store.databases.database import Database
from engage.store.statements.rows import add_rows, change_rows, put_rows
from engage.store.tables import decision, enrolment, member_value

_BEIJING = timezone(timedelta(hours=8))
_TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)
_MOMENT = st.builds(
    lambda s, zone: (NOW + timedelta(microseconds=s)).astimezone(zone),
    st.integers(-(2**50), 2**50),
    st.sampled_from([UTC, _BEIJING]),
)
_JSON = st.dictionaries(_TEXT, st.none() | st.booleans() | st.integers(-(2**40), 2**40) | _TEXT, max_size=3)
# A value of every type that is kept; few different ones, so that often all rows agree.
_VALUES = st.fixed_dictionaries(
    {
        "text_value": st.none() | st.sampled_from(["", "真", "1", "null"]) | _TEXT,
        "number_value": st.none() | st.sampled_from([0.0, 0.1]) | st.floats(allow_nan=False, allow_infinity=False),
        "flag_value": st.none() | st.booleans(),
        "day_value": st.none() | st.dates(),
        "at_value": st.none() | st.just(NOW) | _MOMENT,
    }
)
_LINES = st.fixed_dictionaries(
    {"at": st.just(NOW) | _MOMENT, "step_id": st.none() | _TEXT, "what": st.just("wait") | _TEXT, "detail": _JSON}
)


def _numbered(rows: list[dict[str, Any]], **more: Any) -> list[dict[str, Any]]:
    return [{"bucket": n % 3, "id": n, **more} | row for n, row in enumerate(rows)]


@pytest.mark.parametrize("many", [False, True])
@given(data=st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_batch_says_what_its_rows_say_one_by_one(database: Database, data: st.DataObject, many: bool) -> None:
    size = data.draw(st.integers(2, 6)) if many else 1
    lines = _numbered(data.draw(st.lists(_LINES, min_size=size, max_size=size)), enrolment_id=1)
    values = [
        {"bucket": n % 3, "member_id": n, "field": "f"} | row
        for n, row in enumerate(data.draw(st.lists(_VALUES, min_size=size, max_size=size)))
    ]
    for table, rows in ((decision, lines), (member_value, values)):
        with database.write() as connection:
            for row in rows:
                connection.execute(insert(table), row)
            singly = connection.execute(select(table).order_by(*table.primary_key)).all()
            connection.execute(delete(table).where(table.c.bucket >= 0))
            add_rows(connection, table, rows)
            assert connection.execute(select(table).order_by(*table.primary_key)).all() == singly
            put_rows(connection, table, rows)
            assert connection.execute(select(table).order_by(*table.primary_key)).all() == singly
            connection.execute(delete(table).where(table.c.bucket >= 0))


def test_of_two_rows_with_the_same_key_the_later_one_stays(bench: Bench) -> None:
    rows = [{"bucket": 1, "member_id": 1, "field": "city", "text_value": city} for city in ("杭州", "苏州")]
    put_rows(bench.connection, member_value, rows)
    assert bench.row("member_value")["text_value"] == "苏州"
    put_rows(bench.connection, member_value, [rows[0], rows[0] | {"field": "name"}])
    assert [row["text_value"] for row in bench.rows("member_value")] == ["杭州", "杭州"]


def test_what_is_there_already_is_left_as_it_is_if_that_is_said(bench: Bench) -> None:
    rows = [{"bucket": 1, "member_id": n, "field": "city", "text_value": "杭州"} for n in range(3)]
    add_rows(bench.connection, member_value, rows[:2])
    add_rows(bench.connection, member_value, [row | {"text_value": "苏州"} for row in rows], unless_there=True)
    assert sorted(row["text_value"] for row in bench.rows("member_value")) == ["杭州", "杭州", "苏州"]


def test_each_row_gets_its_own_changes_and_no_other_row_any(bench: Bench) -> None:
    refs = [bench.member() for _ in range(4)]
    keys = [{"bucket": ref.bucket, "id": bench.enters(ref)} for ref in refs]
    untouched = bench.row("enrolment", **keys[3])
    waiting = {"phase": "waiting"}
    changes = [
        keys[0] | waiting | {"due_at": NOW, "jumps": None},
        keys[1] | waiting | {"due_at": None, "jumps": {"g": 1}},
        keys[2] | {"visit": 7},
    ]
    change_rows(bench.connection, enrolment, changes)
    first, second, third, fourth = (bench.row("enrolment", **key) for key in keys)
    assert (first["due_at"], first["jumps"], first["phase"]) == (NOW, None, "waiting")
    assert (second["due_at"], second["jumps"], second["phase"]) == (None, {"g": 1}, "waiting")
    assert (third["visit"], third["phase"]) == (7, "arriving")
    assert fourth == untouched


@pytest.mark.parametrize("visits", [(1, 1), (1, 2)])
def test_what_is_none_is_null_in_json_too_whether_all_rows_say_so_or_one(bench: Bench, visits: tuple[int, int]) -> None:
    keys = [{"bucket": ref.bucket, "id": bench.enters(ref)} for ref in (bench.member(), bench.member())]
    change_rows(bench.connection, enrolment, [key | {"jumps": {"g": 1}} for key in keys])
    for jumps in ((None, None), (None, {"g": 2})):
        rows = [key | {"jumps": j, "visit": v} for key, j, v in zip(keys, jumps, visits, strict=True)]
        change_rows(bench.connection, enrolment, rows)
        empty = select(enrolment.c.id).where(enrolment.c.jumps.is_(None)).order_by(enrolment.c.id)
        assert list(bench.connection.scalars(empty)) == [k["id"] for k, j in zip(keys, jumps, strict=True) if j is None]


def test_what_python_takes_for_equal_is_not_the_same_in_json(bench: Bench) -> None:
    keys = [{"bucket": ref.bucket, "id": bench.enters(ref)} for ref in (bench.member(), bench.member())]
    jumps: list[dict[str, Any]] = [{"jumps": {"g": number}, "goal_counts": None} for number in (1, True)]
    change_rows(bench.connection, enrolment, [key | new for key, new in zip(keys, jumps, strict=True)])
    assert [str(bench.row("enrolment", **key)["jumps"]) for key in keys] == ["{'g': 1}", "{'g': True}"]


def test_a_moment_without_a_zone_is_refused(bench: Bench) -> None:
    line = {"bucket": 1, "enrolment_id": 1, "what": "wait", "step_id": None, "detail": {}}
    rows = [line | {"id": n, "at": NOW.replace(tzinfo=None) + timedelta(n)} for n in range(2)]
    for told in (rows, rows[:1]):
        with pytest.raises(Exception, match="naive"):
            add_rows(bench.connection, decision, told)
