"""The control group: a stable share of members who are measured and not sent to."""

from __future__ import annotations

from engage.core.lot import lot


def is_held_out(member_id: int, journey_id: str, percent: int) -> bool:
    """By hash, not by chance: the same member is always in or always out, and raising the percentage only adds."""
    return lot("holdout", journey_id, member_id) < percent
