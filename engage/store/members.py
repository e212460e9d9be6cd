"""Members: who they are, and what is known of them. (How they can be reached: `reaching`.)"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, String, bindparam, case, delete, func, select, update

from engage.core.catalog import Aggregate, Catalog, Computed
from engage.core.condition import ValueType
from engage.store.databases.database import upsert
from engage.store.databases.dialects import is_spread
from engage.store.statements.conditions import VALUE_COLUMN, aggregate_of
from engage.store.statements.ids import is_an_id, take_ids
from engage.store.statements.keys import given_keys, in_given_keys
from engage.store.statements.moments import Moments, Prepared, once_for_catalog
from engage.store.statements.rows import add_rows, change_rows, put_rows
from engage.store.tables import (
    Instant,
    anniversary,
    bucket_of,
    identity,
    member,
    member_value,
    tag,
)

MEMBER_KIND = "member"  # of `identity`: the shop's own id


class MemberRef(NamedTuple):
    bucket: int
    id: int


# --- finding and creating ---------------------------------------------------------------------------------------


def find(connection: Connection, kind: str, values: Iterable[str]) -> dict[str, MemberRef]:
    """Members by an outside name: the shop's id (kind "member"), or an address (kind: the channel)."""
    rows = connection.execute(_WHO_IS, {"of_kind": kind, "of_values": list(values)})
    return {value: MemberRef(bucket, member_id) for value, bucket, member_id in rows}


_WHO_IS = select(identity.c.value, identity.c.bucket, identity.c.member_id).where(
    identity.c.kind == bindparam("of_kind"), identity.c.value.in_(bindparam("of_values", expanding=True))
)


def create(connection: Connection, now: datetime, external_id: str | None, timezone: str | None) -> MemberRef:
    (ref,) = create_all(connection, now, [(external_id, timezone)])
    return ref


def create_all(
    connection: Connection, now: datetime, newcomers: Sequence[tuple[str | None, str | None]]
) -> list[MemberRef]:
    """New members, given as (the shop's id, zone); ids that are nobody's yet. In the order given."""
    if not newcomers:
        return []
    refs = [MemberRef(bucket_of(i), i) for i in take_ids(connection, "member", len(newcomers))]
    stamps = {"created_at": now, "updated_at": now}
    rows = [
        {"bucket": ref.bucket, "id": ref.id, "external_id": external_id, "timezone": timezone, **stamps}
        for ref, (external_id, timezone) in zip(refs, newcomers, strict=True)
    ]
    add_rows(connection, member, rows)
    named = {external_id: ref for ref, (external_id, _) in zip(refs, newcomers, strict=True) if external_id is not None}
    claim_identities(connection, MEMBER_KIND, named)
    return refs


def claim_identities(connection: Connection, kind: str, wanted: Mapping[str, MemberRef]) -> set[str]:
    """Make outside names lead to these members. Returns the names that lead to somebody else already."""
    if not wanted:
        return set()
    rows = [{"kind": kind, "value": v, "bucket": ref.bucket, "member_id": ref.id} for v, ref in wanted.items()]
    add_rows(connection, identity, rows, unless_there=True)
    return {value for value, ref in find(connection, kind, wanted).items() if ref != wanted[value]}


def name_member(connection: Connection, ref: MemberRef, external_id: str, now: datetime) -> None:
    """The shop's id becomes known for a member who came by a channel of their own."""
    claim_identities(connection, MEMBER_KIND, {external_id: ref})
    named = {"external_id": external_id, "updated_at": now}
    change_rows(connection, member, [{"bucket": ref.bucket, "id": ref.id, **named}])


def external_id_of(connection: Connection, ref: MemberRef) -> str | None:
    query = select(member.c.external_id).where(member.c.bucket == ref.bucket, member.c.id == ref.id)
    return connection.scalar(query)


