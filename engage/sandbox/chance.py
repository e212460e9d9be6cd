"""Chance without luck: every draw is named, so that the same seed gives the same world in whatever order things happen.

Nothing here is shared between draws. A stream is made for one purpose and thrown away; threads cannot disturb it.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chance:
    seed: int

    def stream(self, *name: object) -> random.Random:
        return random.Random(self._text(name))  # noqa: S311 (a simulation, not a secret)

    def fraction(self, *name: object) -> float:
        """0 ≤ x < 1."""
        return self.stream(*name).random()

    def number(self, bits: int, *name: object) -> int:
        """A stable positive integer of at most `bits` bits, for ids that providers make up in their own way."""
        digest = hashlib.sha256(self._text(name).encode()).digest()
        return (int.from_bytes(digest) >> (256 - bits)) or 1

    def token(self, length: int, *name: object) -> str:
        """`length` hexadecimal characters."""
        return hashlib.shake_256(self._text(name).encode()).hexdigest((length + 1) // 2)[:length]

    def _text(self, name: tuple[object, ...]) -> str:
        return ":".join([str(self.seed), *map(str, name)])
