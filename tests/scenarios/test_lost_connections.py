"""The database goes at the worst moments: the wire call is made once all the same. On a real PostgreSQL, whose
connections are cut before or after the COMMIT has arrived."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_journeys import SERVICE, journey
from sqlalchemy import Connection, event, select, text
from stage import Stage
from stage_databases import Databases
from stage_wiring import Setup

from engage.errors import DatabaseUnavailable
from engage.store.databases.database import Database
from engage.store.tables import contact_point


class Cut:
    """Ends the connection of the next transaction that sets this column of this table, at its COMMIT."""

    def __init__(self, database: Database, table: str, column: str, *, committed: bool) -> None:
        self._database = database
        self._begins, self._column = f"UPDATE {table} ", column
        self._committed = committed
        self._said_on: Connection | None = None
        self.done = 0
        event.listen(database.engine, "before_cursor_execute", self._hear)
        event.listen(database.engine, "commit", self._strike)

    def _hear(self, connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if not self.done and statement.startswith(self._begins) and self._column in statement:
            self._said_on = connection

    def _strike(self, connection: Connection) -> None:
        if self._said_on is not connection:
            return
        self._said_on, self.done = None, self.done + 1
        wire: Any = connection.connection.dbapi_connection
        if self._committed:
            wire.commit()
            wire.close()
        else:
            with self._database.read() as another:
                another.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": wire.info.backend_pid})


@pytest.fixture
def stage(tmp_path: Path, databases: Databases) -> Iterator[Stage]:
    with databases.one() as url:
        stage = Stage(tmp_path, "2026-11-23 10:00", False, Setup(database=url))
        stage.member("王芳", sms=True)
        stage.member("李雷", wechat=True)
        stage.apply({"note": journey("store_visited", SERVICE, "wait: 2d", topic="service")})
        yield stage
        stage.close()


@pytest.mark.parametrize("committed", [False, True], ids=["before it arrived", "after it arrived"])
def test_an_intent_whose_commit_is_lost_is_called_once(stage: Stage, committed: bool) -> None:
    with stage.daemon_down():
        stage.happens("王芳", "store_visited", store="静安店")
        for loop in (stage.engine.receive, stage.engine.enrol, stage.engine.advance):
            loop.tick()
        cut = Cut(stage.database, "delivery", "payload_hash", committed=committed)
        with pytest.raises(DatabaseUnavailable):
            stage.engine.dispatch.tick()
        assert cut.done == 1
        assert stage.delivery("王芳").status == ("sending" if committed else "claimed")
        assert stage.phone("王芳") == []
    assert len(stage.phone("王芳")) == 1
    assert (stage.delivery("王芳").status, stage.delivery("王芳").attempts) == ("sent", 1)


@pytest.mark.parametrize("committed", [False, True], ids=["before it arrived", "after it arrived"])
def test_an_outcome_whose_commit_is_lost_is_written_again_and_not_called_again(stage: Stage, committed: bool) -> None:
    cut = Cut(stage.database, "delivery", "called_at", committed=committed)
    stage.happens("王芳", "store_visited", store="静安店")
    assert cut.done == 1
    assert len(stage.phone("王芳")) == 1
    assert stage.delivery("王芳").status == "sent"


@pytest.mark.parametrize("committed", [False, True], ids=["before it arrived", "after it arrived"])
def test_a_run_whose_move_is_lost_moves_once(stage: Stage, committed: bool) -> None:
    with stage.daemon_down():
        stage.happens("王芳", "store_visited", store="静安店")
        for loop in (stage.engine.receive, stage.engine.enrol):
            loop.tick()
        cut = Cut(stage.database, "enrolment", "phase", committed=committed)
        with pytest.raises(DatabaseUnavailable):
            stage.engine.advance.tick()
        assert cut.done == 1
    assert len(stage.deliveries("王芳")) == 1
    assert stage.run("王芳", "note").phase == "waiting"


@pytest.mark.parametrize("committed", [False, True], ids=["before it arrived", "after it arrived"])
def test_a_reply_window_is_used_by_what_was_called_alone(stage: Stage, committed: bool) -> None:
    """An intent that is given back gives back what it had taken."""
    stage.types("李雷", "在吗")
    with stage.daemon_down():
        stage.happens("李雷", "store_visited", store="静安店")
        for loop in (stage.engine.receive, stage.engine.enrol, stage.engine.advance):
            loop.tick()
        cut = Cut(stage.database, "delivery", "payload_hash", committed=committed)
        with pytest.raises(DatabaseUnavailable):
            stage.engine.dispatch.tick()
        assert cut.done == 1
    with stage.database.read() as connection:
        hers = contact_point.c.member_id == stage.ref("李雷").id
        used = connection.scalar(select(contact_point.c.window_used).where(hers))
    assert (used, len(stage.phone("李雷"))) == (1, 1)
