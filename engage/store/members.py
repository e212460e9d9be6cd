"""Members: who they are, what is known of them, and how they can be reached."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, case, delete, func, insert, literal, or_, select, update

from engage.core.catalog import Aggregate, Catalog, Computed
from engage.core.condition import ValueType
from engage.store.conditions import VALUE_COLUMN, aggregate_of
from engage.store.database import take_ids, upsert
from engage.store.dialects import is_one_of
from engage.store.tables import (
    Instant,
    anniversary,
    bucket_of,
    consent,
    contact_point,
    identity,
    member,
    member_value,
    suppression,
    tag,
)

MEMBER_KIND = "member"  # of `identity`: the shop's own id


@dataclass(frozen=True, slots=True, order=True)
class MemberRef:
    bucket: int
    id: int


# --- finding and creating ---------------------------------------------------------------------------------------


def find(connection: Connection, kind: str, values: Iterable[str]) -> dict[str, MemberRef]:
    """Members by an outside name: the shop's id (kind "member"), or an address (kind: the channel)."""
    query = select(identity.c.value, identity.c.bucket, identity.c.member_id)
    rows = connection.execute(query.where(identity.c.kind == kind, identity.c.value.in_(list(values))))
    return {value: MemberRef(bucket, member_id) for value, bucket, member_id in rows}


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
    connection.execute(insert(member), rows)
    named = {external_id: ref for ref, (external_id, _) in zip(refs, newcomers, strict=True) if external_id is not None}
    claim_identities(connection, MEMBER_KIND, named)
    return refs


def claim_identities(connection: Connection, kind: str, wanted: Mapping[str, MemberRef]) -> set[str]:
    """Make outside names lead to these members. Returns the names that lead to somebody else already."""
    if not wanted:
        return set()
    rows = [{"kind": kind, "value": v, "bucket": ref.bucket, "member_id": ref.id} for v, ref in wanted.items()]
    connection.execute(upsert(identity).on_conflict_do_nothing(), rows)
    return {value for value, ref in find(connection, kind, wanted).items() if ref != wanted[value]}


def name_member(connection: Connection, ref: MemberRef, external_id: str, now: datetime) -> None:
    """The shop's id becomes known for a member who came by a channel of their own."""
    claim_identities(connection, MEMBER_KIND, {external_id: ref})
    here = (member.c.bucket == ref.bucket) & (member.c.id == ref.id)
    connection.execute(update(member).where(here).values(external_id=external_id, updated_at=now))


def external_id_of(connection: Connection, ref: MemberRef) -> str | None:
    query = select(member.c.external_id).where(member.c.bucket == ref.bucket, member.c.id == ref.id)
    return connection.scalar(query)


def name_of(connection: Connection, ref: MemberRef) -> str | None:
    v = member_value.c
    here = (v.bucket == ref.bucket) & (v.member_id == ref.id) & (v.field == "name")
    return connection.scalar(select(v.text_value).where(here))


def set_timezone(connection: Connection, refs: Sequence[MemberRef], timezone: str, now: datetime) -> None:
    moves = member.c.timezone.is_distinct_from(timezone)
    moved = {"timezone": timezone, "timezone_at": case((moves, literal(now, Instant())), else_=member.c.timezone_at)}
    here = in_refs(member, refs, "id")
    connection.execute(update(member).where(here).values(moved | {"updated_at": now}))


def _named_zones() -> Any:
    """One look into the index for each."""
    first = select(func.min(member.c.timezone).label("timezone")).cte("zone", recursive=True)
    following = select(func.min(member.c.timezone)).where(member.c.timezone > first.c.timezone).scalar_subquery()
    zone = first.union_all(select(following).where(first.c.timezone.is_not(None)))
    return select(zone.c.timezone).where(zone.c.timezone.is_not(None))


# Asked for at every tick.
_NAMED_ZONES = _named_zones()
_SOME_WITHOUT_ZONE = select(member.c.id).where(member.c.timezone.is_(None)).limit(1)


def timezones(connection: Connection) -> list[str | None]:
    """Those that members have, None being the business's own."""
    some = connection.scalar(_SOME_WITHOUT_ZONE)
    return [*([None] if some is not None else []), *connection.scalars(_NAMED_ZONES)]


