"""How a run is going, in a few counts: what the demo's screen shows while it runs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from engage.core.delivery import Status
from engage.store.holding import HAS_BEGUN
from engage.store.ledger import whole, with_ledger
from engage.store.members import MemberRef
from engage.store.tables import answer, delivery, enrolment, event, member, task


@dataclass(frozen=True, slots=True)
class Progress:
    members: int
    entered: int
    sent: Mapping[str, int]  # by channel
    responses: Mapping[str, int]  # by kind
    nps_scores: tuple[int, ...]
    skipped: Mapping[str, int]  # by reason, the most frequent first
    by_status: Mapping[str, int]
    open_tasks: int


def progress(connection: Connection) -> Progress:
    d = delivery.c
    sent = select(d.channel, func.count()).where(d.status == Status.SENT).group_by(d.channel)
    why = select(d.reason, func.count().label("n")).where(d.status == Status.SKIPPED).group_by(d.reason)
    kinds = ("clicked", "replied", "answered", "unsubscribed", "bounced")
    responses = select(event.c.name, func.count()).where(event.c.name.in_(kinds)).group_by(event.c.name)
    scores = select(answer.c.score).where(answer.c.survey == "nps", answer.c.score.is_not(None))
    return Progress(
        members=connection.scalar(select(func.count()).select_from(member)) or 0,
        entered=connection.scalar(select(func.count()).select_from(enrolment).where(HAS_BEGUN)) or 0,
        sent={row[0]: row[1] for row in connection.execute(sent)},
        responses={row[0]: row[1] for row in connection.execute(responses)},
        nps_scores=tuple(connection.scalars(scores)),
        skipped={row[0]: row[1] for row in connection.execute(why.order_by(func.count().desc(), d.reason))},
        by_status={row[0]: row[1] for row in connection.execute(select(d.status, func.count()).group_by(d.status))},
        open_tasks=connection.scalar(select(func.count()).select_from(task).where(task.c.closed_at.is_(None))) or 0,
    )


def shut_channels(connection: Connection) -> Counter[tuple[str, str]]:
    """Why channels were shut for messages that could not go out at all: how often, by (channel, why)."""
    d = delivery.c
    skipped = with_ledger(select(whole("decision"))).where(d.status == Status.SKIPPED)
    found: Counter[tuple[str, str]] = Counter()
    for trace in connection.scalars(skipped):
        lines = trace or []
        if not any(line["open"] for line in lines):
            found.update((line["channel"], _without_moment(line["why"])) for line in lines)
    return found


def _without_moment(why: str) -> str:
    """“48h reply window closed 6h30m ago; …” → “48h reply window closed”: how long ago differs for everybody."""
    return re.sub(r" \d\w* ago\b.*", "", why)


@dataclass(frozen=True, slots=True)
class JourneyTotals:
    journey_id: str
    entered: int
    goal: int
    exit: int
    completed: int
    live: int
    sent: Mapping[str, int]  # by channel


def journey_totals(connection: Connection) -> list[JourneyTotals]:
    e, d = enrolment.c, delivery.c
    ended: dict[str, dict[str | None, int]] = {}
    for journey_id, kind, count in connection.execute(
        select(e.journey_id, e.end_kind, func.count()).where(HAS_BEGUN).group_by(e.journey_id, e.end_kind)
    ):
        ended.setdefault(journey_id, {})[kind] = count
    sent: dict[str, dict[str, int]] = {}
    went = select(d.journey_id, d.channel, func.count()).where(d.status == Status.SENT, d.journey_id.is_not(None))
    for journey_id, channel, count in connection.execute(went.group_by(d.journey_id, d.channel)):
        sent.setdefault(journey_id, {})[channel] = count
    return [
        JourneyTotals(
            journey_id,
            sum(kinds.values()),
            kinds.get("goal", 0),
            kinds.get("exit", 0),
            kinds.get("completed", 0),
            kinds.get(None, 0),
            sent.get(journey_id, {}),
        )
        for journey_id, kinds in sorted(ended.items())
    ]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one live run stands."""

    journey_id: str
    step_id: str | None
    due_at: datetime | None


def standing_of(connection: Connection, ref: MemberRef) -> list[Standing]:
    """The live runs of one member, the next to move first."""
    e = enrolment.c
    live = (e.bucket == ref.bucket) & (e.member_id == ref.id) & (e.status == "live")
    query = select(e.journey_id, e.step_id, e.due_at).where(live).order_by(e.due_at.is_(None), e.due_at, e.id)
    return [Standing(*row) for row in connection.execute(query)]
