"""Queries of the dispatch loop: the outbox, and each move of the send protocol as one statement or one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, case, func, or_, select, update

from engage.core.delivery import LEASE, REPEAT_PAUSE, Recorded, Status
from engage.core.turn import Purpose
from engage.store import lanes
from engage.store.members import MemberRef
from engage.store.statements.claims import Claim
from engage.store.statements.ids import take_ids
from engage.store.statements.keys import given_keys, in_given_keys
from engage.store.statements.rows import add_rows, change_rows
from engage.store.tables import IS_IN_HAND, Instant, delivery, enrolment

D = delivery.c
_NOW = bindparam("now", type_=Instant())


class NewMessage(NamedTuple):
    """A message to queue. The same key and hop are queued once."""

    member: MemberRef
    key: str
    purpose: Purpose
    topic: str
    priority: int
    template: str
    due_at: datetime
    hop: int = 0
    late_at: datetime | None = None
    enrolment_id: int | None = None
    journey_id: str | None = None
    version: int | None = None
    pinned_version: int | None = None
    step_id: str | None = None
    visit: int | None = None
    channel: str | None = None  # a reply goes where the member wrote; else chosen when it is sent
    repeats_left: int = 0  # of an ambiguous one, where its step asks for that


def queue(connection: Connection, messages: Sequence[NewMessage], now: datetime) -> None:
    if not messages:
        return
    ids = take_ids(connection, "delivery", len(messages))
    rows = [_row(message, delivery_id, now) for message, delivery_id in zip(messages, ids, strict=True)]
    add_rows(connection, delivery, rows, unless_there=True)


def _row(message: NewMessage, delivery_id: int, now: datetime) -> dict[str, Any]:
    return {
        "bucket": message.member.bucket,
        "id": delivery_id,
        "member_id": message.member.id,
        "message_key": message.key,
        "hop": message.hop,
        "purpose": message.purpose,
        "enrolment_id": message.enrolment_id,
        "journey_id": message.journey_id,
        "version": message.version,
        "pinned_version": message.pinned_version,
        "step_id": message.step_id,
        "visit": message.visit,
        "topic": message.topic,
        "priority": message.priority,
        "template": message.template,
        "status": Status.PENDING,
        "queued_at": now,
        "due_at": message.due_at,
        "late_at": message.late_at,
        "channel": message.channel,
        "repeats_left": message.repeats_left,
    }


# --- claim ------------------------------------------------------------------------------------------------------


class Claimed(NamedTuple):
    """A delivery this process holds until its lease ends. `repeat`: ambiguous, to be sent again with the same bytes;
    `repeat_until` is set if the provider still knows the first call's key."""

    id: int
    member: MemberRef
    key: str
    hop: int
    purpose: Purpose
    topic: str
    priority: int
    template: str
    queued_at: datetime
    due_at: datetime  # when it was to go out, however late that is looked at
    late_at: datetime | None
    enrolment_id: int | None
    journey_id: str | None
    pinned_version: int | None  # the version its run is to finish in
    step_id: str | None
    visit: int | None
    channel: str | None
    fence: int
    attempts: int
    repeat: bool
    address: str | None
    mode: str | None
    payload: Mapping[str, Any] | None
    text: str | None
    segments: int | None
    cost: float | None
    repeat_until: datetime | None
    repeats_left: int
    first_sent_at: datetime | None

    @property
    def unsheltered(self) -> bool:
        """A repeat that only the step has asked for: the member may read the message twice."""
        return self.repeat and self.repeat_until is None

    @property
    def repeats_left_then(self) -> int:
        """Once this attempt has been made."""
        return self.repeats_left - 1 if self.unsheltered else self.repeats_left


def claim(
    connection: Connection, now: datetime, limit: int, full: Collection[str] = (), besides: Collection[str | None] = ()
) -> list[Claimed]:
    """Take what is due: fence + 1, lease. Whoever held it before can no longer write."""
    claimed = due(connection, now, limit, full, besides)
    _hold(connection, [c for c in claimed if not c.repeat], now, status=Status.CLAIMED)
    _hold(connection, [c for c in claimed if c.repeat], now, status=Status.AMBIGUOUS)
    return claimed


def due(
    connection: Connection, now: datetime, limit: int, full: Collection[str] = (), besides: Collection[str | None] = ()
) -> list[Claimed]:
    """What `claim` would take, the most important first, as it would be held. Nothing is written. What was put back
    for a channel that is still `full` stays where it is: a slow provider must not starve the others. So does what is of
    the journeys `besides`; None: of none."""
    return [held(row, now) for row in lanes.take_due(connection, now, limit, full, besides)]


