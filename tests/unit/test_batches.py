"""Batches: what is cut may be read at once, and nobody's own order changes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engage.runtime.batches import each_once, of_each_kind

# Each a kind, and whom it touches.
entries = st.lists(st.tuples(st.sampled_from("abc"), st.frozensets(st.integers(0, 6), max_size=2)), max_size=30).map(
    lambda told: [(number, *entry) for number, entry in enumerate(told)]
)
Entry = tuple[int, str, frozenset[int]]


def _kind(entry: Entry) -> str:
    return entry[1]


def _keys(entry: Entry) -> frozenset[int]:
    return entry[2]


@given(entries)
def test_nobody_stands_twice_in_a_batch(told: list[Entry]) -> None:
    batches = each_once(told, _keys)
    for batch in batches:
        keys = [key for entry in batch for key in _keys(entry)]
        assert len(keys) == len(set(keys))
    assert _as_told([entry for batch in batches for entry in batch], told)


@given(entries)
def test_a_batch_is_of_one_kind(told: list[Entry]) -> None:
    batches = list(of_each_kind(told, _kind, _keys))
    assert all({_kind(entry) for entry in batch} == {kind} for kind, batch in batches)
    assert _as_told([entry for _, batch in batches for entry in batch], told)


def _as_told(read: list[Entry], told: list[Entry]) -> bool:
    """All of it, and what touches somebody in its order."""
    in_order = (
        [e for e in read if somebody in _keys(e)] == [e for e in told if somebody in _keys(e)] for somebody in range(7)
    )
    return sorted(read, key=lambda entry: entry[0]) == told and all(in_order)


def _of(*people: int) -> list[Entry]:
    return [(number, "ab"[number % 2], frozenset({somebody})) for number, somebody in enumerate(people)]


def test_there_are_as_many_batches_as_anybody_says_things() -> None:
    batches = each_once(_of(1, 1, 2, 2, 3, 4, 4, 4), _keys)
    assert [[number for number, *_ in batch] for batch in batches] == [[0, 2, 4, 5], [1, 3, 6], [7]]


def test_a_kind_is_one_batch_however_mixed_it_comes_if_all_are_different_people() -> None:
    assert [(kind, len(batch)) for kind, batch in of_each_kind(_of(*range(20)), _kind, _keys)] == [("a", 10), ("b", 10)]


def test_only_those_of_whom_two_kinds_are_told_are_read_later() -> None:
    batches = of_each_kind(_of(1, 2, 3, 1, 4, 2, 1), _kind, _keys)
    found = [(kind, [number for number, *_ in batch]) for kind, batch in batches]
    assert found == [("a", [0, 2, 4]), ("b", [1, 5]), ("b", [3]), ("a", [6])]
