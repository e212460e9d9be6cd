"""The options that stand before every command. Imports nothing heavy: `engage --help` has to be quick."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """As given on the command line; None: not given."""

    config: Path | None = None
    lang: str | None = None