def foreseen(message: NewMessage, now: datetime) -> Claimed:
    """A message that is not in the outbox yet, as it would be held."""
    blank = dict.fromkeys(column.name for column in delivery.columns) | {"fence": 0, "attempts": 0}
    return held(SimpleNamespace(**(blank | _row(message, 0, now))), now)


def held(row: Any, now: datetime) -> Claimed:
    """A row of the outbox as whoever claims it now would hold it."""
    known_until = row.repeat_until if row.repeat_until is not None and row.repeat_until > now else None
    return Claimed(
        id=row.id, member=MemberRef(row.bucket, row.member_id), key=row.message_key, hop=row.hop,
        purpose=Purpose(row.purpose), topic=row.topic, priority=row.priority, template=row.template,
        queued_at=row.queued_at, due_at=row.due_at, late_at=row.late_at, enrolment_id=row.enrolment_id,
        journey_id=row.journey_id, pinned_version=row.pinned_version, step_id=row.step_id, visit=row.visit,
        channel=row.channel,
        fence=row.fence + 1, attempts=row.attempts, repeat=row.status == Status.AMBIGUOUS, address=row.address,
        mode=row.mode, payload=row.payload, text=row.text, segments=row.segments, cost=row.cost,
        repeat_until=known_until, repeats_left=row.repeats_left, first_sent_at=row.first_sent_at,
    )  # fmt: skip


def _hold(connection: Connection, claimed: Sequence[Claimed], now: datetime, *, status: Status) -> None:
    if claimed:
        connection.execute(_HELD, _given_these(claimed) | {"is_now": status, "until": now + LEASE, "now": now})


def _given_these(claimed: Iterable[Claimed]) -> dict[str, str]:
    return given_keys((c.member.bucket, c.id) for c in claimed)


def still_held(connection: Connection, claimed: Sequence[Claimed]) -> set[int]:
    """Ids whose fence and status are as they were when claimed; locked until the transaction ends."""
    expected = {c.id: (c.fence, Status.AMBIGUOUS if c.repeat else Status.CLAIMED) for c in claimed}
    stands = connection.execute(_STANDS, _given_these(claimed))
    return {row.id for row in stands if expected[row.id] == (row.fence, row.status)}


_THESE = update(delivery).where(in_given_keys(delivery))
_HELD = _THESE.values(
    status=bindparam("is_now"), fence=D.fence + 1, due_at=bindparam("until", type_=Instant()), claimed_at=_NOW
)
_STANDS = select(D.id, D.fence, D.status, D.due_at).where(in_given_keys(delivery)).with_for_update()


# --- intent, release, refusal -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Move:
    """A change of a delivery that is held. Made only if it is still as it was: a process that wakes up late makes no
    move that `core.delivery` does not know."""

    claimed: Claimed
    was: tuple[Status, ...]
    values: Mapping[str, Any]


def set_aside(claimed: Claimed, status: Status, reason: str, decision: Any) -> Move:
    """Skipped or cancelled, with its reason."""
    values = {"status": status, "reason": reason[:300], "decision": decision, "due_at": None}
    return Move(claimed, (Status.CLAIMED,), values)


def put_back(
    claimed: Claimed, due_at: datetime, reason: str | None, decision: Any = None, channel: str | None = None
) -> Move:
    """Pending again: deferred to a lawful hour, or never called. For what was not handed over, only. `channel`: the
    one it waits for, if that was the reason."""
    values = {
        "channel": channel or claimed.channel,
        "status": Status.PENDING,
        "due_at": due_at,
        "reason": reason,
        "held_back": reason,
        "attempts": claimed.attempts,
        "first_sent_at": claimed.first_sent_at,
    }
    judged = {"decision": decision} if decision is not None else {}
    return Move(claimed, (Status.CLAIMED, Status.SENDING), values | judged)


def leave_ambiguous(claimed: Claimed, again: datetime | None = None) -> Move:
    """Not repeated now: it waits for a receipt, or for a person; or for `again`, if its step asks for repeats."""
    values: dict[str, Any] = {"status": Status.AMBIGUOUS, "repeat_until": None, "repeats_left": claimed.repeats_left}
    values["due_at"] = again if claimed.repeats_left > 0 else None
    return Move(claimed, (Status.AMBIGUOUS, Status.SENDING), values)


def as_found(claimed: Claimed, again: datetime) -> Move:
    """A repeat that was never made leaves the ambiguous message it found, to be repeated as long as it may be."""
    values = {"status": Status.AMBIGUOUS, "due_at": again, "attempts": claimed.attempts}
    return Move(claimed, (Status.AMBIGUOUS, Status.SENDING), values | {"repeats_left": claimed.repeats_left})


