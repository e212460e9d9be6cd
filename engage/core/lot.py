"""A lot drawn by hash: stable for ever, and independent for each purpose."""

from __future__ import annotations

import hashlib


def lot(purpose: str, *names: str | int) -> int:
    """0 to 99, evenly spread. The same purpose and names always draw the same lot."""
    digest = hashlib.sha256(":".join([purpose, *map(str, names)]).encode()).digest()
    return int.from_bytes(digest[:8], "big") % 100
