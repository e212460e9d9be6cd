"""`engage apply` beside a daemon, and two daemons, at work on the same PostgreSQL. (On SQLite whoever writes is
alone.)"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from small_journeys import COUPON, SERVICE, journey
from sqlalchemy import Connection, select, text
from sqlalchemy.event import listen, remove
from stage import Stage
from stage_scene import files_with
from stage_wiring import read_files

from engage.bootstrap import build_context
from engage.clock import VirtualClock
from engage.content.project import Project
from engage.runtime.context import AppliedHolder, Context
from engage.runtime.dispatching import dispatch
from engage.runtime.dispatching.dispatch import Dispatch
from engage.runtime.dispatching.handover import Intended, Patience
from engage.runtime.edits import applying
from engage.runtime.edits.applying import Done, apply
from engage.runtime.edits.planning import Planned
from engage.runtime.engine import Engine
from engage.simulation.settings import USUAL
from engage.store import dispatching, enrolling, journeys, members, reaching
from engage.store.databases.database import Database
from engage.store.enrolling import Entrant
from engage.store.reaching import Consents
from engage.store.tables import delivery, enrolment
from tests.postgresql import one_more_database

BEGAN = datetime(2026, 11, 23, 2, tzinfo=UTC)
TEN_DAYS = timedelta(days=10)


def waits(period: str) -> Project:
    steps = (f"wait: {period}\nid: rest", SERVICE, "wait: 5d", "send: thanks_repeat")
    return read_files(files_with({"note": journey("store_visited", *steps, topic="service")}))


@pytest.fixture
def context(postgresql_url: str) -> Iterator[Context]:
    """One member who has just entered."""
    with one_more_database(postgresql_url, "two_processes") as url:
        database = Database(url)
        database.create_all()
        context = build_context(USUAL, VirtualClock(BEGAN), database)
        apply(database, waits("10d"), BEGAN)
        with database.write() as connection:
            ref = members.create(connection, BEGAN, "C1", None)
            note = context.applied.current().journeys["note"]
            entrant = Entrant(ref, "visit", {"event": {}, "var": {}}, 0)
            enrolling.enter(connection, note.journey, 1, note.program.first, [(entrant, False)], BEGAN)
        yield context
        database.close()


def test_a_run_that_is_due_is_either_moved_on_or_moved_by_the_edit(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon comes to it when the plan is made and not yet carried out: it waits, and goes by the new files."""
    engine = Engine(context)
    engine.advance.tick()
    assert isinstance(context.clock, VirtualClock)
    context.clock.advance_to(BEGAN + TEN_DAYS)
    carry_out = applying.carry_out
    with ThreadPoolExecutor(1) as daemon:

        def with_the_daemon_at_work(connection: Connection, planned: Planned, now: datetime) -> None:
            _until_done_or_waiting(context.database, daemon.submit(engine.advance.tick))
            carry_out(connection, planned, now)

        monkeypatch.setattr(applying, "carry_out", with_the_daemon_at_work)
        assert isinstance(apply(context.database, waits("20d"), context.clock.now()), Done)
    engine.close()
    with context.database.read() as connection:
        assert connection.execute(select(enrolment.c.step_id, enrolment.c.deadline_at)).all() == [
            ("rest", BEGAN + 2 * TEN_DAYS)
        ]
        assert connection.execute(select(delivery)).all() == []


def test_what_is_applied_while_a_daemon_reads_it_is_read_again(context: Context) -> None:
    """As at its start: an old mark on what may be old, never a new one."""
    versions = []

    def meanwhile(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "journey_version" in statement and not versions:
            versions.append(statement)
            apply(context.database, waits("20d"), BEGAN)

    daemon = AppliedHolder(context.database)
    listen(context.database.engine, "before_cursor_execute", meanwhile)
    daemon.current()
    remove(context.database.engine, "before_cursor_execute", meanwhile)
    assert daemon.current().journeys["note"].version == 2


# --- two daemons ------------------------------------------------------------------------------------------------


class _Noted:
    """Calls that nobody makes."""

    def __init__(self, *_: object) -> None:
        self.begun: list[Intended] = []

    def room(self, channel: str) -> int:
        return 10

    def await_room(self, wanted: Mapping[str, int]) -> None:
        """There always is."""

    def begin(self, intended: Sequence[Intended]) -> None:
        self.begun += intended

    def settle(self) -> None:
        """Nothing is under way."""

    def close(self, _: Patience) -> None:
        """Nothing was opened."""


def test_two_daemons_keep_to_a_cap_together(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has claimed one of two messages to the same member, who may get one marketing message a day. The second
    daemon judges its own while the first has not committed its intent."""
    both = {name: journey("store_visited", COUPON) for name in ("one", "other")}
    apply(context.database, read_files(files_with(both)), BEGAN)
    with context.database.write() as connection:
        ref = members.create(connection, BEGAN, "C2", None)
        reaching.put_contact_points(connection, [(ref, "sms", "+8613800000001", BEGAN)])
        agreed = Consents({("marketing", "sms"): True}, "a form")
        reaching.put_consents(connection, {ref: agreed}, BEGAN, own_word=True)
        for name in both:
            active = context.applied.current().journeys[name]
            entrant = Entrant(ref, name, {"event": {}, "var": {}}, 0)
            enrolling.enter(connection, active.journey, 1, active.program.first, [(entrant, False)], BEGAN)
    Engine(context).advance.tick()
    monkeypatch.setattr(dispatch, "BATCH", 1)
    noted = [_Noted(), _Noted()]
    first, second = (Dispatch(context, lambda *_, calls=calls: calls) for calls in noted)
    begin_sending = dispatching.begin_sending
    with ThreadPoolExecutor(1) as other:

        def with_the_other_at_work(connection: Connection, rows: Any, now: datetime) -> None:
            monkeypatch.setattr(dispatching, "begin_sending", begin_sending)
            _until_done_or_waiting(context.database, other.submit(second.tick))
            begin_sending(connection, rows, now)

        monkeypatch.setattr(dispatching, "begin_sending", with_the_other_at_work)
        first.tick()
    assert [len(calls.begun) for calls in noted] == [1, 0]
    with context.database.read() as connection:
        stands = connection.execute(select(delivery.c.status, delivery.c.reason).order_by(delivery.c.status)).all()
    assert stands == [("sending", None), ("skipped", "frequency cap: 1 in 1d, 1 allowed")]


def _until_done_or_waiting(database: Database, work: Future[int]) -> None:
    waiting = 0
    while not (waiting or work.done()):
        with database.read() as connection:
            waiting = connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")) or 0


def test_doors_to_other_journeys_are_passed_in_the_order_of_their_names(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever order the steps of a batch name them in: two processes that lead members on wait for each other, and
    never both."""
    passed: list[str] = []
    hold_door = journeys.hold_door

    def listening(connection: Connection, journey_id: str) -> None:
        passed.append(journey_id)
        hold_door(connection, journey_id)

    monkeypatch.setattr(journeys, "hold_door", listening)
    behind = journey("order_paid", SERVICE, topic="service").replace("{ event: order_paid }", "manual")
    first, second = (journey("store_visited", f"enroll: {door}", topic="service") for door in ("b", "a"))
    stage.member("王芳", sms=True)
    stage.apply({"first": first, "second": second, "a": behind, "b": behind})
    stage.happens("王芳", "store_visited", store="湖滨店")
    assert passed == ["first", "second", "a", "b"]
