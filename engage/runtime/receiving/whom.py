"""Whom facts are about, before they are read: what is about different people may be read in any order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
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
"""What the outside calls somebody: an address and its channel, or the shop's own id."""


def whom(connection: Connection, facts: Sequence[Fact]) -> list[set[Hashable]]:
    """For each, all whom it touches: members, and names that lead to nobody yet. Nobody, where it is about a message
    that is not ours."""
    by_name = _members_of_names(connection, {name for fact in facts for name in _names(fact)})
    by_delivery = receiving.owners(connection, {i for fact in facts if (i := _delivery_id(fact)) is not None})
    by_receipt = _members_of_receipts(connection, {name for fact in facts if (name := _receipt_name(fact)) is not None})
    return [
        {by_name.get(name, name) for name in _names(fact)}
        | {by_delivery[i] for i in [_delivery_id(fact)] if i in by_delivery}
        | {by_receipt[name] for name in [_receipt_name(fact)] if name in by_receipt}
        for fact in facts
    ]


def _names(fact: Fact) -> list[_Name]:
    match fact:
        case Typed() | Followed() | Unfollowed():
            return [(fact.channel, fact.address)]
        case OptedOut(channel=channel, address=address):
            return [(channel, address)] if address is not None else []
        case Happened(member=name):
            return [(members.MEMBER_KIND, name)]
        case MemberGiven(member=name, addresses=addresses):
            return [(members.MEMBER_KIND, name), *addresses.items()]
        case Receipt() | Clicked() | Answered():
            return []
        case _:
            assert_never(fact)


def _delivery_id(fact: Fact) -> int | None:
    return fact.delivery_id if isinstance(fact, Receipt | Clicked | Answered | OptedOut) else None


def _receipt_name(fact: Fact) -> _Name | None:
    """What the provider calls the message, where it does not echo our own id: with its channel."""
    if isinstance(fact, Receipt) and fact.delivery_id is None and fact.provider_id is not None:
        return fact.channel, fact.provider_id
    return None


def _members_of_names(connection: Connection, names: Iterable[_Name]) -> dict[_Name, MemberRef]:
    return {
        (kind, value): ref
        for kind, values in _by_kind(names).items()
        for value, ref in members.find(connection, kind, values).items()
    }


def _members_of_receipts(connection: Connection, names: Iterable[_Name]) -> dict[_Name, MemberRef]:
    return {
        (channel, row.provider_id or ""): row.member
        for channel, provider_ids in _by_kind(names).items()
        for row in receiving.deliveries_by_provider_id(connection, channel, provider_ids)
    }


def _by_kind(names: Iterable[_Name]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for kind, value in names:
        found[kind].append(value)
    return found
