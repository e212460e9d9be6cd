"""Files for their owner alone, whatever the umask says: the database's hold personal data, and a lock that anybody may
take is none."""

from __future__ import annotations

import os


def to_owner_alone(path: str, flags: int) -> int:
    """An opener: what it makes is readable and writable to its owner only. What is there already stays as it is."""
    return os.open(path, flags, 0o600)