def zones_moved_to(connection: Connection, since: datetime) -> list[str]:
    """Zones that members who had another one, or none, have come to since then."""
    moved = select(member.c.timezone).where(member.c.timezone_at >= since, member.c.timezone.is_not(None))
    return list(connection.scalars(moved.distinct().order_by(member.c.timezone)))


def lookup(connection: Connection, text: str) -> list[MemberRef]:
    """Members a person might mean by this: the shop's id, our own id, an address, or a name."""
    by_key = select(identity.c.bucket, identity.c.member_id).where(identity.c.value == text)
    named = select(member_value.c.bucket, member_value.c.member_id).where(
        member_value.c.field == "name", member_value.c.text_value == text
    )
    found = {MemberRef(*row) for query in (by_key, named) for row in connection.execute(query)}
    if not found and text.isdecimal():
        found = {
            MemberRef(*row)
            for row in connection.execute(select(member.c.bucket, member.c.id).where(member.c.id == int(text)))
        }
    return sorted(found)


def similar(connection: Connection, text: str, most: int) -> list[str]:
    """Names and outside ids on file that begin as this one does, for who has misspelt it. `most`: of each kind."""
    named = select(member_value.c.text_value).where(member_value.c.field == "name")
    names = connection.scalars(named.where(member_value.c.text_value.startswith(text[:1], autoescape=True)).limit(most))
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
        connection.execute(delete(table).where(in_refs(table, refs), table.c.field == name))
    for table, of_table in rows.items():
        put_rows(connection, table, of_table)
    if told:
        connection.execute(update(member).where(in_refs(member, told, "id")).values(updated_at=now))


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


