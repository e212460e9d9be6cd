"""Segments: what changes and what merely grows old, against a full look at everybody after every tick of the clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any as Anything

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete
from store_bench import DAY, HOUR, NOW, Bench, a_catalog
from store_oracle import Happening, Person, Reader
from store_time import crossed_by_time

from engage.core.catalog import Aggregate, Catalog, Computed
from engage.core.condition import (
    All,
    Any,
    Between,
    Compare,
    Did,
    FieldValue,
    HasTag,
    InSegment,
    Known,
    Not,
    OneOf,
    OverAgo,
    Test,
    Unknown,
    WithinLast,
    WithinNext,
)
from engage.store import events, members, segments
from engage.store.databases.database import Database
from engage.store.events import NewEvent
from engage.store.members import MemberRef
from engage.store.segments import Crossing
from engage.store.tables import segment_member

_FIELDS = a_catalog().fields


def a_field(name: str, test: Test) -> Compare:
    return Compare(FieldValue(name, _FIELDS[name].type), test)


def at_least(number: int) -> Between:
    return Between(Decimal(number), None)


_SLEEPING = All((a_field("last_order_at", OverAgo(2 * DAY)), a_field("orders", at_least(1))))
# A date of every kind, with every test that time can turn, alone and nested; and some that time cannot turn.
CATALOG = a_catalog(
    sleeping=_SLEEPING,
    recent=a_field("last_order_at", WithinLast(30 * HOUR)),
    soon=a_field("last_seen_at", WithinNext(6 * HOUR)),
    ending=a_field("contract_end", WithinNext(2 * DAY)),
    ended=a_field("contract_end", OverAgo(DAY)),
    ended_lately=a_field("contract_end", WithinLast(2 * DAY)),
    busy=a_field("orders_3d", at_least(2)),
    quiet=a_field("orders_3d", OneOf((Decimal(0),))),
    big=a_field("spent_3d", at_least(100)),
    first_growing_old=a_field("first_order_3d", OverAgo(DAY)),
    seen_in_window=a_field("last_seen_3d", WithinLast(12 * HOUR)),
    no_order_in_window=a_field("first_order_3d", Unknown()),
    visits=Did("store_visited", at_least=2, within=DAY),
    few_visits=Did("store_visited", at_least=0, at_most=1, within=36 * HOUR),
    ever=Did("order_paid"),
    vip=Any((HasTag(("VIP",)), a_field("spent", at_least(200)))),
    not_recent=Not(InSegment("recent", a_field("last_order_at", WithinLast(30 * HOUR)))),
    mixed=All((Not(_SLEEPING), Any((a_field("city", Known()), Did("order_paid", within=DAY))))),
)

CHANGED = "member_updated"
# One step of a history: hours that pass, then what is told about whom.
_told = st.one_of(
    st.tuples(
        st.just("event"),
        st.sampled_from(["order_paid", "store_visited"]),
        st.integers(-60, 30),  # hours from then: files bring the past, clocks that are ahead the future
        st.sampled_from([10, 60, 150]),
    ),
    st.tuples(st.just("set"), st.just("contract_end"), st.integers(-4, 4)),
    st.tuples(st.just("set"), st.just("city"), st.sampled_from(["上海", None])),
    st.tuples(st.just("tag"), st.booleans()),
)
_steps = st.lists(
    st.tuples(
        st.integers(0, 40).map(lambda hours: hours * HOUR), st.lists(st.tuples(st.integers(0, 1), _told), max_size=3)
    ),
    min_size=1,
    max_size=7,
)


class History:
    """Two people, kept twice: in the database, and as facts for the oracle."""

    def __init__(self, bench: Bench, catalog: Catalog, now: datetime = NOW) -> None:
        self.bench = bench
        self.catalog = catalog
        self.refs = [bench.member(), bench.member()]
        self.people = [Person(), Person()]
        self.now = now
        self.members_of: dict[str, set[MemberRef]] = {name: set() for name in catalog.segments}

    def begin(self) -> None:
        for name in self.catalog.segments:
            segments.settle(self.bench.connection, self.catalog, name, self.now)
            self.members_of[name] = self.inside(name)

    def passes(self, period: timedelta) -> None:
        since, self.now = self.now, self.now + period
        self.bench.now = self.now
        self._crossed(crossed_by_time(self.bench.connection, self.catalog, since, self.now))

    def is_told(self, who: int, told: tuple[Anything, ...]) -> None:
        ref, person, connection = self.refs[who], self.people[who], self.bench.connection
        name_of_event = told[1] if told[0] == "event" else "member_updated"
        match told:
            case ("event", name, hours, amount):
                at = self.now + hours * HOUR
                new = NewEvent(ref, name, at, f"k{self.bench.number()}", {"amount": amount})
                events.record(connection, self.catalog, [new], self.now)
                person.happened.append(Happening(name, at, {"amount": amount}))
            case ("set", "contract_end", days):
                person.values["contract_end"] = (self.now + days * DAY).date()
                members.set_values(connection, self.catalog, {ref: person.values}, self.now)
            case ("set", name, value):
                members.set_values(connection, self.catalog, {ref: {name: value}}, self.now)
                person.values.pop(name, None)
                person.values |= {name: value} if value is not None else {}
            case ("tag", has):
                members.remove_tags(connection, {ref: ["VIP"]})
                members.add_tags(connection, {ref: ["VIP"] if has else []}, self.now)
                person.tags = {"VIP"} if has else set()
        self._crossed(segments.refresh(connection, self.catalog, [(ref, name_of_event)], self.now))

    def _crossed(self, crossings: list[Crossing]) -> None:
        """Every crossing is news: somebody who was outside is in, or the other way round."""
        for crossing in crossings:
            members_of = self.members_of[crossing.segment]
            assert (crossing.member in members_of) != crossing.entered
            (members_of.add if crossing.entered else members_of.remove)(crossing.member)

    def inside(self, name: str) -> set[MemberRef]:
        rows = self.bench.rows("segment_member", segment=name)
        return {MemberRef(row["bucket"], row["member_id"]) for row in rows}

    def check(self) -> None:
        reader = Reader(self.catalog, self.now)
        for name, condition in self.catalog.segments.items():
            people = zip(self.refs, self.people, strict=True)
            expected = {ref for ref, person in people if reader.holds(condition, person)}
            assert self.inside(name) == self.members_of[name] == expected, name


# Where a day has 24 hours, and where clocks go forward or back in the days that follow.
_WHERE_AND_WHEN = [
    ("Asia/Shanghai", NOW),
    ("America/New_York", datetime(2027, 3, 12, 14, tzinfo=UTC)),
    ("America/New_York", datetime(2027, 11, 5, 14, tzinfo=UTC)),
]


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(_WHERE_AND_WHEN), _steps)
def test_everybody_is_where_a_full_look_would_put_them(
    database_of_module: Database,
    begins: tuple[str, datetime],
    steps: list[tuple[timedelta, list[tuple[int, tuple[Anything, ...]]]]],
) -> None:
    zone, begin = begins
    catalog = replace(CATALOG, timezone=zone)
    with database_of_module.engine.connect() as connection, connection.begin() as transaction:
        history = History(Bench(connection, catalog), catalog, begin)
        history.begin()
        for period, told in steps:
            history.passes(period)
            history.check()
            for who, what in told:
                history.is_told(who, what)
            history.check()
        transaction.rollback()


@pytest.mark.parametrize(("zone", "begin"), _WHERE_AND_WHEN)
def test_hour_by_hour_nobody_is_missed(bench: Bench, zone: str, begin: datetime) -> None:
    """One order and one visit, watched for four days: every segment is entered and left at the very hour."""
    bench.catalog = replace(CATALOG, timezone=zone)
    history = History(bench, bench.catalog, begin)
    history.begin()
    history.is_told(0, ("event", "order_paid", -1, 150))
    history.is_told(1, ("event", "store_visited", 0, 10))
    history.is_told(1, ("set", "contract_end", 2))
    for _ in range(4 * 24):
        history.passes(HOUR)
        history.check()


# --- worth a name of their own ----------------------------------------------------------------------------------


def _members(bench: Bench, name: str) -> list[int]:
    return [row["member_id"] for row in bench.rows("segment_member", segment=name)]


def test_a_new_segment_is_settled_in_silence(bench: Bench) -> None:
    catalog = a_catalog(vip=HasTag(("VIP",)))
    vip, _ = bench.member(("VIP",)), bench.member()
    segments.settle(bench.connection, catalog, "vip", NOW)
    assert _members(bench, "vip") == [vip.id]
    assert segments.refresh(bench.connection, catalog, [(vip, CHANGED)], NOW) == []


def test_somebody_who_stays_keeps_the_moment_they_entered(bench: Bench) -> None:
    catalog = a_catalog(vip=HasTag(("VIP",)))
    ref = bench.member(("VIP",))
    assert segments.refresh(bench.connection, catalog, [(ref, CHANGED)], NOW) == [Crossing(ref, "vip", True)]
    segments.refresh(bench.connection, catalog, [(ref, CHANGED)], NOW + DAY)
    assert bench.row("segment_member", segment="vip")["entered_at"] == NOW


def test_looking_again_leaves_everybody_else_alone(bench: Bench) -> None:
    catalog = a_catalog(vip=HasTag(("VIP",)))
    one, other = bench.member(("VIP",)), bench.member(("VIP",))
    assert segments.refresh(bench.connection, catalog, [(one, CHANGED)], NOW) == [Crossing(one, "vip", True)]
    assert segments.refresh(bench.connection, catalog, [], NOW) == []
    assert _members(bench, "vip") == [one.id]
    assert other.id not in _members(bench, "vip")


def test_the_passing_of_time_looks_only_at_those_it_can_have_moved(bench: Bench) -> None:
    """Three dates, one of which crosses: the others are not even asked for."""
    catalog = a_catalog(sleeping=a_field("last_order_at", OverAgo(2 * DAY)))
    refs = [bench.member() for _ in range(3)]
    for ref, hours in zip(refs, (1, 47, 80), strict=True):
        bench.happens(ref, "order_paid", NOW - hours * HOUR)
    segments.settle(bench.connection, catalog, "sleeping", NOW)
    # Wrong on purpose: only a look at this member would correct it.
    unasked = (segment_member.c.bucket == refs[2].bucket) & (segment_member.c.member_id == refs[2].id)
    bench.connection.execute(delete(segment_member).where(unasked))
    crossings = crossed_by_time(bench.connection, catalog, NOW, NOW + 2 * HOUR)
    assert crossings == [Crossing(refs[1], "sleeping", True)]


def test_a_sweep_after_a_long_silence_finds_all_of_them(bench: Bench) -> None:
    catalog = a_catalog(sleeping=a_field("last_order_at", OverAgo(2 * DAY)))
    refs = sorted(_with_order(bench, NOW - HOUR * hours) for hours in range(10))
    assert crossed_by_time(bench.connection, catalog, NOW, NOW + 40 * DAY) == [
        Crossing(ref, "sleeping", True) for ref in refs
    ]


def _with_order(bench: Bench, at: datetime) -> MemberRef:
    ref = bench.member()
    bench.happens(ref, "order_paid", at)
    return ref


def test_a_segment_without_a_date_costs_time_nothing(bench: Bench) -> None:
    assert crossed_by_time(bench.connection, a_catalog(vip=HasTag(("VIP",))), NOW, NOW + DAY) == []


# --- at apply ---------------------------------------------------------------------------------------------------


def test_a_segment_that_means_something_else_is_settled_anew_in_silence(bench: Bench) -> None:
    """Who left and who came: neither is a crossing, then or at the next look."""
    was, becomes = a_catalog(vip=HasTag(("VIP",))), a_catalog(vip=HasTag(("金卡",)))
    stays, leaves, comes = bench.member(("VIP", "金卡")), bench.member(("VIP",)), bench.member(("金卡",))
    assert segments.settle_changed(bench.connection, was, NOW) == ["vip"]
    assert set(_members(bench, "vip")) == {stays.id, leaves.id}
    assert segments.settle_changed(bench.connection, becomes, NOW + DAY) == ["vip"]
    assert set(_members(bench, "vip")) == {stays.id, comes.id}
    happened = [(ref, CHANGED) for ref in (stays, leaves, comes)]
    assert segments.refresh(bench.connection, becomes, happened, NOW + DAY) == []
    assert segments.members_of(bench.connection, "vip", since=NOW + DAY) == [comes]
    assert bench.row("segment_member", member_id=stays.id)["entered_at"] == NOW


def test_a_segment_that_means_what_it_meant_is_left_alone(bench: Bench) -> None:
    catalog = a_catalog(vip=HasTag(("VIP",)), sleeping=_SLEEPING)
    assert segments.settle_changed(bench.connection, catalog, NOW) == ["sleeping", "vip"]
    newcomer = bench.member(("VIP",))
    assert segments.settle_changed(bench.connection, catalog, NOW) == []
    assert segments.refresh(bench.connection, catalog, [(newcomer, CHANGED)], NOW) == [Crossing(newcomer, "vip", True)]


def test_a_segment_changes_its_meaning_with_the_fields_it_looks_at(bench: Bench) -> None:
    """`sleeping` reads the same, but `orders` counts something else."""
    catalog = a_catalog(sleeping=_SLEEPING)
    segments.settle_changed(bench.connection, catalog, NOW)
    visits = replace(_FIELDS["orders"], computed=Computed(Aggregate.COUNT, ("store_visited",)))
    changed = replace(catalog, fields={**catalog.fields, "orders": visits})
    assert segments.settle_changed(bench.connection, changed, NOW) == ["sleeping"]


def test_a_segment_that_is_gone_is_forgotten_and_new_when_it_comes_back(bench: Bench) -> None:
    catalog = a_catalog(vip=HasTag(("VIP",)))
    bench.member(("VIP",))
    segments.settle_changed(bench.connection, catalog, NOW)
    assert segments.settle_changed(bench.connection, a_catalog(), NOW) == []
    assert _members(bench, "vip") == []
    assert segments.settle_changed(bench.connection, catalog, NOW) == ["vip"]
    assert len(_members(bench, "vip")) == 1


def test_who_leaves_and_comes_back_enters_again(bench: Bench) -> None:
    catalog = a_catalog(vip=HasTag(("VIP",)))
    ref = bench.member()
    seen = []
    for tags in (["VIP"], [], ["VIP"]):
        members.remove_tags(bench.connection, {ref: ["VIP"]})
        members.add_tags(bench.connection, {ref: tags}, NOW)
        seen += segments.refresh(bench.connection, catalog, [(ref, CHANGED)], NOW)
    assert [each.entered for each in seen] == [True, False, True]


def test_somebody_of_whom_nothing_is_known_enters_what_asks_for_nothing(bench: Bench) -> None:
    """`not` and `unknown` hold for a newcomer from the first moment, though nothing they look at has happened."""
    catalog = a_catalog(plain=Not(HasTag(("VIP",))), no_orders=Did("order_paid", 0, 0), vip=HasTag(("VIP",)))
    ref = bench.member()
    crossings = segments.refresh(bench.connection, catalog, [(ref, "member_created")], NOW)
    assert crossings == [Crossing(ref, "plain", True), Crossing(ref, "no_orders", True)]