def last_events(connection: Connection, refs: Iterable[MemberRef]) -> dict[int, int]:
    """The number of each member's last event on record, by member id."""
    given = list(refs)
    return {row.id: row.last_event for row in connection.execute(_LAST_EVENTS, given_refs(given))} if given else {}


_LAST_EVENTS = select(member.c.id, member.c.last_event).where(in_given_keys(member))


def name_of(connection: Connection, ref: MemberRef) -> str | None:
    return names_of(connection, [ref]).get(ref)


def names_of(connection: Connection, refs: Iterable[MemberRef]) -> dict[MemberRef, str]:
    """Of those who have one."""
    rows = connection.execute(_CALLED, given_refs(refs))
    return {MemberRef(bucket, i): name for bucket, i, name in rows if name is not None}


_CALLED = select(member_value.c.bucket, member_value.c.member_id, member_value.c.text_value).where(
    in_given_keys(member_value, "member_id"), member_value.c.field == "name"
)


def set_timezone(connection: Connection, refs: Sequence[MemberRef], timezone: str, now: datetime) -> None:
    connection.execute(_LIVE_IN, given_refs(refs) | {"zone": timezone, "now": now})


_NOW = bindparam("now", type_=Instant())
_ZONE = bindparam("zone", type_=String())
_MOVED_AT = case((member.c.timezone.is_distinct_from(_ZONE), _NOW), else_=member.c.timezone_at)
_OF_MEMBERS = update(member).where(in_given_keys(member))
_LIVE_IN = _OF_MEMBERS.values(timezone=_ZONE, timezone_at=_MOVED_AT, updated_at=_NOW)


def _named_zones() -> Any:
    """One look into the index for each."""
    first = select(func.min(member.c.timezone).label("timezone")).cte("zone", recursive=True)
    following = select(func.min(member.c.timezone)).where(member.c.timezone > first.c.timezone).scalar_subquery()
    zone = first.union_all(select(following).where(first.c.timezone.is_not(None)))
    return select(zone.c.timezone).where(zone.c.timezone.is_not(None))


# Asked for at every tick.
_NAMED_ZONES = _named_zones()
_SOME_WITHOUT_ZONE = select(member.c.id).where(member.c.timezone.is_(None)).limit(1)
_ZONES_MOVED_TO = (
    select(member.c.timezone)
    .where(member.c.timezone_at >= bindparam("since", type_=Instant()), member.c.timezone.is_not(None))
    .distinct()
    .order_by(member.c.timezone)
)


def timezones(connection: Connection) -> list[str | None]:
    """Those that members have, None being the business's own."""
    some = connection.scalar(_SOME_WITHOUT_ZONE)
    return [*([None] if some is not None else []), *connection.scalars(_NAMED_ZONES)]


def hold(connection: Connection, refs: Iterable[MemberRef]) -> None:
    """Nobody else sends to these, or records what they did, until this transaction ends: what has been sent to them is
    counted together. All in one order: two daemons never deadlock. On SQLite whoever writes is alone as it is; Citus
    locks within a bucket only, as with claims."""
    if is_spread(connection.dialect):
        for bucket, theirs in groupby(sorted(refs), attrgetter("bucket")):
            connection.execute(_HELD_IN_BUCKET, given_refs(theirs) | {"of_bucket": bucket})
    elif connection.dialect.name == "postgresql":
        connection.execute(_HELD, given_refs(refs))


_HELD = (
    select(member.c.id)
    .where(in_given_keys(member))
    .order_by(member.c.bucket, member.c.id)
    .with_for_update(key_share=True)
)
_HELD_IN_BUCKET = _HELD.where(member.c.bucket == bindparam("of_bucket"))


def zones(connection: Connection, refs: Iterable[MemberRef]) -> dict[int, str | None]:
    """By member id: the zone they live in; None: the business's own."""
    return {row.id: row.timezone for row in connection.execute(_ZONES, given_refs(refs))}


_ZONES = select(member.c.id, member.c.timezone).where(in_given_keys(member))


