"""Events are recorded once, and the computed fields follow them in whatever order they arrive."""

from __future__ import annotations

import contextlib
import random
from datetime import datetime
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update
from store_bench import CATALOG, DAY, HOUR, NOW, Bench

from engage.store import events, members
from engage.store.databases.database import Database
from engage.store.events import NewEvent
from engage.store.members import MemberRef
from engage.store.tables import event


def test_an_event_told_twice_is_recorded_once(bench: Bench) -> None:
    ref = bench.member()
    new = NewEvent(ref, "order_paid", NOW, "order:A1", {"amount": 88.0})
    assert events.record(bench.connection, CATALOG, [new], NOW) == [new]
    assert events.record(bench.connection, CATALOG, [new], NOW + DAY) == []
    assert len(bench.rows("event", dedupe_key="order:A1")) == 1
    assert bench.row("member_value", field="orders")["number_value"] == 1


def test_a_batch_that_repeats_itself_counts_once(bench: Bench) -> None:
    ref = bench.member()
    new = NewEvent(ref, "order_paid", NOW, "order:A1", {"amount": 88.0})
    assert events.record(bench.connection, CATALOG, [new, new, new], NOW) == [new]
    assert bench.row("member_value", field="spent")["number_value"] == 88


def test_the_same_key_of_two_members_is_two_events(bench: Bench) -> None:
    """Members in different buckets: keys are unique within one, and carry the member's name where they must."""
    one, other = bench.member(), bench.member()
    assert one.bucket != other.bucket
    new = [NewEvent(ref, "order_paid", NOW, "k", {}) for ref in (one, other)]
    assert events.record(bench.connection, CATALOG, new, NOW) == new


def test_each_members_events_are_numbered_in_the_order_of_recording(bench: Bench) -> None:
    ref, other = bench.member(), bench.member()
    for at in (NOW, NOW - DAY, NOW + DAY):
        bench.happens(ref, "order_paid", at)
    told = [NewEvent(who, "order_paid", NOW, key, {}) for who, key in ((ref, "a"), (other, "a"), (ref, "b"))]
    events.record(bench.connection, CATALOG, told, NOW)
    rows = {row["number"]: row["at"] for row in bench.rows("event", member_id=ref.id)}
    assert rows == {1: NOW, 2: NOW - DAY, 3: NOW + DAY, 4: NOW, 5: NOW}
    assert members.last_events(bench.connection, [ref, other]) == {ref.id: 5, other.id: 1}


def test_what_is_fresh_is_looked_at_once_in_the_order_it_came(bench: Bench) -> None:
    ref = bench.member()
    for name in ("order_paid", "store_visited", "order_paid"):
        bench.happens(ref, name)
    first = events.fresh_events(bench.connection, 2)
    assert [(e.number, e.name, e.member) for e in first] == [(1, "order_paid", ref), (2, "store_visited", ref)]
    events.mark_seen(bench.connection, first)
    assert [e.number for e in events.fresh_events(bench.connection, 10)] == [3]
    assert events.any_fresh(bench.connection)
    events.mark_seen(bench.connection, events.fresh_events(bench.connection, 10))
    assert not events.any_fresh(bench.connection)


def test_a_members_events_are_looked_at_in_the_order_of_their_numbers_whatever_ids_two_processes_took(
    bench: Bench,
) -> None:
    """The later one is of a process that took its ids long ago; a batch ends between the two."""
    other, ref = bench.member(), bench.member()
    bench.happens(other, "order_paid")
    for name in ("order_paid", "store_visited", "coupon_used"):
        bench.happens(ref, name)
    ids = {row["number"]: row["id"] for row in bench.rows("event", member_id=ref.id)}
    moved = {ids[1]: ids[3] + 1000, ids[3]: ids[1]}
    for before, after in moved.items():
        here = (event.c.bucket == ref.bucket) & (event.c.id == before)
        bench.connection.execute(update(event).where(here).values(id=after))
    looked_at = [(e.member, e.number) for e in events.fresh_events(bench.connection, 2)]
    assert looked_at == [(other, 1), (ref, 1), (ref, 2), (ref, 3)]


