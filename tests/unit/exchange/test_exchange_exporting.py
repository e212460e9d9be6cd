"""Exports: every row, in order, exact for scripts and safe for spreadsheets; and members that an import reads again."""

from __future__ import annotations

import csv
import io
import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from exchange_builders import CATALOG, NOW, members
from sqlalchemy import Table, insert

from engage.core.anniversary import Anniversary, Calendar, parse_anniversary
from engage.exchange.exporting import Exported, Format, export
from engage.exchange.formula import neutralised
from engage.exchange.importing import import_members
from engage.exchange.member_rows import anniversary_text
from engage.store import members as store
from engage.store import reaching
from engage.store.databases.database import Database
from engage.store.members import MemberRef
from engage.store.tables import answer, delivery, enrolment, event, task

OPENID = "oABCD_1234567890abcdefghijkl"


def exported(database: Database, what: Exported, form: Format = Format.JSONL) -> list[dict[str, Any]]:
    out = io.StringIO()
    count = export(database, what, form, out, CATALOG, NOW)
    text = out.getvalue()
    if form is Format.CSV:
        assert text.startswith("\ufeff")
        rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    else:
        rows = [json.loads(line) for line in text.splitlines()]
    assert count == len(rows)
    return rows


@pytest.fixture
def wang(database: Database) -> MemberRef:
    """A member with something in every table."""
    with database.write() as connection:
        ref = store.create(connection, NOW, "M1", "Asia/Urumqi")
        values = {
            "name": "=HYPERLINK(1)",
            "level": "3",
            "points": "-12.5",
            "employee": False,
            "contract_end": "2027-01-31",
            "birthday": {"calendar": "lunar", "month": 8, "day": 15, "leap": False, "year": 1990},
        }
        store.set_values(connection, CATALOG, {ref: values}, NOW)
        reaching.put_contact_points(connection, [(ref, "sms", "+8613800138000", NOW)])
        reaching.put_contact_points(connection, [(ref, "wechat", OPENID, NOW)])
        reaching.change_status(connection, ref, "wechat", "unfollowed", NOW)
        reaching.put_consent(connection, ref, ["marketing", "survey"], "sms", True, "表单", NOW, own_word=False)
        reaching.put_consent(connection, ref, ["marketing"], "wechat", False, "退订", NOW, own_word=False)
        store.add_tags(connection, {ref: ["VIP", "推荐官"]}, NOW)
        store.create(connection, NOW, None, None)  # a follower without a shop id
    return ref


def test_a_member_with_all_that_is_known(database: Database, wang: MemberRef) -> None:
    first, second = exported(database, Exported.MEMBERS)
    assert first == {
        "id": wang.id,
        "member": "M1",
        "name": "=HYPERLINK(1)",
        "city": None,
        "level": 3,
        "points": -12.5,
        "birthday": "lunar 1990-08-15",
        "employee": False,
        "contract_end": "2027-01-31",
        "lifecycle": None,
        "orders": 0,
        "wechat": OPENID,
        "wechat_status": "unfollowed",
        "sms": "+8613800138000",
        "sms_status": "active",
        "email": None,
        "email_status": None,
        "tags": ["VIP", "推荐官"],
        "timezone": "Asia/Urumqi",
        "consent": "marketing:sms;!marketing:wechat;survey:sms",
        "created_at": "2026-11-23T02:00:00+00:00",
        "updated_at": "2026-11-23T02:00:00+00:00",
    }
    assert second["member"] is None
    assert list(first) == list(second)


def test_members_in_csv_are_safe_and_readable(database: Database, wang: MemberRef) -> None:
    row = exported(database, Exported.MEMBERS, Format.CSV)[0]
    assert row["name"] == "'=HYPERLINK(1)"
    assert row["sms"] == "+8613800138000"
    assert row["points"] == "-12.5"
    assert row["employee"] == "false"
    assert row["tags"] == "VIP;推荐官"
    assert row["city"] == ""


def test_an_exported_list_of_members_can_be_imported_elsewhere(
    tmp_path: Path, database: Database, wang: MemberRef
) -> None:
    path = tmp_path / "export.csv"
    with path.open("w", encoding="utf-8", newline="") as out:
        export(database, Exported.MEMBERS, Format.CSV, out, CATALOG, NOW)
    elsewhere = Database(f"sqlite:///{tmp_path / 'other.db'}")
    elsewhere.create_all()
    report = import_members(elsewhere, CATALOG, path, NOW)
    assert (report.accepted, report.refused) == (1, 1)  # the follower has no shop id to be known by
    (fact,) = members(elsewhere)
    assert fact.values == {
        "name": "=HYPERLINK(1)",
        "level": "3",
        "points": "-12.5",
        "employee": False,
        "contract_end": "2027-01-31",
        "birthday": {"calendar": "lunar", "month": 8, "day": 15, "leap": False, "year": 1990},
    }
    assert fact.addresses == {"sms": "+8613800138000", "wechat": OPENID}
    assert fact.consents == {("marketing", "sms"): True, ("survey", "sms"): True, ("marketing", "wechat"): False}
    assert set(fact.tags) == {"VIP", "推荐官"}
    assert fact.timezone == "Asia/Urumqi"
    elsewhere.close()