def zones_moved_to(connection: Connection, since: datetime) -> list[str]:
    """Zones that members who had another one, or none, have come to since then."""
    return list(connection.scalars(_ZONES_MOVED_TO, {"since": since}))


def lookup(connection: Connection, text: str) -> list[MemberRef]:
    """Members a person might mean by this: the shop's id, our own id, an address, or a name."""
    by_key = select(identity.c.bucket, identity.c.member_id).where(identity.c.value == text)
    named = select(member_value.c.bucket, member_value.c.member_id).where(
        member_value.c.field == "name", member_value.c.text_value == text
    )
    found = {MemberRef(*row) for query in (by_key, named) for row in connection.execute(query)}
    if not found and is_an_id(text):
        found = {
            MemberRef(*row)
            for row in connection.execute(select(member.c.bucket, member.c.id).where(member.c.id == int(text)))
        }
    return sorted(found)


def similar(connection: Connection, text: str, most: int) -> list[str]:
    """Names and outside ids on file that begin as this one does, for who has misspelt it. `most`: of each kind."""
    name = member_value.c.text_value
    named = select(name).where(member_value.c.field == "name", name.is_not(None))  # as its index has them
    names = connection.scalars(named.where(name.startswith(text[:1], autoescape=True)).limit(most))
    ids = select(identity.c.value).where(identity.c.kind == MEMBER_KIND)
    keys = connection.scalars(ids.where(identity.c.value.startswith(text[:-1], autoescape=True)).limit(most))
    return [*dict.fromkeys([*names, *keys])]


# --- what is known ----------------------------------------------------------------------------------------------


def set_values(
    connection: Connection, catalog: Catalog, told: Mapping[MemberRef, Mapping[str, Any]], now: datetime
) -> None:
    """Set catalog fields. A None takes the value away."""
    rows: dict[Any, list[Mapping[str, Any]]] = {anniversary: [], member_value: []}
    emptied: dict[tuple[Any, str], list[MemberRef]] = defaultdict(list)
    for ref, values in told.items():
        for name, value in values.items():
            kind = catalog.fields[name].type
            table = anniversary if kind is ValueType.ANNIVERSARY else member_value
            if value is None:
                emptied[table, name].append(ref)
            elif table is anniversary:
                rows[table].append({"bucket": ref.bucket, "member_id": ref.id, "field": name, **value})
            else:
                rows[table].append(value_row(ref, name, kind, value))
    for (table, name), refs in emptied.items():
        connection.execute(_EMPTIED[table], given_refs(refs) | {"of_field": name})
    for table, of_table in rows.items():
        put_rows(connection, table, of_table)
    if told:
        connection.execute(_TOUCHED, given_refs(told) | {"now": now})


_EMPTIED = {
    table: delete(table).where(in_given_keys(table, "member_id"), table.c.field == bindparam("of_field"))
    for table in (anniversary, member_value)
}
_TOUCHED = _OF_MEMBERS.values(updated_at=_NOW)


def value_row(ref: MemberRef, name: str, kind: ValueType, value: Any) -> dict[str, Any]:
    """A row of `member_value`; values as JSON gives them are turned into what the column holds."""
    columns = {column.name: None for column in VALUE_COLUMN.values()}
    columns[VALUE_COLUMN[kind].name] = _typed(kind, value)
    return {"bucket": ref.bucket, "member_id": ref.id, "field": name, **columns}


def _typed(kind: ValueType, value: Any) -> Any:
    match kind:
        case ValueType.NUMBER:
            return float(value)
        case ValueType.DATE:
            return value if isinstance(value, date) else date.fromisoformat(value)
        case ValueType.INSTANT:
            return value if isinstance(value, datetime) else datetime.fromisoformat(value)
        case _:
            return value


