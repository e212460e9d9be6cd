"""`engage run --dry-run`: what the next tick would do. Reads only: nothing is claimed, sent or changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engage.runtime.context import Context
from engage.runtime.dispatching.judge import Clear, Judge, Verdict
from engage.runtime.dispatching.situation import Situation
from engage.store import dispatching, tasks
from engage.store.dispatching import Claimed
from engage.store.insight import overview
from engage.store.insight.overview import Inbox, Standing

MOST = 100  # messages that are judged: what one tick takes


@dataclass(frozen=True, slots=True)
class Judged:
    """One message that is due, and what would become of it now."""

    message: Claimed
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class NextTick:
    """`steps`: where runs would be moved on; only those with somebody due."""

    inbox: Inbox
    steps: Sequence[Standing]
    messages: Sequence[Judged]
    notices: int


def next_tick(context: Context) -> NextTick:
    """Raises EngageError if nothing is applied."""
    applied = context.applied.current()
    now = context.clock.now()
    with context.database.read() as connection:
        due = dispatching.due(connection, now, MOST)
        judge = Judge(context, applied, Situation.load(context, connection, applied, due))
        judged = []
        for message in due:
            verdict = judge.judge(message)
            if isinstance(verdict, Clear):
                judge.reserve(message, verdict)
            judged.append(Judged(message, verdict))
        return NextTick(
            inbox=overview.inbox(connection),
            steps=[step for step in overview.standing(connection, now) if step.due],
            messages=judged,
            notices=len(tasks.due_notices(connection, now, MOST)),
        )
