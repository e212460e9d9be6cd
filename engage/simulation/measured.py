"""Behaviour as members have shown it so far: rates counted in the past of a database, leaning on what is usual where
little has happened yet.

A rate of n messages counts as if `_WEIGHT` more messages had gone the usual way: after ten messages it is nearly the
usual one, after a thousand it is the members' own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from engage.core.behaviour.model import Answers, Behaviour, Draw, Habit, OneOf, Rates
from engage.simulation.ground import Ground
from engage.store.insight import forecasting, reporting
from engage.store.insight.reporting import Messages, Period

LOOKS_BACK = timedelta(days=180)
_WEIGHT = 50
_SAMPLE = 500  # payloads, of the newest events of a name
_FEWEST_PAYLOADS = 20
_FEWEST_DAYS = 14


def measured(ground: Ground, usual: Behaviour) -> Behaviour:
    with ground.reading() as connection:
        period = Period(ground.now - LOOKS_BACK, ground.now)
        messages = [m for m in reporting.messages(connection, period) if m.channel is not None and m.sent]
        return replace(
            usual,
            channels=_by_channel(messages, usual),
            journeys=_by_journey(messages, usual),
            answers=_answers(connection, period, usual.answers),
            people=replace(usual.people, new_per_day=_newcomers(connection, period, usual)),
            habits=_habits(connection, period, usual),
        )


# --- messages ---------------------------------------------------------------------------------------------------


def _by_channel(messages: list[Messages], usual: Behaviour) -> Mapping[str, Rates]:
    found = dict(usual.channels)
    for channel in sorted({m.channel for m in messages if m.channel is not None}):
        own = [m for m in messages if m.channel == channel]
        found[channel] = _rates(own, usual.channels.get(channel, Rates()))
    return found


def _by_journey(messages: list[Messages], usual: Behaviour) -> Mapping[tuple[str, str | None], Rates]:
    by_channel = _by_channel(messages, usual)
    return {
        (m.journey_id, m.channel): _rates([m], by_channel[m.channel or ""])
        for m in messages
        if m.journey_id is not None
    }


def _rates(messages: list[Messages], usual: Rates) -> Rates:
    sent = sum(m.sent for m in messages)

    def leaning(count: int, expected: float | None) -> float:
        return (count + (expected or 0.0) * _WEIGHT) / (sent + _WEIGHT)

    return Rates(
        click=leaning(sum(m.clicked for m in messages), usual.click),
        reply=leaning(sum(m.replied for m in messages), usual.reply),
        answer=leaning(sum(m.answered for m in messages), usual.answer),
        unsubscribe=usual.unsubscribe,
        bounce=leaning(sum(m.bounced + m.failed for m in messages), usual.bounce),
    )


def _answers(connection: Connection, period: Period, usual: Answers) -> Answers:
    return replace(
        usual,
        nps=_scores(connection, period, "nps", usual.nps),
        csat=_scores(connection, period, "csat", usual.csat),
    )


def _scores(connection: Connection, period: Period, survey: str, usual: OneOf) -> OneOf:
    counted = Counter(reporting.scores(connection, period, survey)[None])
    total = sum(counted.values()) + _WEIGHT
    weights = {score: weight * _WEIGHT / total for score, weight in zip(usual.values, usual.weights, strict=True)}
    for score, count in counted.items():
        weights[score] = weights.get(score, 0.0) + count / total
    return OneOf(tuple(sorted(weights)), tuple(weights[score] for score in sorted(weights)))


# --- what members do by themselves ------------------------------------------------------------------------------


def _newcomers(connection: Connection, period: Period, usual: Behaviour) -> float:
    span = forecasting.span_of_events(connection)
    members = sum(1 for _ in forecasting.roster(connection, ""))
    if span is None or not members:
        return usual.people.new_per_day
    days = _days(max(period.since, span[0]), period.until)
    return forecasting.announced(connection, period) / members / days


def _habits(connection: Connection, period: Period, usual: Behaviour) -> Mapping[str, Habit]:
    """An event that nothing else brings about comes as often as it came; what follows another event goes on following
    it. An event that the usual behaviour does not know, and that was told, is a habit of its own."""
    span = forecasting.span_of_events(connection)
    members = sum(1 for external_id, _ in forecasting.roster(connection, "") if external_id is not None)
    habits = dict(usual.habits)
    if span is None or not members:
        return habits
    days = _days(max(period.since, span[0]), period.until)
    for found in forecasting.told(connection, period):
        before = habits.get(found.name, Habit(every=LOOKS_BACK))
        values = {**before.values, **_values(connection, found.name)}
        if before.every is None:
            habits[found.name] = replace(before, values={**_values(connection, found.name), **before.values})
            continue
        share = min(1.0, found.members / members)
        every = timedelta(days=days * found.members / found.count)
        habits[found.name] = replace(before, every=every, members=share, values=values)
    return habits


def _values(connection: Connection, name: str) -> Mapping[str, Draw]:
    """What such events bring is drawn from what the newest brought, key by key; ids are made anew."""
    sample = forecasting.payloads(connection, name, _SAMPLE)
    if len(sample) < _FEWEST_PAYLOADS:
        return {}
    seen: dict[str, list[object]] = {}
    for payload in sample:
        for key, value in payload.items():
            seen.setdefault(key, []).append(value)
    return {key: OneOf(tuple(v), (1 / len(sample),) * len(v)) for key, v in seen.items() if not _is_an_id(v)}


def _is_an_id(values: list[object]) -> bool:
    """No two alike."""
    return len({str(value) for value in values}) == len(values)


def _days(since: datetime, until: datetime) -> float:
    return max((until - since) / timedelta(days=1), float(_FEWEST_DAYS))