@pytest.mark.parametrize(
    "stored",
    [
        Anniversary(Calendar.SOLAR, 5, 12, year=1990),
        Anniversary(Calendar.SOLAR, 2, 29),
        Anniversary(Calendar.LUNAR, 8, 15),
        Anniversary(Calendar.LUNAR, 12, 30),
        Anniversary(Calendar.LUNAR, 5, 1, leap=True, year=1990),
        Anniversary(Calendar.LUNAR, 4, 1, leap=True),
    ],
)
def test_an_anniversary_is_written_so_that_it_can_be_read(stored: Anniversary) -> None:
    columns = {name: getattr(stored, name) for name in ("calendar", "month", "day", "leap", "year")}
    assert parse_anniversary(anniversary_text(columns)) == stored


def put(database: Database, table: Table, ref: MemberRef, *rows: dict[str, Any]) -> None:
    """Rows of a member; columns that must be filled and are of no interest here get something of their type."""
    required = {
        column.name: _FILLER.get(column.type.python_type, NOW)
        for column in table.c
        if not column.nullable and column.server_default is None
    }
    owned = {"bucket": ref.bucket, "member_id": ref.id}
    with database.write() as connection:
        for row in rows:
            connection.execute(insert(table).values(required | owned | row))


_FILLER: dict[type, object] = {int: 0, str: "", bool: False, dict: {}}  # all else is an instant


def test_deliveries_carry_everything_a_script_needs(database: Database, wang: MemberRef) -> None:
    about = {"enrolment_id": 7, "journey_id": "welcome", "version": 1, "step_id": "hello", "visit": 0}
    common = about | {"purpose": "send", "topic": "service", "priority": 50, "template": "welcome"}
    sent = {
        "id": 2,
        "message_key": "k2",
        "status": "sent",
        "channel": "sms",
        "address": "+8613800138000",
        "mode": "sms",
        "text": "【山野茶事】王芳，你好",
        "payload": {"TemplateParam": {"name": "王芳"}},
        "payload_hash": "abc",
        "provider_id": "biz-1",
        "code": "OK",
        "first_sent_at": NOW,
        "sent_at": NOW,
        "arrival": "delivered",
        "arrival_at": NOW + timedelta(seconds=3),
        "attempts": 1,
        "segments": 1,
        "cost": 0.045,
    }
    put(database, delivery, wang, common | sent)
    put(database, delivery, wang, common | {"id": 1, "message_key": "k1", "status": "skipped", "reason": "没有同意"})
    skipped, row = exported(database, Exported.DELIVERIES)
    assert (skipped["id"], skipped["status"], skipped["reason"]) == (1, "skipped", "没有同意")
    assert row == {
        "id": 2,
        "member_id": wang.id,
        "member": "M1",
        "enrolment_id": 7,
        "journey": "welcome",
        "step": "hello",
        "version": 1,
        "visit": 0,
        "purpose": "send",
        "hop": 0,
        "message_key": "k2",
        "topic": "service",
        "priority": 50,
        "channel": "sms",
        "address": "+8613800138000",
        "mode": "sms",
        "template": "welcome",
        "status": "sent",
        "reason": None,
        "text": "【山野茶事】王芳，你好",
        "payload": {"TemplateParam": {"name": "王芳"}},
        "payload_hash": "abc",
        "provider_id": "biz-1",
        "code": "OK",
        "queued_at": "2026-11-23T02:00:00+00:00",
        "due_at": None,
        "late_at": None,
        "first_sent_at": "2026-11-23T02:00:00+00:00",
        "sent_at": "2026-11-23T02:00:00+00:00",
        "arrival": "delivered",
        "arrival_at": "2026-11-23T02:00:03+00:00",
        "attempts": 1,
        "segments": 1,
        "cost": 0.045,
    }
    in_csv = exported(database, Exported.DELIVERIES, Format.CSV)[1]
    assert json.loads(in_csv["payload"]) == {"TemplateParam": {"name": "王芳"}}
    assert in_csv["address"] == "+8613800138000"
    assert list(in_csv) == list(row)


