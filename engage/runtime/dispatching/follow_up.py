"""Where a delivery came from, and its next hop: another channel, where the journey asks for one."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from engage.core.journey.model import Ask, ChannelPolicy, Fallback, Journey, Send
from engage.runtime.applied import Active, Applied
from engage.store import fallbacks
from engage.store.members import MemberRef


def policy_of(journey: Journey, step: Send | Ask) -> ChannelPolicy:
    """A step's `channels` replaces the journey's as a whole."""
    return step.channels if step.channels is not None else journey.channels


def step_of(
    applied: Applied, journey_id: str | None, step_id: str | None, pinned_version: int | None = None
) -> tuple[Active, Send | Ask] | None:
    """The journey and step a delivery came from, if the version it goes by still has them."""
    active = applied.followed_by(journey_id, pinned_version)
    if active is None or step_id is None or step_id not in active.program.ids:
        return None
    step = active.program.step(step_id)
    return (active, step) if isinstance(step, Send | Ask) else None


def fallback_of(
    applied: Applied, journey_id: str | None, step_id: str | None, pinned_version: int | None
) -> Fallback | None:
    found = step_of(applied, journey_id, step_id, pinned_version)
    return policy_of(found[0].journey, found[1]).fallback if found is not None else None


def after_sending(
    connection: Connection, fallback: Fallback | None, ref: MemberRef, delivery_id: int, now: datetime
) -> None:
    """It went out: the next channel is due after the journey's wait, unless something comes of this one."""
    if fallback is not None:
        fallbacks.queue_next_hop(connection, ref, delivery_id, now + fallback.after, now)


def after_failing(
    connection: Connection, fallback: Fallback | None, ref: MemberRef, delivery_id: int, now: datetime
) -> None:
    """It surely did not arrive: the next channel is due at once."""
    if fallback is not None:
        fallbacks.queue_next_hop(connection, ref, delivery_id, now, now)
