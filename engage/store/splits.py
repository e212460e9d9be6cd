"""Queries about splits: the way each run took, how the ways do, and what was decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, distinct, exists, func, or_, select, tuple_, update

from engage.core.journey.model import WinBy
from engage.core.split import Tally
from engage.store.advancing import RunRow, given_runs
from engage.store.databases.database import upsert
from engage.store.insight.reporting import Period
from engage.store.journeys import name_now, names_before
from engage.store.statements.keys import in_given_keys
from engage.store.statements.rows import put_rows
from engage.store.tables import arm, enrolment, event, split_decision

A, S, E = arm.c, split_decision.c, enrolment.c
_OF_RUN = (E.bucket == A.bucket) & (E.id == A.enrolment_id)


# --- the ways of runs -------------------------------------------------------------------------------------------


def ways_of(connection: Connection, runs: Sequence[RunRow], split_id: str) -> dict[int, str]:
    """By run id, of those that have passed the split."""
    rows = connection.execute(_WAYS, given_runs(runs) | {"of_split": split_id})
    return {row.enrolment_id: row.way for row in rows}


_WAYS = select(A.enrolment_id, A.way).where(in_given_keys(arm, "enrolment_id"), A.split_id == bindparam("of_split"))


def keep_ways(connection: Connection, taken: Sequence[tuple[RunRow, str, str]], now: datetime) -> None:
    """Runs take ways, each (run, split, way). The first member of a split to do so sets the clock of its decision; the
    control group, which no way does anything to, does not."""
    if not taken:
        return
    rows = [
        {
            "bucket": run.member.bucket,
            "enrolment_id": run.id,
            "split_id": split_id,
            "journey_id": run.journey_id,
            "way": way,
            "taken_at": now,
        }
        for run, split_id, way in taken
    ]
    put_rows(connection, arm, rows)
    passed = {(run.journey_id, run.pinned_version, split_id) for run, split_id, _ in taken if not run.holdout}
    for journey_id, split_id in sorted({(split[0], _name_now(connection, *split)) for split in passed}):
        connection.execute(_BEGUN, {"journey_id": journey_id, "split_id": split_id, "first_at": now})


_BEGUN = upsert(split_decision).on_conflict_do_nothing()


def _name_now(connection: Connection, journey_id: str, pinned_version: int | None, split_id: str) -> str:
    """Whoever finishes in an earlier version calls the split as it was called there."""
    return split_id if pinned_version is None else name_now(connection, journey_id, pinned_version, split_id)


# --- how the ways do --------------------------------------------------------------------------------------------


def tallies(connection: Connection, journey_id: str, split_id: str, by: WinBy) -> dict[str, Tally]:
    """By way. Members are counted, not runs: several runs of one member are no independent cases. Those who finish in
    an earlier version are, too, under the name that the split had there."""
    earlier = list(names_before(connection, journey_id, split_id).items())
    passed = or_(
        E.pinned_version.is_(None) & (A.split_id == split_id), tuple_(E.pinned_version, A.split_id).in_(earlier)
    )
    succeeded = case((_success(by), E.member_id))
    query = (
        select(A.way, func.count(distinct(E.member_id)), func.count(distinct(succeeded)))
        .join_from(arm, enrolment, _OF_RUN)
        .where(A.journey_id == journey_id, passed, E.holdout.is_(False))
        .group_by(A.way)
    )
    return {way: Tally(members, successes) for way, members, successes in connection.execute(query)}


def _success(by: WinBy) -> Any:
    """What counts after the split: the goal inside its window, or a response to this run's own messages."""
    if by is WinBy.GOAL:
        return and_(E.goal_counts.is_(True), E.goal_at >= A.taken_at)
    own = (event.c.bucket == A.bucket) & (event.c.enrolment_id == A.enrolment_id) & (event.c.name == by.value)
    return exists().where(own, event.c.recorded_at > A.taken_at)


@dataclass(frozen=True, slots=True)
class WayTaken:
    """One way of a split: the members who took it, and how many of them did what."""

    journey_id: str
    split_id: str
    way: str
    members: int
    goal: int
    clicked: int
    replied: int


def ways_taken(connection: Connection, period: Period) -> list[WayTaken]:
    """Of those who passed a split in the period; the holdout is not in."""
    counted = (func.count(distinct(case((_success(by), E.member_id)))) for by in WinBy)
    query = (
        select(A.journey_id, A.split_id, A.way, func.count(distinct(E.member_id)), *counted)
        .join_from(arm, enrolment, _OF_RUN)
        .where(period.holds(A.taken_at), E.holdout.is_(False))
        .group_by(A.journey_id, A.split_id, A.way)
        .order_by(A.journey_id, A.split_id, A.way)
    )
    return [WayTaken(*row) for row in connection.execute(query)]


# --- decisions --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SplitState:
    """A split that members have passed; `decided_at` None: nothing is decided yet."""

    journey_id: str
    split_id: str
    first_at: datetime
    decided_at: datetime | None
    ruling: str | None
    winner: str | None
    figures: Mapping[str, Any] | None


_KNOWN = select(split_decision).order_by(S.journey_id, S.split_id)
_UNDECIDED = _KNOWN.where(S.decided_at.is_(None))


def known(connection: Connection, *, undecided: bool = False) -> list[SplitState]:
    return [SplitState(*row) for row in connection.execute(_UNDECIDED if undecided else _KNOWN)]


def winner(connection: Connection, journey_id: str, pinned_version: int | None, split_id: str) -> str | None:
    """As runs ask for it that follow the journey, or finish in an earlier version."""
    name = _name_now(connection, journey_id, pinned_version, split_id)
    return connection.scalar(_WINNER, {"of_journey": journey_id, "of_split": name})


_WINNER = select(S.winner).where(S.journey_id == bindparam("of_journey"), S.split_id == bindparam("of_split"))


def record_decision(
    connection: Connection,
    state: SplitState,
    ruling: str,
    way: str | None,
    figures: Mapping[str, Any],
    now: datetime,
) -> bool:
    """False if it was decided meanwhile: once is all."""
    here = (S.journey_id == state.journey_id) & (S.split_id == state.split_id) & S.decided_at.is_(None)
    values = {"decided_at": now, "ruling": ruling, "winner": way, "figures": dict(figures)}
    return connection.execute(update(split_decision).where(here).values(values)).rowcount == 1
