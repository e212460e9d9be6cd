"""What the engine tells whoever watches it: batches, calls, callbacks, and what went wrong. One seam; what is made of
it (counters, histograms) is the part of `ops`. Never whom it was about."""

from __future__ import annotations

from typing import Protocol

from engage.core.outcome import SendOutcome


class Observer(Protocol):
    """Told after the fact, on any thread; must neither wait nor raise."""

    def batch(self, loop: str, done: int, seconds: float) -> None:
        """A loop has dealt with so much."""

    def batch_failed(self, loop: str, error: Exception) -> None:
        """It came to nothing; the next bell tries again."""

    def called(self, channel: str, outcome: SendOutcome, seconds: float) -> None:
        """A provider was called once, and this came back."""

    def callback(self, source: str, status: int, seconds: float) -> None:
        """A provider called us, and was answered so."""


class Unobserved:
    """Nobody watches: worlds, tests, commands that end."""

    def batch(self, loop: str, done: int, seconds: float) -> None:
        pass

    def batch_failed(self, loop: str, error: Exception) -> None:
        pass

    def called(self, channel: str, outcome: SendOutcome, seconds: float) -> None:
        pass

    def callback(self, source: str, status: int, seconds: float) -> None:
        pass
