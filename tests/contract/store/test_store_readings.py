"""How a condition reads line by line: the same truth as the whole, and beside each line what is on file."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any as Anything

import pytest
from store_bench import CATALOG, DAY, HOUR, NOW, Bench, a_journey

from engage.core.condition import (
    All,
    AnswerValue,
    Any,
    Between,
    Compare,
    Condition,
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
)
from engage.store import advancing
from engage.store.members import MemberRef
from engage.store.statements import readings
from engage.store.statements.readings import Read, Reading, reading_of


def field(name: str, test: Test) -> Compare:
    return Compare(FieldValue(name, CATALOG.fields[name].type), test)


RICH = field("spent", Between(Decimal(3000), None))
VIP = HasTag(("VIP", "推荐官"))


def of_member(bench: Bench, condition: Condition, ref: MemberRef) -> Read:
    return readings.of_members(bench.connection, CATALOG, condition, [ref], NOW)[ref.id]


def told(read: Read) -> list[tuple[int, str, bool, Anything]]:
    return [(line.depth, line.line, line.holds, line.value) for line in read.lines]


@pytest.fixture
def known(bench: Bench) -> MemberRef:
    """Somebody much is known of."""
    ref = bench.member(
        tags=["VIP", "新客"],
        city="上海",
        points=500,
        employee=True,
        contract_end=date(2026, 12, 1),
        birthday={"calendar": "lunar", "month": 8, "day": 15, "leap": False, "year": None},
    )
    bench.happens(ref, "order_paid", NOW - 2 * DAY, amount=800.5)
    bench.happens(ref, "order_paid", NOW - HOUR, amount=88)
    return ref


@pytest.mark.parametrize(
    ("condition", "line", "holds", "value"),
    [
        (field("city", OneOf(("上海", "北京"))), "city: [上海, 北京]", True, "上海"),
        (field("points", Between(None, Decimal(6))), "points: ..6", False, 500),
        (field("employee", OneOf((False,))), "employee: no", False, True),
        (field("contract_end", Known()), "contract_end: known", True, "2026-12-01"),
        (field("birthday", Known()), "birthday: known", True, "lunar 8-15"),
        (field("orders", Between(Decimal(2), None)), "orders: 2..", True, 2),
        (RICH, "spent: 3000..", False, 888.5),
        (field("spent_3d", Between(Decimal(1), None)), "spent_3d: 1..", True, 888.5),
        (field("last_order_at", OverAgo(DAY)), "last_order_at: over 1d ago", False, (NOW - HOUR).isoformat()),
        (field("level", Known()), "level: known", False, None),
        (VIP, "tag: [VIP, 推荐官]", True, sorted(["VIP", "新客"])),
        (Not(VIP), "not: { tag: [VIP, 推荐官] }", False, sorted(["VIP", "新客"])),
        (Did("order_paid", 3), "did: { order_paid: { times: 3.. } }", False, 2),
        (Did("store_visited"), "did: store_visited", False, 0),
        (Compare(RankValue("points"), InShare(None, 20)), "points_rank: ..20%", False, 500),
        (Compare(AnswerValue("nps", "score"), Unknown()), "nps.score: unknown", True, None),
    ],
    ids=lambda value: value if isinstance(value, str) and ":" in value else "",
)
def test_a_line_tells_what_is_on_file(
    bench: Bench, known: MemberRef, condition: Condition, line: str, holds: bool, value: Anything
) -> None:
    read = of_member(bench, condition, known)
    assert told(read) == [(0, line, holds, value)]
    assert read.holds is holds


def test_of_somebody_nothing_is_known_there_is_nothing_to_tell(bench: Bench) -> None:
    ref = bench.member()
    read = of_member(bench, All((field("city", OneOf(("上海",))), VIP, RICH, field("birthday", Known()))), ref)
    assert [(holds, value) for _, _, holds, value in told(read)] == [
        (False, None),
        (False, None),
        (False, 0),
        (False, None),
    ]


def test_a_tree_is_read_at_every_level(bench: Bench, known: MemberRef) -> None:
    condition = Any((InSegment("金", All((RICH, VIP))), Not(All((field("points", Known()), RICH)))))
    read = of_member(bench, condition, known)
    assert told(read) == [
        (0, "any:", True, None),
        (1, "segment: 金", False, None),
        (2, "spent: 3000..", False, 888.5),
        (2, "tag: [VIP, 推荐官]", True, ["VIP", "新客"]),
        (1, "not:", True, None),
        (2, "points: known", True, 500),
        (2, "spent: 3000..", False, 888.5),
    ]


def test_several_members_are_read_in_one_query_each_with_their_own(bench: Bench, known: MemberRef) -> None:
    other = bench.member(city="北京")
    found = readings.of_members(bench.connection, CATALOG, field("city", Known()), [known, other], NOW)
    assert {ref.id: found[ref.id].lines[0].value for ref in (known, other)} == {known.id: "上海", other.id: "北京"}


def test_inside_a_run_answers_and_what_was_passed_are_told(bench: Bench, known: MemberRef) -> None:
    run_id = bench.enters(known, a_journey(), context={"event": {"amount": 268}, "var": {"gift": "茶"}})
    bench.happens(known, "order_paid", amount=1)
    condition = All(
        (
            Compare(ContextValue("event", "amount", ValueType.NUMBER), Between(Decimal(500), None)),
            Compare(ContextValue("var", "gift", ValueType.TEXT), OneOf(("茶",))),
            Did("order_paid", since_start=True),
            Did("clicked"),
        )
    )
    rows = advancing.runs_by_id(bench.connection, [(known.bucket, run_id)])
    read = readings.of_the_runs(bench.connection, CATALOG, condition, rows, NOW)[run_id]
    assert [(line.line, line.holds, line.value) for line in read.lines] == [
        ("event.amount: 500..", False, "268"),
        ("var.gift: 茶", True, "茶"),
        ("did: { order_paid: { since: start } }", True, 1),
        ("did: clicked", False, 0),
    ]
    assert (read.holds,) == advancing.holding(bench.connection, CATALOG, [condition], rows, NOW)[run_id]


def test_the_where_of_a_start_is_read_from_the_event_that_came(bench: Bench, known: MemberRef) -> None:
    where = Compare(ContextValue("event", "amount", ValueType.NUMBER), Between(Decimal(500), None))
    first, second = (row["id"] for row in bench.rows("event"))
    found = readings.of_events(bench.connection, CATALOG, where, [(known.bucket, first), (known.bucket, second)], NOW)
    values = {i: (read.holds, read.lines[0].value) for i, read in found.items()}
    assert values == {first: (True, "800.5"), second: (False, "88")}


@pytest.mark.parametrize("reading", [Reading(0, "any:", True), Reading(2, "orders: 1..", False, True, None)])
def test_what_is_kept_with_a_decision_reads_back(reading: Reading) -> None:
    assert reading_of(reading.as_data()) == reading
