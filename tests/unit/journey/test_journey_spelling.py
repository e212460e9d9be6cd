"""A condition written out again reads back as the same condition."""

from __future__ import annotations

import pytest
from journey_desk import condition_of

from engage.core import spelling
from engage.core.condition import Compare, Did, HasTag

ATOMS = [
    "city: 上海",
    "city: [上海, 北京]",
    "city: contains 海",
    "city: known",
    "city: unknown",
    "points: 500",
    "points: 2.5",
    "points: 500..",
    "points: ..6",
    "points: -1..8.5",
    "points_rank: ..20%",
    "points_rank: 20%..50%",
    "employee: yes",
    "employee: no",
    "last_order_at: last 30d",
    "last_order_at: over 90d ago",
    "contract_end: next 7d",
    "birthday: known",
    "tag: VIP",
    "tag: [VIP, 推荐官]",
    "did: order_paid",
    "did: { order_paid: { times: 2.., within: 90d } }",
    "did: { order_paid: { times: 3 } }",
    "did: { order_paid: { times: ..2 } }",
]


@pytest.mark.parametrize("line", ATOMS)
def test_an_atom_is_spelt_as_an_author_would(line: str) -> None:
    atom = condition_of(line)
    assert isinstance(atom, Compare | HasTag | Did)
    spelt = spelling.spell(atom)
    assert condition_of(spelt) == atom
    assert spelt.replace("0..2", "..2") == line


def test_a_tree_is_told_line_by_line_each_with_what_is_under_it() -> None:
    condition = condition_of(
        "any: [ { segment: VIP }, { not: { city: 上海 } }, { not: { any: [ { employee: yes } ] } } ]"
    )
    told = list(spelling.lines(condition))
    assert [("  " * line.depth) + line.text for line in told] == [
        "any:",
        "  segment: VIP",
        "    tag: VIP",
        "  not: { city: 上海 }",
        "  not:",
        "    any:",
        "      employee: yes",
    ]
    assert told[0].condition == condition
    assert told[1].condition != told[2].condition


def test_what_all_must_hold_stands_side_by_side() -> None:
    told = list(spelling.lines(condition_of("city: 上海, points: 500..")))
    assert [(line.depth, line.text) for line in told] == [(0, "city: 上海"), (0, "points: 500..")]