def test_a_rollback_takes_the_numbers_back(database: Database) -> None:
    with database.write() as connection:
        ref = Bench(connection).member()
    with contextlib.suppress(RuntimeError), database.write() as connection:
        Bench(connection).happens(ref, "order_paid")
        raise RuntimeError
    with database.write() as connection:
        Bench(connection).happens(ref, "order_paid")
        assert members.last_events(connection, [ref]) == {ref.id: 1}


# --- computed fields --------------------------------------------------------------------------------------------

Happening = tuple[str, int, Any]  # name, hours ago, amount


def _expected(happened: list[Happening]) -> dict[str, Any]:
    """What the catalog's rules say of these events, as of NOW, read off the whole list at once."""
    at = [NOW - hours * HOUR for _, hours, _ in happened]
    orders = [i for i, (name, _, _) in enumerate(happened) if name == "order_paid"]
    amounts = {i: happened[i][2] if isinstance(happened[i][2], int) else 0 for i in orders}
    recent = [i for i, moment in enumerate(at) if NOW - 3 * DAY < moment <= NOW]
    found: dict[str, Any] = {
        "orders": len(orders),
        "spent": sum(amounts.values()),
        "orders_3d": len(recent),
        "spent_3d": sum(amounts[i] for i in orders if i in recent),
    }
    for name, moments in {
        "first_order_at": min((at[i] for i in orders), default=None),
        "last_order_at": max((at[i] for i in orders), default=None),
        "last_seen_at": max(at, default=None),
        "first_order_3d": min((at[i] for i in orders if i in recent), default=None),
        "last_seen_3d": max((at[i] for i in recent), default=None),
    }.items():
        found[name] = moments
    return found


_happenings = st.lists(
    st.tuples(
        st.sampled_from(["order_paid", "store_visited"]),
        st.integers(-12, 96),
        st.none() | st.integers(-50, 500) | st.sampled_from(["n/a", "", True, [1], "nan"]),
    ).filter(lambda each: each[2] is not True),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(_happenings, st.randoms(use_true_random=False))
def test_computed_fields_are_right_in_any_order_and_any_batches(
    database_of_module: Database, happened: list[Happening], rng: random.Random
) -> None:
    def batches(order: list[int]) -> list[list[int]]:
        cuts = sorted(rng.sample(range(len(order) + 1), min(2, len(order) + 1)))
        edges = [0, *cuts, len(order)]
        return [order[a:b] for a, b in pairwise(edges)]

    order = list(range(len(happened)))
    rng.shuffle(order)
    with database_of_module.engine.connect() as connection, connection.begin() as transaction:
        bench = Bench(connection)
        ref = bench.member()
        for batch in batches(order):
            new = [_event(ref, i, happened[i]) for i in batch]
            events.record(connection, CATALOG, new, NOW)
            events.record(connection, CATALOG, new[:1], NOW)  # told again
        values = dict(members.profiles(connection, CATALOG, [ref], NOW)[ref.id].values)
        transaction.rollback()
    assert {name: values.get(name) for name in _expected(happened)} == _expected(happened)


def _event(ref: members.MemberRef, number: int, happening: Happening) -> NewEvent:
    name, hours, amount = happening
    payload = {} if amount is None else {"amount": amount}
    return NewEvent(ref, name, _ago(hours), f"e{number}", payload)


def _ago(hours: int) -> datetime:
    return NOW - hours * HOUR


def test_a_field_is_counted_from_what_is_on_record_when_it_is_new(bench: Bench) -> None:
    """Added to the catalog later, it must not start at nothing for those who have bought for years."""
    wang, li = bench.member(), bench.member()
    for amount in (100, 30.5):
        bench.happens(wang, "order_paid", amount=amount)
    bench.happens(li, "store_visited")
    computed = [name for name, field in bench.catalog.fields.items() if field.computed and not field.computed.within]
    before = {ref: values_of(bench, ref) for ref in (wang, li)}
    assert before[wang]
    for name in computed:
        events.recount(bench.connection, bench.catalog, name)
    assert {ref: values_of(bench, ref) for ref in (wang, li)} == before


def values_of(bench: Bench, ref: MemberRef) -> dict[str, object]:
    found = members.profiles(bench.connection, bench.catalog, [ref], bench.now)
    return dict(found[ref.id].values)
