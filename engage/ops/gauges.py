"""What stands in the database, as gauges: what is due, what waits for somebody, what is stopped, who runs.

Asked by index, up to a ceiling (`store.backlog`), and at most once in ten seconds however often Prometheus and people
look. Where the database does not answer, or not soon, the gauges are absent, and `engage_database_up` is 0. They are
absent, too, where a mistake of ours is in the way, which the log tells.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Connection

from engage.channels.contract import Channel, HoldsToken
from engage.clock import Clock
from engage.errors import DatabaseUnavailable
from engage.ops.asking import Asking
from engage.store import daemons, holding, rates
from engage.store.daemons import HEARD_OF_WITHIN
from engage.store.databases.database import Database
from engage.store.holding import Hold
from engage.store.insight import backlog, overview, symptoms
from engage.store.insight.backlog import Backlog

_KEEPS_FOR_SECONDS = 10.0
_LATELY = timedelta(hours=1)
log = structlog.get_logger("engage.ops")


@dataclass(frozen=True, slots=True)
class _Stands:
    at: datetime
    backlog: Backlog
    paused: list[str]
    ambiguous: Mapping[str, int]  # that became so in the last hour, by channel
    stopped: Mapping[str, int]  # by the last limits, in the last hour
    tired: Mapping[str, int]  # runs that rest for the day, as often as that came about in the last hour, by journey
    set_aside: Mapping[str, int]  # what the code failed over, each alone, in the last hour: by loop
    holds: Sequence[Hold]  # starts that wait for an approval, or for their next stage
    rates: Mapping[str, int]  # calls of the coming second that are left, of channels with a limit
    resting: Mapping[str, datetime]
    daemons: int


@dataclass(frozen=True, slots=True)
class _Answered:
    stands: _Stands | None  # None: it came to nothing, though the database answers


class Gauges(Collector):
    def __init__(self, database: Database, clock: Clock, channels: Callable[[], Mapping[str, Channel]]) -> None:
        self._database = database
        self._clock = clock
        self._channels = channels  # of this process, as they are now
        self._asking = Asking(self._ask, _KEEPS_FOR_SECONDS)
        self._told: type[Exception] | None = None  # the kind of mistake that the log has, until it works again

    def describe(self) -> Iterable[Metric]:
        """Names are known when they are collected; registering must not ask the database."""
        return ()

    def collect(self) -> Iterable[Metric]:
        answered = self._asking.answer()
        yield _one("engage_database_up", "Whether the database answers.", int(answered is not None))
        stands = answered.stands if answered is not None else None
        if stands is not None:
            yield from _of_backlog(stands)
            yield from _of_switches(stands)
            yield from _of_holds(stands)
            yield _one("engage_daemons", "Daemons heard of in the last 45 seconds, on this database.", stands.daemons)
        yield self._limits()
        yield self._tokens()

    def _limits(self) -> Metric:
        return _each(
            "engage_rate_limit",
            "Calls a second that all daemons together make at most, where a channel has a limit (per_second).",
            ("channel",),
            {(name,): limit for name, limit in self._limited().items()},
        )

    def _limited(self) -> dict[str, float]:
        """The channels that have a limit, and how many calls a second it is."""
        limits = {name: channel.per_second for name, channel in self._channels().items()}
        return {name: limit for name, limit in limits.items() if limit is not None}

    def _tokens(self) -> Metric:
        held = {(name,): each.token_age for name, each in self._channels().items() if isinstance(each, HoldsToken)}
        return _each(
            "engage_token_age_seconds",
            "How old this process's access token is, where a channel needs one.",
            ("channel",),
            {labelled: age for labelled, age in held.items() if age is not None},
        )

    def _rates(self, connection: Connection, now: datetime) -> dict[str, int]:
        return {name: rates.left(connection, name, limit, now) for name, limit in self._limited().items()}

    def _ask(self) -> _Answered | None:
        """None: the database does not answer, of which the loops tell in the log."""
        try:
            stands = self._look()
        except DatabaseUnavailable:
            return None
        except Exception as error:  # whatever it is: the other figures are still to be told
            if type(error) is not self._told:  # it is asked every few seconds
                log.exception("gauges_failed")
            self._told = type(error)
            return _Answered(None)
        self._told = None
        return _Answered(stands)

    def _look(self) -> _Stands:
        now = self._clock.now()
        with self._database.read() as connection:
            return _Stands(
                at=now,
                backlog=backlog.backlog(connection, now),
                paused=[paused.scope for paused in overview.pauses(connection)],
                ambiguous=symptoms.became_ambiguous(connection, now - _LATELY),
                stopped=overview.stopped(connection, now - _LATELY),
                tired=overview.tired(connection, now - _LATELY),
                set_aside=overview.set_aside(connection, now - _LATELY),
                holds=holding.unsettled(connection),
                rates=self._rates(connection, now),
                resting=overview.resting(connection, now),
                daemons=sum(sign.at > now - HEARD_OF_WITHIN for sign in daemons.signs(connection)),
            )


def _of_backlog(stands: _Stands) -> Iterable[Metric]:
    waits = stands.backlog
    yield _each(
        "engage_due_runs",
        "Runs that are due and have not been moved, up to 20,000.",
        ("journey", "step"),
        {(runs.journey_id, runs.step_id or ""): runs.runs for runs in waits.runs},
    )
    yield _each(
        "engage_unsettled_messages",
        "Messages that are due, under way (claimed, sending) or ambiguous, up to 20,000 each.",
        ("state", "channel"),
        _together(waits),
    )
    yield _each(
        "engage_ambiguous_messages",
        "Messages that became ambiguous in the last hour, and still are.",
        ("channel",),
        {(channel,): messages for channel, messages in stands.ambiguous.items()},
    )
    since = {queue: stands.at - waits.oldest.get(queue, stands.at) for queue in backlog.QUEUES}
    yield _each(
        "engage_oldest_due_seconds",
        "Since when the oldest waits: runs, messages, inbound, events, calls, notices.",
        ("queue",),
        {(queue,): max(waited.total_seconds(), 0) for queue, waited in since.items()},
    )
    yield _one("engage_inbound_unread", "Callbacks and facts that nobody has read, up to 20,000.", waits.unread)
    yield _one("engage_events_fresh", "Events that no journey has looked at, up to 20,000.", waits.fresh_events)
    yield _one("engage_webhook_calls_due", "Calls of webhook steps that are due, up to 20,000.", waits.calls)


def _together(waits: Backlog) -> Counter[tuple[str, ...]]:
    counted: Counter[tuple[str, ...]] = Counter()
    for each in waits.messages:
        counted[each.status, each.channel] += each.messages
    return counted


def _of_switches(stands: _Stands) -> Iterable[Metric]:
    yield _each("engage_paused", "1: stopped by hand.", ("scope",), {(scope,): 1 for scope in stands.paused})
    yield _each(
        "engage_stopped_messages",
        "Messages that a last limit has stopped in the last hour: something is wrong with a journey.",
        ("limit", "channel"),
        {tuple(name.rsplit(":", 1)): count for name, count in stands.stopped.items()},
    )
    yield _each(
        "engage_tired_runs",
        "Runs that in the last hour had walked all the steps of a day: a journey goes round and round.",
        ("journey",),
        {(journey,): runs for journey, runs in stands.tired.items()},
    )
    yield _each(
        "engage_set_aside",
        "What a loop failed over, each alone, and passed over in the last hour: a fault of Engage, or of its data.",
        ("loop",),
        {(loop,): count for loop, count in stands.set_aside.items()},
    )
    yield _each(
        "engage_channel_rests_seconds",
        "How long a channel is still left alone: its quota is used up, or its provider refuses everything.",
        ("channel",),
        {(channel,): (until - stands.at).total_seconds() for channel, until in stands.resting.items()},
    )
    yield _each(
        "engage_rate_left",
        "Calls of the coming second that nobody has taken yet, where a channel has a limit (per_second).",
        ("channel",),
        {(channel,): calls for channel, calls in stands.rates.items()},
    )


def _of_holds(stands: _Stands) -> Iterable[Metric]:
    yield _each(
        "engage_starts_held",
        "Starts that wait for an approval (waiting), go on by stages (going), or end (refused).",
        ("journey", "state"),
        Counter((each.journey_id, each.status.value) for each in stands.holds),
    )
    let_go: dict[tuple[str, ...], int] = {}
    for each in stands.holds:
        let_go[each.journey_id,] = min(each.percent, let_go.get((each.journey_id,), 100))
    yield _each(
        "engage_start_let_go_percent",
        "How many in a hundred of a held start's members are let go: its stage. Of several of a journey, the smallest.",
        ("journey",),
        let_go,
    )


def _each(name: str, what: str, labels: Sequence[str], values: Mapping[tuple[str, ...], float]) -> Metric:
    gauge = GaugeMetricFamily(name, what, labels=labels)
    for labelled, value in sorted(values.items()):
        gauge.add_metric(labelled, value)
    return gauge


def _one(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(name, what, value=value)
