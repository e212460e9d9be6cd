"""Starts that are held back: who waits in them, how many were let go, what came of those, and who has approved."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import Connection, Integer, and_, bindparam, case, exists, func, insert, or_, select, update

from engage.core.delivery import Status
from engage.core.turn import EndKind
from engage.store.databases.database import upsert
from engage.store.members import MemberRef
from engage.store.statements.ids import take_ids
from engage.store.statements.rows import change_rows
from engage.store.tables import Instant, approval, delivery, enrolment, event, hold, member

H, E, D = hold.c, enrolment.c, delivery.c
HELD = "held"  # the status of a run that has not begun
_IS_HELD = E.status == HELD
HAS_BEGUN = and_(E.status != HELD, E.end_kind.is_distinct_from(EndKind.NEVER_BEGAN))


class HoldStatus(StrEnum):
    WAITING = "waiting"  # for somebody to approve it
    GOING = "going"  # on by itself, stage by stage
    RELEASED = "released"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Hold:
    """`stages`: percent of the members let go, growing to 100; `stage`: the one that is let go, -1 for none.
    `approved_for`: how many they were when it was approved; None: it goes by itself."""

    id: int
    journey_id: str
    start: str
    made_at: datetime
    members: int
    status: HoldStatus
    why: str
    stages: Sequence[int]
    stage: int = -1
    let_go_at: datetime | None = None
    next_at: datetime | None = None
    digest: str | None = None
    approved_for: int | None = None
    settled_at: datetime | None = None

    @property
    def name(self) -> str:
        return f"hold-{self.id}"

    @property
    def percent(self) -> int:
        """How many in a hundred are let go."""
        return self.stages[self.stage] if self.stage >= 0 else 0

    @property
    def is_whole(self) -> bool:
        """Nobody is to wait any longer."""
        return self.stage >= len(self.stages) - 1


def add(connection: Connection, made: Hold) -> Hold:
    """It is given its id here."""
    (new_id,) = take_ids(connection, "hold", 1)
    values = {name: getattr(made, name) for name in Hold.__slots__} | {"id": new_id, "stages": list(made.stages)}
    connection.execute(insert(hold).values(values))
    return replace(made, id=new_id)


def change(connection: Connection, hold_id: int, **values: Any) -> None:
    connection.execute(update(hold).where(H.id == hold_id).values(values))


def get(connection: Connection, hold_id: int, *, to_change: bool = False) -> Hold | None:
    query = select(hold).where(H.id == hold_id)
    row = connection.execute(query.with_for_update() if to_change else query).one_or_none()
    return _hold(row) if row is not None else None


def same_start(connection: Connection, journey_id: str, start: str) -> Hold | None:
    """The one that more of the same start join: it is not settled yet."""
    query = select(hold).where(H.journey_id == journey_id, H.start == start, H.settled_at.is_(None))
    row = connection.execute(query.order_by(H.id.desc()).limit(1).with_for_update()).one_or_none()
    return _hold(row) if row is not None else None


def latest(connection: Connection, journey_id: str, start: str) -> Hold | None:
    """The last one of a start, settled or not."""
    query = select(hold).where(H.journey_id == journey_id, H.start == start)
    row = connection.execute(query.order_by(H.id.desc()).limit(1)).one_or_none()
    return _hold(row) if row is not None else None


def unsettled(connection: Connection) -> list[Hold]:
    rows = connection.execute(select(hold).where(H.settled_at.is_(None)).order_by(H.id))
    return [_hold(row) for row in rows]


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A start that would be held back where somebody is there to let it go on."""

    journey_id: str
    start: str
    why: str
    members: int


def foreseen(connection: Connection, since: datetime) -> list[Foreseen]:
    """In a world of its own, where none is: noted batch by batch."""
    query = select(H.journey_id, H.start, func.max(H.why), func.max(H.members)).where(H.made_at >= since)
    rows = connection.execute(query.group_by(H.journey_id, H.start).order_by(H.journey_id, H.start))
    return [Foreseen(*row) for row in rows]


def at_work(connection: Connection, now: datetime) -> list[int]:
    """Holds about which there is something to do now."""
    return list(connection.scalars(_AT_WORK, {"now": now}))


def next_due(connection: Connection, now: datetime) -> datetime | None:
    earliest: datetime | None = connection.scalar(_NEXT_DUE, {"now": now})
    return earliest


# Asked for at every tick.
_NOW = bindparam("now", type_=Instant())
_AT_WORK = (
    select(H.id)
    .where(H.status.in_([HoldStatus.GOING, HoldStatus.REFUSED]), H.settled_at.is_(None), H.next_at <= _NOW)
    .order_by(H.id)
)
_NEXT_DUE = select(func.min(H.next_at)).where(H.settled_at.is_(None), H.status == HoldStatus.GOING, H.next_at > _NOW)


