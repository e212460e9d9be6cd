"""Queries of the advance loop: which runs are due, what is known about them, and where they go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, and_, bindparam, exists, func, or_, select, update

from engage.core.catalog import Catalog
from engage.core.condition import Condition, ValueType
from engage.core.delivery import Status
from engage.core.journey.model import Since
from engage.core.turn import GivenAnswer, Seen
from engage.store import answering
from engage.store.conditions import VALUE_COLUMN, Scope, compile_condition
from engage.store.dialects import beside_index
from engage.store.judging import TAKEN_UP
from engage.store.keys import STATEMENTS, given_keys, in_given_keys, in_keys
from engage.store.members import MemberRef, in_refs
from engage.store.moments import Prepared
from engage.store.tables import IS_LIVE, Instant, answer, delivery, enrolment, event, member, member_value

# A fact told this late is history, not news: it neither starts a run, nor ends a wait, nor reaches a goal.
NEWS_FOR = timedelta(days=1)

_OF_MEMBER = (member.c.bucket == enrolment.c.bucket) & (member.c.id == enrolment.c.member_id)


@dataclass(frozen=True, slots=True)
class RunRow:
    """One enrolment as it stands in the database. `due_at`: when it was to be looked at, however late that is done."""

    id: int
    member: MemberRef
    journey_id: str
    version: int
    holdout: bool
    step_id: str
    visit: int
    phase: str
    entered_at: datetime
    due_at: datetime | None
    deadline_at: datetime | None
    last_message_at: datetime | None
    context: Mapping[str, Any]
    per_value: str
    timezone: str | None
    jumps: Mapping[str, int] = field(default_factory=dict)  # how often each `goto` was taken
    pinned_version: int | None = None  # the version to finish in; None: the one in force


def due(connection: Connection, now: datetime, limit: int) -> list[RunRow]:
    """Live runs whose time has come, oldest first."""
    live = and_(IS_LIVE, enrolment.c.due_at <= now)
    oldest = _runs(live).order_by(enrolment.c.due_at, enrolment.c.id).limit(limit)
    return [_row(row) for row in connection.execute(oldest)]


def still_due(connection: Connection, runs: Sequence[RunRow], now: datetime) -> list[RunRow]:
    """These runs as they stand now, without those that somebody else has moved, or is moving, meanwhile."""
    due_still = and_(_these(runs), IS_LIVE, enrolment.c.due_at <= now)
    locked = (
        _runs(due_still).order_by(enrolment.c.due_at, enrolment.c.id).with_for_update(skip_locked=True, of=enrolment)
    )
    return [_row(row) for row in connection.execute(locked)]


def runs_by_id(connection: Connection, runs: Sequence[tuple[int, int]]) -> list[RunRow]:
    """Runs, live or ended, given as (bucket, id)."""
    return [_row(row) for row in connection.execute(_runs(in_keys(enrolment, runs)).order_by(enrolment.c.id))]


def without_goal(
    connection: Connection,
    journey_id: str,
    pinned_version: int | None,
    refs: Sequence[MemberRef],
    *,
    ended: bool,
    live: bool,
) -> list[RunRow]:
    """These members' runs of a journey, of those that go by this version, for which no goal has been noted yet."""
    statuses = [status for status, wanted in (("ended", ended), ("live", live)) if wanted]
    here = in_refs(enrolment, refs) & (enrolment.c.journey_id == journey_id) & enrolment.c.goal_at.is_(None)
    wanted = here & enrolment.c.status.in_(statuses) & enrolment.c.pinned_version.is_not_distinct_from(pinned_version)
    return [_row(row) for row in connection.execute(_runs(wanted).order_by(enrolment.c.id))]


def _runs(where: Any) -> Any:
    return select(enrolment, member.c.timezone).join(member, _OF_MEMBER).where(where)


def _row(row: Any) -> RunRow:
    return RunRow(
        row.id, MemberRef(row.bucket, row.member_id), row.journey_id, row.version, row.holdout, row.step_id,
        row.visit, row.phase, row.entered_at, row.due_at, row.deadline_at, row.last_message_at, row.context,
        row.per_value, row.timezone, row.jumps or {}, row.pinned_version,
    )  # fmt: skip


def next_due(connection: Connection, now: datetime) -> datetime | None:
    """The next moment after `now` at which a run is due."""
    earliest: datetime | None = connection.scalar(_NEXT_DUE, {"now": now})
    return earliest


