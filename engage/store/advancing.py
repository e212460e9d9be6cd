"""Queries of the advance loop: which runs are due, what is known about them, and where they go."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Integer, and_, bindparam, exists, func, or_, select, update

from engage.core.catalog import Catalog
from engage.core.condition import Condition, ValueType
from engage.core.delivery import Status
from engage.core.journey.model import Since
from engage.core.turn import GivenAnswer, Seen
from engage.core.walked import NEVER_COUNTED, Walked
from engage.store import answering
from engage.store.databases.dialects import beside_index
from engage.store.holding import HAS_BEGUN
from engage.store.judging import TAKEN_UP
from engage.store.members import MemberRef, given_refs
from engage.store.statements.claims import Claim
from engage.store.statements.conditions import VALUE_COLUMN, Scope, compile_condition
from engage.store.statements.keys import given_keys, in_given_keys
from engage.store.statements.moments import Prepared, once_for_catalog
from engage.store.statements.rows import change_rows
from engage.store.tables import IS_LIVE, Instant, answer, delivery, enrolment, event, member, member_value

# A fact told this late is history, not news: it neither starts a run, nor ends a wait, nor reaches a goal.
NEWS_FOR = timedelta(days=1)

E = enrolment.c
_OF_MEMBER = (member.c.bucket == enrolment.c.bucket) & (member.c.id == enrolment.c.member_id)


class RunRow(NamedTuple):
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
    timezone: str | None
    jumps: Mapping[str, int] = {}  # how often each `goto` was taken
    pinned_version: int | None = None  # the version to finish in; None: the one in force
    last_event: int = 0  # the number of the member's last event when this was read
    walked: Walked = NEVER_COUNTED


def due(connection: Connection, now: datetime, limit: int, besides: Collection[str] = ()) -> list[RunRow]:
    """Live runs whose time has come, oldest first; locked until the transaction ends. Those that another process is
    moving are not waited for. `besides`: journeys whose runs are left where they are."""
    only = enrolment.c.journey_id.not_in(sorted(besides)) if besides else None
    rows = _DUE.take(connection, now, limit, only)
    members = connection.execute(_OF_MEMBERS, given_keys({(row.bucket, row.member_id) for row in rows})).all()
    beside = {(bucket, member_id): of_member for bucket, member_id, *of_member in members}
    return [_run_beside(row, *beside[row.bucket, row.member_id]) for row in rows]


def still_due(connection: Connection, run: RunRow, now: datetime) -> list[RunRow]:
    """This run as it stands now; nothing if somebody else has moved it, or is moving it, meanwhile."""
    return [_run_of(row) for row in connection.execute(_STILL_DUE, given_runs([run]) | {"now": now})]


def runs_by_id(connection: Connection, runs: Sequence[tuple[int, int]]) -> list[RunRow]:
    """Runs, live or ended, given as (bucket, id)."""
    return [_run_of(row) for row in connection.execute(_THESE, given_keys(runs))]


def contexts(connection: Connection, runs: Iterable[tuple[int, int]]) -> dict[int, Mapping[str, Any]]:
    """What each run was begun with and has kept, by run id; runs are given as (bucket, id)."""
    return {row.id: row.context for row in connection.execute(_CONTEXTS, given_keys(runs))}


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
    wanted = {"of_journey": journey_id, "of_version": pinned_version, "of_statuses": statuses}
    return [_run_of(row) for row in connection.execute(_WITHOUT_GOAL, given_refs(refs) | wanted)]


_NOW = bindparam("now", type_=Instant())
_RUN = (
    E.bucket, E.id, E.member_id, E.journey_id, E.version, E.holdout, E.step_id, E.visit, E.phase, E.entered_at,
    E.due_at, E.deadline_at, E.last_message_at, E.jumps, E.pinned_version, E.walked_on, E.walked_steps,
)  # fmt: skip
_RUNS = select(*_RUN, member.c.timezone, member.c.last_event).join(member, _OF_MEMBER)
_IS_DUE = and_(IS_LIVE, enrolment.c.due_at <= _NOW)
_DUE = Claim(
    enrolment,
    select(*_RUN).where(_IS_DUE).order_by(E.due_at, E.id),
)
_OF_MEMBERS = select(member.c.bucket, member.c.id, member.c.timezone, member.c.last_event).where(in_given_keys(member))
_STILL_DUE = _RUNS.where(_IS_DUE, in_given_keys(enrolment)).with_for_update(skip_locked=True, of=enrolment)
_THESE = _RUNS.where(in_given_keys(enrolment)).order_by(enrolment.c.id)
_CONTEXTS = select(enrolment.c.id, enrolment.c.context).where(in_given_keys(enrolment))
_WITHOUT_GOAL = _RUNS.where(
    in_given_keys(enrolment, "member_id"),
    enrolment.c.journey_id == bindparam("of_journey"),
    enrolment.c.goal_at.is_(None),
    HAS_BEGUN,
    enrolment.c.status.in_(bindparam("of_statuses", expanding=True)),
    enrolment.c.pinned_version.is_not_distinct_from(bindparam("of_version", type_=Integer())),
).order_by(enrolment.c.id)


def _run_of(row: Any) -> RunRow:
    *run, timezone, last_event = row
    return _run_beside(run, timezone, last_event)


def _run_beside(run: Any, timezone: str | None, last_event: int) -> RunRow:
    (
        bucket, run_id, member_id, journey_id, version, holdout, step_id, visit, phase, entered_at,
        due_at, deadline_at, last_message_at, jumps, pinned_version, walked_on, walked_steps,
    ) = run  # fmt: skip
    return RunRow(
        run_id, MemberRef(bucket, member_id), journey_id, version, holdout, step_id, visit, phase, entered_at, due_at,
        deadline_at, last_message_at, timezone, jumps or {}, pinned_version, last_event,
        Walked(walked_on, walked_steps) if walked_on is not None else NEVER_COUNTED,
    )  # fmt: skip


def next_due(connection: Connection, now: datetime) -> datetime | None:
    """The next moment after `now` at which a run is due."""
    earliest: datetime | None = connection.scalar(_NEXT_DUE, {"now": now})
    return earliest


_ANYTHING_DUE = select(enrolment.c.id).where(IS_LIVE, enrolment.c.due_at <= _NOW).order_by(enrolment.c.due_at).limit(1)
_NEXT_DUE = select(func.min(enrolment.c.due_at)).where(IS_LIVE, enrolment.c.due_at > _NOW)


def anything_due(connection: Connection, now: datetime) -> bool:
    return connection.scalar(_ANYTHING_DUE, {"now": now}) is not None


# --- what is known ----------------------------------------------------------------------------------------------


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


@once_for_catalog
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
    return {i: Seen(name, at, number) for i, entered_at, name, at, number in rows if at > entered_at - NEWS_FOR}


@once_for_catalog
def _first_seen(
    catalog: Catalog, names: tuple[str, ...], since: Since | None, where: Condition | None, per: str | None
) -> Prepared:
    counted = or_(*(_counts(catalog, name, since) for name in names))
    joined = (event.c.bucket == enrolment.c.bucket) & (event.c.member_id == enrolment.c.member_id)
    columns = (enrolment.c.id, enrolment.c.entered_at, event.c.name, event.c.at, event.c.number)
    query = of_given_runs(select(*columns).join(event, joined)).where(counted).order_by(event.c.number.desc())
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
    recorded = event.c.number
    match since or (Since.LAST_MESSAGE if is_response else Since.HERE):
        case Since.HERE:
            begun = recorded > enrolment.c.step_after_event
        case Since.START:
            begun = recorded > enrolment.c.after_event
        case Since.LAST_MESSAGE:
            last = func.coalesce(enrolment.c.last_message_at, enrolment.c.entered_at)
            since_then = event.c.at >= last
            if is_response:
                since_then = or_(since_then, _sent_since(last))
            begun = and_(recorded > enrolment.c.after_event, since_then)
    return and_(beside_index(event.c.name) == name, begun, *own)


def _sent_since(moment: Any) -> Any:
    """The response is to a message that went out then or later. Providers tell the time of a receipt in whole seconds:
    one that came in the second of its own message looks older than it."""
    its_message = (delivery.c.bucket == event.c.bucket) & (delivery.c.id == event.c.delivery_id)
    return exists().where(its_message, delivery.c.sent_at >= moment)


def answers(connection: Connection, runs: Sequence[RunRow]) -> dict[int, dict[str, GivenAnswer]]:
    """The answers of these runs that count, by run id and step id."""
    found: dict[int, dict[str, GivenAnswer]] = {}
    for row in connection.execute(_ANSWERS, given_runs(runs)):
        typed_on = row.channel if row.typed else None
        given = GivenAnswer(row.answered_at, row.score, row.choice, row.comment_at is not None, typed_on, row.visit)
        found.setdefault(row.enrolment_id, {})[row.step_id] = given
    return found


def answer_words(connection: Connection, runs: Iterable[tuple[int, int]]) -> dict[int, dict[str, dict[str, Any]]]:
    """What templates read, for runs given as (bucket, id): {run: {step: {score, choice, comment}}}."""
    found: dict[int, dict[str, dict[str, Any]]] = {}
    for row in connection.execute(_ANSWERS, given_keys(runs)):
        words = {"score": row.score, "choice": row.choice, "comment": row.comment}
        found.setdefault(row.enrolment_id, {})[row.step_id] = words
    return found


_ANSWERS = select(answer).where(in_given_keys(answer, "enrolment_id"), answering.COUNTS)


def field_dates(
    connection: Connection, field: str, kind: ValueType, runs: Sequence[RunRow]
) -> dict[int, date | datetime]:
    """By run id, for `wait: until <field>`."""
    rows = connection.execute(_field_dates(kind), given_runs(runs) | {"of_field": field})
    return {run_id: value for run_id, value in rows if value}


@cache
def _field_dates(kind: ValueType) -> Any:
    joined = (member_value.c.bucket == enrolment.c.bucket) & (member_value.c.member_id == enrolment.c.member_id)
    query = select(enrolment.c.id, VALUE_COLUMN[kind]).join(member_value, joined)
    return query.where(in_given_keys(enrolment), member_value.c.field == bindparam("of_field"))


def responses_since(
    connection: Connection, refs: Sequence[MemberRef], since: datetime
) -> dict[int, tuple[datetime, ...]]:
    """When each of these members took up a message, by member id."""
    found: dict[int, list[datetime]] = {}
    for member_id, at in connection.execute(_TAKEN_UP, given_refs(refs) | {"since": since}):
        found.setdefault(member_id, []).append(at)
    return {member_id: tuple(moments) for member_id, moments in found.items()}


_TAKEN_UP = select(event.c.member_id, event.c.at).where(
    in_given_keys(event, "member_id"), event.c.name.in_(TAKEN_UP), event.c.at > bindparam("since", type_=Instant())
)


# --- where they go ----------------------------------------------------------------------------------------------


def save(connection: Connection, moves: Iterable[Mapping[str, Any]]) -> None:
    """Write runs back: each row has bucket, id and the columns to set."""
    change_rows(connection, enrolment, moves)


def cancel_messages(
    connection: Connection, runs: Iterable[tuple[int, int]], why: str, *, only_follow_ups: bool
) -> None:
    """Take back what is not yet on the wire, for runs given as (bucket, enrolment id). Follow-ups are fallbacks; a
    first message queued by a run that came to its natural end still goes out."""
    wanted = list(runs)
    if wanted:
        first_hop = 1 if only_follow_ups else 0
        connection.execute(_CANCELLED, given_keys(wanted) | {"first_hop": first_hop, "why": why})


_CANCELLED = (
    update(delivery)
    .where(
        in_given_keys(delivery, "enrolment_id"),
        delivery.c.status.in_([Status.PENDING, Status.CLAIMED]),
        delivery.c.hop >= bindparam("first_hop"),
    )
    .values(status=Status.CANCELLED, reason=bindparam("why"))
)
