"""What happens in the sandbox by itself."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from engage.sandbox.habits import Arrival, arrival, arrives_at, bought_before, life, orders
from engage.sandbox.hours import ZONE
from engage.sandbox.model import Follow, Planned, Register, ShopEvent, Type
from engage.sandbox.population import make_people
from engage.sandbox.reading import typed_score
from engage.sandbox.shop import script

START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
SEED = 7
DAYS = 95
UNTIL = START + timedelta(days=DAYS)
PEOPLE = make_people(300, SEED, START)
BY_KEY = {person.key: person for person in PEOPLE}
SCRIPT = script(PEOPLE, SEED, START, DAYS)


def shop_events() -> list[tuple[Planned, ShopEvent]]:
    return [(planned, planned.act) for planned in SCRIPT if isinstance(planned.act, ShopEvent)]


def test_the_same_seed_writes_the_same_script() -> None:
    assert script(PEOPLE, SEED, START, DAYS) == SCRIPT
    assert script(PEOPLE, SEED + 1, START, DAYS) != SCRIPT


def test_a_short_run_is_the_beginning_of_a_long_one() -> None:
    for days in (1, 7, 30):
        short = script(PEOPLE, SEED, START, days)
        assert short == SCRIPT[: len(short)]
        assert len(short) < len(SCRIPT)


def test_it_is_in_order_within_the_run_and_no_key_comes_twice() -> None:
    assert [p.at for p in SCRIPT] == sorted(p.at for p in SCRIPT)
    assert all(START <= p.at < UNTIL for p in SCRIPT)
    assert len({p.key for p in SCRIPT}) == len(SCRIPT)


def test_everything_a_shop_reports_occurs() -> None:
    counts = Counter(event.event for _, event in shop_events())
    assert counts["order_paid"] > 150
    assert counts["order_delivered"] > 150
    assert counts["first_order_delivered"] >= 30
    assert counts["refund_completed"] >= 5
    assert counts["complaint_opened"] >= 10
    assert counts["store_visited"] >= 100
    assert sum(isinstance(p.act, Register) for p in SCRIPT) >= 25
    assert sum(isinstance(p.act, Follow) for p in SCRIPT) >= 15
    assert sum(isinstance(p.act, Type) for p in SCRIPT) >= 60


def test_external_ids_are_unique_over_history_and_run() -> None:
    ids = [happening.external_id for person in PEOPLE for happening in life(person, SEED, START, UNTIL)]
    assert len(ids) == len(set(ids))


def test_the_shop_speaks_of_its_members_only() -> None:
    assert all(BY_KEY[event.person].ref is not None for _, event in shop_events())


def test_the_first_order_is_delivered_once_and_first() -> None:
    for person in PEOPLE:
        happenings = life(person, SEED, START, UNTIL)
        delivered = [h for h in happenings if h.event == "order_delivered"]
        first = [h for h in happenings if h.event == "first_order_delivered"]
        assert len(first) <= 1
        assert bool(first) == bool(delivered)
        if first:
            assert first[0].at == min(h.at for h in delivered)


def test_an_order_is_paid_then_delivered_then_perhaps_refunded() -> None:
    for person in PEOPLE:
        for order in orders(person, SEED, START, UNTIL):
            assert order.paid_at < order.delivered_at
            assert order.refunded_at is None or order.refunded_at > order.delivered_at


def test_newcomers_register_before_anything_else_happens_to_them() -> None:
    registered = {p.act.person: p.at for p in SCRIPT if isinstance(p.act, Register)}
    assert registered
    for planned, event in shop_events():
        if arrival(event.person, SEED) is Arrival.REGISTERS:
            assert planned.at >= registered[event.person]


def test_some_newcomers_order_within_two_weeks() -> None:
    first_orders = {p.key: orders(p, SEED, START, UNTIL) for p in PEOPLE}
    quick = [
        key
        for key, bought in first_orders.items()
        if arrival(key, SEED) is Arrival.REGISTERS
        and bought
        and bought[0].paid_at - arrives_at(key, SEED, START) < timedelta(days=14)
    ]
    assert len(quick) >= 10


def test_most_orders_come_by_day_and_some_at_night() -> None:
    hours = [p.at.astimezone(ZONE).hour for p, event in shop_events() if event.event == "order_paid"]
    at_night = sum(hour < 9 or hour >= 22 for hour in hours)
    assert 0 < at_night < len(hours) * 0.2


def test_parcels_arrive_by_day() -> None:
    hours = {p.at.astimezone(ZONE).hour for p, event in shop_events() if event.event == "order_delivered"}
    assert hours <= set(range(9, 22))


def test_only_followers_write_and_no_small_talk_looks_like_a_score() -> None:
    followed = {p.act.openid: p.at for p in SCRIPT if isinstance(p.act, Follow)}
    following = {p.openid for p in PEOPLE if p.follows}
    for planned in SCRIPT:
        if isinstance(planned.act, Type):
            assert planned.act.channel == "wechat"
            assert planned.act.address in following or planned.at >= followed[planned.act.address]
            assert typed_score(planned.act.text) is None


def test_who_has_bought_is_known_at_any_moment() -> None:
    for person in PEOPLE:
        bought = orders(person, SEED, START, UNTIL)
        assert bought_before(person, SEED, START, UNTIL) == bool(bought)
        if bought:
            assert not bought_before(person, SEED, START, bought[0].paid_at)
            assert bought_before(person, SEED, START, bought[0].paid_at + timedelta(seconds=1))
