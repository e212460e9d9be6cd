"""Conditions as SQL mean what their sentences say: every single line about people of every kind, then random trees of
lines about random people. Two readers must agree.

Times lie on a grid of twelve hours around `now`, and periods are multiples of it, so that they fall exactly on the
edges of every span.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import product
from typing import Any as Anything
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, insert, select
from store_bench import CATALOG, DAY, HOUR, NOW, Bench, a_journey
from store_oracle import Happening, Person, Reader
from store_time import recompute

from engage.core.catalog import Catalog
from engage.core.condition import (
    All,
    AnswerValue,
    Any,
    Between,
    Compare,
    Condition,
    Contains,
    ContextValue,
    Did,
    FieldValue,
    HasTag,
    InSegment,
    InShare,
    Known,
    Not,
    OneOf,
    OverAgo,
    RankValue,
    Test,
    Unknown,
    ValueType,
    WithinLast,
    WithinNext,
)
from engage.core.timing import local_moment
from engage.store import advancing, enrolling, events, members
from engage.store.databases.database import Database
from engage.store.enrolling import Zone
from engage.store.events import NewEvent
from engage.store.members import MemberRef
from engage.store.statements.conditions import Scope, compile_condition
from engage.store.tables import answer, member

STEP = 12 * HOUR
NEW_YORK = ZoneInfo("America/New_York")
TODAY = NOW.astimezone(ZoneInfo("Asia/Shanghai")).date()
BIRTHDAY = {"calendar": "lunar", "month": 8, "day": 15, "leap": False, "year": None}
TAGS = ("VIP", "新客", "a%")
TEXTS = ("上海", "北京", "普洱茶", "Tea 100%", "tea_bag", "a\\b", "", "ＴＥＡ", "Éte 🍵", "éte", " 上海 ", "500")
NUMBERS = (-5, 0, 0.1, 0.2, 0.3, 1, 2.5, 99.99, 100, 500)
# What a payload may hold where a number, a text, a flag or a day is meant.
ODD_VALUES = ("12 克", "1e2", "007", "+1", "1,280", "", "n/a", ".5", "5.", "-0.5", "0", "１２", "9" * 17, True, 7, [1])
PERCENTS = (1, 20, 34, 50, 99)
EVENTS = ("order_paid", "store_visited", "clicked", "unheard_of")

# --- people -----------------------------------------------------------------------------------------------------

_moments = st.integers(-8, 4).map(lambda steps: NOW + steps * STEP)
_texts = st.sampled_from(TEXTS)
_numbers = st.sampled_from(NUMBERS)
_odd = st.sampled_from(ODD_VALUES)
_days = st.integers(-5, 5).map(lambda days: TODAY + timedelta(days=days))


def _some(**kinds: st.SearchStrategy[Anything]) -> st.SearchStrategy[dict[str, Anything]]:
    """Any of these keys; the others are missing."""
    return st.fixed_dictionaries({}, optional=kinds)


_values = _some(city=_texts, level=_numbers, employee=st.booleans(), contract_end=_days, birthday=st.just(BIRTHDAY))
_payloads = _some(
    order_id=_texts | _odd,
    amount=_numbers | _odd,
    gift=st.booleans() | _odd,
    paid_on=_days.map(lambda day: day.isoformat()) | _odd,
)
_happenings = st.builds(
    Happening, st.sampled_from(EVENTS), _moments, _payloads, in_run=st.booleans(), of_run=st.booleans()
)
_answers = st.dictionaries(
    st.sampled_from(["nps", "taste"]),
    _some(score=st.integers(0, 10), choice=_texts.filter(bool), comment=_texts.filter(bool)),
    max_size=2,
)
_passed = _some(amount=_numbers.map(str) | _odd, note=_texts | _odd)
_people = st.builds(
    Person, _values, st.sets(st.sampled_from(TAGS)), st.lists(_happenings, max_size=5), _answers, _payloads, _passed
)

# --- conditions -------------------------------------------------------------------------------------------------

_periods = st.integers(1, 8).map(lambda steps: steps * STEP)
_decimals = st.sampled_from(NUMBERS).map(lambda number: Decimal(str(number)))
_presence = st.sampled_from([Known(), Unknown()])
_text_tests = _presence | st.one_of(
    st.lists(_texts, min_size=1, max_size=3).map(lambda values: OneOf(tuple(values))),
    st.sampled_from(["茶", "TEA", "%", "_", "\\", "海"]).map(Contains),
)
_number_tests = _presence | st.one_of(
    st.lists(_decimals, min_size=1, max_size=2).map(lambda values: OneOf(tuple(values))),
    st.builds(Between, st.none() | _decimals, st.none() | _decimals),
)
_flag_tests = _presence | st.booleans().map(lambda value: OneOf((value,)))
_time_tests = _presence | st.one_of([st.builds(kind, _periods) for kind in (WithinLast, OverAgo, WithinNext)])
_shares = st.tuples(st.none() | st.sampled_from(PERCENTS), st.none() | st.sampled_from(PERCENTS)).filter(
    lambda ends: ends != (None, None) and (None in ends or ends[0] < ends[1])
)
_rank_tests = _presence | _shares.map(lambda ends: InShare(*ends))
_TESTS: dict[ValueType, st.SearchStrategy[Anything]] = {
    ValueType.TEXT: _text_tests,
    ValueType.NUMBER: _number_tests,
    ValueType.BOOLEAN: _flag_tests,
    ValueType.DATE: _time_tests,
    ValueType.INSTANT: _time_tests,
    ValueType.ANNIVERSARY: _presence,
}


def _compares(subjects: Sequence[tuple[Anything, ValueType]]) -> st.SearchStrategy[Condition]:
    return st.sampled_from(subjects).flatmap(lambda pair: _TESTS[pair[1]].map(lambda test: Compare(pair[0], test)))


_FIELDS = [(FieldValue(name, each.type), each.type) for name, each in CATALOG.fields.items() if name != "name"]
_OF_RUN = [
    (AnswerValue("nps", "score"), ValueType.NUMBER),
    (AnswerValue("taste", "choice"), ValueType.TEXT),
    (AnswerValue("taste", "comment"), ValueType.TEXT),
    *((ContextValue("event", key, type), type) for key, type in CATALOG.events["order_paid"].payload.items()),
    (ContextValue("var", "amount", ValueType.NUMBER), ValueType.NUMBER),
    (ContextValue("var", "note", ValueType.TEXT), ValueType.TEXT),
]
_OF_EVENT = [(subject, type) for subject, type in _OF_RUN if isinstance(subject, ContextValue)]
_dids = st.builds(
    Did,
    st.sampled_from(EVENTS),
    at_least=st.integers(0, 2),
    at_most=st.none() | st.integers(0, 3),
    within=st.none() | _periods,
)
_dids_of_run = st.builds(Did, st.sampled_from(EVENTS), st.integers(0, 2), since_start=st.booleans())
_RANKED = [name for name, each in CATALOG.fields.items() if each.type is ValueType.NUMBER]
_ranks = st.builds(Compare, st.sampled_from(_RANKED).map(RankValue), _rank_tests)
_tags = st.lists(st.sampled_from(TAGS), min_size=1, max_size=2).map(lambda tags: HasTag(tuple(tags)))
_atoms = _compares(_FIELDS) | _ranks | _tags | _dids


def _trees(atoms: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    return st.recursive(
        atoms,
        lambda inner: st.one_of(
            inner.map(Not),
            inner.map(lambda part: InSegment("some", part)),
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: All(tuple(parts))),
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: Any(tuple(parts))),
        ),
        max_leaves=6,
    )


# --- putting people into the database ---------------------------------------------------------------------------


def _settle(bench: Bench, people: Sequence[Person]) -> list[MemberRef]:
    """What happened to them before any run, in one batch for all."""
    refs = [bench.member(person.tags, **person.values) for person in people]
    _record(bench, refs, people, in_run=False, of_run={})
    return refs


def _record(
    bench: Bench, refs: Sequence[MemberRef], people: Sequence[Person], *, in_run: bool, of_run: dict[int, int]
) -> None:
    new = [
        NewEvent(
            ref, h.name, h.at, f"k{bench.number()}", h.payload, enrolment_id=of_run.get(ref.id) if h.of_run else None
        )
        for ref, person in zip(refs, people, strict=True)
        for h in person.happened
        if h.in_run == in_run
    ]
    events.record(bench.connection, CATALOG, new, NOW)


def _start_runs(bench: Bench, refs: Sequence[MemberRef], people: Sequence[Person]) -> dict[int, int]:
    """A run for each of them, with its answers; then what happened since. Member id → run id."""
    runs = {}
    for ref, person in zip(refs, people, strict=True):
        runs[ref.id] = bench.enters(ref, context={"event": dict(person.event), "var": dict(person.var)})
        for step_id, given_answer in person.answers.items():
            _put_answer(bench, ref, runs[ref.id], step_id, given_answer)
    _record(bench, refs, people, in_run=True, of_run=runs)
    return runs


def _put_answer(bench: Bench, ref: MemberRef, run_id: int, step_id: str, given_answer: dict[str, Anything]) -> None:
    row = {
        "bucket": ref.bucket,
        "id": bench.number(),
        "member_id": ref.id,
        "enrolment_id": run_id,
        "journey_id": "winback",
        "step_id": step_id,
        "visit": 0,
        "delivery_id": 1,
        "survey": "nps",
        "channel": "sms",
        "typed": True,
        "answered_at": NOW,
    }
    bench.connection.execute(insert(answer).values(**row, **given_answer))


def _work_out_ranks(connection: Connection) -> None:
    recompute(connection, CATALOG, product(_RANKED, PERCENTS), NOW)


def matching(connection: Connection, condition: Condition, now: datetime = NOW, catalog: Catalog = CATALOG) -> set[int]:
    query = select(member.c.id).where(compile_condition(condition, Scope(catalog, now=now)))
    return set(connection.scalars(query))


def entering(connection: Connection, condition: Condition) -> set[int]:
    """By the way that a start on a schedule takes, from the few whom an index knows."""
    journey = a_journey(audience=condition)
    return {ref.id for ref in enrolling.everyone(connection, CATALOG, journey, Zone(None), NOW)}


# --- every line -------------------------------------------------------------------------------------------------


def _everybody() -> list[Person]:
    """Somebody of whom nothing is known, and somebody for each value that a line may ask for."""
    people = [Person(), Person({"birthday": BIRTHDAY}), *(Person(tags=set(TAGS[:n])) for n in range(1, 4))]
    for text in TEXTS:
        taste = {"taste": {"choice": text, "comment": text}} if text else {}
        people.append(Person({"city": text}, answers=taste, event={"order_id": text}, var={"note": text}))
    for number in NUMBERS:
        paid = Happening("order_paid", NOW - STEP, {"amount": number})
        twice = [paid, Happening("order_paid", NOW - 7 * STEP, {"amount": "n/a"})]
        people.append(Person({"level": number}, happened=twice, event={"amount": number}, var={"amount": str(number)}))
    for odd in ODD_VALUES:
        paid = Happening("order_paid", NOW - STEP, {"amount": odd})
        anywhere = dict.fromkeys(("order_id", "amount", "gift", "paid_on"), odd)
        people.append(Person(happened=[paid], event=anywhere, var={"amount": odd, "note": odd}))
    tenths = [Happening("order_paid", NOW - n * STEP, {"amount": n / 10}) for n in (1, 2)]
    people.append(Person(happened=tenths))  # which add up to 0.3
    people += [Person({"employee": flag}, event={"gift": flag}) for flag in (True, False)]
    for days in range(-5, 6):
        day = TODAY + timedelta(days=days)
        people.append(Person({"contract_end": day}, event={"paid_on": day.isoformat()}))
    for score in range(11):
        people.append(Person(answers={"nps": {"score": score}}))
    for name, steps in product(EVENTS, range(-8, 5)):
        at = NOW + steps * STEP
        people.append(Person(happened=[Happening(name, at, {"amount": 100})]))
        people.append(
            Person(happened=[Happening(name, at, in_run=True), Happening(name, NOW, in_run=True, of_run=True)])
        )
    return people


def _every_test(type: ValueType) -> list[Test]:
    tests: list[Test] = [Known(), Unknown()]
    numbers = [Decimal(str(number)) for number in NUMBERS]
    match type:
        case ValueType.TEXT:
            tests += [
                *(OneOf((text,)) for text in TEXTS),
                OneOf(TEXTS[:2]),
                *map(Contains, ("茶", "TEA", "%", "_", "\\")),
            ]
        case ValueType.NUMBER:
            tests += [*(OneOf((n,)) for n in numbers), OneOf(tuple(numbers[:3])), Between(None, None)]
            tests += [end for n in numbers for end in (Between(n, None), Between(None, n), Between(Decimal(1), n))]
        case ValueType.BOOLEAN:
            tests += [OneOf((True,)), OneOf((False,)), OneOf((True, False))]
        case ValueType.DATE | ValueType.INSTANT:
            tests += [kind(n * STEP) for kind in (WithinLast, OverAgo, WithinNext) for n in range(1, 9)]
        case ValueType.ANNIVERSARY:
            pass
    return tests


def _every_line(subjects: Sequence[tuple[Anything, ValueType]], *, in_run: bool) -> list[Condition]:
    lines: list[Condition] = [Compare(subject, test) for subject, type in subjects for test in _every_test(type)]
    shares = [InShare(*ends) for ends in product((None, *PERCENTS), repeat=2) if None in ends or ends[0] < ends[1]]
    lines += [Compare(RankValue(name), test) for name in _RANKED for test in (Known(), Unknown(), *shares[1:])]
    lines += [HasTag(TAGS[n : n + 2]) for n in range(3)]
    periods = [None, *(n * STEP for n in range(1, 9))]
    times = [(1, None), (0, 0), (2, None), (0, 1), (1, 1)]
    for name, (low, high), within in product(EVENTS, times, periods):
        lines += [Did(name, low, high, within, since) for since in ((False, True) if in_run else (False,))]
    return lines


def _chunks(lines: list[Condition], size: int = 100) -> list[list[Condition]]:
    return [lines[start : start + size] for start in range(0, len(lines), size)]


def test_every_line_about_everybody_before_a_run(bench: Bench) -> None:
    people = _everybody()
    reader = Reader(CATALOG, NOW, everybody=people)
    refs = _settle(bench, people)
    _record(bench, refs, people, in_run=True, of_run={})
    _work_out_ranks(bench.connection)
    scope = Scope(CATALOG, now=NOW)
    for lines in _chunks(_every_line([*_FIELDS, *_OF_RUN], in_run=False)):
        columns = [compile_condition(line, scope).label(f"c{n}") for n, line in enumerate(lines)]
        found = {row[0]: tuple(map(bool, row[1:])) for row in bench.connection.execute(select(member.c.id, *columns))}
        for ref, person in zip(refs, people, strict=True):
            assert found[ref.id] == tuple(reader.holds(line, person) for line in lines), person


def test_every_line_about_everybody_inside_a_run(bench: Bench) -> None:
    people = _everybody()
    reader = Reader(CATALOG, NOW, in_run=True, everybody=people)
    refs = _settle(bench, people)
    runs = _start_runs(bench, refs, people)
    _work_out_ranks(bench.connection)
    rows = advancing.runs_by_id(bench.connection, [(ref.bucket, runs[ref.id]) for ref in refs])
    for lines in _chunks(_every_line([*_FIELDS, *_OF_RUN], in_run=True)):
        found = advancing.holding(bench.connection, CATALOG, lines, rows, NOW)
        for ref, person in zip(refs, people, strict=True):
            assert found[runs[ref.id]] == tuple(reader.holds(line, person) for line in lines), person


# --- random trees -----------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(st.lists(_people, min_size=1, max_size=4), st.lists(_trees(_atoms), min_size=1, max_size=6))
def test_sql_and_a_plain_reading_agree_on_who_a_condition_is_about(
    database_of_module: Database, people: list[Person], conditions: list[Condition]
) -> None:
    reader = Reader(CATALOG, NOW, everybody=people)
    with database_of_module.engine.connect() as connection, connection.begin() as transaction:
        bench = Bench(connection)
        refs = _settle(bench, people)
        _record(bench, refs, people, in_run=True, of_run={})
        _work_out_ranks(connection)
        for condition in conditions:
            expected = {ref.id for ref, person in zip(refs, people, strict=True) if reader.holds(condition, person)}
            assert matching(connection, condition) == expected
            assert matching(connection, Not(condition)) == {ref.id for ref in refs} - expected
            assert entering(connection, condition) == expected
        transaction.rollback()


@settings(max_examples=50, deadline=None)
@given(
    st.lists(_people, min_size=1, max_size=3),
    st.lists(_trees(_atoms | _compares(_OF_RUN) | _dids_of_run), min_size=1, max_size=6),
)
def test_sql_and_a_plain_reading_agree_inside_a_run(
    database_of_module: Database, people: list[Person], conditions: list[Condition]
) -> None:
    """Answers, what started the run, what was passed to it, and what happened since; all conditions in one query."""
    reader = Reader(CATALOG, NOW, in_run=True, everybody=people)
    with database_of_module.engine.connect() as connection, connection.begin() as transaction:
        bench = Bench(connection)
        refs = _settle(bench, people)
        runs = _start_runs(bench, refs, people)
        _work_out_ranks(connection)
        rows = advancing.runs_by_id(connection, [(ref.bucket, runs[ref.id]) for ref in refs])
        found = advancing.holding(connection, CATALOG, [*conditions, None], rows, NOW)
        for ref, person in zip(refs, people, strict=True):
            expected = tuple(reader.holds(condition, person) for condition in conditions)
            assert found[runs[ref.id]] == (*expected, True)
        transaction.rollback()


@settings(max_examples=40, deadline=None)
@given(st.lists(_payloads, min_size=1, max_size=4), _trees(_compares(_OF_EVENT)))
def test_where_reads_the_payload_of_the_event_that_came(
    database_of_module: Database, payloads: list[dict[str, Anything]], where: Condition
) -> None:
    reader = Reader(CATALOG, NOW, in_run=True)
    with database_of_module.engine.connect() as connection, connection.begin() as transaction:
        bench = Bench(connection)
        ref = bench.member()
        for payload in payloads:
            bench.happens(ref, "order_paid", **payload)
        ids = [row["id"] for row in bench.rows("event", member_id=ref.id)]
        told = zip(ids, payloads, strict=True)
        expected = {i for i, payload in told if reader.holds(where, Person(event=payload))}
        keys = [(ref.bucket, i) for i in ids]
        assert enrolling.events_where(connection, CATALOG, keys, where, NOW) == expected
        assert enrolling.events_where(connection, CATALOG, keys, None, NOW) == set(ids)
        transaction.rollback()


# Days of 2027 that have 23 hours, or 25; or 23 and a half; or that begin at one o'clock.
_ODD_DAYS = [
    ("America/New_York", date(2027, 3, 14)),
    ("America/New_York", date(2027, 11, 7)),
    ("Europe/London", date(2027, 10, 31)),
    ("Australia/Lord_Howe", date(2027, 10, 3)),
    ("America/Santiago", date(2027, 9, 5)),
]
_near_midnight = st.integers(-6, 6).map(lambda halves: halves * HOUR / 2)
_few_days = st.integers(1, 9).map(lambda days: days * DAY) | _periods


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(_ODD_DAYS), st.integers(-10, 10), _near_midnight, _few_days)
def test_days_are_those_of_the_calendar_where_the_clocks_change(
    database_of_module: Database, odd: tuple[str, date], days: int, from_midnight: timedelta, period: timedelta
) -> None:
    zone, change = odd
    catalog = replace(CATALOG, timezone=zone)
    now = local_moment(change + timedelta(days=days), time(0), ZoneInfo(zone)) + from_midnight
    today = now.astimezone(ZoneInfo(zone)).date()
    reader = Reader(catalog, now)
    with database_of_module.engine.connect() as connection, connection.begin() as transaction:
        bench = Bench(connection, catalog)
        people = [Person({"contract_end": today + timedelta(days=n)}) for n in range(-11, 12)]
        refs = _settle(bench, people)
        for test in (WithinLast(period), OverAgo(period), WithinNext(period)):
            line = a_field("contract_end", test)
            expected = {ref.id for ref, person in zip(refs, people, strict=True) if reader.holds(line, person)}
            assert matching(connection, line, now, catalog) == expected
        transaction.rollback()


# --- worth a name of their own ----------------------------------------------------------------------------------


def a_field(name: str, test: Test) -> Compare:
    return Compare(FieldValue(name, CATALOG.fields[name].type), test)


@pytest.mark.parametrize(
    "condition",
    [
        a_field("city", OneOf(("上海",))),
        a_field("city", Contains("茶")),
        a_field("level", Between(None, Decimal(6))),
        a_field("employee", OneOf((False,))),
        a_field("contract_end", OverAgo(90 * DAY)),
        a_field("last_order_at", OverAgo(90 * DAY)),
        a_field("last_seen_3d", OverAgo(DAY)),
        a_field("birthday", Known()),
        HasTag(("VIP",)),
        Did("order_paid"),
        Compare(AnswerValue("nps", "score"), Between(Decimal(0), Decimal(6))),
        Compare(ContextValue("event", "amount", ValueType.NUMBER), Between(None, Decimal(6))),
        Any(()),
    ],
)
def test_of_somebody_nothing_is_known_nothing_holds_and_every_not_does(bench: Bench, condition: Condition) -> None:
    """`not: { employee: yes }` holds for someone whose field is empty; a line about nothing never sends."""
    ref = bench.member()
    assert matching(bench.connection, condition) == set()
    assert matching(bench.connection, Not(condition)) == {ref.id}


@pytest.mark.parametrize(
    "condition",
    [
        a_field("city", Unknown()),
        a_field("contract_end", Unknown()),
        a_field("last_order_at", Unknown()),
        a_field("birthday", Unknown()),
        a_field("orders", Between(None, Decimal(0))),
        a_field("spent_3d", OneOf((Decimal(0),))),
        Did("order_paid", at_least=0, at_most=0),
        Compare(AnswerValue("nps", "score"), Unknown()),
        Compare(ContextValue("var", "note", ValueType.TEXT), Unknown()),
        All(()),
    ],
)
def test_only_unknown_and_never_hold_for_what_is_not_on_file(bench: Bench, condition: Condition) -> None:
    ref = bench.member()
    assert matching(bench.connection, condition) == {ref.id}


@pytest.mark.parametrize(
    ("at", "test", "day", "holds"),
    [
        # Clocks go forward on 14 March 2027, and back on 7 November.
        (datetime(2027, 3, 9, 23, 30, tzinfo=NEW_YORK), WithinNext(7 * DAY), date(2027, 3, 15), True),
        (datetime(2027, 3, 9, 23, 30, tzinfo=NEW_YORK), WithinNext(7 * DAY), date(2027, 3, 16), False),
        (datetime(2027, 3, 20, 0, 30, tzinfo=NEW_YORK), WithinLast(30 * DAY), date(2027, 2, 19), True),
        (datetime(2027, 3, 20, 0, 30, tzinfo=NEW_YORK), WithinLast(30 * DAY), date(2027, 2, 18), False),
        (datetime(2027, 3, 20, 0, 30, tzinfo=NEW_YORK), OverAgo(30 * DAY), date(2027, 2, 18), True),
        (datetime(2027, 11, 10, 23, 30, tzinfo=NEW_YORK), OverAgo(30 * DAY), date(2027, 10, 12), False),
        (datetime(2027, 11, 10, 23, 30, tzinfo=NEW_YORK), OverAgo(30 * DAY), date(2027, 10, 11), True),
    ],
)
def test_the_thirtieth_day_is_counted_on_the_calendar(
    bench: Bench, at: datetime, test: Test, day: date, holds: bool
) -> None:
    """An hour before or after midnight as well, near a day that has 23 hours or 25."""
    catalog = replace(CATALOG, timezone=NEW_YORK.key)
    bench.member(contract_end=day)
    now = at.astimezone(UTC)
    assert bool(matching(bench.connection, a_field("contract_end", test), now, catalog)) is holds


def test_a_value_in_quotes_and_percent_signs_is_only_text(bench: Bench) -> None:
    evil = "x' OR '1'='1"
    bench.member(city="上海")
    ref = bench.member(city=evil)
    assert matching(bench.connection, a_field("city", OneOf((evil,)))) == {ref.id}
    assert matching(bench.connection, a_field("city", Contains("' OR '"))) == {ref.id}
    assert matching(bench.connection, a_field("city", Contains("%"))) == set()


def test_a_key_with_quotes_and_dots_is_only_a_key(bench: Bench) -> None:
    ref = bench.member()
    run_id = bench.enters(ref, context={"event": {'a"b.c': "x", "a": {"b": "y"}}, "var": {}})
    rows = advancing.runs_by_id(bench.connection, [(ref.bucket, run_id)])
    for key, value, expected in (("a.b", "y", False), ("a", "x", False)):
        condition = Compare(ContextValue("event", key, ValueType.TEXT), OneOf((value,)))
        assert advancing.holding(bench.connection, CATALOG, [condition], rows, NOW) == {run_id: (expected,)}


def test_one_members_events_never_count_for_another(bench: Bench) -> None:
    active, silent = bench.member(), bench.member()
    for _ in range(3):
        bench.happens(active, "order_paid", amount=10)
    for condition in (
        Did("order_paid", at_least=3),
        a_field("orders", OneOf((Decimal(3),))),
        a_field("orders_3d", OneOf((Decimal(3),))),
        a_field("spent", OneOf((Decimal(30),))),
        a_field("last_order_at", Known()),
    ):
        assert matching(bench.connection, condition) == {active.id}
    assert matching(bench.connection, a_field("orders", OneOf((Decimal(0),)))) == {silent.id}


def test_a_condition_about_the_past_can_stand_beside_the_event_that_is_matched(bench: Bench) -> None:
    """The query joins `event` already: the condition's own look at events must stay its own."""
    ref = bench.member(("VIP",))
    bench.happens(ref, "store_visited")
    bench.happens(ref, "order_paid", amount=10)
    condition = All((Did("store_visited"), a_field("orders_3d", OneOf((Decimal(2),))), HasTag(("VIP",))))
    ids = {row["id"] for row in bench.rows("event")}
    assert enrolling.events_where(bench.connection, CATALOG, [(ref.bucket, i) for i in ids], condition, NOW) == ids


