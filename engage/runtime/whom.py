"""Whom facts are about, before they are read. Facts about different people may be read in any order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import assert_never

from sqlalchemy import Connection

from engage.core.fact import (
    Answered,
    Clicked,
    Fact,
    Followed,
    Happened,
    MemberGiven,
    OptedOut,
    Receipt,
    Typed,
    Unfollowed,
)
from engage.store import members, receiving
from engage.store.members import MemberRef

_Name = tuple[str, str]
"""A kind of outside name (a channel, or the shop's ids), and the name."""


def whom(connection: Connection, facts: Sequence[Fact]) -> list[set[Hashable]]:
    """For each, everybody it touches: members, and outside names that lead to nobody yet. Empty where it is about a
    message that is not ours."""
    by_name = _members(connection, {name for fact in facts for name in _names(fact)})
    ids = {i for fact in facts if (i := _delivery_id(fact)) is not None}
    by_id = receiving.owners(connection, ids) if ids else {}
    by_receipt = _of_receipts(connection, facts)
    return [
        {by_name.get(name, name) for name in _names(fact)}
        | {owner for owner in (by_id.get(_delivery_id(fact) or 0), by_receipt.get(_receipt(fact))) if owner is not None}
        for fact in facts
    ]
