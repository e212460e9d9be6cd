"""A database that was brought back from a copy is known for one, and moves nothing until somebody has said so."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from small_journeys import SERVICE, journey
from stage import OpenStage

from engage.clock import VirtualClock
from engage.runtime.continuity import Continuity, Witness
from engage.store import state
from engage.store.databases import continuity
from engage.store.databases.backup import back_up
from engage.store.databases.database import Database
from engage.store.insight import overview
from engage.store.statements.ids import take_ids

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
OUTAGE = timedelta(minutes=10)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOW)


@pytest.fixture
def starts(tmp_path: Path, clock: VirtualClock) -> Callable[[], Continuity]:
    """A daemon's, on the database of this folder."""
    opened: list[Database] = []

    def start() -> Continuity:
        for before in opened:
            before.close()
        opened.append(Database(f"sqlite:///{tmp_path}/engage.db"))
        opened[-1].create_all()
        return Continuity(opened[-1], clock, Witness.of(opened[-1], tmp_path), lambda: OUTAGE)

    return start


def lives(start: Callable[[], Continuity], clock: VirtualClock, minutes: int = 1) -> None:
    """A daemon works for so long, and ends."""
    daemon = start()
    for _ in range(minutes * 2):
        assert daemon.keep()
        clock.advance_to(clock.now() + timedelta(seconds=30))
    daemon._database.close()


def why_paused(tmp_path: Path) -> str | None:
    database = Database(f"sqlite:///{tmp_path}/engage.db")
    with database.read() as connection:
        why = next((p.reason for p in overview.pauses(connection) if p.scope == state.RESTORED), None)
    database.close()
    return why


def goes_on(tmp_path: Path, clock: VirtualClock) -> None:
    database = Database(f"sqlite:///{tmp_path}/engage.db")
    witness = Witness.of(database, tmp_path)
    seen = witness.read()
    with database.write() as connection:
        beyond = seen.epoch if seen is not None else 0
        lived = continuity.take_for_true(database, connection, beyond, clock.now(), drop_due=True)
    database.close()
    if lived is not None:
        witness.write(lived)


def test_a_daemon_that_is_started_again_goes_on(starts: Callable[[], Continuity], clock: VirtualClock) -> None:
    lives(starts, clock)
    clock.advance_to(clock.now() + timedelta(days=3))
    lives(starts, clock)


def test_what_a_newer_version_keeps_besides_stops_no_daemon_of_this_one(
    starts: Callable[[], Continuity], clock: VirtualClock, tmp_path: Path
) -> None:
    """In an upgrade under load both are at work."""
    lives(starts, clock)
    beside = tmp_path / "engage.db.life"
    kept = {**json.loads(beside.read_text("utf-8")), "of_tomorrow": [1]}
    beside.write_text(json.dumps(kept), encoding="utf-8")
    database = Database(f"sqlite:///{tmp_path}/engage.db")
    with database.write() as connection:
        state.put(connection, continuity.LIFE, kept, clock.now())
    database.close()
    lives(starts, clock)


def test_a_file_that_was_copied_back_is_known_by_what_stands_beside_it(
    starts: Callable[[], Continuity], clock: VirtualClock, tmp_path: Path
) -> None:
    lives(starts, clock)
    shutil.copy(tmp_path / "engage.db", tmp_path / "old.db")
    lives(starts, clock)
    shutil.copy(tmp_path / "old.db", tmp_path / "engage.db")
    ticked = []
    daemon = starts()
    assert daemon.guarded(lambda: ticked.append(1) or 1)() == 0
    assert ticked == []
    assert why_paused(tmp_path) == "it stands at 2026-11-23 02:00 UTC; this machine has seen it at 2026-11-23 02:01 UTC"


def test_the_evidence_does_not_wear_off_with_time_or_with_another_start(
    starts: Callable[[], Continuity], clock: VirtualClock, tmp_path: Path
) -> None:
    lives(starts, clock)
    shutil.copy(tmp_path / "engage.db", tmp_path / "old.db")
    lives(starts, clock)
    shutil.copy(tmp_path / "old.db", tmp_path / "engage.db")
    for _ in range(3):
        daemon = starts()
        for _ in range(3):
            assert not daemon.keep()
            clock.advance_to(clock.now() + timedelta(minutes=5))


def test_a_file_brought_to_another_machine_without_what_stood_beside_it_is_asked_about(
    starts: Callable[[], Continuity], clock: VirtualClock, tmp_path: Path
) -> None:
    lives(starts, clock)
    (tmp_path / "engage.db.life").unlink()
    assert not starts().keep()


def test_our_own_copy_says_what_it_is_wherever_it_is_opened(
    starts: Callable[[], Continuity], clock: VirtualClock, tmp_path: Path
) -> None:
    lives(starts, clock)
    daemon = starts()
    back_up(daemon._database, tmp_path / "copy.db", clock.now())
    assert daemon.keep()  # the one it was made of is as it was
    daemon._database.close()
    shutil.copy(tmp_path / "copy.db", tmp_path / "engage.db")
    assert not starts().keep()
    assert why_paused(tmp_path) == "it is a copy made at 2026-11-23 02:01 UTC"


def test_once_it_is_taken_for_the_true_one_it_goes_on_and_the_other_one_would_be_the_copy(
    starts: Callable[[], Continuity], clock: VirtualClock, tmp_path: Path
) -> None:
    lives(starts, clock)
    shutil.copy(tmp_path / "engage.db", tmp_path / "old.db")
    lives(starts, clock, minutes=3)
    shutil.copy(tmp_path / "engage.db", tmp_path / "given up.db")
    shutil.copy(tmp_path / "old.db", tmp_path / "engage.db")
    running = starts()
    assert not running.keep()
    goes_on(tmp_path, clock)
    clock.advance_to(clock.now() + timedelta(seconds=30))
    assert running.keep()
    lives(starts, clock)
    running._database.close()
    shutil.copy(tmp_path / "given up.db", tmp_path / "engage.db")
    assert not starts().keep()


