"""The same step by SQLAlchemy's ORM, an object for each row, as one would write it first."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Session

from engage.store import tables
from engage.store.databases.database import Database

_STEP = "send_sorry_personal"


class _Base(DeclarativeBase):
    metadata = tables.metadata


class _Member(_Base):
    __table__ = tables.member


class _Value(_Base):
    __table__ = tables.member_value


class _Run(_Base):
    __table__ = tables.enrolment


class _Message(_Base):
    __table__ = tables.delivery


class _Line(_Base):
    __table__ = tables.decision


def advance(database: Database, now: datetime, most: int, per_commit: int) -> int:
    """So many runs, some in each transaction. Returns how many."""
    done = 0
    with Session(database.engine) as session:
        while done < most:
            due = select(_Run).where(_Run.status == "live", _Run.due_at <= now).order_by(_Run.due_at, _Run.id)
            runs = session.scalars(due.limit(per_commit).with_for_update(skip_locked=True)).all()
            if not runs:
                break
            for run in runs:
                _step(session, run, now)
            session.commit()
            done += len(runs)
    return done


def _step(session: Session, run: _Run, now: datetime) -> None:
    session.get_one(_Member, {"bucket": run.bucket, "id": run.member_id})
    level = session.get(_Value, {"bucket": run.bucket, "member_id": run.member_id, "field": "level"})
    of_run = {"bucket": run.bucket, "id": run.id + 10**9, "enrolment_id": run.id}
    if level is not None and level.number_value >= 1:
        message = {"journey_id": run.journey_id, "version": 1, "step_id": _STEP, "visit": run.visit, "purpose": "send"}
        words = {"topic": "service", "priority": 50, "template": "sorry_personal", "status": "pending", "hop": 0}
        moments = {"queued_at": now, "due_at": now, "message_key": f"{run.id}:{_STEP}:{run.visit}"}
        session.add(_Message(**of_run, member_id=run.member_id, **message, **words, **moments))
    until = now + timedelta(days=30)
    session.add(_Line(**of_run, at=now, step_id="wait", what="wait", detail={"until": until.isoformat()}))
    run.step_id, run.phase, run.step_started_at = "wait", "waiting", now
    run.deadline_at = run.due_at = until