def test_audience_and_exclude_together_say_who_is_let_in(bench: Bench) -> None:
    shanghai, _, staff = bench.member(city="上海"), bench.member(city="北京"), bench.member(city="上海", employee=True)
    journey = a_journey(audience=a_field("city", OneOf(("上海",))), exclude=a_field("employee", OneOf((True,))))
    refs = [MemberRef(row["bucket"], row["id"]) for row in bench.rows("member")]
    assert enrolling.admitted(bench.connection, CATALOG, journey, refs, NOW) == {shanghai.id}
    assert enrolling.admitted(bench.connection, CATALOG, a_journey(), [staff], NOW) == {staff.id}
    assert enrolling.everyone(bench.connection, CATALOG, journey, Zone(None), NOW) == [shanghai]
    assert enrolling.everyone(bench.connection, CATALOG, journey, Zone("Asia/Urumqi"), NOW) == []


def test_profiles_say_the_same_as_conditions(bench: Bench) -> None:
    ref = bench.member(city="上海", level=3)
    bench.happens(ref, "order_paid", NOW - DAY, amount=12.5)
    bench.happens(ref, "order_paid", NOW - 4 * DAY, amount=100)
    profile = members.profiles(bench.connection, CATALOG, [ref], NOW)[ref.id]
    assert profile.values == {
        "city": "上海",
        "level": 3,
        "orders": 2,
        "spent": 112.5,
        "first_order_at": NOW - 4 * DAY,
        "last_order_at": NOW - DAY,
        "last_seen_at": NOW - DAY,
        "orders_3d": 1,
        "spent_3d": 12.5,
        "first_order_3d": NOW - DAY,
        "last_seen_3d": NOW - DAY,
    }
