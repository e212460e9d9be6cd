"""What the readers of facts share: the transaction, what is applied, and how a response is tied to its delivery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from engage.channels.contract import Channel
from engage.runtime.applied import Applied
from engage.store import events
from engage.store.events import NewEvent
from engage.store.members import MemberRef
from engage.store.receiving import DeliveryRow


@dataclass(frozen=True, slots=True)
class Reading:
    connection: Connection
    applied: Applied
    channels: Mapping[str, Channel]
    now: datetime
    inbound_id: int = 0

    def of(self, inbound_id: int) -> Reading:
        return replace(self, inbound_id=inbound_id)

    def record(self, new: Sequence[NewEvent]) -> None:
        events.record(self.connection, self.applied.catalog, new, self.now)

    def about_member(
        self, ref: MemberRef, name: str, at: datetime, key: str, channel: str | None, payload: Mapping[str, Any]
    ) -> NewEvent:
        """An event about a member."""
        return NewEvent(ref, name, at, key, payload, inbound_id=self.inbound_id or None, channel=channel)

    def about_delivery(
        self, row: DeliveryRow, name: str, at: datetime, key: str, payload: Mapping[str, Any]
    ) -> NewEvent:
        """A response, tied to the delivery and the journey step it answers."""
        return NewEvent(
            row.member,
            name,
            at,
            key,
            payload,
            inbound_id=self.inbound_id or None,
            channel=row.channel,
            delivery_id=row.id,
            enrolment_id=row.enrolment_id,
            journey_id=row.journey_id,
            step_id=row.step_id,
        )
