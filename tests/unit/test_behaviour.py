"""Behaviour files: what contradicts itself is told at its place, with what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from engage.core.behaviour.reading import read_behaviour
from engage.core.catalog import Catalog
from engage.core.journey.explain_problem import format_problem
from engage.core.journey.reading import read_catalog
from engage.core.problem import Lang, Problem

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    catalog, _ = read_catalog((ROOT / "journeys/catalog.yaml").read_text("utf-8"), "journeys/catalog.yaml")
    assert catalog is not None
    return catalog


def problems_of(text: str, catalog: Catalog) -> list[Problem]:
    return read_behaviour(text, "simulate.yaml", catalog, ())[1]


ORDERS = "events: { order_paid: { every: 55d, with: { order_id: new } }"
DELIVERED = "order_delivered: { after: { order_paid: { share: 1%, in: 1d } }, with: { order_id: same } }"


@pytest.mark.parametrize(
    ("text", "code", "column", "remedy", "mended"),
    [
        ("delay: { median: 3d, longest: 2d }", "E219", 8, "`longest`", "delay: { median: 2d, longest: 3d }"),
        ("delay: { median: 3d }", "E219", 8, "2d", "delay: { median: 3d, longest: 4d }"),
        (
            "events: { store_visited: { members: 40% } }",
            "E211",
            11,
            "after",
            "events: { store_visited: { every: 9d }}",
        ),
        (
            "events: { order_paid: { every: 55d, with: { order_id: same } } }",
            "E219",
            55,
            "`new`",
            f"{ORDERS} }}",
        ),
        (
            "events: { order_delivered: { after: { message: { share: 1%, in: 1d } }, with: { order_id: same } } }",
            "E219",
            91,
            "order_id",
            f"{ORDERS}, {DELIVERED} }}",
        ),
    ],
)
def test_a_contradiction_is_told_once_at_its_place(
    text: str, code: str, column: int, remedy: str, mended: str, catalog: Catalog
) -> None:
    (problem,) = problems_of(text, catalog)
    assert (problem.code, problem.span.column) == (code, column)
    assert all(remedy in format_problem(problem, text, lang) for lang in Lang)
    assert problems_of(mended, catalog) == []


def test_what_it_follows_is_told_once_if_it_is_no_event(catalog: Catalog) -> None:
    text = "events: { order_delivered: { after: { order_payed: { share: 1%, in: 1d } }, with: { order_id: same } } }"
    assert [problem.code for problem in problems_of(text, catalog)] == ["E302"]
