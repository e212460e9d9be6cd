"""By what name a process is known to the others: its machine and its number."""

from __future__ import annotations

import os


def own_name() -> str:
    return f"{os.uname().nodename}:{os.getpid()}"
