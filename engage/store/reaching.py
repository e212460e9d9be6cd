"""How members can be reached: addresses and reply windows, what they consented to, and who is never written to."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Integer, bindparam, case, select, update

from engage.store.databases.database import upsert
from engage.store.members import MemberRef, claim_identities, given_refs
from engage.store.statements.keys import in_given_keys
from engage.store.statements.rows import put_rows
from engage.store.tables import Instant, consent, contact_point, suppression

PointRow = Mapping[str, Any]
"""A row of `contact_point`, by column name."""


def contact_points(connection: Connection, refs: Sequence[MemberRef]) -> dict[tuple[int, str], PointRow]:
    """By (member id, channel)."""
    rows = connection.execute(_POINTS, given_refs(refs)).mappings()
    return {(row["member_id"], row["channel"]): dict(row) for row in rows}


_POINTS = select(contact_point).where(in_given_keys(contact_point, "member_id"))


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


_P = contact_point.c
_THEN = bindparam("then", type_=Instant())
_THIS = update(contact_point).where(
    _P.bucket == bindparam("b"), _P.member_id == bindparam("m"), _P.channel == bindparam("c")
)
_CHANGED = _THIS.where(_P.status_at < bindparam("before", type_=Instant())).values(
    status=bindparam("is_now"), status_at=_THEN
)
_ACTED = _THIS.where(_P.last_inbound_at.is_(None) | (_P.last_inbound_at < _THEN)).values(last_inbound_at=_THEN)
_OPENED = _THIS.values(window_act=bindparam("act"), window_opened_at=_THEN, window_used=bindparam("used"))
_CLOSED = _THIS.where(_P.window_opened_at <= _THEN).values(window_act=None, window_opened_at=None, window_used=0)
_LEFT = _P.window_used + bindparam("count", type_=Integer())
_USED = (
    update(contact_point)
    .where(in_given_keys(contact_point, "member_id"), _P.channel == bindparam("c"))
    .values(window_used=case((_LEFT > 0, _LEFT), else_=0))
)


def _this(ref: MemberRef, channel: str) -> dict[str, Any]:
    return {"b": ref.bucket, "m": ref.id, "c": channel}


def change_status(connection: Connection, ref: MemberRef, channel: str, status: str, at: datetime) -> bool:
    """What is known of a contact point since `at`. False, and nothing done, if something newer is known: callbacks come
    late and out of order. Their times are whole seconds, so within one the later told counts."""
    told = {"is_now": status, "then": at, "before": at.replace(microsecond=0) + timedelta(seconds=1)}
    return connection.execute(_CHANGED, _this(ref, channel) | told).rowcount == 1


def note_inbound(connection: Connection, acts: Sequence[tuple[MemberRef, str, datetime]]) -> None:
    """Members did something on a channel then. An older act read late does not set the time back."""
    rows = [_this(ref, channel) | {"then": at} for ref, channel, at in sorted(acts)]
    if rows:
        connection.execute(_ACTED, rows)


NewWindow = tuple[MemberRef, str, str, datetime, int]
"""Whose, the channel, the act that opened it, when, and how many of its messages are used."""


def put_windows(connection: Connection, windows: Sequence[NewWindow]) -> None:
    """The reply windows that are in force there from now on."""
    rows = [
        _this(ref, channel) | {"act": act, "then": at, "used": used} for ref, channel, act, at, used in sorted(windows)
    ]
    if rows:
        connection.execute(_OPENED, rows)


def close_window(connection: Connection, ref: MemberRef, channel: str, at: datetime) -> None:
    """The reply window that was open at `at` is closed; one that was opened later stays."""
    connection.execute(_CLOSED, _this(ref, channel) | {"then": at})


def use_windows(connection: Connection, used: Sequence[tuple[MemberRef, str]], count: int) -> None:
    """Take so many messages from each of these reply windows, given by member and channel; negative: give them back."""
    alike: dict[tuple[str, int], list[MemberRef]] = defaultdict(list)
    for (ref, channel), times in Counter(used).items():
        alike[channel, times * count].append(ref)
    for (channel, more), refs in alike.items():
        connection.execute(_USED, given_refs(sorted(refs)) | {"c": channel, "count": more})


# --- consents ---------------------------------------------------------------------------------------------------


def consents(connection: Connection, refs: Sequence[MemberRef]) -> dict[tuple[int, str, str], bool]:
    """By (member id, topic, channel)."""
    rows = connection.execute(_CONSENTS, given_refs(refs))
    return {(member_id, topic, channel): granted for member_id, topic, channel, granted in rows}


_CONSENTS = select(consent.c.member_id, consent.c.topic, consent.c.channel, consent.c.granted).where(
    in_given_keys(consent, "member_id")
)
_OWN_REFUSALS = _CONSENTS.where(consent.c.own_word, ~consent.c.granted)


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
    refused = connection.execute(_OWN_REFUSALS, given_refs(refs))
    return {(member_id, topic, channel) for member_id, topic, channel, _ in refused}


# --- suppressions -----------------------------------------------------------------------------------------------


def suppressions(connection: Connection, addresses: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Why, by (channel, address)."""
    by_channel: dict[str, list[str]] = {}
    for channel, address in addresses:
        by_channel.setdefault(channel, []).append(address)
    return {
        (channel, address): reason
        for channel, of_channel in by_channel.items()
        for address, reason in connection.execute(_LISTED, {"of_channel": channel, "addresses": of_channel})
    }


_LISTED = select(suppression.c.address, suppression.c.reason).where(
    suppression.c.channel == bindparam("of_channel"),
    suppression.c.address.in_(bindparam("addresses", expanding=True)),
)
_SUPPRESSED = upsert(suppression).on_conflict_do_nothing()


def suppress(connection: Connection, channel: str, address: str, reason: str, now: datetime) -> None:
    row = {"channel": channel, "address": address, "reason": reason[:200], "at": now}
    connection.execute(_SUPPRESSED, row)
