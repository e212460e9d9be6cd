"""What stands in the database, as gauges: what is due, what waits for somebody, what is stopped, who runs.

Asked by index, up to a ceiling (`store.backlog`), and at most once in ten seconds however often Prometheus and people
look. Where the database does not answer, the gauges are absent, and `engage_database_up` is 0.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Connection

from engage.channels.contract import Channel, HoldsToken
from engage.clock import Clock
from engage.store import backlog, daemons, holding, overview, rates
from engage.store.backlog import Backlog
from engage.store.daemons import HEARD_OF_WITHIN
from engage.store.database import Database
from engage.store.holding import Hold

_KEEPS_FOR_SECONDS = 10.0
_STOPPED_OF = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Stands:
    at: datetime
    backlog: Backlog
    paused: list[str]
    stopped: Mapping[str, int]  # by the last limits, in the last hour
    tired: Mapping[str, int]  # runs that rest for the day, as often as that came about in the last hour, by journey
    holds: Sequence[Hold]  # starts that wait for an approval, or for their next stage
    rates: Mapping[str, int]  # calls of the coming second that are left, of channels with a limit
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
            yield from _of_holds(stands)
            yield _one("engage_daemons", "Daemons heard of in the last 45 seconds, on this database.", stands.daemons)
        yield self._tokens()

    def _tokens(self) -> Metric:
        ages = GaugeMetricFamily(
            "engage_token_age_seconds",
            "How old this process's access token is, where a channel needs one.",
            labels=["channel"],
        )
        for name, channel in self._channels().items():
            if isinstance(channel, HoldsToken) and (age := channel.token_age) is not None:
                ages.add_metric([name], age)
        return ages

    def _rates(self, connection: Connection, now: datetime) -> dict[str, int]:
        limits = {name: channel.per_second for name, channel in self._channels().items()}
        return {name: rates.left(connection, name, limit, now) for name, limit in limits.items() if limit is not None}

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
                    tired=overview.tired(connection, now - _STOPPED_OF),
                    holds=holding.unsettled(connection),
                    rates=self._rates(connection, now),
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
    tired = GaugeMetricFamily(
        "engage_tired_runs",
        "Runs that in the last hour had walked all the steps of a day: a journey goes round and round.",
        labels=["journey"],
    )
    for journey, runs in stands.tired.items():
        tired.add_metric([journey], runs)
    yield tired
    resting = GaugeMetricFamily(
        "engage_channel_rests_seconds",
        "How long a channel is still left alone: its quota is used up, or its provider refuses everything.",
        labels=["channel"],
    )
    for channel, until in stands.resting.items():
        resting.add_metric([channel], (until - stands.at).total_seconds())
    yield resting
    left = GaugeMetricFamily(
        "engage_rate_left",
        "Calls of the coming second that nobody has taken yet, where a channel has a limit (per_second).",
        labels=["channel"],
    )
    for channel, calls in stands.rates.items():
        left.add_metric([channel], calls)
    yield left


def _of_holds(stands: _Stands) -> Iterable[Metric]:
    held = GaugeMetricFamily(
        "engage_starts_held",
        "Starts that wait for an approval (waiting), go on by stages (going), or end (refused).",
        labels=["journey", "state"],
    )
    percent = GaugeMetricFamily(
        "engage_start_let_go_percent",
        "How many in a hundred of a held start's members are let go: its stage. Of several of a journey, the smallest.",
        labels=["journey"],
    )
    for (journey, state), count in sorted(Counter((h.journey_id, h.status.value) for h in stands.holds).items()):
        held.add_metric([journey, state], count)
    for journey in sorted({each.journey_id for each in stands.holds}):
        percent.add_metric([journey], min(each.percent for each in stands.holds if each.journey_id == journey))
    yield held
    yield percent


def _one(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(name, what, value=value)