def begin_sending(connection: Connection, rows: Sequence[tuple[Claimed, Mapping[str, Any]]], now: datetime) -> None:
    """The intent: from here on the message may reach the member. Committed before the wire is touched."""
    make(connection, [_intent(claimed, values, now) for claimed, values in rows])
    runs = {(c.member.bucket, c.enrolment_id) for c, _ in rows if c.enrolment_id is not None}
    change_rows(connection, enrolment, [{"bucket": b, "id": i, "last_message_at": now} for b, i in runs])


def _intent(claimed: Claimed, values: Mapping[str, Any], now: datetime) -> Move:
    intent = {
        "status": Status.SENDING,
        "attempts": claimed.attempts + 1,
        "sent_at": now,
        "repeats_left": claimed.repeats_left_then,
        "first_sent_at": claimed.first_sent_at or now,
        "due_at": now + LEASE,
    }
    # A repeat that is not made after all leaves an ambiguous message, and why it is one.
    was, why = (Status.AMBIGUOUS, {}) if claimed.repeat else (Status.CLAIMED, {"reason": None})
    return Move(claimed, (was,), intent | why | dict(values))


def give_back(connection: Connection, claimed: Sequence[Claimed], now: datetime) -> set[int]:
    """Nobody has called these, and nobody will: as if they had never been claimed. Returns the ids of those whose
    intent was committed."""
    intended = still_intended(connection, claimed)
    make(connection, [_as_before(each, now) for each in claimed])
    return intended


def still_intended(connection: Connection, claimed: Sequence[Claimed]) -> set[int]:
    """The ids of those whose intent was committed and which nobody has settled yet. (A database that was brought back
    may know nothing of one.)"""
    rows = connection.execute(_STANDS, _given_these(claimed)).all() if claimed else []
    sending = {(row.id, row.fence) for row in rows if row.status == Status.SENDING}
    return {c.id for c in claimed if (c.id, c.fence) in sending}


def _as_before(claimed: Claimed, now: datetime) -> Move:
    if claimed.repeat:
        return as_found(claimed, now)
    return put_back(claimed, claimed.due_at, None, channel=claimed.channel)


@dataclass(frozen=True, slots=True)
class Settled:
    """A call was made: what became of the delivery, and what else is known of it."""

    claimed: Claimed
    recorded: Recorded
    values: Mapping[str, Any]


def record(connection: Connection, calls: Sequence[Settled]) -> dict[int, Status]:
    """Write it down. How each delivery now stands, without those that somebody else has settled meanwhile (the lease
    ran out). A receipt may be quicker than our own record: then it was sent, whatever the call said. And what a
    provider has surely accepted was sent, though our record comes after the lease."""
    held = {row.id: row for row in connection.execute(_STANDS, _given_these(call.claimed for call in calls))}
    found = ((call, _as_it_stands(call, held.get(call.claimed.id))) for call in calls)
    stands = {call.claimed.id: (call, status) for call, status in found if status is not None}
    rows = [_who(call.claimed) | _outcome(call, status) for call, status in stands.values()]
    change_rows(connection, delivery, rows, by=_MINE, only=_is(Status.SENDING, Status.AMBIGUOUS, Status.SENT))
    return {delivery_id: status for delivery_id, (_, status) in stands.items()}


def _as_it_stands(call: Settled, row: Any) -> Status | None:
    if row is None or row.fence != call.claimed.fence:
        return None
    if row.status == Status.SENDING:
        return call.recorded.status
    if row.status == Status.AMBIGUOUS:
        return Status.SENT if call.recorded.status is Status.SENT else None
    return Status.SENT if row.status == Status.SENT and row.due_at is not None else None


def _outcome(call: Settled, stands: Status) -> dict[str, Any]:
    recorded = call.recorded
    if stands is not recorded.status:
        return {"status": stands, "reason": None, "due_at": None, **call.values}
    outcome: dict[str, Any] = {
        "status": stands,
        "reason": (recorded.reason or "")[:300] or None,
        "due_at": recorded.due_at,
    }
    if stands is Status.PENDING:
        outcome["first_sent_at"] = None  # the frequency cap counts from the call that succeeds
    if not recorded.counts:
        outcome["attempts"] = call.claimed.attempts
    return {**outcome, **call.values}


def make(connection: Connection, moves: Iterable[Move]) -> None:
    """Moves from the same states are one statement, if they write the same columns."""
    alike: dict[tuple[Status, ...], list[dict[str, Any]]] = defaultdict(list)
    for move in moves:
        alike[move.was].append(_who(move.claimed) | dict(move.values))
    for was, rows in alike.items():
        change_rows(connection, delivery, rows, by=_MINE, only=_is(*was))


_MINE = ("bucket", "id", "fence")