def test_what_was_given_out_in_the_lost_time_is_never_given_to_anything_else(
    starts: Callable[[], Continuity], clock: VirtualClock, tmp_path: Path
) -> None:
    """A link that was sent then carries the id of its message: it must not unsubscribe somebody else."""

    def given(count: int) -> set[int]:
        with starts()._database.write() as connection:
            return set(take_ids(connection, "delivery", count))

    lives(starts, clock)
    shutil.copy(tmp_path / "engage.db", tmp_path / "old.db")
    ever = given(3)
    for _ in range(2):
        lives(starts, clock)
        shutil.copy(tmp_path / "old.db", tmp_path / "engage.db")
        assert not starts().keep()
        for since_then in (given(3), goes_on(tmp_path, clock) or given(3)):
            assert not ever & since_then
            ever |= since_then


def test_a_copy_that_no_daemon_has_looked_at_gives_out_new_ids_as_well(
    starts: Callable[[], Continuity], clock: VirtualClock, tmp_path: Path
) -> None:
    lives(starts, clock)
    database = starts()._database
    back_up(database, tmp_path / "copy.db", clock.now())
    with database.write() as connection:
        lost = take_ids(connection, "delivery", 3)
    shutil.copy(tmp_path / "copy.db", tmp_path / "engage.db")
    goes_on(tmp_path, clock)
    with starts()._database.write() as connection:
        assert not set(lost) & set(take_ids(connection, "delivery", 3))


def test_a_database_that_goes_back_under_a_running_daemon_stops_it(
    starts: Callable[[], Continuity], clock: VirtualClock, tmp_path: Path
) -> None:
    """As a server does that was restored while the daemon waited for it."""
    daemon = starts()
    assert daemon.keep()
    with daemon._database.read() as connection:
        before = continuity.life(connection)
    assert before is not None
    clock.advance_to(clock.now() + timedelta(seconds=30))
    assert daemon.keep()
    with daemon._database.write() as connection:
        continuity.put_life(connection, before)
    clock.advance_to(clock.now() + timedelta(seconds=30))
    assert not daemon.keep()


def test_after_an_outage_what_was_due_is_in_arrears_and_after_a_restart_it_is_not(
    starts: Callable[[], Continuity], clock: VirtualClock
) -> None:
    def arrears() -> datetime | None:
        with starts()._database.read() as connection:
            found = state.arrears(connection)
            return found.until if found is not None else None

    lives(starts, clock)
    clock.advance_to(clock.now() + timedelta(minutes=5))
    lives(starts, clock)
    assert arrears() is None
    clock.advance_to(clock.now() + timedelta(minutes=15))
    back_at = clock.now()
    lives(starts, clock)
    assert arrears() == back_at


def test_what_counts_as_an_outage_may_change_while_a_daemon_runs(tmp_path: Path, clock: VirtualClock) -> None:
    database, outage = Database(f"sqlite:///{tmp_path}/engage.db"), [OUTAGE]
    database.create_all()
    daemon = Continuity(database, clock, Witness.of(database, tmp_path), lambda: outage[-1])
    for longest, is_one in ((timedelta(hours=1), False), (OUTAGE, True)):
        outage.append(longest)
        assert daemon.keep()
        clock.advance_to(clock.now() + timedelta(minutes=30))
        assert daemon.keep()
        with database.read() as connection:
            assert (state.arrears(connection) is not None) is is_one


def test_a_clock_that_jumps_a_day_under_a_running_daemon_is_an_outage(
    starts: Callable[[], Continuity], clock: VirtualClock
) -> None:
    daemon = starts()
    assert daemon.keep()
    clock.advance_to(clock.now() + timedelta(days=1))
    seen = []

    def tick() -> int:
        with daemon._database.read() as connection:
            seen.append(state.arrears(connection))
        return 0

    daemon.guarded(tick)()
    assert [found.until for found in seen] == [clock.now()]  # before the loop takes anything


def test_a_database_that_was_brought_back_sends_nothing_even_if_a_loop_ran(open_stage: OpenStage) -> None:
    """The pause is heard in the intent's transaction, like any other."""
    stage = open_stage()
    stage.member("王芳", sms=True)
    stage.apply({"note": journey("coupon_used", SERVICE, topic="service")})
    with stage.database.write() as connection:
        state.pause_scopes(connection, [state.RESTORED], "it is a copy", stage.clock.now())
    stage.happens("王芳", "coupon_used", code="C1")
    assert stage.phone("王芳") == []
    assert stage.delivery("王芳").reason == "paused"


def test_what_had_come_in_before_the_copy_was_made_is_due_since_then(open_stage: OpenStage) -> None:
    """It lay there unread; the database that was lost had read it, and sent what follows from it."""
    stage = open_stage()
    for name in ("王芳", "李雷"):
        stage.member(name, sms=True)
    stage.apply({"note": journey("coupon_used", SERVICE, topic="service")})
    with stage.daemon_down():
        stage.happens("王芳", "coupon_used", code="C1")
        stage.engine.receive.tick()
        stage.run_until(at="15:00")
        with stage.database.write() as connection:
            continuity.take_for_true(stage.database, connection, 0, stage.clock.now(), drop_due=True)
        stage.clock.advance_to(stage.clock.now() + timedelta(seconds=1))
        stage.happens("李雷", "coupon_used", code="C2")
    stage.run_until(at="16:00")
    assert (stage.got("王芳"), stage.delivery("王芳").status) == ([], "skipped")
    assert len(stage.got("李雷")) == 1
