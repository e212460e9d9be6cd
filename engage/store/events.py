"""Events: recorded once, and the computed fields that follow them kept up to date in the same transaction."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, assert_never

from sqlalchemy import BigInteger, Connection, Integer, Select, bindparam, delete, insert, literal, select, update

from engage.core.catalog import Aggregate, Catalog, Computed
from engage.core.coerce import added, number_in_json
from engage.core.condition import ValueType
from engage.store.members import MemberRef, given_refs, hold, value_row
from engage.store.statements.conditions import VALUE_COLUMN, value_of_events
from engage.store.statements.ids import take_ids
from engage.store.statements.keys import given_keys, in_given_keys
from engage.store.statements.rows import add_rows, put_rows
from engage.store.tables import event, member, member_value


@dataclass(frozen=True, slots=True)
class NewEvent:
    """One thing that happened to a member. A response also names the delivery and the step it answers."""

    member: MemberRef
    name: str
    at: datetime
    key: str  # the same fact told twice has the same key
    payload: Mapping[str, Any]
    inbound_id: int | None = None
    channel: str | None = None
    delivery_id: int | None = None
    enrolment_id: int | None = None
    journey_id: str | None = None
    step_id: str | None = None


def record(connection: Connection, catalog: Catalog, events: Sequence[NewEvent], now: datetime) -> list[NewEvent]:
    """Store what is new, once, and bring computed fields up to date. Returns what was new."""
    numbers = _take_numbers(connection, events)  # first: whoever tells the same at this moment waits here
    fresh = _unknown(connection, events)
    if fresh:
        _insert(connection, fresh, numbers, now, fresh=True)
        _update_computed(connection, catalog, fresh)
    return fresh


def remember(connection: Connection, events: Sequence[NewEvent], now: datetime) -> None:
    """Store the past of members who are new here, each event once. It is news to nobody; computed fields are to be
    counted when all of it is there, see `recount_all`."""
    if events:
        _insert(connection, events, _take_numbers(connection, events), now, fresh=False)


@dataclass(frozen=True, slots=True)
class FreshEvent:
    """An event the enrol loop has not looked at."""

    id: int
    number: int
    member: MemberRef
    name: str
    at: datetime
    recorded_at: datetime
    payload: Mapping[str, Any]


def fresh_events(
    connection: Connection, limit: int, besides: Collection[str] = (), but: Collection[int] = ()
) -> list[FreshEvent]:
    """The first by id, and more than `limit` only where one of them would be looked at before an earlier one of its
    member: each member's come in the order of their numbers. `besides`: names of events that are left where they are;
    `but`: the ids of single ones that are."""
    statement = _FRESH.where(event.c.name.not_in(besides)) if besides else _FRESH
    statement = statement.where(event.c.id.not_in(but)) if but else statement
    found = [_fresh_event(row) for row in connection.execute(statement, {"most": limit, "after": -1})]
    if len(found) == limit:
        ahead = _told_before(connection, found)
        found += [each for each in ahead if each.name not in besides and each.id not in but]
    return _in_order(found)


def _told_before(connection: Connection, found: Sequence[FreshEvent]) -> list[FreshEvent]:
    """Processes take ids by blocks, so that a later event of a member may have the smaller one."""
    latest: dict[MemberRef, int] = {}
    for each in found:
        latest[each.member] = max(each.number, latest.get(each.member, 0))
    given = given_refs(latest) | {"most": _LOOKED_AHEAD, "after": found[-1].id}
    ahead = (_fresh_event(row) for row in connection.execute(_FRESH_OF_THESE, given))
    return [each for each in ahead if each.number < latest[each.member]]


def _in_order(found: Sequence[FreshEvent]) -> list[FreshEvent]:
    """Members keep their places among each other."""
    of_member: dict[MemberRef, list[FreshEvent]] = defaultdict(list)
    for each in found:
        of_member[each.member].append(each)
    nexts = {ref: iter(sorted(theirs, key=lambda each: each.number)) for ref, theirs in of_member.items()}
    return [next(nexts[each.member]) for each in found]


def _fresh_event(row: Any) -> FreshEvent:
    ref = MemberRef(row.bucket, row.member_id)
    return FreshEvent(row.id, row.number, ref, row.name, row.at, row.recorded_at, row.payload)


_LOOKED_AHEAD = 5_000  # by id: several blocks of them
_OF_FRESH = ("id", "number", "bucket", "member_id", "name", "at", "recorded_at", "payload")
_FRESH = (
    select(*(event.c[name] for name in _OF_FRESH))
    .where(event.c.fresh, event.c.id > bindparam("after", type_=BigInteger()))
    .order_by(event.c.id)
    .limit(bindparam("most", type_=Integer()))
)
_AHEAD = _FRESH.subquery()
_FRESH_OF_THESE = select(_AHEAD).where(in_given_keys(_AHEAD, "member_id")).order_by(_AHEAD.c.id)
_ANY_FRESH = select(event.c.id).where(event.c.fresh).order_by(event.c.id).limit(1)


def any_fresh(connection: Connection) -> bool:
    return connection.scalar(_ANY_FRESH) is not None


def still_fresh(connection: Connection, event: FreshEvent) -> list[FreshEvent]:
    """Nothing if another process has looked at it meanwhile."""
    key = {"of_bucket": event.member.bucket, "of_id": event.id}
    return [event] if connection.scalar(_STILL_FRESH, key) is not None else []


def fresh_of(connection: Connection, refs: Collection[MemberRef]) -> list[FreshEvent]:
    """Of these members alone."""
    return [_fresh_event(row) for row in connection.execute(_FRESH_OF, given_refs(refs))] if refs else []


def mark_seen(connection: Connection, events: Sequence[FreshEvent]) -> None:
    connection.execute(_SEEN, given_keys((e.member.bucket, e.id) for e in events))


_STILL_FRESH = select(event.c.id).where(
    event.c.bucket == bindparam("of_bucket"), event.c.id == bindparam("of_id"), event.c.fresh
)
_FRESH_OF = select(*(event.c[name] for name in _OF_FRESH)).where(event.c.fresh, in_given_keys(event, "member_id"))
_SEEN = update(event).where(in_given_keys(event)).values(fresh=False)


# --- recording --------------------------------------------------------------------------------------------------


def _take_numbers(connection: Connection, events: Sequence[NewEvent]) -> dict[MemberRef, Iterator[int]]:
    """Each member's next numbers, as many as there are events.

    Taking them locks the member's row until the transaction ends. So a member's events are numbered in the order in
    which they are committed, whatever other processes do: what a run has not seen yet has a greater number than all it
    has seen. (An id or a moment says nothing of the kind: who takes it first may commit last.)
    """
    counts = Counter(new.member for new in events)
    hold(connection, counts)
    numbers: dict[MemberRef, Iterator[int]] = {}
    for count in set(counts.values()):
        refs = (ref for ref, n in counts.items() if n == count)
        for bucket, member_id, last in connection.execute(_NUMBERED, given_refs(refs) | {"more": count}):
            numbers[MemberRef(bucket, member_id)] = iter(range(last - count + 1, last + 1))
    return numbers


_NUMBERED = (
    update(member)
    .where(in_given_keys(member))
    .values(last_event=member.c.last_event + bindparam("more", type_=BigInteger()))
    .returning(member.c.bucket, member.c.id, member.c.last_event)
)


def _unknown(connection: Connection, events: Sequence[NewEvent]) -> list[NewEvent]:
    """Without those stored before, and without repeats among themselves."""
    told = given_keys((e.member.bucket, e.key) for e in events)
    known = {(bucket, key) for bucket, key in connection.execute(_KNOWN, told)}
    fresh = []
    for new in events:
        if (new.member.bucket, new.key) not in known:
            known.add((new.member.bucket, new.key))
            fresh.append(new)
    return fresh


_KNOWN = select(event.c.bucket, event.c.dedupe_key).where(in_given_keys(event, "dedupe_key"))


def _insert(
    connection: Connection,
    events: Sequence[NewEvent],
    numbers: Mapping[MemberRef, Iterator[int]],
    now: datetime,
    *,
    fresh: bool,
) -> None:
    ids = take_ids(connection, "event", len(events))
    rows = [_row(new, i, next(numbers[new.member]), now, fresh) for new, i in zip(events, ids, strict=True)]
    add_rows(connection, event, rows)


def _row(new: NewEvent, event_id: int, number: int, now: datetime, fresh: bool) -> dict[str, Any]:
    return {
        "bucket": new.member.bucket,
        "id": event_id,
        "number": number,
        "member_id": new.member.id,
        "name": new.name,
        "at": new.at,
        "payload": dict(new.payload),
        "dedupe_key": new.key,
        "recorded_at": now,
        "fresh": fresh,
        "inbound_id": new.inbound_id,
        "channel": new.channel,
        "delivery_id": new.delivery_id,
        "enrolment_id": new.enrolment_id,
        "journey_id": new.journey_id,
        "step_id": new.step_id,
    }


# --- computed fields --------------------------------------------------------------------------------------------


def _update_computed(connection: Connection, catalog: Catalog, events: Sequence[NewEvent]) -> None:
    """Fields over a window are counted when they are read; the others are kept here, a batch at a time."""
    for name, field in catalog.fields.items():
        computed = field.computed
        if computed is None or computed.within is not None:
            continue
        counted = [new for new in events if new.name in computed.events]
        if counted:
            _keep(connection, name, field.type, computed, counted)


def _keep(connection: Connection, name: str, kind: ValueType, computed: Computed, events: Sequence[NewEvent]) -> None:
    refs = {new.member.id: new.member for new in events}
    kept = connection.execute(_kept(kind), given_refs(refs.values()) | {"of_field": name})
    values = {row.member_id: row[1] for row in kept}
    for new in events:
        values[new.member.id] = _with(computed, values.get(new.member.id), new)
    put_rows(
        connection,
        member_value,
        [value_row(ref, name, kind, values[i]) for i, ref in refs.items() if values[i] is not None],
    )


@cache
def _kept(kind: ValueType) -> Select[tuple[int, Any]]:
    owned = in_given_keys(member_value, "member_id") & (member_value.c.field == bindparam("of_field"))
    return select(member_value.c.member_id, VALUE_COLUMN[kind]).where(owned)


def recount_all(connection: Connection, catalog: Catalog) -> None:
    for name, field in catalog.fields.items():
        if field.computed is not None:
            recount(connection, catalog, name)


def recount(connection: Connection, catalog: Catalog, name: str) -> None:
    """Count a computed field anew from all that is on record: for one that is new, or means something else now. One
    statement, whatever the number of members."""
    field = catalog.fields[name]
    every_bucket = member_value.c.bucket.between(0, 255)
    for value in VALUE_COLUMN.values():  # it may have been of another type; each has an index of its own
        here = (member_value.c.field == name) & value.is_not(None)
        connection.execute(delete(member_value).where(every_bucket, here))
    computed = field.computed
    if computed is None or computed.within is not None:
        return
    amount = value_of_events(computed).label("amount")
    counted = select(event.c.bucket, event.c.member_id, literal(name), amount).where(event.c.name.in_(computed.events))
    columns = (member_value.c.bucket, member_value.c.member_id, member_value.c.field, VALUE_COLUMN[field.type])
    by_member = counted.group_by(event.c.bucket, event.c.member_id)
    connection.execute(insert(member_value).from_select(columns, by_member))


def _with(computed: Computed, value: Any, new: NewEvent) -> Any:
    match computed.aggregate:
        case Aggregate.COUNT:
            return (value or 0) + 1
        case Aggregate.SUM:
            # What cannot be read as a number adds nothing; the API and imports refuse such payloads long before.
            return added(value or 0, number_in_json(new.payload.get(computed.key or "")) or 0)
        case Aggregate.FIRST:
            return min(value or new.at, new.at)
        case Aggregate.LAST:
            return max(value or new.at, new.at)
        case _:
            assert_never(computed.aggregate)
