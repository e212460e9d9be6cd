"""What stands in the database, as gauges: what is due, what waits for somebody, what is stopped, who runs.

Asked by index, up to a ceiling (`store.backlog`), and at most once in ten seconds however often Prometheus and people
look. Where the database does not answer, the gauges are absent, and `engage_database_up` is 0.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from engage.channels.contract import Channel, HoldsToken
from engage.clock import Clock
from engage.store import backlog, daemons, holding, overview
from engage.store.backlog import Backlog
from engage.store.daemons import HEARD_OF_WITHIN
from engage.store.database import Database

_KEEPS_FOR_SECONDS = 10.0
_STOPPED_OF = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Stands:
    at: datetime
    backlog: Backlog
    paused: list[str]
    stopped: Mapping[str, int]  # by the last limits, in the last hour
    held: int  # starts that wait for an approval, or for their next stage
    resting: Mapping[str, datetime]
    daemons: int


class Gauges(Collector):
    def __init__(self, database: Database, clock: Clock, channels: Callable[[], Mapping[str, Channel]]) -> None:
        self._database = database
        self._clock = clock
        self._channels = channels  # of this process, as they are now
        self._lock = threading.Lock()
        self._asked_at: float | None = None
        self._stands: _Stands | None = None

    def describe(self) -> Iterable[Metric]:
        """Names are known when they are collected; registering must not ask the database."""
        return ()

    def collect(self) -> Iterable[Metric]:
        stands = self._standing()
        yield _one("engage_database_up", "Whether the database answers.", int(stands is not None))
        if stands is not None:
            yield from _of_backlog(stands)
            yield from _of_switches(stands)
            yield _one("engage_daemons", "Daemons heard of in the last 45 seconds, on this database.", stands.daemons)
        yield self._tokens()

    def _tokens(self) -> Metric:
        ages = GaugeMetricFamily(
            "engage_token_age_seconds",
            "How old this process's access token is, where a channel needs one.",
            labels=["channel"],
        )
        now = self._clock.now()
        for name, channel in self._channels().items():
            if isinstance(channel, HoldsToken) and (since := channel.token_since) is not None:
                ages.add_metric([name], (now - since).total_seconds())
        return ages

    def _standing(self) -> _Stands | None:
        """As it stood at most `_KEEPS_FOR_SECONDS` ago; None: it cannot be known."""
        with self._lock:
            if self._asked_at is None or time.monotonic() - self._asked_at > _KEEPS_FOR_SECONDS:
                self._stands = self._ask()
                self._asked_at = time.monotonic()
            return self._stands

    def _ask(self) -> _Stands | None:
        now = self._clock.now()
        try:
            with self._database.read() as connection:
                return _Stands(
                    at=now,
                    backlog=backlog.backlog(connection, now),
                    paused=[paused.scope for paused in overview.pauses(connection)],
                    stopped=overview.stopped(connection, now - _STOPPED_OF),
                    held=len(holding.unsettled(connection)),
                    resting=overview.resting(connection, now),
                    daemons=sum(sign.at > now - HEARD_OF_WITHIN for sign in daemons.signs(connection)),
                )
        except Exception:  # whatever it is: the question was whether it answers
            return None


def _of_backlog(stands: _Stands) -> Iterable[Metric]:
    waits = stands.backlog
    due = GaugeMetricFamily(
        "engage_due_runs", "Runs that are due and have not been moved, up to 20,000.", labels=["journey", "step"]
    )
    for runs in waits.runs:
        due.add_metric([runs.journey_id, runs.step_id or ""], runs.runs)
    yield due
    messages = GaugeMetricFamily(
        "engage_unsettled_messages",
        "Messages that are due, under way (claimed, sending) or ambiguous, up to 20,000 each.",
        labels=["state", "channel"],
    )
    for (status, channel), count in sorted(_together(waits).items()):
        messages.add_metric([status, channel], count)
    yield messages
    oldest = GaugeMetricFamily(
        "engage_oldest_due_seconds",
        "Since when the oldest waits: runs, messages, inbound, events, calls, notices.",
        labels=["queue"],
    )
    for queue in backlog.QUEUES:
        since = waits.oldest.get(queue)
        oldest.add_metric([queue], max((stands.at - since).total_seconds(), 0) if since is not None else 0)
    yield oldest
    yield _one("engage_inbound_unread", "Callbacks and facts that nobody has read, up to 20,000.", waits.unread)
    yield _one("engage_events_fresh", "Events that no journey has looked at, up to 20,000.", waits.fresh_events)
    yield _one("engage_webhook_calls_due", "Calls of webhook steps that are due, up to 20,000.", waits.calls)


def _together(waits: Backlog) -> Counter[tuple[str, str]]:
    counted: Counter[tuple[str, str]] = Counter()
    for each in waits.messages:
        counted[each.status, each.channel] += each.messages
    return counted


def _of_switches(stands: _Stands) -> Iterable[Metric]:
    paused = GaugeMetricFamily("engage_paused", "1: stopped by hand.", labels=["scope"])
    for scope in stands.paused:
        paused.add_metric([scope], 1)
    yield paused
    stopped = GaugeMetricFamily(
        "engage_stopped_messages",
        "Messages that a last limit has stopped in the last hour: something is wrong with a journey.",
        labels=["limit", "channel"],
    )
    for name, count in stands.stopped.items():
        limit, _, channel = name.rpartition(":")
        stopped.add_metric([limit, channel], count)
    yield stopped
    yield _one("engage_starts_held", "Starts that wait for an approval, or for their next stage.", stands.held)
    resting = GaugeMetricFamily(
        "engage_channel_rests_seconds",
        "How long a channel is still left alone: its quota is used up, or its provider refuses everything.",
        labels=["channel"],
    )
    for channel, until in stands.resting.items():
        resting.add_metric([channel], (until - stands.at).total_seconds())
    yield resting


def _one(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(name, what, value=value)