_NOW = bindparam("now", type_=Instant())
_ANYTHING_DUE = select(enrolment.c.id).where(IS_LIVE, enrolment.c.due_at <= _NOW).limit(1)
_NEXT_DUE = select(func.min(enrolment.c.due_at)).where(IS_LIVE, enrolment.c.due_at > _NOW)


def anything_due(connection: Connection, now: datetime) -> bool:
    return connection.scalar(_ANYTHING_DUE, {"now": now}) is not None


# --- what is known ----------------------------------------------------------------------------------------------


def in_runs(table: Any, runs: Iterable[RunRow], column: str = "enrolment_id") -> Any:
    """Rows of these runs."""
    return in_keys(table, ((run.member.bucket, run.id) for run in runs), column)


def _these(runs: Sequence[RunRow]) -> Any:
    return in_runs(enrolment, runs, "id")


def of_given_runs(query: Any) -> Any:
    """A query of `enrolment`, made once and narrowed to the runs it is told (`given_runs`), with their members beside
    them."""
    return query.join(member, _OF_MEMBER).where(in_given_keys(enrolment))


def given_runs(runs: Iterable[RunRow]) -> dict[str, str]:
    return given_keys((run.member.bucket, run.id) for run in runs)


def run_context(origin: str, key: str) -> Any:
    return enrolment.c.context[origin, key]


def holding(
    connection: Connection,
    catalog: Catalog,
    conditions: Sequence[Condition | None],
    runs: Sequence[RunRow],
    now: datetime,
) -> dict[int, tuple[bool, ...]]:
    """For each run, whether each condition holds; None always does. One query for the whole batch."""
    asked = tuple(c for c in conditions if c is not None)
    if not asked:
        return {run.id: (True,) * len(conditions) for run in runs}
    found = {}
    for run_id, *values in _holding(catalog, asked).execute(connection, now, **given_runs(runs)):
        answers = iter(values)
        found[run_id] = tuple(True if c is None else bool(next(answers)) for c in conditions)
    return found


@lru_cache(STATEMENTS)
def _holding(catalog: Catalog, conditions: tuple[Condition, ...]) -> Prepared:
    scope = Scope(catalog, enrolment=enrolment, context=run_context)
    columns = [compile_condition(c, scope).label(f"c{n}") for n, c in enumerate(conditions)]
    return scope.prepared(of_given_runs(select(enrolment.c.id, *columns)))


def first_seen(
    connection: Connection,
    catalog: Catalog,
    names: Iterable[str],
    since: Since | None,
    where: Condition | None,
    per: str | None,
    runs: Sequence[RunRow],
    now: datetime,
) -> dict[int, Seen]:
    """The first of the events for each run, counted from `since` (None: by the kind of event, see model.WaitFor).

    Responses count only for this run's own messages and tasks. With `per`, an event that carries the key counts only
    for the run of the same value.
    """
    if not runs:
        return {}
    query = _first_seen(catalog, tuple(names), since, where, per)
    rows = query.execute(connection, now, **given_runs(runs))
    return {i: Seen(name, at) for i, entered_at, name, at in rows if at > entered_at - NEWS_FOR}


@lru_cache(STATEMENTS)
def _first_seen(
    catalog: Catalog, names: tuple[str, ...], since: Since | None, where: Condition | None, per: str | None
) -> Prepared:
    counted = or_(*(_counts(catalog, name, since) for name in names))
    joined = (event.c.bucket == enrolment.c.bucket) & (event.c.member_id == enrolment.c.member_id)
    columns = (enrolment.c.id, enrolment.c.entered_at, event.c.name, event.c.at)
    query = of_given_runs(select(*columns).join(event, joined)).where(counted).order_by(event.c.id.desc())
    scope = Scope(catalog, enrolment=enrolment, context=_matched_event)
    if where is not None:
        query = query.where(compile_condition(where, scope))
    if per is not None:
        key = event.c.payload[per].as_string()
        query = query.where(or_(key.is_(None), key == enrolment.c.per_value))
    return scope.prepared(query)


def _matched_event(origin: str, key: str) -> Any:
    return event.c.payload[key] if origin == "event" else run_context(origin, key)


def _counts(catalog: Catalog, name: str, since: Since | None) -> Any:
    is_response = catalog.is_response(name)
    own = [event.c.enrolment_id == enrolment.c.id] if is_response else []
    # By member, not by name or number: there may be millions of orders since, and a few of each member's.
    recorded = beside_index(event.c.id)
    match since or (Since.LAST_MESSAGE if is_response else Since.HERE):
        case Since.HERE:
            begun = recorded > enrolment.c.step_after_event_id
        case Since.START:
            begun = recorded > enrolment.c.after_event_id
        case Since.LAST_MESSAGE:
            last = func.coalesce(enrolment.c.last_message_at, enrolment.c.entered_at)
            since_then = event.c.at >= last
            if is_response:
                since_then = or_(since_then, _sent_since(last))
            begun = and_(recorded > enrolment.c.after_event_id, since_then)
    return and_(beside_index(event.c.name) == name, begun, *own)