def _read(value: Any) -> Any:
    """Whole numbers read as whole numbers: “3 orders”, not “3.0 orders”."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def add_to_number(connection: Connection, ref: MemberRef, name: str, amount: float) -> None:
    """Nothing on file counts as 0."""
    connection.execute(_GROWN, value_row(ref, name, ValueType.NUMBER, amount))


_VALUE = upsert(member_value)
_GROWN = _VALUE.on_conflict_do_update(
    index_elements=list(member_value.primary_key),
    set_={"number_value": func.coalesce(member_value.c.number_value, 0) + _VALUE.excluded.number_value},
)


def add_tags(connection: Connection, told: Mapping[MemberRef, Iterable[str]], now: datetime) -> None:
    rows = [
        {"bucket": ref.bucket, "member_id": ref.id, "tag": name, "added_at": now}
        for ref, names in told.items()
        for name in names
    ]
    if rows:
        add_rows(connection, tag, rows, unless_there=True)


def remove_tags(connection: Connection, told: Mapping[MemberRef, Iterable[str]]) -> None:
    by_name: dict[str, list[MemberRef]] = defaultdict(list)
    for ref, names in told.items():
        for name in names:
            by_name[name].append(ref)
    for name, refs in by_name.items():
        connection.execute(_UNTAGGED, given_refs(refs) | {"of_tag": name})


_UNTAGGED = delete(tag).where(in_given_keys(tag, "member_id"), tag.c.tag == bindparam("of_tag"))


@dataclass(frozen=True, slots=True)
class Profile:
    """What templates may read of a member (without catalog defaults), and the zone they live in."""

    external_id: str | None
    timezone: str | None
    values: Mapping[str, Any]


def profiles(connection: Connection, catalog: Catalog, refs: Iterable[MemberRef], now: datetime) -> dict[int, Profile]:
    """By member id. Computed fields over a window are counted as of `now`."""
    wanted = given_refs(sorted(set(refs)))
    heads = {row.id: row for row in connection.execute(_HEADS, wanted)}
    values: dict[int, dict[str, Any]] = {member_id: {} for member_id in heads}
    for row in connection.execute(_VALUES, wanted).mappings():
        known = catalog.fields.get(row["field"])
        if known is not None and known.type in VALUE_COLUMN:
            values[row["member_id"]][row["field"]] = _read(row[VALUE_COLUMN[known.type].name])
    for name, computed in _counted(catalog):
        if computed.within is None:
            for known_values in values.values():
                known_values.setdefault(name, 0)
    names, amounts = _amounts(catalog)
    if names:
        for member_id, *found in amounts.execute(connection, now, **wanted):
            values[member_id] |= {name: _read(amount) for name, amount in zip(names, found, strict=True)}
    return {i: Profile(head.external_id, head.timezone, values[i]) for i, head in heads.items()}


_HEADS = select(member).where(in_given_keys(member))
_VALUES = select(member_value).where(in_given_keys(member_value, "member_id"))


@once_for_catalog
def _amounts(catalog: Catalog) -> tuple[tuple[str, ...], Prepared]:
    """The computed fields that look back over a window, and the query that counts them."""
    moments = Moments(catalog.timezone)
    looking_back = {name: computed for name, computed in _counted(catalog) if computed.within is not None}
    amounts = [aggregate_of(name, computed, moments).scalar_subquery() for name, computed in looking_back.items()]
    return tuple(looking_back), Prepared(select(member.c.id, *amounts).where(in_given_keys(member)), moments)


def _counted(catalog: Catalog) -> list[tuple[str, Computed]]:
    """Computed fields that have a value even where nothing is kept: counts, sums, and whatever has a window."""
    computed = ((name, field.computed) for name, field in catalog.fields.items())
    totals = (Aggregate.COUNT, Aggregate.SUM)
    return [(name, c) for name, c in computed if c is not None and (c.within or c.aggregate in totals)]


def given_refs(refs: Iterable[MemberRef]) -> dict[str, str]:
    """What a statement with `in_given_keys` is executed with."""
    return given_keys((ref.bucket, ref.id) for ref in refs)