def _hold(row: Any) -> Hold:
    values = {name: getattr(row, name) for name in Hold.__slots__}
    return Hold(**{**values, "status": HoldStatus(row.status)})


def base(connection: Connection, most: int) -> int:
    """How many members there are; not counted further than to `most`."""
    some = select(member.c.id).limit(most).subquery()
    return connection.scalar(select(func.count()).select_from(some)) or 0


# --- who waits in it --------------------------------------------------------------------------------------------


class Waiting(NamedTuple):
    """A run that has not begun."""

    id: int
    member: MemberRef


def waiting(connection: Connection, held: Hold, limit: int, but: Collection[int] = ()) -> list[Waiting]:
    """Runs that may begin, or (of a refused one) are to end, by id. Nobody else changes them while the hold is held.
    `but`: the ids of single ones that are left where they are."""
    stage = len(held.stages) if held.status is HoldStatus.REFUSED else held.stage
    statement = _WAITING.where(enrolment.c.id.not_in(but)) if but else _WAITING
    rows = connection.execute(statement, {"of_hold": held.id, "stage": stage, "most": limit})
    return [Waiting(row.id, MemberRef(row.bucket, row.member_id)) for row in rows]


def still_waits(connection: Connection, waits: Waiting) -> bool:
    return connection.scalar(_STILL_WAITS, {"bucket": waits.member.bucket, "run": waits.id}) is not None


_WAITING = (
    select(E.id, E.bucket, E.member_id)
    .where(E.hold_id == bindparam("of_hold"), _IS_HELD, E.hold_stage <= bindparam("stage"))
    .order_by(E.hold_stage)
    .limit(bindparam("most", type_=Integer()))
)
_STILL_WAITS = select(E.id).where(E.bucket == bindparam("bucket"), E.id == bindparam("run"), _IS_HELD)


def one_of(connection: Connection, hold_id: int) -> MemberRef | None:
    """A member to show as an example."""
    row = connection.execute(select(E.bucket, E.member_id).where(E.hold_id == hold_id).limit(1)).one_or_none()
    return MemberRef(*row) if row is not None else None


def change_runs(connection: Connection, runs: Sequence[Waiting], values: Mapping[str, Any]) -> None:
    """They begin, or are turned away, if they wait still."""
    change_rows(connection, enrolment, [{"bucket": ref.bucket, "id": i, **values} for i, ref in runs], only=_IS_HELD)


# --- what came of those who were let go -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Came:
    """`known`: runs that have ended, or of which a message has gone or was decided on."""

    runs: int
    known: int
    sent: int
    failed: int
    unsubscribed: int
    complained: int


def came_of(connection: Connection, hold_id: int) -> Came:
    given = {"of_hold": hold_id}
    runs, known = connection.execute(_RUNS, given).one()
    sent, failed = connection.execute(_MESSAGES, given).one()
    told = {row[0]: row[1] for row in connection.execute(_TOLD, given)}
    return Came(runs, known or 0, sent or 0, failed or 0, told.get("unsubscribed", 0), told.get("complained", 0))


_LET_GO = and_(E.hold_id == bindparam("of_hold"), HAS_BEGUN, E.holdout.is_(False))
_OF_RUN = and_(D.bucket == E.bucket, D.enrolment_id == E.id)
_DECIDED = D.status.in_([Status.SENT, Status.FAILED, Status.SKIPPED, Status.AMBIGUOUS])
_RUNS = select(
    func.count(), func.sum(case((or_(E.status == "ended", exists().where(_OF_RUN, _DECIDED)), 1), else_=0))
).where(_LET_GO)
_TRIED = D.status.in_([Status.SENT, Status.FAILED, Status.AMBIGUOUS])
_FAILED = or_(D.status.in_([Status.FAILED, Status.AMBIGUOUS]), D.arrival == "bounced")
_MESSAGES = (
    select(func.count(), func.sum(case((_FAILED, 1), else_=0)))
    .select_from(enrolment.join(delivery, _OF_RUN))
    .where(_LET_GO, _TRIED)
)
_TOLD = (
    select(event.c.name, func.count())
    .select_from(enrolment.join(event, and_(event.c.bucket == E.bucket, event.c.enrolment_id == E.id)))
    .where(_LET_GO, event.c.name.in_(["unsubscribed", "complained"]))
    .group_by(event.c.name)
)


# --- approvals --------------------------------------------------------------------------------------------------


def approve(connection: Connection, about: str, digest: str, by: str, now: datetime) -> None:
    connection.execute(_APPROVED, {"about": about, "digest": digest, "by": by, "at": now})


_APPROVED = upsert(approval).on_conflict_do_nothing()


def approved_by(connection: Connection, about: str, digest: str) -> list[str]:
    """Of what it is now: an earlier approval of something else counts for nothing."""
    query = select(approval.c.by).where(approval.c.about == about, approval.c.digest == digest)
    return list(connection.scalars(query.order_by(approval.c.at)))