def _who(claimed: Claimed) -> dict[str, Any]:
    return {"bucket": claimed.member.bucket, "id": claimed.id, "fence": claimed.fence}


@cache
def _is(*statuses: Status) -> Any:
    return D.status.in_(statuses)


# --- reconcile --------------------------------------------------------------------------------------------------


def expire_leases(connection: Connection, now: datetime) -> int:
    """A claim nobody finished goes back; a send nobody recorded becomes ambiguous, never pending; a repeat whose window
    has closed is not made, or put off where its step asks for repeats."""
    pause = _pause(now)
    rows = [row for ended in _ENDED for row in ended.take(connection, now, _MOST_ENDED, **pause)]
    if not rows:
        return 0
    theirs = given_keys((row.bucket, row.id) for row in rows) | {"now": now}
    connection.execute(_PUT_OFF, theirs | pause)
    released = connection.execute(_RELEASED, theirs).rowcount
    stranded = connection.execute(_STRANDED, theirs | pause).rowcount
    return int(released + stranded)


def take_over(connection: Connection, now: datetime, *, drop: bool) -> None:
    """Of a database that was brought back: whoever held something in it holds nothing of this one, however long the
    lease. `drop`: what is ambiguous is not repeated, either."""
    theirs = given_keys((row.bucket, row.id) for row in connection.execute(_IN_ANY_HAND)) | {"now": now}
    connection.execute(_RELEASED, theirs)
    connection.execute(_STRANDED, theirs | _pause(now))
    if drop:
        connection.execute(_NEVER_AGAIN, theirs)


def _pause(now: datetime) -> dict[str, datetime]:
    return {"after_pause": now + REPEAT_PAUSE, "before_pause": now - REPEAT_PAUSE}


_MOST_ENDED = 500  # of each kind, at a time
_ASKED_FOR = case((D.repeats_left > 0, bindparam("after_pause", type_=Instant())), else_=None)
_TOO_LATE = and_(D.status == Status.AMBIGUOUS, or_(D.repeat_until.is_(None), D.repeat_until <= _NOW))
_TOO_SOON = or_(D.repeats_left == 0, D.sent_at > bindparam("before_pause", type_=Instant()))
_OVER = select(D.bucket, D.id).where(IS_IN_HAND, D.due_at <= _NOW).order_by(D.due_at)
_ENDED = (
    Claim(delivery, _OVER.where(D.status == Status.CLAIMED)),
    Claim(delivery, _OVER.where(D.status == Status.SENDING)),
    Claim(delivery, _OVER.where(D.status == Status.AMBIGUOUS, _TOO_LATE, _TOO_SOON)),
)
_PUT_OFF = _THESE.where(_TOO_LATE, _TOO_SOON).values(due_at=_ASKED_FOR)
_RELEASED = _THESE.where(D.status == Status.CLAIMED).values(status=Status.PENDING, due_at=_NOW)
_STRANDED = _THESE.where(D.status == Status.SENDING).values(
    status=Status.AMBIGUOUS,
    reason="no outcome was recorded in time: the process ended, or the clock jumped",
    due_at=case((D.repeat_until > _NOW, _NOW), else_=_ASKED_FOR),
    recorded_at=_NOW,
)
_IN_ANY_HAND = select(D.bucket, D.id).where(IS_IN_HAND, D.due_at.is_not(None)).order_by(D.due_at)
_NEVER_AGAIN = _THESE.where(D.status == Status.AMBIGUOUS).values(due_at=None, repeat_until=None, repeats_left=0)
_IN_HAND = (Status.CLAIMED, Status.SENDING, Status.AMBIGUOUS)
_FIRST_IN_HAND = [select(func.min(D.due_at)).where(IS_IN_HAND, D.status == status) for status in _IN_HAND]
_FIRST = select(*(first.scalar_subquery() for first in _FIRST_IN_HAND))
_NEXT = select(*(first.where(D.due_at > _NOW).scalar_subquery() for first in _FIRST_IN_HAND))


def anything_due(connection: Connection, now: datetime) -> bool:
    """Whether there is something to claim or to reconcile."""
    in_hand = connection.execute(_FIRST).one()
    waiting = (lane.due_at for lane in lanes.lanes(connection))
    return any(moment is not None and moment <= now for moment in (*in_hand, *waiting))


def next_due(connection: Connection, now: datetime) -> datetime | None:
    """The next moment after `now` at which dispatch or the reconciler has something to do."""
    in_hand = connection.execute(_NEXT, {"now": now}).one()
    waiting = (lane.due_at for lane in lanes.lanes(connection, after=now))
    return min((moment for moment in (*in_hand, *waiting) if moment is not None), default=None)
