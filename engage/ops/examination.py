"""An examination: everything that can be wrong with a running Engage, looked at once, for whoever is on call.

It sends nothing and changes nothing. What is found is data (`Finding`); the words for it, and what to do, are in
`cli.doctor_words`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from engage.channels.probe import Probe
from engage.clock import Clock
from engage.config import Config
from engage.core.delivery import LEASE
from engage.core.journey.check import webhooks_called
from engage.core.looking_back import looks_beyond
from engage.errors import DatabaseDamaged, DatabaseUnavailable, EngageError, OtherTables
from engage.runtime.applied import Applied
from engage.runtime.presence import daemons_at_work
from engage.store import daemons, holding, state, webhook_calls
from engage.store.daemons import HEARD_OF_WITHIN
from engage.store.databases import months
from engage.store.databases.database import Database
from engage.store.databases.migrating import require_current
from engage.store.holding import HoldStatus
from engage.store.insight import backlog, overview, symptoms
from engage.store.insight.backlog import Backlog

STALLED_AFTER = timedelta(minutes=5)  # what is due is dealt with within seconds
_PROBED_FOR_SECONDS = 8.0
_CLOCKS_MAY_DIFFER = timedelta(seconds=5)  # a `Date` has whole seconds, and the way takes some
_DISK_FREE_BYTES = 1 << 30
_AMBIGUOUS_AN_HOUR = 10  # now and then one is life; more at once is a provider or a network
_CALLS_OF = timedelta(days=7)
_STOPPED_OF = timedelta(hours=24)


class Weight(StrEnum):
    WELL = "well"
    NOTE = "note"  # good to know; nobody has to get up
    HAND = "hand"  # needs somebody


@dataclass(frozen=True, slots=True)
class Finding:
    """`facts`: numbers, moments and names of things, never of people."""

    kind: str
    weight: Weight
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """Who is examined. `applied` raises EngageError where nothing is applied that can be run."""

    config: Config
    database: Database
    clock: Clock
    applied: Callable[[], Applied]
    sources: Collection[str]  # who may call back
    probes: Mapping[str, Probe]  # none: nothing is tried over the network


def examine(case: Case) -> list[Finding]:
    """All that was looked at, in the order in which somebody on call would."""
    return [*_database(case), *_disk(case), *_channels(case)]


def needs_a_hand(findings: list[Finding]) -> bool:
    return any(finding.weight is Weight.HAND for finding in findings)


def _well_unless(found: list[Finding], kind: str, **facts: Any) -> list[Finding]:
    return found or [Finding(kind, Weight.WELL, facts)]


# --- the database, and what is in it ----------------------------------------------------------------------------


def _database(case: Case) -> Iterator[Finding]:
    file = case.database.file
    if file is not None and not file.exists():
        yield Finding("database_missing", Weight.HAND, {"file": str(file)})
        return
    try:
        require_current(case.database)
        with case.database.read() as connection:
            yield Finding("database_answers", Weight.WELL)
            yield from _applied(case)
            now = case.clock.now()
            for look in (_daemons, _backlog, _unreadable, _switches, _callbacks, _months, _database_clock):
                yield from look(case, connection, now)
    except DatabaseUnavailable as error:
        if isinstance(error, DatabaseDamaged | OtherTables):
            yield Finding("database_unfit", Weight.HAND, {"why": str(error)})
        else:
            yield Finding("database_away", Weight.HAND)
    except EngageError as error:
        yield Finding("database_unfit", Weight.HAND, {"why": str(error)})


def _applied(case: Case) -> Iterator[Finding]:
    try:
        applied = case.applied()
    except DatabaseUnavailable:
        raise
    except EngageError as error:
        yield Finding("nothing_applied", Weight.HAND, {"why": str(error)})
        return
    yield Finding("applied", Weight.WELL, {"journeys": len(applied.journeys)})
    called = webhooks_called(active.journey for active in applied.journeys.values())
    for name, journeys in called.items():
        if name not in case.config.webhooks:
            yield Finding("webhook_missing", Weight.HAND, {"webhook": name, "journeys": journeys})
    kept = case.config.retention.events
    if kept is not None:
        running = [active.journey for active in applied.journeys.values()]
        for look in looks_beyond(kept, applied.catalog, running):
            said = look.beside(kept)
            yield Finding("forgotten", Weight.NOTE, {"en": said.en, "zh": said.zh})


def _daemons(case: Case, connection: Connection, now: datetime) -> Iterator[Finding]:
    signs, at_work = daemons.signs(connection), daemons_at_work(case.database, connection, now)
    alive = [sign for sign in signs if sign.at > now - HEARD_OF_WITHIN and sign.name in at_work]
    for sign in signs:
        if sign not in alive:
            yield Finding("daemon_lost", Weight.NOTE, {"daemon": sign.name, "heard_of_at": sign.at})
        elif stuck := sign.said.get("silent_loops"):
            yield Finding("loops_stuck", Weight.HAND, {"daemon": sign.name, "loops": stuck})
    if alive:
        yield Finding("daemons_alive", Weight.WELL, {"daemons": [sign.name for sign in alive]})
    elif at_work:
        yield Finding("daemon_silent", Weight.HAND, {"daemon": at_work[0]})
    else:
        yield Finding("daemon_none", Weight.HAND)


def _backlog(case: Case, connection: Connection, now: datetime) -> Iterator[Finding]:
    waits = backlog.backlog(connection, now)
    yield from _stalls(connection, waits, now)
    ambiguous = sum(each.messages for each in waits.messages if each.status == "ambiguous")
    if ambiguous:
        lately = sum(symptoms.became_ambiguous(connection, now - timedelta(hours=1)).values())
        weight = Weight.HAND if lately >= _AMBIGUOUS_AN_HOUR else Weight.NOTE
        yield Finding("ambiguous", weight, {"messages": ambiguous, "in_the_last_hour": lately})


def _stalls(connection: Connection, waits: Backlog, now: datetime) -> list[Finding]:
    found = [
        Finding("stalled", Weight.HAND, {"queue": queue, "since": since})
        for queue, since in waits.oldest.items()
        if since < now - STALLED_AFTER
    ]
    stuck = symptoms.stuck_leases(connection, now, LEASE)
    if stuck:
        found.append(Finding("leases_stuck", Weight.HAND, {"messages": stuck}))
    return _well_unless(found, "nothing_stalled")


def _unreadable(case: Case, connection: Connection, now: datetime) -> Iterator[Finding]:
    unreadable = symptoms.unreadable(connection)
    if unreadable:
        yield Finding("unreadable", Weight.NOTE, {"records": unreadable})


def _switches(case: Case, connection: Connection, now: datetime) -> Iterator[Finding]:
    for paused in overview.pauses(connection):
        facts = {"scope": paused.scope, "since": paused.since, "reason": paused.reason or ""}
        if paused.scope == state.RESTORED:
            yield Finding("restored", Weight.HAND, facts)
        else:
            yield Finding("paused", Weight.NOTE, facts)
    for name, count in overview.stopped(connection, now - _STOPPED_OF).items():
        limit, _, channel = name.rpartition(":")
        yield Finding("stopped", Weight.HAND, {"limit": limit, "channel": channel, "messages": count})
    for journey, runs in overview.tired(connection, now - _STOPPED_OF).items():
        yield Finding("tired", Weight.HAND, {"journey": journey, "runs": runs})
    for loop, count in overview.set_aside(connection, now - _STOPPED_OF).items():
        yield Finding("set_aside", Weight.HAND, {"loop": loop, "count": count})
    for held in holding.unsettled(connection):
        if held.status is HoldStatus.WAITING:
            yield Finding("held", Weight.NOTE, {"hold": held.name, "journey": held.journey_id, "members": held.members})
        elif held.status is HoldStatus.GOING and not held.is_whole:
            facts = {"hold": held.name, "journey": held.journey_id, "members": held.members, "percent": held.percent}
            yield Finding("staged", Weight.NOTE, facts)
    for channel, until in overview.resting(connection, now).items():
        yield Finding("channel_rests", Weight.HAND, {"channel": channel, "until": until})
    for calls in webhook_calls.in_trouble(connection, now - _CALLS_OF):
        facts = {"webhook": calls.webhook, "waiting": calls.waiting, "failed": calls.failed, "reason": calls.reason}
        yield Finding("webhook_in_trouble", Weight.HAND if calls.waiting else Weight.NOTE, facts)


def _callbacks(case: Case, connection: Connection, now: datetime) -> Iterator[Finding]:
    heard = symptoms.last_came_in(connection)
    for source in case.sources:
        if source in heard:
            yield Finding("callbacks_seen", Weight.WELL, {"source": source, "at": heard[source]})
        else:
            yield Finding("callbacks_never", Weight.NOTE, {"source": source})


def _months(case: Case, connection: Connection, now: datetime) -> Iterator[Finding]:
    if missing := months.missing_months(connection, now):
        yield Finding("months_missing", Weight.HAND, {"parts": missing})
    if strayed := months.strayed(connection):
        yield Finding("rows_strayed", Weight.NOTE, {"parts": strayed})


def _database_clock(case: Case, connection: Connection, now: datetime) -> list[Finding]:
    at = symptoms.server_time(case.database, connection)
    return list(_clock("database", at, case.clock.now())) if at is not None else []


# --- the machine and the providers ------------------------------------------------------------------------------


def _clock(whose: str, at: datetime, now: datetime) -> Iterator[Finding]:
    ahead = now - at
    if abs(ahead) > _CLOCKS_MAY_DIFFER:
        yield Finding("clock_differs", Weight.HAND, {"whose": whose, "seconds": round(ahead.total_seconds())})


def _disk(case: Case) -> Iterator[Finding]:
    file = case.database.file
    if file is None or not file.exists():
        return
    free, size = shutil.disk_usage(file.parent).free, _size(file)
    low = free < max(_DISK_FREE_BYTES, size // 10)
    yield Finding("disk_low" if low else "disk", Weight.HAND if low else Weight.WELL, {"free": free, "database": size})


def _size(file: Path) -> int:
    """With its write-ahead log."""
    log = file.with_name(f"{file.name}-wal")
    return sum(path.stat().st_size for path in (file, log) if path.exists())


def _channels(case: Case) -> Iterator[Finding]:
    for channel, probe in case.probes.items():
        probed = probe(_PROBED_FOR_SECONDS)
        if probed.refused is None:
            yield Finding("channel_answers", Weight.WELL, {"channel": channel})
        else:
            refused = probed.refused
            facts = {"failure": refused.failure.value, "code": refused.code, "detail": refused.detail}
            yield Finding("channel_refuses", Weight.HAND, {"channel": channel, **facts})
        if probed.at is not None:
            yield from _clock(channel, probed.at, case.clock.now())
