"""What happens by the second costs what it is about, never what is stored: the plans of every statement on the way from
an event to an entry, and of what the passing of time does. No table of members' is walked through."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import String, Table, select, text, update
from store_bench import DAY, HOUR, NOW, Bench, a_catalog, a_journey, on_order
from store_plans import Plans, as_among_millions, explained, learn_the_sizes
from store_time import crossed_by_time, recompute

from engage.core.condition import (
    All,
    Any,
    Between,
    Compare,
    Condition,
    ContextValue,
    Did,
    FieldValue,
    HasTag,
    InShare,
    Not,
    OneOf,
    OverAgo,
    RankValue,
    Test,
    ValueType,
    WithinLast,
    WithinNext,
)
from engage.core.journey.model import OnDate, Reentry, Since
from engage.store import (
    advancing,
    dispatching,
    enrolling,
    events,
    imports,
    inbound,
    judging,
    members,
    receiving,
    segments,
    tasks,
    webhook_calls,
)
from engage.store.databases import continuity
from engage.store.edits import moving, renaming
from engage.store.enrolling import Entrant, Zone
from engage.store.events import NewEvent
from engage.store.inbound import Arrived
from engage.store.insight import history, tracing
from engage.store.members import MemberRef
from engage.store.statements.keys import given_keys, in_given_keys
from engage.store.tables import answer, delivery, enrolment, event, task
from engage.store.tasks import NewTask
from engage.store.webhook_calls import NewCall

_FIELDS = a_catalog().fields


def of(name: str, test: Test) -> Condition:
    return Compare(FieldValue(name, _FIELDS[name].type), test)


TWO_OR_MORE = Between(Decimal(2), None)
# Every kind of line that a segment can have.
CATALOG = a_catalog(
    sleeping=All((of("last_order_at", OverAgo(90 * DAY)), of("orders", TWO_OR_MORE))),
    recent=of("last_order_at", WithinLast(30 * DAY)),
    ending=of("contract_end", WithinNext(7 * DAY)),
    busy=of("orders_3d", TWO_OR_MORE),
    big=of("spent_3d", TWO_OR_MORE),
    seen=of("last_seen_3d", WithinLast(12 * HOUR)),
    visits=Did("store_visited", at_least=2, within=DAY),
    in_town=All((of("city", OneOf(("上海",))), Not(of("employee", OneOf((True,)))))),
    vip=Any((HasTag(("VIP",)), Compare(RankValue("spent"), InShare(None, 20)))),
    lately_big=Compare(RankValue("spent_3d"), InShare(None, 50)),
)
SHARES = [("spent", 20), ("spent_3d", 50)]


@pytest.fixture
def shop(bench: Bench) -> Bench:
    """A few hundred members with a past."""
    bench.catalog = CATALOG
    born = [_BORN | {"day": 1 + n % 28} for n in range(200)]
    refs = [bench.member(city="上海", contract_end=(NOW + DAY).date(), birthday=day) for day in born]
    told = [NewEvent(ref, "order_paid", NOW - HOUR * n, f"o{n}", {"amount": n}) for n, ref in enumerate(refs)]
    events.record(bench.connection, CATALOG, told, NOW)
    events.mark_seen(bench.connection, events.fresh_events(bench.connection, 1000))
    learn_the_sizes(bench.connection)
    return bench


@pytest.fixture
def busy(shop: Bench) -> Bench:
    """With thousands of runs that wait and messages that are over."""
    refs, journey = [MemberRef(row["bucket"], row["id"]) for row in shop.rows("member")], a_journey(id="earlier")
    for n in range(20):
        entrants = [(Entrant(ref, f"o{n}", {"event": {}, "var": {}}, due_at=NOW + DAY), False) for ref in refs]
        runs = enrolling.enter(shop.connection, journey, 1, "hello", entrants, NOW)
        for ref, run in zip(refs, runs, strict=True) if n < 10 else ():
            shop.queues(ref, enrolment_id=run)
    every = delivery.c.bucket.between(0, 255)
    shop.connection.execute(update(delivery).where(every).values(status="cancelled", due_at=None))
    learn_the_sizes(shop.connection)
    as_among_millions(shop.connection)
    return shop


_BORN = {"calendar": "solar", "month": 11, "leap": False, "year": None}


def _some_members(bench: Bench, count: int = 5) -> list[MemberRef]:
    return [MemberRef(row["bucket"], row["id"]) for row in bench.rows("member")[:count]]


def assert_walks_nowhere(plans: Plans) -> None:
    assert plans.steps
    assert plans.walked == []


def test_the_plans_show_a_walk_where_there_is_one(shop: Bench) -> None:
    """A look for walks that sees none anywhere would pass for ever."""
    for query in (
        "SELECT count(*) FROM event WHERE channel = 'sms'",
        "SELECT count(*) FROM member_value WHERE coalesce(flag_value, false)",
    ):
        with explained(shop.connection) as plans:
            shop.connection.execute(text(query))
        assert len(plans.walked) == 1


def test_what_has_just_happened_is_claimed_by_the_index_of_what_is_fresh(busy: Bench) -> None:
    busy.happens(_some_members(busy)[0], "order_paid")
    with explained(busy.connection) as plans:
        fresh = events.fresh_events(busy.connection, 500)
        assert events.any_fresh(busy.connection)
        assert events.still_fresh(busy.connection, fresh[0]) == fresh
        assert events.fresh_of(busy.connection, [fresh[0].member]) == fresh
        events.mark_seen(busy.connection, fresh)
    assert_walks_nowhere(plans)
    assert "ix_event_fresh" in plans.indexes


def test_every_loop_claims_what_is_due_by_the_index_of_what_waits(busy: Bench) -> None:
    """Among however many that wait, and however many that are over."""
    refs, connection = _some_members(busy, 200), busy.connection
    runs = [(ref.bucket, busy.enters(ref)) for ref in refs]
    for ref, (_, run) in zip(refs, runs, strict=True):
        busy.queues(ref, enrolment_id=run)
    rows = advancing.runs_by_id(connection, runs)
    webhook_calls.queue(connection, [NewCall(row, "hello", "crm", f"k{row.id}", "{}", NOW + DAY) for row in rows], NOW)
    tasks.open_all(
        connection, [NewTask(member=ref, key=f"t{ref.id}", kind="inbox", team="a", words="?") for ref in refs], NOW
    )
    inbound.put(connection, [Arrived(inbound.API, f"a{n}", "{}") for n in range(200)], NOW)
    learn_the_sizes(connection)
    with explained(connection) as plans:
        assert advancing.anything_due(connection, NOW)
        (run, *_) = advancing.due(connection, NOW, 500)
        advancing.still_due(connection, run, NOW)
        advancing.next_due(connection, NOW)
        assert dispatching.anything_due(connection, NOW)
        assert dispatching.claim(connection, NOW, 500)
        dispatching.expire_leases(connection, NOW)
        dispatching.next_due(connection, NOW)
        assert webhook_calls.anything_due(connection, NOW)
        assert webhook_calls.claim(connection, NOW, 100, ())
        webhook_calls.next_due(connection, NOW)
        assert tasks.any_notice_due(connection, NOW)
        assert tasks.claim_notices(connection, NOW, 100, HOUR)
        tasks.next_notice_due(connection, NOW)
        for bulk in (False, True):
            assert (inbound.unread_since(connection, bulk=bulk) == NOW) is bulk
            records = inbound.unread(connection, 500, bulk=bulk)
        inbound.mark_read(connection, [record.id for record in records], NOW)
    assert_walks_nowhere(plans)
    assert plans.indexes >= _CLAIMED_BY


def test_a_burst_that_the_planner_has_not_heard_of_is_claimed_without_sorting_it(busy: Bench) -> None:
    """Nobody has told it yet that most of the outbox waits."""
    for ref in _some_members(busy, 200) * 25:
        busy.queues(ref)
    with explained(busy.connection, as_it_is=True) as plans:
        assert len(dispatching.claim(busy.connection, NOW, 200)) == 200
    assert_walks_nowhere(plans)
    assert plans.sorted == []


def test_a_look_costs_nothing_where_the_planner_takes_all_for_waiting_that_has_long_been_done(busy: Bench) -> None:
    """What it was told in the midst of a burst, it believes for a while."""
    refs, connection = _some_members(busy, 200), busy.connection
    for ref in refs * 10:
        busy.queues(ref, enrolment_id=busy.enters(ref))
        busy.happens(ref, "order_paid")
    for source in (inbound.API, "sms"):
        inbound.put(connection, [Arrived(source, f"{n}", "{}") for n in range(3_000)], NOW)
    learn_the_sizes(connection)
    connection.execute(update(delivery).where(delivery.c.bucket >= 0).values(status="cancelled", due_at=None))
    connection.execute(update(enrolment).where(enrolment.c.bucket >= 0).values(status="ended", due_at=None))
    connection.execute(update(event).where(event.c.bucket >= 0).values(fresh=False))
    inbound.mark_read(connection, range(1, 6_001), NOW)
    with explained(connection, as_it_is=True) as plans:
        assert not advancing.anything_due(connection, NOW)
        assert not dispatching.anything_due(connection, NOW)
        assert dispatching.next_due(connection, NOW) is None
        assert not events.any_fresh(connection)
        for bulk in (False, True):
            assert inbound.unread_since(connection, bulk=bulk) is None
            assert inbound.unread(connection, 500, bulk=bulk) == []
    assert_walks_nowhere(plans)


def test_what_a_list_said_last_is_looked_up_by_its_key_in_either_source(bench: Bench) -> None:
    """The planner takes so much for meant that the newest of all records seems likely to be among it."""
    keys = [f"{n:04}:{'0f' * 8}" for n in range(3_000)]
    inbound.put(bench.connection, [Arrived(s, key, "{}") for key in keys for s in (inbound.API, inbound.FILE)], NOW)
    learn_the_sizes(bench.connection)
    as_among_millions(bench.connection)
    with explained(bench.connection) as plans:
        assert set(imports.newest_keys(bench.connection, [f"{n:04}:" for n in range(5)])) == set(keys[:5])
    assert_walks_nowhere(plans)
    ((_, plan),) = plans.steps
    assert "(source=? AND key>? AND key<?)" in plan or _OF_BOTH_SOURCES in plan.replace("(key)::text", "key")


_OF_BOTH_SOURCES = "Index Cond: (((source)::text = ANY ('{api,file}'::text[])) AND (key > asked.value) AND (key < "


_CLAIMED_BY = {
    "ix_enrolment_due",
    "ix_delivery_waiting",
    "ix_delivery_in_hand",
    "ix_webhook_call_due",
    "ix_notice_due",
    "ix_inbound_new",
}


def test_entering_and_being_woken(busy: Bench) -> None:
    """Whom an event brings to the door, and what is then written."""
    journey, refs = on_order(reentry=Reentry(after=DAY)), _some_members(busy)
    amount = Compare(ContextValue("event", "amount", ValueType.NUMBER), TWO_OR_MORE)
    keys = [(row["bucket"], row["id"]) for row in busy.rows("event")[:5]]
    entrants = [Entrant(ref, "event:1", {"event": {}, "var": {}}) for ref in refs]
    with explained(busy.connection) as plans:
        assert enrolling.events_where(busy.connection, CATALOG, keys, amount, NOW)
        enrolling.already_offered(busy.connection, journey.id, entrants)
        enrolling.barred_by_reentry(busy.connection, journey, refs, NOW)
        runs = enrolling.enter(busy.connection, journey, 1, "hello", [(entrant, False) for entrant in entrants], NOW)
        enrolling.wake(busy.connection, [(ref, frozenset({journey.id})) for ref in refs], NOW)
        for live in (True, False):
            advancing.without_goal(busy.connection, journey.id, None, refs, ended=True, live=live)
        moved = [{"bucket": ref.bucket, "id": run, "due_at": NOW + DAY} for ref, run in zip(refs, runs, strict=True)]
        advancing.save(busy.connection, moved)
        given = [(ref.bucket, run) for ref, run in zip(refs, runs, strict=True)]
        advancing.cancel_messages(busy.connection, given, "they ended", only_follow_ups=False)
    assert_walks_nowhere(plans)


def test_what_comes_in_finds_its_member_and_its_message(busy: Bench) -> None:
    refs = _some_members(busy)
    for ref in refs:
        busy.queues(ref)
    claimed = busy.claims()
    with explained(busy.connection) as plans:
        assert members.find(busy.connection, members.MEMBER_KIND, ["C1", "C2"])
        assert receiving.deliveries_by_id(busy.connection, [each.id for each in claimed])
        receiving.deliveries_by_provider_id(busy.connection, "sms", ["a", "b"])
        members.set_values(busy.connection, CATALOG, {refs[0]: {"level": 2, "points": None}}, NOW)
    assert_walks_nowhere(plans)


def test_all_messages_of_a_member_are_found_by_what_is_theirs(busy: Bench) -> None:
    """Sent or not, of a run or of none."""
    ref, other = _some_members(busy, 2)
    busy.queues(ref, enrolment_id=busy.enters(ref))
    busy.queues(other, enrolment_id=busy.enters(other))
    busy.queues(ref)
    with explained(busy.connection) as plans:
        waiting = judging.waiting_of(busy.connection, ref, NOW)
        past = history.messages(busy.connection, ref)
        traced = tracing.deliveries_of(busy.connection, ref, 100)
    assert {claimed.member for _, claimed in waiting} == {ref}
    assert [claimed.enrolment_id is None for _, claimed in waiting] == [False, True]
    assert len(past) == len(traced) == 12  # and ten of the past
    assert_walks_nowhere(plans)


def test_what_a_plan_asks_of_messages_is_asked_of_those_that_have_not_gone_out(busy: Bench) -> None:
    (ref,) = _some_members(busy, 1)
    run = busy.enters(ref)
    busy.queues(ref, enrolment_id=run, journey_id="welcome", step_id="hello")
    busy.queues(ref, enrolment_id=run, journey_id="welcome", step_id="hello", priority=90)
    assert len(busy.claims(1)) == 1
    with explained(busy.connection) as plans:
        assert moving.unsent(busy.connection, "welcome", ["hello"]) == {"hello": 2}
        assert moving.ended_with_messages(busy.connection, "welcome") == 0
        assert continuity.at_stake(busy.connection, NOW).messages == 1
    assert_walks_nowhere(plans)


def test_what_a_plan_asks_of_a_journey_costs_its_own_runs_however_many_there_are(busy: Bench) -> None:
    """Who is there, and who was; and a step's new name goes to what is on record of those who can still act."""
    refs = _some_members(busy, 200)
    for ref in refs[:20]:
        busy.enters(ref, a_journey(id="welcome"))
    opened = [NewTask(member=ref, key=f"t{ref.id}", kind="inbox", team="a", words="?") for ref in refs]
    tasks.open_all(busy.connection, opened, NOW)
    learn_the_sizes(busy.connection)
    with explained(busy.connection) as plans:
        assert moving.crowd(busy.connection, "welcome").live == 20
        assert moving.standing_at(busy.connection, "welcome") == {"hello": 20}
        renaming.rename_steps(busy.connection, "welcome", {"gift": "sample", "a": "b", "b": "a"}, NOW)
    assert_walks_nowhere(plans)
    assert plans.indexes >= {"ix_enrolment_journey_id_step_id", "ix_enrolment_ended"}