def _sent_since(moment: Any) -> Any:
    """The response is to a message that went out then or later. Providers tell the time of a receipt in whole seconds:
    one that came in the second of its own message looks older than it."""
    its_message = (delivery.c.bucket == event.c.bucket) & (delivery.c.id == event.c.delivery_id)
    return exists().where(its_message, delivery.c.sent_at >= moment)


def answers(connection: Connection, runs: Sequence[RunRow]) -> dict[int, dict[str, GivenAnswer]]:
    """The answers of these runs that count, by run id and step id."""
    found: dict[int, dict[str, GivenAnswer]] = {}
    for row in connection.execute(select(answer).where(in_runs(answer, runs), answering.COUNTS)):
        typed_on = row.channel if row.typed else None
        given = GivenAnswer(row.answered_at, row.score, row.choice, row.comment_at is not None, typed_on, row.visit)
        found.setdefault(row.enrolment_id, {})[row.step_id] = given
    return found


def answer_words(connection: Connection, runs: Iterable[tuple[int, int]]) -> dict[int, dict[str, dict[str, Any]]]:
    """What templates read, for runs given as (bucket, id): {run: {step: {score, choice, comment}}}."""
    own = in_keys(answer, runs, "enrolment_id")
    found: dict[int, dict[str, dict[str, Any]]] = {}
    for row in connection.execute(select(answer).where(own, answering.COUNTS)):
        words = {"score": row.score, "choice": row.choice, "comment": row.comment}
        found.setdefault(row.enrolment_id, {})[row.step_id] = words
    return found


def field_dates(
    connection: Connection, field: str, kind: ValueType, runs: Sequence[RunRow]
) -> dict[int, date | datetime]:
    """By run id, for `wait: until <field>`."""
    joined = (member_value.c.bucket == enrolment.c.bucket) & (member_value.c.member_id == enrolment.c.member_id)
    query = select(enrolment.c.id, VALUE_COLUMN[kind]).join(member_value, joined)
    return {
        i: value for i, value in connection.execute(query.where(_these(runs), member_value.c.field == field)) if value
    }


def responses_since(
    connection: Connection, refs: Sequence[MemberRef], since: datetime
) -> dict[int, tuple[datetime, ...]]:
    """When each of these members took up a message, by member id."""
    taken_up = in_refs(event, refs) & event.c.name.in_(TAKEN_UP) & (event.c.at > since)
    found: dict[int, list[datetime]] = {}
    for member_id, at in connection.execute(select(event.c.member_id, event.c.at).where(taken_up)):
        found.setdefault(member_id, []).append(at)
    return {member_id: tuple(moments) for member_id, moments in found.items()}


# --- where they go ----------------------------------------------------------------------------------------------


def save(connection: Connection, moves: Sequence[Mapping[str, Any]]) -> None:
    """Write runs back: each row has bucket, id and the columns to set (the same ones for all)."""
    if not moves:
        return
    ordered = sorted(moves, key=lambda move: (move["bucket"], move["id"]))  # in key order: two daemons never deadlock
    names = [name for name in ordered[0] if name not in ("bucket", "id")]
    here = (enrolment.c.bucket == bindparam("b_bucket")) & (enrolment.c.id == bindparam("b_id"))
    statement = update(enrolment).where(here).values({name: bindparam(f"v_{name}") for name in names})
    rows = [{f"v_{n}": m[n] for n in names} | {"b_bucket": m["bucket"], "b_id": m["id"]} for m in ordered]
    connection.execute(statement, rows)


def cancel_messages(
    connection: Connection, runs: Iterable[tuple[int, int]], why: str, *, only_follow_ups: bool
) -> None:
    """Take back what is not yet on the wire, for runs given as (bucket, enrolment id). Follow-ups are fallbacks; a
    first message queued by a run that came to its natural end still goes out."""
    wanted = list(runs)
    if not wanted:
        return
    d, here = delivery.c, in_keys(delivery, wanted, "enrolment_id")
    not_sent = and_(here, d.status.in_([Status.PENDING, Status.CLAIMED]), d.hop >= (1 if only_follow_ups else 0))
    connection.execute(update(delivery).where(not_sent).values(status=Status.CANCELLED, reason=why))
