"""What is known about one batch of claimed messages: loaded once, a query for each kind of fact, never one a member."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from engage.channels.contract import Contact
from engage.core.reply import CORRECTION_WINDOW
from engage.core.turn import Purpose
from engage.runtime.advancing.advance import ends
from engage.runtime.applied import Active, Applied
from engage.runtime.context import Context
from engage.runtime.receiving.membership import window_of
from engage.store import advancing, judging, members, reaching, state
from engage.store.dispatching import Claimed
from engage.store.insight import overview
from engage.store.judging import Hop, Spent
from engage.store.reaching import PointRow

# Messages held by a pause are looked at again this often.
PAUSED_FOR = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Resting:
    """A channel that takes nothing until a moment: its provider is out of order, or somebody has paused it."""

    until: datetime
    why: str


@dataclass
class Situation:
    """Facts by member id, by run or by message key. What messages of the batch use up changes as they take their
    share: `points`, `spent`, `in_conversation`, `going_out`. Everything else stays as it was read."""

    now: datetime
    zones: Mapping[int, str | None]
    points: dict[tuple[int, str], PointRow]  # by (member id, channel)
    consents: Mapping[tuple[int, str, str], bool]  # by (member id, topic, channel)
    suppressed: Mapping[tuple[str, str], str]  # why, by (channel, address)
    resting: Mapping[str, Resting]
    paused: frozenset[str]  # scopes
    hops: Mapping[str, list[Hop]]  # that came before, by message key
    taken_up: set[str]  # messages the member has responded to
    arrived: set[str]
    runs: Mapping[int, Any]  # where they stand
    newest: Mapping[int, str]  # by run of a follow-up: the key of the newest message its steps have queued
    in_conversation: set[int]  # runs whose next message replies to an answer of the last day
    ended: Mapping[int, str]  # runs whose goal or exit has come meanwhile, and which
    passed_over: set[int]  # deliveries whose `only_if` holds no more
    spent: dict[int, list[Spent]]
    channels: frozenset[str]  # on which somebody has an address
    going_out: set[str] = field(default_factory=set)  # messages of which this batch sends a hop already

    @classmethod
    def load(cls, context: Context, connection: Connection, applied: Applied, batch: Sequence[Claimed]) -> Situation:
        now = context.clock.now()
        refs = sorted({claimed.member for claimed in batch})
        points = reaching.contact_points(connection, refs)
        rows = judging.standings(connection, batch)
        ended, passed_over = _looked_again(connection, applied, batch, rows, now)
        paused = state.paused(connection)
        longest = max((cap.within for caps in context.policy.caps.values() for cap in caps), default=timedelta(0))
        return cls(
            now=now,
            zones=members.zones(connection, refs),
            points=points,
            consents=reaching.consents(connection, refs),
            suppressed=reaching.suppressions(connection, [(c, point["address"]) for (_, c), point in points.items()]),
            resting=_resting(connection, context, paused, now),
            paused=paused,
            hops=judging.earlier_hops(connection, batch),
            taken_up=judging.taken_up(connection, batch),
            arrived=judging.arrived(connection, batch),
            runs={row.id: row for row in rows},
            newest=judging.newest_messages(connection, batch),
            in_conversation=judging.in_conversation(connection, batch, now - CORRECTION_WINDOW),
            ended=ended,
            passed_over=passed_over,
            spent=judging.recent_messages(connection, refs, now - longest),
            channels=frozenset(channel for _, channel in points),
        )

    def copy(self) -> Situation:
        """The same, to be used up on its own."""
        return replace(
            self,
            points=dict(self.points),
            spent={member_id: list(spent) for member_id, spent in self.spent.items()},
            in_conversation=set(self.in_conversation),
            going_out=set(self.going_out),
        )

    def contact(self, member_id: int, channel: str) -> Contact | None:
        point = self.points.get((member_id, channel))
        return Contact(point["address"], window_of(point)) if point is not None else None

    def last_act(self, member_id: int) -> datetime | None:
        """When the member last did something, on any channel."""
        known = (self.points.get((member_id, channel)) for channel in self.channels)
        return max((p["last_inbound_at"] for p in known if p and p["last_inbound_at"] is not None), default=None)

    def channels_tried(self, key: str) -> set[str]:
        return {hop.channel for hop in self.hops.get(key, []) if hop.channel is not None}

    def reserve(self, claimed: Claimed, channel: str, *, uses_window: bool) -> None:
        """The next messages of this batch see what this one takes: of the frequency cap, and of the reply window."""
        self.spent.setdefault(claimed.member.id, []).append(Spent(claimed.key, claimed.topic, self.now))
        self.going_out.add(claimed.key)
        if claimed.purpose is Purpose.SEND:
            self.in_conversation.discard(claimed.enrolment_id or 0)
        if uses_window:
            point = self.points[claimed.member.id, channel]
            self.points[claimed.member.id, channel] = {**point, "window_used": point["window_used"] + 1}


def _resting(connection: Connection, context: Context, paused: frozenset[str], now: datetime) -> dict[str, Resting]:
    until = overview.resting(connection, now)
    resting = {name: Resting(at, "provider is out of order") for name, at in until.items()}
    by_hand = [name for name in context.channels if f"channel:{name}" in paused]
    return resting | {name: Resting(now + PAUSED_FOR, "channel is paused") for name in by_hand}


def _looked_again(
    connection: Connection, applied: Applied, batch: Sequence[Claimed], rows: Sequence[Any], now: datetime
) -> tuple[dict[int, str], set[int]]:
    """Goal, exit and `only_if` once more: ended runs with the reason, and messages whose `only_if` holds no more. Runs
    that came to their natural end are asked, too: their last message may still wait for the morning."""
    ended: dict[int, str] = {}
    passed_over: set[int] = set()
    for followed in {(row.journey_id, row.pinned_version) for row in rows}:
        active = applied.followed_by(*followed)
        if active is None or not _has_conditions(active, batch):
            continue
        theirs = [(row.bucket, row.id) for row in rows if (row.journey_id, row.pinned_version) == followed]
        group = advancing.runs_by_id(connection, theirs)
        ended |= {i: reason for i, (_, reason, _) in ends(connection, applied, active, group, now).items()}
        passed_over |= _not_holding(connection, applied, active, batch, group, now)
    return ended, passed_over


def _has_conditions(active: Active, batch: Sequence[Claimed]) -> bool:
    """Most steps have none, and nothing has to be made of their runs."""
    steps = {c.step_id for c in batch if c.step_id in active.program.ids}
    may_end = active.journey.goal is not None or bool(active.journey.exit_if)
    return may_end or any(active.program.step(step_id or "").only_if is not None for step_id in steps)


def _not_holding(
    connection: Connection,
    applied: Applied,
    active: Active,
    batch: Sequence[Claimed],
    group: Sequence[advancing.RunRow],
    now: datetime,
) -> set[int]:
    ids = {run.id for run in group}
    gone: set[int] = set()
    for step_id in {c.step_id for c in batch if c.enrolment_id in ids and c.step_id in active.program.ids}:
        condition = active.program.step(step_id or "").only_if
        if condition is None:
            continue
        asked = [c for c in batch if c.step_id == step_id and c.enrolment_id in ids]
        runs = [run for run in group if run.id in {c.enrolment_id for c in asked}]
        holding = advancing.holding(connection, applied.catalog, [condition], runs, now)
        gone |= {c.id for c in asked if not holding.get(c.enrolment_id or 0, (True,))[0]}
    return gone
