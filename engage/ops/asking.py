"""Questions to a database that may hang: it keeps whoever asks it, and whoever looks at a page wants an answer soon."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

_ANSWERS_WITHIN_SECONDS = 3.0  # Prometheus gives up after 10, and would know nothing of the process either
T = TypeVar("T")


class Asking(Generic[T]):
    """Asks on a thread of its own, once at a time for all who want to know. `keeps_for`: seconds for which an answer
    counts; 0: it is asked again as soon as it has answered. `ask` must not raise."""

    def __init__(self, ask: Callable[[], T], keeps_for: float = 0.0) -> None:
        self._ask = ask
        self._keeps_for = keeps_for
        self._lock = threading.Lock()
        self._question: _Question[T] | None = None

    def answer(self) -> T | None:
        """None: not within three seconds."""
        with self._lock:
            if self._question is None or self._question.is_older_than(self._keeps_for):
                self._question = _Question(self._ask)
            question = self._question
        return question.answer()


class _Question(Generic[T]):
    def __init__(self, ask: Callable[[], T]) -> None:
        self._ask = ask
        self._answer: T | None = None
        self._answered_at: float | None = None
        self._thread = threading.Thread(target=self._run, name="asking", daemon=True)
        self._thread.start()

    def is_older_than(self, seconds: float) -> bool:
        return self._answered_at is not None and time.monotonic() - self._answered_at > seconds

    def answer(self) -> T | None:
        self._thread.join(_ANSWERS_WITHIN_SECONDS)
        return self._answer

    def _run(self) -> None:
        self._answer = self._ask()
        self._answered_at = time.monotonic()
