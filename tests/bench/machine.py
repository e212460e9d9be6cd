"""The machine that figures were measured on, in one line."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
from pathlib import Path


def machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    python, sqlite = platform.python_version(), sqlite3.sqlite_version
    return f"{_processor()}, {cores} cores, {_memory()}, {platform.system()}, Python {python}, SQLite {sqlite}"


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", _text("/proc/cpuinfo"), re.MULTILINE)
    return found[1] if found else platform.processor() or platform.machine()


def _memory() -> str:
    found = re.search(r"^MemTotal:\s*(\d+) kB$", _text("/proc/meminfo"), re.MULTILINE)
    return f"{int(found[1]) / 2**20:.0f} GiB" if found else "memory unknown"


def _text(path: str) -> str:
    return Path(path).read_text() if Path(path).is_file() else ""
