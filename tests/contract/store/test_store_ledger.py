"""What is long over: filed away by months, read as if it had never left, dropped when its time has come."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import inspect, select, text, update
from store_bench import DAY, HOUR, NOW, Bench

from engage.core.delivery import Recorded, Status
from engage.store import dispatching, housekeeping, inbound, ledger, state
from engage.store.databases import months
from engage.store.databases.database import Database
from engage.store.dispatching import Settled
from engage.store.inbound import Arrived
from engage.store.insight import export, history, tracing
from engage.store.members import MemberRef
from engage.store.tables import decision, enrolment, notice, plan, webhook_call
from tests.postgresql import one_more_database

LATER = NOW + 31 * DAY
LINES = [{"channel": "sms", "open": True, "why": "一切正常"}]


def sends(bench: Bench, ref: MemberRef) -> int:
    """A message that went out, with its words and what was decided about it."""
    key = bench.queues(ref)
    (claimed,) = [one for one in bench.claims() if one.key == key]
    bench.begins_sending(claimed, text="您好", decision=LINES)
    values = {"provider_id": f"p{claimed.id}", "called_at": NOW, "recorded_at": NOW}
    dispatching.record(bench.connection, [Settled(claimed, Recorded(Status.SENT), values)])
    return claimed.id


def files(bench: Bench, now: datetime = LATER) -> int:
    return ledger.file_some(bench.connection, now - 30 * DAY, now, 100)


# --- filing -----------------------------------------------------------------------------------------------------


def test_what_is_filed_reads_as_before(bench: Bench) -> None:
    ref = bench.member()
    sent = sends(bench, ref)

    def told() -> object:
        (message,) = history.messages(bench.connection, ref)
        (exported,) = bench.connection.execute(export.DELIVERIES).mappings()
        traced = tracing.by_id(bench.connection, "delivery", sent)
        assert traced is not None
        traced.pop("filed_at")
        return message, dict(exported), traced

    before = told()
    assert files(bench) == 1
    row = bench.row("delivery")
    assert (row["text"], row["payload"], row["decision"], row["filed_at"]) == (None, None, None, LATER)
    assert [row["text"] for row in bench.rows("delivery_ledger")] == ["您好"]
    assert told() == before


def test_only_what_is_settled_and_long_over_is_filed(bench: Bench) -> None:
    ref = bench.member()
    bench.queues(ref)  # still waits
    ambiguous = bench.queues(ref)
    (claimed,) = [one for one in bench.claims() if one.key == ambiguous]
    bench.begins_sending(claimed)
    sends(bench, bench.member())
    assert files(bench, NOW + 30 * DAY) == 0
    assert files(bench) == 1
    assert files(bench) == 0


def test_a_message_is_not_said_twice_because_it_was_filed(bench: Bench) -> None:
    ref = bench.member()
    sends(bench, ref)
    key = bench.row("delivery")["message_key"]
    files(bench)
    bench.queues(ref, key)
    assert [row["status"] for row in bench.rows("delivery")] == ["sent"]


# --- months -----------------------------------------------------------------------------------------------------


@pytest.fixture
def server(postgresql_url: str) -> Iterator[Database]:
    with one_more_database(postgresql_url, "by_months") as url:
        database = Database(url)
        database.create_all()
        yield database
        database.close()


def parts(database: Database, table: str) -> list[str]:
    return sorted(name for name in inspect(database.engine).get_table_names() if name.startswith(f"{table}_2"))


def remembers(bench: Bench, at: datetime) -> None:
    row = {"bucket": 1, "id": bench.number(), "enrolment_id": 1, "at": at, "what": "enter", "detail": {}}
    bench.connection.execute(decision.insert(), row)


def test_months_are_made_ahead_once_and_rows_go_to_theirs(server: Database) -> None:
    with server.write() as connection:
        assert months.make_months(connection, NOW) == 6
        assert months.make_months(connection, NOW) == 0
        assert months.make_months(connection, NOW + 31 * DAY) == 2
        for at in (NOW, datetime(2026, 12, 1, tzinfo=UTC), NOW - 400 * DAY):
            remembers(Bench(connection), at)
        where = connection.execute(text("SELECT tableoid::regclass::text FROM decision ORDER BY at")).scalars().all()
    assert where == ["decision_other", "decision_2026_11", "decision_2026_12"]
    assert parts(server, "decision") == [f"decision_{month}" for month in ("2026_11", "2026_12", "2027_01", "2027_02")]
    assert parts(server, "delivery_ledger") == [
        name.replace("decision", "delivery_ledger") for name in parts(server, "decision")
    ]


def test_a_month_whose_rows_came_before_it_was_made_stays_where_they_are(server: Database) -> None:
    with server.write() as connection:
        remembers(Bench(connection), NOW)
        months.make_months(connection, NOW)
    assert parts(server, "decision") == ["decision_2026_12", "decision_2027_01"]


def test_what_is_too_old_goes_month_by_month_and_row_by_row(server: Database) -> None:
    with server.write() as connection:
        months.make_months(connection, NOW)
        bench = Bench(connection)
        for days in (-400, -1, 0, 10, 40):
            remembers(bench, NOW + days * DAY)
        assert months.drop_before(connection, NOW + 9 * DAY, decision, 100) == 1 + 1  # November, and the stray
        kept = connection.scalars(select(decision.c.at).order_by(decision.c.at)).all()
    assert kept == [NOW + 10 * DAY, NOW + 40 * DAY]
    assert parts(server, "decision") == ["decision_2026_12", "decision_2027_01"]


def test_on_both_databases_old_lines_go_bit_by_bit(bench: Bench) -> None:
    for days in (-3, -2, -1, 0):
        remembers(bench, NOW + days * DAY)
    assert months.drop_before(bench.connection, NOW, decision, 2) == 2
    assert months.drop_before(bench.connection, NOW, decision, 2) == 1
    assert [row["at"] for row in bench.rows("decision")] == [NOW]


# --- what may go ------------------------------------------------------------------------------------------------


def test_raw_records_go_when_their_time_has_come(bench: Bench) -> None:
    for key, at in (("old", NOW - HOUR), ("new", NOW)):
        inbound.put(bench.connection, [Arrived("api", key, "{}")], at)
    inbound.lay_by(bench.connection, [(row["id"], "sms", row["key"]) for row in bench.rows("inbound")])
    assert housekeeping.drop_inbound(bench.connection, NOW) == 1
    assert [row["key"] for row in bench.rows("inbound")] == ["new"]
    assert [row["provider_id"] for row in bench.rows("early_receipt")] == ["new"]


def test_events_go_whatever_their_name(bench: Bench) -> None:
    ref = bench.member()
    for name in ("order_paid", "store_visited"):
        bench.happens(ref, name, NOW - HOUR)
        bench.happens(ref, name, NOW)
    assert [housekeeping.drop_events(bench.connection, NOW) for _ in range(3)] == [1, 1, 0]
    assert {row["at"] for row in bench.rows("event")} == {NOW}
    assert bench.row("member_value", field="orders")["number_value"] == 2


def test_calls_go_when_they_are_settled_and_their_run_has_ended(bench: Bench) -> None:
    ref = bench.member()
    ended, live = bench.enters(ref), bench.enters(ref)
    here = (enrolment.c.bucket == ref.bucket) & (enrolment.c.id == ended)
    bench.connection.execute(update(enrolment).where(here).values(status="ended"))
    for run_id, at in ((ended, NOW - HOUR), (live, NOW - HOUR), (ended, NOW), (ended, None)):
        row = {"bucket": ref.bucket, "id": bench.number(), "enrolment_id": run_id, "journey_id": "winback", "visit": 0}
        row |= {"step_id": f"s{bench.number()}", "webhook": "crm", "key": "k", "body": "{}", "status": "done"}
        row |= {"queued_at": NOW, "due_at": NOW, "give_up_at": NOW, "settled_at": at}
        bench.connection.execute(webhook_call.insert(), row)
    assert housekeeping.drop_calls(bench.connection, NOW) == 1
    kept = [(row["enrolment_id"], row["settled_at"]) for row in bench.rows("webhook_call")]
    assert sorted(kept, key=repr) == sorted([(live, NOW - HOUR), (ended, NOW), (ended, None)], key=repr)


def test_word_to_staff_goes_when_it_is_over(bench: Bench) -> None:
    for status, at in (("sent", NOW - HOUR), ("sent", NOW), ("pending", NOW - HOUR)):
        n = bench.number()
        row = {"bucket": 1, "id": n, "task_id": n, "team": "t", "status": status, "due_at": at}
        bench.connection.execute(notice.insert(), row)
    assert housekeeping.drop_notices(bench.connection, NOW) == 1
    assert sorted(row["status"] for row in bench.rows("notice")) == ["pending", "sent"]


def test_plans_go_that_were_never_applied(bench: Bench) -> None:
    for plan_id, made_at, applied_at in (("a", NOW - HOUR, None), ("b", NOW - HOUR, NOW), ("c", NOW, None)):
        row = {"id": plan_id, "digest": plan_id, "made_at": made_at, "mark": "0", "applied_at": applied_at}
        bench.connection.execute(plan.insert(), row | {"before": {}, "files": {}, "options": {}, "effect": {}})
    assert housekeeping.drop_plans(bench.connection, NOW) == 1
    assert [row["id"] for row in bench.rows("plan")] == ["b", "c"]


def test_marks_of_what_was_done_once_go_long_after(bench: Bench) -> None:
    for slot, at in (("old", NOW - HOUR), ("new", NOW)):
        state.take_slot(bench.connection, "ranks", slot, at)
    assert housekeeping.drop_slots(bench.connection, NOW) == 1
    assert [row["slot"] for row in bench.rows("job_slot")] == ["new"]