def test_responses_are_the_events_that_answer_a_delivery(database: Database, wang: MemberRef) -> None:
    about = {"delivery_id": 2, "channel": "sms", "enrolment_id": 7, "journey_id": "welcome", "step_id": "hello"}
    put(
        database,
        event,
        wang,
        {"id": 1, "name": "order_paid", "dedupe_key": "e1", "payload": {"amount": 100}},
        {"id": 2, "name": "replied", "dedupe_key": "e2", "payload": {"text": "好茶"}, **about},
        {"id": 3, "name": "replied", "dedupe_key": "e3", "payload": {"text": "你们几点关门"}, "channel": "wechat"},
    )
    (response,) = exported(database, Exported.RESPONSES)
    wanted = {"event": "replied", "member": "M1", "channel": "sms", "delivery_id": 2, "journey": "welcome"}
    assert response.items() >= (wanted | {"step": "hello", "payload": {"text": "好茶"}}).items()
    everything = exported(database, Exported.EVENTS)
    assert [(row["event"], row["key"]) for row in everything] == [
        ("order_paid", "e1"),
        ("replied", "e2"),
        ("replied", "e3"),
    ]


def test_answers_and_tasks_and_enrolments(database: Database, wang: MemberRef) -> None:
    place = {"enrolment_id": 7, "journey_id": "nps", "step_id": "nps"}
    said = {"survey": "nps", "channel": "wechat", "typed": True, "score": 9, "comment": "茶很好", "answered_at": NOW}
    ended = {"status": "ended", "end_kind": "goal", "end_reason": "order_paid", "goal_counts": True}
    put(database, answer, wang, {"id": 1, "delivery_id": 2, **place, **said})
    put(database, task, wang, {"id": 1, "kind": "inbox", "words": "几点关门", "outcome": "已回复"})
    put(
        database,
        enrolment,
        wang,
        {"id": 7, "journey_id": "nps", "version": 2, "context": {"event": {"order_id": "A1"}}, **ended},
    )
    (answered,) = exported(database, Exported.ANSWERS)
    assert answered.items() >= {"member": "M1", "journey": "nps", "step": "nps", "survey": "nps", "score": 9}.items()
    assert (answered["comment"], answered["answered_at"]) == ("茶很好", "2026-11-23T02:00:00+00:00")
    (opened,) = exported(database, Exported.TASKS)
    assert opened.items() >= {"kind": "inbox", "words": "几点关门", "urgent": False, "outcome": "已回复"}.items()
    (run,) = exported(database, Exported.ENROLMENTS)
    wanted = {"journey": "nps", "version": 2, "status": "ended", "end_kind": "goal", "end_reason": "order_paid"}
    assert run.items() >= (wanted | {"holdout": False, "goal_counts": True}).items()
    assert run["context"] == {"event": {"order_id": "A1"}}


def test_rows_come_in_id_order_across_buckets_and_batches(database: Database) -> None:
    with database.write() as connection:
        refs = [store.create(connection, NOW, f"M{i}", None) for i in range(1_101)]
        for ref in refs[:3]:
            store.add_tags(connection, {ref: [f"tag{ref.id}"]}, NOW)
    rows = exported(database, Exported.MEMBERS)
    assert [row["id"] for row in rows] == [ref.id for ref in refs]
    assert [row["tags"] for row in rows[:4]] == [["tag1"], ["tag2"], ["tag3"], []]


@pytest.mark.parametrize("what", list(Exported))
@pytest.mark.parametrize("form", list(Format))
def test_nothing_to_export_is_a_heading_at_most(database: Database, what: Exported, form: Format) -> None:
    assert exported(database, what, form) == []


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("=cmd|'/C calc'!A0", "'=cmd|'/C calc'!A0"),
        ("+cmd|'/C calc'!A0", "'+cmd|'/C calc'!A0"),
        ("-2+3+cmd|'/C calc'!A0", "'-2+3+cmd|'/C calc'!A0"),
        ("@SUM(1+1)", "'@SUM(1+1)"),
        ("\t=1+1", "'\t=1+1"),
        ("\r=1+1", "'\r=1+1"),
        ("＝1+1", "'＝1+1"),
        ("＋1", "'＋1"),
        ("+8613800138000*2", "'+8613800138000*2"),
        ("-", "'-"),
        ("+8613800138000", "+8613800138000"),
        ("+86 138 0013 8000", "+86 138 0013 8000"),
        ("-12.5", "-12.5"),
        ("-5", "-5"),
        ("王芳", "王芳"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_what_a_spreadsheet_would_run_is_disarmed(text: str, safe: str) -> None:
    assert neutralised(text) == safe


def test_dates_are_dates_and_moments_are_utc(database: Database, wang: MemberRef) -> None:
    row = exported(database, Exported.MEMBERS)[0]
    assert date.fromisoformat(row["contract_end"]) == date(2027, 1, 31)
    assert datetime.fromisoformat(row["created_at"]) == NOW
