"""Telling staff about their tasks, by group robot or mail. Told at least once: better twice than not at all."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import structlog

from engage.core.delivery import CALL_TIMEOUT
from engage.core.outcome import Accepted, SendOutcome, Unknown
from engage.core.quiet import zone_of
from engage.runtime.applied import Applied
from engage.runtime.context import Context
from engage.store import tasks
from engage.store.tasks import DueNotice

BATCH = 50
_MOST_ATTEMPTS = 8
_AGAIN = timedelta(minutes=2)  # doubled with every attempt: the last one comes four hours after the first
_LEASE = BATCH * CALL_TIMEOUT  # told one after the other; a process that dies over it leaves them to the next
log = structlog.get_logger("engage.staff")


class Staff:
    def __init__(self, context: Context) -> None:
        self._context = context

    def tick(self) -> int:
        """Send what is due. Returns how many notices."""
        now = self._context.clock.now()
        with self._context.database.read() as connection:
            if not tasks.any_notice_due(connection, now):
                return 0
        with self._context.database.write() as connection:
            due = tasks.claim_notices(connection, now, BATCH, _LEASE)
        applied = self._context.applied.current()
        settled = [(notice, self._tell(applied, notice)) for notice in due]
        with self._context.database.write() as connection:
            tasks.settle_notices(connection, settled)
        return len(due)

    def _tell(self, applied: Applied, notice: DueNotice) -> dict[str, Any]:
        try:
            outcome = self._send(applied, notice)
        except Exception as error:  # must not be; but what the others of the batch came to has to be recorded
            log.exception("notice_raised", task_id=notice.task.id, team=notice.team)
            outcome = Unknown(f"{type(error).__name__} while telling")
        attempts = notice.attempts + 1
        if outcome is None:
            return {"status": "failed", "attempts": attempts, "reason": "no webhook or email is set up for this team"}
        if isinstance(outcome, Accepted):
            return {"status": "sent", "attempts": attempts, "reason": None}
        reason = str(outcome.detail)[:300]
        log.warning("notice_not_sent", task_id=notice.task.id, team=notice.team, attempts=attempts)
        if attempts >= _MOST_ATTEMPTS:
            return {"status": "failed", "attempts": attempts, "reason": reason}
        again = self._context.clock.now() + _AGAIN * 2 ** (attempts - 1)
        return {"attempts": attempts, "due_at": again, "reason": reason}

    def _send(self, applied: Applied, notice: DueNotice) -> SendOutcome | None:
        """None if there is no way to tell this team."""
        team = applied.catalog.teams.get(notice.team)
        if team is None:
            return None
        words = _words(applied, notice)
        timeout = CALL_TIMEOUT.total_seconds()
        robot = self._context.staff_robots.get(team.webhook or "")
        if robot is not None:
            return robot.send(words, timeout)
        if team.email is not None and self._context.staff_mail is not None:
            return self._context.staff_mail.send(team.email, words.splitlines()[0][:60], words, timeout)
        return None


def _words(applied: Applied, notice: DueNotice) -> str:
    task = notice.task
    lines = [f"{'【紧急】' if task.urgent else ''}{task.words}"]
    if task.due_at is not None:
        lines.append(f"请在 {_local(applied, task.due_at)} 前完成")
    lines.append(f"完成后：engage tasks close {task.id} --outcome “…”")
    return "\n".join(lines)


def _local(applied: Applied, moment: datetime) -> str:
    local = moment.astimezone(zone_of(None, applied.catalog.timezone))
    return f"{local.month}月{local.day}日 {local:%H:%M}"
