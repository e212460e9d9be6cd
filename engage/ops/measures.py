"""What happens in this process, counted as it happens: batches, calls of providers, callbacks, faults.

Deltas are counters of the process; what stands in the database is asked of it (`gauges`). Labels are loops, channels,
sources, kinds of failure: a handful each, and nobody's name among them.
"""

from __future__ import annotations

from functools import partial
from typing import assert_never

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.process_collector import ProcessCollector

from engage.core.outcome import Accepted, Rejected, SendOutcome, Unknown
from engage.errors import DatabaseUnavailable

_BATCH_SECONDS = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60)
_CALL_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
# WeChat waits 5 s; p99 under 0.2 s is the promise.
_CALLBACK_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 3, 5)
_NOT_STORED = 503
disable_created_metrics()  # type: ignore[no-untyped-call]  # when a series began: twice the lines, and nobody asks


class Measures:
    """The engine's observer, as Prometheus reads it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        histogram, counter = partial(Histogram, registry=self.registry), partial(Counter, registry=self.registry)
        self._batches = histogram(
            "engage_batch_seconds", "Batches of each loop, and how long they took.", ["loop"], buckets=_BATCH_SECONDS
        )
        self._done = counter("engage_batch_items", "What the batches dealt with.", ["loop"])
        self._failed = counter("engage_batch_failures", "Batches over which our own code failed.", ["loop"])
        self._database = counter(
            "engage_database_errors", "Batches and callbacks that failed because of the database.", ["where"]
        )
        self._calls = histogram(
            "engage_send_seconds", "Calls of providers, and how long they took.", ["channel"], buckets=_CALL_SECONDS
        )
        self._sends = counter(
            "engage_sends",
            "Calls of providers, by what came back: accepted, rejected, unknown.",
            ["channel", "outcome"],
        )
        self._refusals = counter(
            "engage_provider_errors", "Refusals and missing answers of providers, by kind.", ["channel", "failure"]
        )
        callbacks = "Callbacks of providers, from the first byte to the answer."
        self._callbacks = histogram("engage_callback_seconds", callbacks, ["source"], buckets=_CALLBACK_SECONDS)
        turned_away = "Callbacks that were not genuine, too large, or could not be stored (503)."
        self._turned_away = counter("engage_callbacks_refused", turned_away, ["source", "status"])

    def watch_web(self, pid: int) -> None:
        """The processor and memory of the daemon's other process, which has no page of its own, as `web_process_…`."""
        ProcessCollector(namespace="web", pid=lambda: pid, registry=self.registry)

    def batch(self, loop: str, done: int, seconds: float) -> None:
        self._batches.labels(loop).observe(seconds)
        self._done.labels(loop).inc(done)

    def batch_failed(self, loop: str, error: Exception) -> None:
        of = self._database if isinstance(error, DatabaseUnavailable) else self._failed
        of.labels(loop).inc()

    def called(self, channel: str, outcome: SendOutcome, seconds: float) -> None:
        self._calls.labels(channel).observe(seconds)
        match outcome:
            case Accepted():
                self._sends.labels(channel, "accepted").inc()
            case Rejected(failure, _, _):
                self._sends.labels(channel, "rejected").inc()
                self._refusals.labels(channel, failure.value).inc()
            case Unknown():
                self._sends.labels(channel, "unknown").inc()
                self._refusals.labels(channel, "no_answer").inc()
            case _:
                assert_never(outcome)

    def callback(self, source: str, status: int, seconds: float) -> None:
        self._callbacks.labels(source).observe(seconds)
        if status >= 400:
            self._turned_away.labels(source, str(status)).inc()
        if status == _NOT_STORED:
            self._database.labels("callbacks").inc()
