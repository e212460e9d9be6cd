"""The small tables: the inbox, tasks and notices, slots and pauses, and what has been applied."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, select
from store_bench import DAY, HOUR, MINUTE, NOW, Bench, a_journey
from store_plans import as_among_millions, explained

from engage.store import inbound, journeys, reaching, state, tasks
from engage.store.databases.database import Database
from engage.store.edits import moving
from engage.store.inbound import Arrived
from engage.store.journeys import Version
from engage.store.statements.ids import leap, take_ids
from engage.store.tables import id_block
from engage.store.tasks import NewTask

# --- the inbox --------------------------------------------------------------------------------------------------


def test_a_callback_is_stored_once_however_often_it_is_pushed(bench: Bench) -> None:
    first = [Arrived("wechat", "m1", "<xml/>"), Arrived("wechat", "m2", "<xml/>")]
    assert inbound.put(bench.connection, first, NOW) == 2
    again = [Arrived("wechat", "m1", "<other/>"), Arrived("sms", "m1", "{}")]
    assert inbound.put(bench.connection, again, NOW + HOUR) == 1
    assert inbound.put(bench.connection, [], NOW) == 0
    rows = [(row["source"], row["key"], row["body"]) for row in bench.rows("inbound")]
    assert rows == [("wechat", "m1", "<xml/>"), ("wechat", "m2", "<xml/>"), ("sms", "m1", "{}")]


def test_records_are_read_once_in_the_order_they_came(bench: Bench) -> None:
    inbound.put(bench.connection, [Arrived("sms", str(n), str(n)) for n in range(3)], NOW)
    records = inbound.unread(bench.connection, 2, bulk=False)
    assert [record.body for record in records] == ["0", "1"]
    inbound.mark_read(bench.connection, [records[0].id], NOW)
    inbound.mark_unreadable(bench.connection, records[1].id, "not a fact " * 100, NOW)
    assert [r for each in records for r in inbound.still_unread(bench.connection, each)] == []
    assert [record.body for record in inbound.unread(bench.connection, 9, bulk=False)] == ["2"]
    assert [row["status"] for row in bench.rows("inbound")] == ["done", "unreadable", "new"]
    assert len(bench.row("inbound", status="unreadable")["error"]) == 500
    inbound.mark_read(bench.connection, [3], NOW)
    assert inbound.unread_since(bench.connection, bulk=False) is None
    assert inbound.unreadable(bench.connection) == [records[1].id]
    inbound.read_again(bench.connection, [each.id for each in records])
    assert inbound.unread(bench.connection, 9, bulk=False) == [records[1]]
    assert inbound.unreadable(bench.connection) == []


def test_what_came_too_early_waits_until_any_message_it_is_about_is_on_record(bench: Bench) -> None:
    inbound.put(bench.connection, [Arrived("sms", "both", "{}")], NOW)
    (record,) = inbound.unread(bench.connection, 9, bulk=False)
    for on_record in ("p1", "p2"):
        inbound.lay_by(bench.connection, [(record.id, "sms", "p1"), (record.id, "sms", "p2")])
        inbound.mark_read(bench.connection, [record.id], NOW)
        inbound.take_up(bench.connection, [("wechat", on_record), ("sms", "p3")])
        assert inbound.unread(bench.connection, 9, bulk=False) == []
        inbound.take_up(bench.connection, [("sms", on_record)])
        assert inbound.unread(bench.connection, 9, bulk=False) == [record]


def test_what_the_shop_told_is_a_class_of_its_own(bench: Bench) -> None:
    sources = (inbound.FILE, "sms", inbound.API, inbound.PAGE, inbound.FILE)
    inbound.put(bench.connection, [Arrived(source, str(n), "{}") for n, source in enumerate(sources)], NOW)

    def keys(bulk: bool) -> list[str]:
        return [record.key for record in inbound.unread(bench.connection, 2, bulk=bulk)]

    assert (keys(bulk=False), keys(bulk=True)) == (["1", "3"], ["0", "2"])


@pytest.mark.parametrize("bulk", [True, False])
def test_unread_records_are_found_by_the_index_of_unread_ones(bench: Bench, bulk: bool) -> None:
    """Not by going through every file ever imported."""
    with explained(bench.connection) as plans:
        inbound.unread(bench.connection, 2, bulk=bulk)
    assert plans.indexes == {"ix_inbound_new"}


def test_what_came_too_early_is_found_by_index(bench: Bench) -> None:
    inbound.put(bench.connection, [Arrived("sms", "report", "{}")], NOW)
    inbound.lay_by(bench.connection, [(1, "sms", "p1")])
    with explained(bench.connection) as plans:
        inbound.take_up(bench.connection, [("sms", "p1"), ("sms", "p2")])
    assert len(plans.steps) == 2
    assert plans.walked == []


# --- tasks ------------------------------------------------------------------------------------------------------


def opens(bench: Bench, key: str, **more: Any) -> int:
    wanted: dict[str, Any] = {"kind": "journey", "team": "客服一组", "words": "回电"} | more
    (task_id,) = tasks.open_all(bench.connection, [NewTask(bench.member(name="王芳"), key, **wanted)], bench.now)
    return task_id


def test_a_task_is_opened_once_and_each_team_is_told_once(bench: Bench) -> None:
    ref = bench.member()
    new = NewTask(ref, "1:call:0", "journey", "客服一组", "回电", copy_to=("店长群", "客服一组"))
    (task_id,) = tasks.open_all(bench.connection, [new], NOW)
    assert tasks.open_all(bench.connection, [new], NOW + DAY) == []
    assert [(row["task_id"], row["team"]) for row in bench.rows("notice")] == [
        (task_id, "客服一组"),
        (task_id, "店长群"),
    ]


def test_tasks_opened_together_are_what_they_are_one_by_one(bench: Bench) -> None:
    """The same key of two members is two tasks; twice among those that are told, it is the first."""
    one, other = bench.member(), bench.member()
    before = NewTask(one, "k0", "journey", "客服一组", "老的")
    (first,) = tasks.open_all(bench.connection, [before], NOW)
    wanted = [
        NewTask(one, "k", "journey", "客服一组", "回电"),
        before,
        NewTask(other, "k", "journey", "店长群", "拜访"),
        NewTask(one, "k", "journey", "店长群", "又一次"),
        NewTask(other, "in", "inbox", None, "在吗"),
    ]
    second, third, fourth = tasks.open_all(bench.connection, wanted, NOW)
    opened = {row["id"]: (row["words"], row["member_id"]) for row in bench.rows("task")}
    assert opened == {
        first: ("老的", one.id), second: ("回电", one.id), third: ("拜访", other.id), fourth: ("在吗", other.id),
    }  # fmt: skip
    told = {row["task_id"]: row["team"] for row in bench.rows("notice")}
    assert told == {first: "客服一组", second: "客服一组", third: "店长群"}
    assert tasks.open_all(bench.connection, [], NOW) == []


def test_a_reply_nobody_asked_for_is_a_task_without_a_team_and_tells_nobody(bench: Bench) -> None:
    assert opens(bench, "inbox:1", kind="inbox", team=None)
    assert bench.rows("notice") == []
    assert [task.kind for task in tasks.open_tasks(bench.connection)] == ["inbox"]
    assert tasks.open_tasks(bench.connection, "客服一组") == []


def test_tasks_are_listed_urgent_first_then_by_when_they_are_due(bench: Bench) -> None:
    for key, urgent, due_at in (
        ("whenever", False, None),
        ("tomorrow", False, NOW + DAY),
        ("today", False, NOW + HOUR),
        ("fire", True, None),
    ):
        opens(bench, key, words=key, urgent=urgent, due_at=due_at)
    assert [task.words for task in tasks.open_tasks(bench.connection)] == ["fire", "today", "tomorrow", "whenever"]
    assert tasks.open_tasks(bench.connection)[0].name == "王芳"


def test_the_member_of_a_task_is_found_where_they_wrote_from_last(bench: Bench) -> None:
    ref, silent = bench.member(), bench.member()
    for channel, address in (("sms", "+8613800138000"), ("email", "a@example.com")):
        reaching.put_contact_points(bench.connection, [(ref, channel, address, NOW)])
    reaching.note_inbound(bench.connection, [(ref, "email", NOW)])
    reaching.put_contact_points(bench.connection, [(silent, "sms", "+8613900139000", NOW)])
    new = [NewTask(each, "k", "inbox", None, "在吗") for each in (ref, silent, bench.member())]
    tasks.open_all(bench.connection, new, NOW)
    found = tasks.addresses(bench.connection, tasks.open_tasks(bench.connection))
    assert found == {ref: ("email", "a@example.com"), silent: ("sms", "+8613900139000")}
    assert tasks.addresses(bench.connection, []) == {}


def test_a_task_is_closed_once(bench: Bench) -> None:
    rows = [tasks.task_by_id(bench.connection, opens(bench, key)) for key in ("a", "b", "c")]
    first, second, third = (row for row in rows if row is not None)
    assert tasks.close(bench.connection, [first], "已回电", "小李", NOW) == [first]
    assert tasks.close(bench.connection, [second, first], "again", "小王", NOW + HOUR) == [second]
    closed = {row["key"]: (row["closed_at"], row["closed_by"], row["outcome"]) for row in bench.rows("task")}
    assert closed == {"a": (NOW, "小李", "已回电"), "b": (NOW + HOUR, "小王", "again"), "c": (None, None, None)}
    assert [task.id for task in tasks.open_tasks(bench.connection)] == [third.id]


def test_tasks_are_opened_and_closed_by_index(bench: Bench) -> None:
    row = tasks.task_by_id(bench.connection, opens(bench, "a"))
    assert row is not None
    as_among_millions(bench.connection)
    with explained(bench.connection) as plans:
        tasks.open_all(bench.connection, [NewTask(row.member, "b", "inbox", None, "在吗")], NOW)
        tasks.close(bench.connection, [row], "已回电", "小李", NOW)
    assert len(plans.steps) == 2
    assert plans.walked == []


def test_notices_are_due_until_they_are_settled(bench: Bench) -> None:
    opens(bench, "k")
    (due,) = tasks.due_notices(bench.connection, NOW, 10)
    assert (due.team, due.attempts, due.task.words) == ("客服一组", 0, "回电")
    tasks.settle_notices(bench.connection, [(due, {"due_at": NOW + MINUTE, "attempts": 1})])
    assert tasks.due_notices(bench.connection, NOW, 10) == []
    assert tasks.next_notice_due(bench.connection, NOW) == NOW + MINUTE
    opens(bench, "other")
    (other,) = tasks.due_notices(bench.connection, NOW, 10)
    again: dict[str, Any] = {"attempts": 2, "due_at": NOW + HOUR}
    tasks.settle_notices(bench.connection, [(due, {"status": "sent"}), (other, again)])
    settled = {row["id"]: (row["status"], row["attempts"]) for row in bench.rows("notice")}
    assert settled == {due.id: ("sent", 1), other.id: ("pending", 2)}
    assert tasks.next_notice_due(bench.connection, NOW) == NOW + HOUR


# --- slots, pauses, small facts ---------------------------------------------------------------------------------


def test_a_slot_is_taken_by_whoever_is_first(bench: Bench) -> None:
    taken = [state.take_slot(bench.connection, "start:winback", day, NOW) for day in ("11-23", "11-23", "11-24")]
    assert taken == [True, False, True]
    assert state.take_slot(bench.connection, "start:welcome", "11-23", NOW)


def test_small_facts_are_replaced(bench: Bench) -> None:
    assert state.get(bench.connection, "starts_seen") is None
    for value in ("a", {"b": [1]}):
        state.put(bench.connection, "starts_seen", value, NOW)
        assert state.get(bench.connection, "starts_seen") == value


def test_time_counts_from_when_it_was_first_let(bench: Bench) -> None:
    moments = (state.STARTS_SEEN, state.SEGMENTS_SWEPT)
    state.let_time_count(bench.connection, NOW)
    state.put_moment(bench.connection, state.STARTS_SEEN, NOW + HOUR)
    state.let_time_count(bench.connection, NOW + DAY)
    assert [state.moment(bench.connection, key) for key in moments] == [NOW + HOUR, NOW]
    owed = {state.OwedStart("winback", zone, slot) for zone in (None, "Asia/Shanghai") for slot in ("11-23", "11-24")}
    state.put_starts_owed(bench.connection, owed, NOW)
    assert state.starts_owed(bench.connection) == owed
    state.forget_time(bench.connection)
    assert [state.moment(bench.connection, key) for key in moments] == [None, None]
    assert state.starts_owed(bench.connection) == set()


def test_what_is_paused_stays_paused_until_it_is_resumed(bench: Bench) -> None:
    scopes = ["journey:winback", "channel:sms"]
    for reason in ("投诉", "again"):
        state.pause_scopes(bench.connection, scopes, reason, NOW)
    assert state.paused(bench.connection) == set(scopes)
    assert {row["reason"] for row in bench.rows("pause")} == {"投诉"}
    assert state.resume_scopes(bench.connection, ["channel:sms", "all"]) == 1
    assert state.paused(bench.connection) == {"journey:winback"}


# --- what is applied --------------------------------------------------------------------------------------------


def test_a_journey_gets_a_new_version_only_when_its_source_changes(bench: Bench) -> None:
    def apply(source: str, title: str = "召回") -> int:
        return journeys.put_version(bench.connection, Version("winback", title, source), None, NOW)

    assert [apply("a"), apply("a", "新标题"), apply("b"), apply("a")] == [1, 1, 2, 3]
    assert journeys.source_of(bench.connection, "winback", 2) == "b"
    assert journeys.source_of(bench.connection, "winback", 4) is None
    assert journeys.applied(bench.connection).versions == {"winback": 3}


def test_a_journey_whose_file_is_gone_drains_until_it_is_applied_again(bench: Bench) -> None:
    journeys.put_version(bench.connection, Version("winback", "召回", "a"), None, NOW)
    journeys.drain(bench.connection, ["winback"])
    assert journeys.applied(bench.connection).draining == {"winback"}
    journeys.put_version(bench.connection, Version("winback", "召回", "a"), None, NOW + DAY)
    applied = journeys.applied(bench.connection)
    assert (applied.draining, applied.since) == (frozenset(), {"winback": NOW})


def test_the_applied_files_are_exactly_those_put_last(bench: Bench) -> None:
    journeys.put_files(bench.connection, {"a": "1", "b": "2"}, NOW)
    before = journeys.mark(bench.connection)
    journeys.put_files(bench.connection, {"b": "3", "c": "4"}, NOW + MINUTE)
    assert journeys.applied(bench.connection).files == {"b": "3", "c": "4"}
    assert journeys.mark(bench.connection) != before


def test_how_many_stand_where(bench: Bench) -> None:
    for journey_id in ("winback", "winback", "welcome"):
        bench.enters(bench.member(), a_journey(id=journey_id))
    assert moving.standing_at(bench.connection, "winback") == {"hello": 2}
    assert moving.standing_at(bench.connection, "nps") == {}


@pytest.mark.parametrize("count", [1, 7])
def test_ids_are_handed_out_once(bench: Bench, count: int) -> None:
    given = [*take_ids(bench.connection, "x", count), *take_ids(bench.connection, "x", count)]
    assert given == list(range(given[0], given[0] + 2 * count))
    assert len(take_ids(bench.connection, "y", 1)) == 1


def test_of_two_lives_of_one_copy_none_gives_out_an_id_of_the_other_or_of_the_one_before(database: Database) -> None:
    def taken(kind: str) -> set[int]:
        with database.write() as connection:
            return set(take_ids(connection, kind, 500))

    def lives_on(at: datetime) -> dict[str, set[int]]:
        with database.write() as connection:
            leap(connection, at)
        return {kind: taken(kind) for kind in ("delivery", "task")}

    before = taken("delivery")
    with database.write() as connection:
        connection.execute(delete(id_block).where(id_block.c.kind == "task"))  # it had none yet
        copy = [dict(row) for row in connection.execute(select(id_block)).mappings()]
    first = lives_on(NOW)
    with database.write() as connection:
        connection.execute(delete(id_block))
        connection.execute(insert(id_block), copy)
    second = lives_on(NOW + timedelta(seconds=1))
    assert not before & (first["delivery"] | second["delivery"])
    assert not any(first[kind] & second[kind] for kind in first)
    assert max(second["delivery"]) < 10**15
    with database.write() as connection:
        leap(connection, NOW)
    assert not taken("task") & second["task"], "never back"
