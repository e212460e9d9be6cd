"""What was handed over to whom of late, by address: the ledger as the last gate reads it, whoever wrote it and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from engage.core.delivery import Status
from engage.store.tables import Instant, delivery

D = delivery.c
Address = tuple[str, str]
"""A channel, and an address there."""


@dataclass(frozen=True, slots=True)
class HandedOver:
    """One that was, or may have been."""

    delivery_id: int
    at: datetime
    text: str


def lately(connection: Connection, to: Iterable[Address], since: datetime) -> Mapping[Address, Sequence[HandedOver]]:
    by_channel: dict[str, set[str]] = defaultdict(set)
    for channel, address in to:
        by_channel[channel].add(address)
    found: dict[Address, list[HandedOver]] = defaultdict(list)
    for channel, addresses in by_channel.items():
        given = {"of_channel": channel, "addresses": sorted(addresses), "since": since}
        for row in connection.execute(_LATELY, given):
            found[channel, row.address].append(HandedOver(row.id, row.sent_at, row.text or ""))
    return found


_LATELY = select(D.id, D.address, D.sent_at, D.text).where(
    D.channel == bindparam("of_channel"),
    D.address.in_(bindparam("addresses", expanding=True)),
    D.sent_at > bindparam("since", type_=Instant()),
    D.status.in_([Status.SENDING, Status.SENT, Status.AMBIGUOUS]),
)