def put_rows(connection: Connection, table: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert or replace by primary key. All rows have the same columns."""
    if rows:
        connection.execute(_replacing(table, tuple(rows[0])), [dict(row) for row in rows])


@cache
def _replacing(table: Any, names: tuple[str, ...]) -> Any:
    """The statement for rows of these columns. Kept: an import asks for the same few a hundred thousand times."""
    keys = [column.name for column in table.primary_key]
    statement = upsert(table)
    changes = {name: statement.excluded[name] for name in names if name not in keys}
    if not changes:
        return statement.on_conflict_do_nothing()
    return statement.on_conflict_do_update(index_elements=keys, set_=changes)


def add_to_number(connection: Connection, ref: MemberRef, name: str, amount: float) -> None:
    """Nothing on file counts as 0."""
    row = value_row(ref, name, ValueType.NUMBER, amount)
    statement = upsert(member_value).values(row)
    grown = func.coalesce(member_value.c.number_value, 0) + statement.excluded.number_value
    keys = [column.name for column in member_value.primary_key]
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_={"number_value": grown}))


def add_tags(connection: Connection, told: Mapping[MemberRef, Iterable[str]], now: datetime) -> None:
    rows = [
        {"bucket": ref.bucket, "member_id": ref.id, "tag": name, "added_at": now}
        for ref, names in told.items()
        for name in names
    ]
    if rows:
        connection.execute(upsert(tag).on_conflict_do_nothing(), rows)


def remove_tags(connection: Connection, told: Mapping[MemberRef, Iterable[str]]) -> None:
    by_name: dict[str, list[MemberRef]] = defaultdict(list)
    for ref, names in told.items():
        for name in names:
            by_name[name].append(ref)
    for name, refs in by_name.items():
        connection.execute(delete(tag).where(in_refs(tag, refs), tag.c.tag == name))


@dataclass(frozen=True, slots=True)
class Profile:
    """What templates may read of a member (without catalog defaults), and the zone they live in."""

    external_id: str | None
    timezone: str | None
    values: Mapping[str, Any]


def profiles(connection: Connection, catalog: Catalog, refs: Iterable[MemberRef], now: datetime) -> dict[int, Profile]:
    """By member id. Computed fields over a window are counted as of `now`."""
    wanted = sorted(set(refs))
    owned = in_refs(member, wanted, "id")
    heads = {row.id: row for row in connection.execute(select(member).where(owned))}
    values: dict[int, dict[str, Any]] = {member_id: {} for member_id in heads}
    for row in connection.execute(select(member_value).where(in_refs(member_value, wanted))).mappings():
        known = catalog.fields.get(row["field"])
        if known is not None and known.type in VALUE_COLUMN:
            values[row["member_id"]][row["field"]] = _read(row[VALUE_COLUMN[known.type].name])
    amounts = {}
    for name, computed in _counted(catalog):
        if computed.within is not None:
            amounts[name] = aggregate_of(name, computed, now).scalar_subquery()
        else:
            for known_values in values.values():
                known_values.setdefault(name, 0)
    if amounts:
        for member_id, *found in connection.execute(select(member.c.id, *amounts.values()).where(owned)):
            values[member_id] |= {name: _read(amount) for name, amount in zip(amounts, found, strict=True)}
    return {i: Profile(head.external_id, head.timezone, values[i]) for i, head in heads.items()}


def _counted(catalog: Catalog) -> list[tuple[str, Computed]]:
    """Computed fields that have a value even where nothing is kept: counts, sums, and whatever has a window."""
    computed = ((name, field.computed) for name, field in catalog.fields.items())
    totals = (Aggregate.COUNT, Aggregate.SUM)
    return [(name, c) for name, c in computed if c is not None and (c.within or c.aggregate in totals)]


def in_refs(table: Any, refs: Iterable[MemberRef], column: str = "member_id") -> Any:
    """Rows of these members, by (bucket, id) in the primary key. The buckets are spelt out as well: see `tables`."""
    pairs = [(ref.bucket, ref.id) for ref in refs]
    buckets = sorted({bucket for bucket, _ in pairs})
    return table.c.bucket.in_(buckets) & is_one_of(table.c.bucket, table.c[column], pairs)


# --- reaching them ----------------------------------------------------------------------------------------------


PointRow = Mapping[str, Any]
"""A row of `contact_point`, by column name."""


def contact_points(connection: Connection, refs: Sequence[MemberRef]) -> dict[tuple[int, str], PointRow]:
    """By (member id, channel)."""
    rows = connection.execute(select(contact_point).where(in_refs(contact_point, refs))).mappings()
    return {(row["member_id"], row["channel"]): dict(row) for row in rows}


def put_contact_point(connection: Connection, ref: MemberRef, channel: str, address: str, at: datetime) -> bool:
    """Give a member an address on a channel. False, and nothing done, if it is somebody else's."""
    return not put_contact_points(connection, [(ref, channel, address, at)])


NewPoint = tuple[MemberRef, str, str, datetime]
"""Whose, the channel, the address, and since when."""


def put_contact_points(connection: Connection, points: Sequence[NewPoint]) -> list[NewPoint]:
    """Give members addresses, one of each channel at most. Returns those that are somebody else's, which stay theirs. A
    new address starts afresh; the same one keeps its status and its reply window."""
    if not points:
        return []
    current = contact_points(connection, sorted({ref for ref, *_ in points}))
    on_file = {key: point["address"] for key, point in current.items()}
    news = [point for point in points if on_file.get((point[0].id, point[1])) != point[2]]
    taken = {
        (channel, address)
        for channel in sorted({channel for _, channel, _, _ in news})
        for address in claim_identities(connection, channel, {a: ref for ref, c, a, _ in news if c == channel})
    }
    fresh = {"last_inbound_at": None, "window_act": None, "window_opened_at": None, "window_used": 0}
    rows = [
        {"bucket": ref.bucket, "member_id": ref.id, "channel": channel, "address": address}
        | {"status": "active", "status_at": at, **fresh}
        for ref, channel, address, at in news
        if (channel, address) not in taken
    ]
    put_rows(connection, contact_point, rows)
    return [point for point in news if (point[1], point[2]) in taken]


def change_contact_point(connection: Connection, ref: MemberRef, channel: str, **values: Any) -> None:
    connection.execute(_change(ref, channel).values(**values))


def _change(ref: MemberRef, channel: str) -> Any:
    here = (contact_point.c.bucket == ref.bucket) & (contact_point.c.member_id == ref.id)
    return update(contact_point).where(here, contact_point.c.channel == channel)


def change_status(connection: Connection, ref: MemberRef, channel: str, status: str, at: datetime) -> bool:
    """What is known of a contact point since `at`. False, and nothing done, if something newer is known: callbacks come
    late and out of order. Their times are whole seconds, so within one the later told counts."""
    values = {"status": status, "status_at": at}
    known_before = contact_point.c.status_at < at.replace(microsecond=0) + timedelta(seconds=1)
    return connection.execute(_change(ref, channel).where(known_before).values(**values)).rowcount == 1


def note_inbound(connection: Connection, ref: MemberRef, channel: str, at: datetime) -> None:
    """The member did something there. An older act read late does not set the time back."""
    last = contact_point.c.last_inbound_at
    connection.execute(_change(ref, channel).where(last.is_(None) | (last < at)).values(last_inbound_at=at))


def close_window(connection: Connection, ref: MemberRef, channel: str, at: datetime) -> None:
    """The reply window that was open at `at` is closed; one that was opened later stays."""
    closed = {"window_act": None, "window_opened_at": None, "window_used": 0}
    connection.execute(_change(ref, channel).where(contact_point.c.window_opened_at <= at).values(**closed))


def use_window(connection: Connection, ref: MemberRef, channel: str, count: int) -> None:
    """Take messages from the reply window (negative: give them back)."""
    used = contact_point.c.window_used + count
    change_contact_point(connection, ref, channel, window_used=case((used > 0, used), else_=0))


def consents(connection: Connection, refs: Sequence[MemberRef]) -> dict[tuple[int, str, str], bool]:
    """By (member id, topic, channel)."""
    columns = (consent.c.member_id, consent.c.topic, consent.c.channel, consent.c.granted)
    rows = connection.execute(select(*columns).where(in_refs(consent, refs)))
    return {(member_id, topic, channel): granted for member_id, topic, channel, granted in rows}


def put_consent(
    connection: Connection,
    ref: MemberRef,
    topics: Iterable[str],
    channel: str,
    granted: bool,
    evidence: str,
    now: datetime,
    *,
    own_word: bool,
) -> None:
    """Record a grant or a refusal of these topics on one channel."""
    told = {(topic, channel): granted for topic in topics}
    put_consents(connection, {ref: Consents(told, evidence)}, now, own_word=own_word)


@dataclass(frozen=True, slots=True)
class Consents:
    """Grants and refusals, by (topic, channel), and where they come from."""

    told: Mapping[tuple[str, str], bool]
    evidence: str


def put_consents(connection: Connection, told: Mapping[MemberRef, Consents], now: datetime, *, own_word: bool) -> None:
    """What a member refused themselves, only they can grant again: no list of the shop's touches it, so that one that
    says no today and yes tomorrow does not either."""
    refs = sorted(ref for ref, consents in told.items() if consents.told)
    kept = set() if own_word or not refs else _own_refusals(connection, refs)
    rows = [
        {"bucket": ref.bucket, "member_id": ref.id, "topic": topic, "channel": channel, "granted": granted}
        | {"own_word": own_word, "evidence": told[ref].evidence[:500], "at": now}
        for ref in refs
        for (topic, channel), granted in told[ref].told.items()
        if (ref.id, topic, channel) not in kept
    ]
    put_rows(connection, consent, rows)


def _own_refusals(connection: Connection, refs: Sequence[MemberRef]) -> set[tuple[int, str, str]]:
    query = select(consent.c.member_id, consent.c.topic, consent.c.channel)
    refused = query.where(in_refs(consent, refs), consent.c.own_word, ~consent.c.granted)
    return {(member_id, topic, channel) for member_id, topic, channel in connection.execute(refused)}


def suppressions(connection: Connection, addresses: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Why, by (channel, address)."""
    wanted = list(addresses)
    if not wanted:
        return {}
    by_channel: dict[str, list[str]] = {}
    for channel, address in wanted:
        by_channel.setdefault(channel, []).append(address)
    listed = or_(*((suppression.c.channel == c) & suppression.c.address.in_(a) for c, a in by_channel.items()))
    rows = connection.execute(select(suppression.c.channel, suppression.c.address, suppression.c.reason).where(listed))
    return {(channel, address): reason for channel, address, reason in rows}


def suppress(connection: Connection, channel: str, address: str, reason: str, now: datetime) -> None:
    row = {"channel": channel, "address": address, "reason": reason[:200], "at": now}
    connection.execute(upsert(suppression).values(row).on_conflict_do_nothing())