def _only_where_plans_are_made_without_figures(bench: Bench) -> None:
    if bench.connection.dialect.name == "postgresql":
        pytest.skip("PostgreSQL plans by how many rows there are: of a few it reads all")


@pytest.mark.parametrize(
    ("table", "column"),
    [
        (enrolment, "id"),
        (enrolment, "member_id"),
        (answer, "enrolment_id"),
        (delivery, "message_key"),
        (event, "dedupe_key"),
        (task, "key"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_each_of_a_batch_is_looked_up_by_its_whole_key(shop: Bench, table: Table, column: str) -> None:
    """Not every bucket with every key: on SQLite that is what two lists would be."""
    _only_where_plans_are_made_without_figures(shop)
    is_text = isinstance(table.c[column].type, String)
    keys = [(n % 256, str(n) if is_text else n) for n in range(300)]
    with explained(shop.connection) as plans:
        shop.connection.execute(select(table).where(in_given_keys(table, column)), given_keys(keys))
    assert_walks_nowhere(plans)
    ((_, plan),) = plans.steps
    assert f"{column}=? AND bucket=?" in plan
    assert plan.count("LIST SUBQUERY") == 1  # one list for both columns


def test_what_a_batch_of_fallbacks_asks_of_earlier_messages(shop: Bench) -> None:
    """Never of every response there is."""
    _only_where_plans_are_made_without_figures(shop)
    for ref in _some_members(shop):
        shop.queues(ref, enrolment_id=shop.enters(ref), hop=1)
    claimed = shop.claims()
    assert len(claimed) == 5
    with explained(shop.connection) as plans:
        judging.earlier_hops(shop.connection, claimed)
        judging.taken_up(shop.connection, claimed)
        judging.arrived(shop.connection, claimed)
        judging.newest_messages(shop.connection, claimed)
        judging.in_conversation(shop.connection, claimed, NOW)
    assert_walks_nowhere(plans)
    assert "ix_event_name_at" not in plans.indexes


@pytest.mark.parametrize("name", ["order_paid", "clicked"])
def test_what_has_happened_to_waiting_runs_is_asked_of_their_members(shop: Bench, name: str) -> None:
    """Neither of every event of that name, nor of every event since they entered."""
    _only_where_plans_are_made_without_figures(shop)
    runs = [(ref.bucket, shop.enters(ref)) for ref in _some_members(shop)]
    rows = advancing.runs_by_id(shop.connection, runs)
    for since in (None, *Since):
        with explained(shop.connection) as plans:
            advancing.first_seen(shop.connection, CATALOG, [name], since, None, None, rows, NOW)
        assert_walks_nowhere(plans)
        assert plans.indexes & {"ix_event_member_id_bucket_name_at", "ix_event_enrolment_id_bucket_name"}


def test_recording_events_and_their_computed_fields(busy: Bench) -> None:
    told = [NewEvent(ref, "order_paid", NOW, f"n{ref.id}", {"amount": 5}) for ref in _some_members(busy)]
    with explained(busy.connection) as plans:
        events.record(busy.connection, CATALOG, told, NOW)
    assert_walks_nowhere(plans)


def test_members_are_looked_at_again_by_their_own_keys(shop: Bench) -> None:
    happened = [
        (ref, name) for ref in _some_members(shop) for name in ("order_paid", "store_visited", "member_updated")
    ]
    with explained(shop.connection) as plans:
        recompute(shop.connection, CATALOG, SHARES, NOW)
        events.recount(shop.connection, CATALOG, "orders")
        members.similar(shop.connection, "林晚", 3)
    assert_walks_nowhere(plans)
    with explained(shop.connection) as plans:
        assert segments.refresh(shop.connection, CATALOG, happened, NOW)
    assert_walks_nowhere(plans)


def test_the_passing_of_time_finds_who_crosses_by_index(shop: Bench) -> None:
    with explained(shop.connection) as plans:
        assert crossed_by_time(shop.connection, CATALOG, NOW, NOW + HOUR)
    assert_walks_nowhere(plans)


def test_who_celebrates_is_found_by_index(shop: Bench) -> None:
    start = OnDate("birthday", time(10))
    with explained(shop.connection) as plans:
        found = enrolling.celebrants(shop.connection, start, [("solar", 11, 23, False, 2026)], Zone(None))
    assert len(found) == 7
    assert_walks_nowhere(plans)
    assert plans.indexes & {"ix_anniversary_field_calendar_month_day"}


def test_who_is_let_in_is_asked_of_those_who_come(shop: Bench) -> None:
    journey = a_journey(audience=CATALOG.segments["sleeping"], exclude=CATALOG.segments["vip"])
    refs = _some_members(shop)
    with explained(shop.connection) as plans:
        enrolling.admitted(shop.connection, CATALOG, journey, refs, NOW)
        enrolling.barred_by_reentry(shop.connection, journey, refs, NOW)
    assert_walks_nowhere(plans)


@pytest.mark.parametrize(
    "audience",
    [
        of("city", OneOf(("上海",))),
        All((CATALOG.segments["sleeping"], HasTag(("VIP",)))),
        of("last_order_at", WithinLast(7 * DAY)),
        Any((of("city", OneOf(("上海",))), Did("order_paid", within=DAY))),
        CATALOG.segments["vip"],
    ],
)
def test_a_schedule_starts_from_whom_an_index_knows(shop: Bench, audience: Condition) -> None:
    with explained(shop.connection) as plans:
        enrolling.everyone(shop.connection, CATALOG, a_journey(audience=audience), Zone(None), NOW)
    assert_walks_nowhere(plans)


def test_the_zones_of_members_are_looked_up_one_by_one(shop: Bench) -> None:
    refs = _some_members(shop)
    for ref, zone in zip(refs, ("Asia/Urumqi", "Asia/Urumqi", "America/New_York"), strict=False):
        members.set_timezone(shop.connection, [ref], zone, NOW)
    with explained(shop.connection) as plans:
        assert members.timezones(shop.connection) == [None, "America/New_York", "Asia/Urumqi"]
        assert members.zones_moved_to(shop.connection, NOW) == ["America/New_York", "Asia/Urumqi"]
    assert_walks_nowhere(plans)


# --- what it costs ----------------------------------------------------------------------------------------------


def _looked_at(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many members each look is about."""
    counts: list[int] = []
    look = segments._looked_at

    def counting(*args: object) -> tuple[list[MemberRef], list[MemberRef]]:
        refs = args[4]
        assert isinstance(refs, Sequence)
        counts.append(len(refs))
        return look(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(segments, "_looked_at", counting)
    return counts


@pytest.mark.parametrize("many", [20, 200])
def test_an_hour_looks_only_at_who_crosses_in_it_however_many_there_are(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    catalog = a_catalog(sleeping=of("last_order_at", OverAgo(90 * DAY)))
    bench.catalog = catalog
    refs = [bench.member() for _ in range(many)]
    crossing = [NewEvent(ref, "order_paid", NOW - 90 * DAY + HOUR / 2, f"c{ref.id}", {}) for ref in refs[:7]]
    others = [NewEvent(ref, "order_paid", NOW - DAY, f"c{ref.id}", {}) for ref in refs[7:]]
    events.record(bench.connection, catalog, crossing + others, NOW)
    counts = _looked_at(bench, monkeypatch)
    crossings = segments.crossing_by_time(bench.connection, catalog, NOW, NOW + HOUR)
    assert sorted(each.member for each in crossings) == sorted(refs[:7])
    assert counts == [7]


def test_an_event_touches_only_the_segments_it_can_change(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    ref = bench.member()
    counts = _looked_at(bench, monkeypatch)
    segments.refresh(bench.connection, CATALOG, [(ref, "store_visited")], NOW)
    looked_at = [name for name, count in zip(CATALOG.segments, counts, strict=True) if count]
    assert looked_at == ["busy", "seen", "visits"]


def test_time_looks_at_nobody_where_nothing_grows_old(bench: Bench) -> None:
    with explained(bench.connection) as plans:
        a_quiet = a_catalog(in_town=CATALOG.segments["in_town"])
        assert crossed_by_time(bench.connection, a_quiet, NOW, NOW + timedelta(days=400)) == []
    assert plans.steps == []
