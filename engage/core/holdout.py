"""The control group: a stable share of members who are measured and not sent to."""

from __future__ import annotations

import hashlib


def is_held_out(member_id: int, journey_id: str, percent: int) -> bool:
    """By hash, not by chance: the same member is always in or always out, and raising the percentage only adds."""
    digest = hashlib.sha256(f"holdout:{journey_id}:{member_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % 100 < percent
