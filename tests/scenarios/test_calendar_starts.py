"""Starts by the calendar: once for each local date, whatever becomes of the clock, the daemon, or a member's zone."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from broken_door import OurFault, fails_over, fails_over_everybody, rung_until
from small_journeys import SERVICE
from small_journeys import journey as by_event
from sqlalchemy import Connection
from stage import OpenStage, Stage
from structlog.testing import capture_logs

from engage.clock import VirtualClock
from engage.runtime.engine import Engine
from engage.runtime.enrolling import calendar_starts, enrol
from engage.runtime.enrolling.enrol import Enrol
from engage.store import enrolling, members, state
from engage.store.enrolling import Entrant
from engage.store.insight import overview

SHANGHAI, PARIS, LOS_ANGELES, NEW_YORK = "Asia/Shanghai", "Europe/Paris", "America/Los_Angeles", "America/New_York"
BIRTHDAY = "start: { date: birthday, at: 10:00 }"


def journey(start: str, *options: str, late: str = "") -> str:
    """One service message. `start` as it stands in the file; audience everyone where that must be said."""
    head = f"journey: 试一试\n{start}\ntopic: service\n" + "".join(f"{option}\n" for option in options)
    everyone = "audience: everyone\n" if "every:" in start else ""
    return f"{head}{everyone}steps:\n  - send: sorry_personal\n" + (f"    late: {late}\n" if late else "")


def play(stage: Stage, text: str) -> Stage:
    stage.apply({"timely": text})
    return stage


def entered(stage: Stage, name: str) -> list[str]:
    """The occurrences somebody has had."""
    return [run.occurrence for run in stage.runs(name)]


def came(stage: Stage, name: str) -> list[str]:
    return [when for when, _ in stage.got(name)]


DAILY = journey("start: { every: day, at: 10:00 }", "reentry: always")


# --- many at once ---------------------------------------------------------------------------------------------------


def by_batches(open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch, text: str) -> tuple[Stage, list[str]]:
    """Ten members, of whom four at a time come in."""
    monkeypatch.setattr(calendar_starts, "BATCH", 4)
    stage = open_stage("2026-11-23 08:00")
    names = [f"m{number}" for number in range(10)]
    for name in names:
        stage.member(name, sms=True)
    return play(stage, text), names


def test_a_start_of_many_comes_in_by_batches_and_goes_on_where_it_was(
    open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred thousand in one transaction would keep everybody else from writing; a daemon that dies in the middle
    leaves the rest to the next one, which asks nobody twice."""
    stage, names = by_batches(open_stage, monkeypatch, DAILY)
    stage.run_until(day=0, at="09:59")
    stage.clock.advance_to(stage.clock.now() + timedelta(minutes=1))
    assert Enrol(stage.engine.context).tick() == 4
    assert sum(len(stage.runs(name)) for name in names) == 4
    asked = _asked_at_the_door(monkeypatch)
    taking_over = Enrol(stage.engine.context)
    assert [taking_over.tick() for _ in range(3)] == [4, 2, 0]
    assert len(asked) == 6
    assert [len(stage.runs(name)) for name in names] == [1] * 10


def test_the_next_days_start_of_many_begins_with_the_first_of_them(
    open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, names = by_batches(open_stage, monkeypatch, DAILY)
    stage.run_until(day=1, at="12:00")
    assert [len(stage.runs(name)) for name in names] == [2] * 10


def test_a_daemon_that_had_not_the_turn_does_not_end_the_start_of_another_one(
    open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, names = by_batches(open_stage, monkeypatch, DAILY)
    stage.run_until(day=0, at="09:59")
    stage.clock.advance_to(stage.clock.now() + timedelta(minutes=1))
    one, another = Enrol(stage.engine.context), Enrol(stage.engine.context)
    assert one.tick() == 4
    with monkeypatch.context() as patch:
        turns = iter([False, True])  # the other one is in the midst of a batch, and then between two
        patch.setattr(state, "take_turn", lambda *_, **__: next(turns))
        another.tick()
    while one.tick():
        pass
    assert [len(stage.runs(name)) for name in names] == [1] * 10


def test_who_comes_while_another_daemon_has_the_turn_is_waited_for(
    open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch is gone through singly, and between two of them another daemon begins something of its own."""
    stage, names = by_batches(open_stage, monkeypatch, DAILY)
    if stage.database.file is not None:
        pytest.skip("on SQLite whoever writes is alone")
    fails_over(stage, monkeypatch, "m1")
    stage.run_until(day=0, at="09:59")
    stage.clock.advance_to(stage.clock.now() + timedelta(minutes=1))
    again, third, taken = Enrol._take_comer_again, stage.ref("m2").id, threading.Event()

    def elsewhere() -> None:
        with stage.database.write() as connection:
            assert state.take_turn(connection, "enrol", stage.clock.now())
            taken.set()
            time.sleep(0.2)  # as long as a batch

    def meanwhile(self: Enrol, coming: Any, connection: Connection, comer: Any) -> Any:
        if comer.id == third and not taken.is_set():
            other.submit(elsewhere)
            assert taken.wait(10)
        return again(self, coming, connection, comer)

    with ThreadPoolExecutor(1) as other, monkeypatch.context() as patch:
        patch.setattr(Enrol, "_take_comer_again", meanwhile)
        stage.engine.enrol.tick()
    assert taken.is_set()
    stage.run_until(at="11:00")
    assert [len(stage.runs(name)) for name in names] == [1, 0] + [1] * 8


def test_an_unrelated_edit_in_the_midst_of_a_start_cuts_nobody_off(
    open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its slot is too old to be made up for by then; but it has begun in time."""
    short = journey("start: { every: day, at: 10:00, catch_up: 1m }", "reentry: always")
    stage, names = by_batches(open_stage, monkeypatch, short)
    stage.run_until(day=0, at="09:59")
    with stage.daemon_down():
        stage.run_until(day=0, at="10:00")
        assert stage.engine.enrol.tick() == 4
        stage.run_until(day=0, at="10:02")
        stage.apply({"timely": short, "visit": by_event("store_visited", SERVICE, topic="service")})
    assert [len(stage.runs(name)) for name in names] == [1] * 10


def _asked_at_the_door(monkeypatch: pytest.MonkeyPatch) -> list[Entrant]:
    asked: list[Entrant] = []
    admit = enrol.admit

    def listening(connection: Any, applied: Any, active: Any, entrants: Any, *more: Any) -> Any:
        asked.extend(entrants)
        return admit(connection, applied, active, entrants, *more)

    monkeypatch.setattr(enrol, "admit", listening)
    return asked


def test_what_is_applied_meanwhile_is_what_the_rest_come_into(
    open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, names = by_batches(open_stage, monkeypatch, DAILY)
    stage.run_until(day=0, at="09:59")
    stage.clock.advance_to(stage.clock.now() + timedelta(minutes=1))
    loop = Enrol(stage.engine.context)
    assert loop.tick() == 4
    stage.apply({"timely": journey("start: { every: day, at: 10:00 }", "reentry: always", late="1h")})
    while loop.tick():
        pass
    assert Counter(run.version for name in names for run in stage.runs(name)) == {1: 4, 2: 6}


def test_one_over_whom_the_code_fails_is_put_off_and_the_others_come_in(
    open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else nobody behind them would ever come in, nor anybody of a later start. They come when it is mended, and as if
    they had come in time."""
    stage, names = by_batches(open_stage, monkeypatch, DAILY)
    with capture_logs() as logs, monkeypatch.context() as patch:
        fails_over(stage, patch, "m6")
        rung_until(stage, "10:15")
        assert [len(stage.runs(name)) for name in names] == [1] * 6 + [0] + [1] * 3
        assert stage.engine.enrol.tick() == 0  # nobody looks at it all the time
    put_off = [line["member_id"] for line in logs if line["event"] == "start_put_off"]
    assert put_off == [stage.ref("m6").id] * 2  # when it came, and ten minutes later
    with stage.database.read() as connection:
        assert overview.set_aside(connection, stage.clock.now() - timedelta(days=1)) == {"enrol": 2}
    rung_until(stage, "10:30")
    assert [len(stage.runs(name)) for name in names] == [1] * 10
    assert entered(stage, "m6") == entered(stage, "m5")


def test_but_not_for_longer_than_the_start_is_made_up_for(
    open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, _ = by_batches(open_stage, monkeypatch, DAILY)
    with capture_logs() as logs, monkeypatch.context() as patch:
        fails_over(stage, patch, "m6")
        rung_until(stage, "22:05")
    (given_up,) = (line for line in logs if line["event"] == "start_passed_over")
    assert (given_up["journey"], given_up["member_id"]) == ("timely", stage.ref("m6").id)
    rung_until(stage, "22:30")
    assert stage.runs("m6") == []


def test_another_daemon_brings_them_too(open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written down who is owed a start: whoever is restarted with the mend knows of them."""
    stage, names = by_batches(open_stage, monkeypatch, DAILY)
    with monkeypatch.context() as patch:
        fails_over(stage, patch, "m6")
        rung_until(stage, "10:02")
    assert Enrol(stage.engine.context).tick() == 1
    assert [len(stage.runs(name)) for name in names] == [1] * 10


def test_a_start_in_whose_midst_all_stops_for_days_is_made_up_for_as_if_it_had_come_then(
    open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, names = by_batches(open_stage, monkeypatch, DAILY)
    with stage.daemon_down():
        stage.run_until(day=0, at="10:00")
        assert Enrol(stage.engine.context).tick() == 4
        stage.run_until(day=0, at="21:30")
    assert [len(entered(stage, name)) for name in names] == [1] * 10
    with stage.daemon_down():
        stage.run_until(day=1, at="10:00")
        assert Enrol(stage.engine.context).tick() == 4
        stage.run_until(day=4, at="12:00")
    assert [entered(stage, name)[1:] for name in names] == [["slot:2026-11-24"]] * 4 + [["slot:2026-11-27"]] * 6


def test_two_starts_in_whose_midst_an_edit_comes_both_come_to_their_end(
    open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One journey's rests in its midst; another one comes in by batches meanwhile."""
    stage, names = by_batches(open_stage, monkeypatch, DAILY)
    another = DAILY.replace("10:00", "10:01")
    with stage.daemon_down():
        stage.apply({"timely": DAILY, "another": another})
        stage.run_until(day=0, at="10:00")
        assert stage.engine.enrol.tick() == 4
        with monkeypatch.context() as patch:
            fails_over_journey(patch, "timely")
            rung_until(stage, "10:02")
            assert [len(stage.runs(name, "another")) for name in names] == [1] * 10
        with stage.database.read() as connection:
            assert len(state.get(connection, state.STARTS_BEGUN)) == 1
    stage.run_until(at="10:04")
    assert [len(stage.runs(name, "timely")) for name in names] == [1] * 10


def test_two_days_of_a_fault_owe_the_birthdays_of_both(open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = open_stage("2026-11-23 08:00")
    for name, birthday in (("王芳", "11-23"), ("李雷", "11-23"), ("韩梅", "11-24"), ("林晚", "11-24")):
        stage.member(name, sms=True, birthday=birthday)
    play(stage, journey("start: { date: birthday, at: 10:00, catch_up: 3d }"))
    stage.run_until(at="09:59")
    with stage.daemon_down(), monkeypatch.context() as patch:
        fails_over_journey(patch, "timely")
        rung_until(stage, "10:05")
        stage.run_until(day=1, at="09:59")
        rung_until(stage, "10:05", day=1)
    stage.run_until(day=1, at="10:07")
    assert [len(stage.runs(name)) for name in ("王芳", "李雷", "韩梅", "林晚")] == [1] * 4


# --- schedules --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "days"),
    [
        ("start: { every: day, at: 10:00 }", [1, 2, 3, 4, 5, 6, 7]),
        ("start: { every: monday, at: 10:00 }", [7]),
        ("start: { every: weekend, at: 10:00 }", [5, 6]),
        ("start: { every: month 30, at: 10:00 }", [7]),
        ('start:\n  every: cron "0 10 * * mon,wed"', [2, 7]),
        ('start:\n  every: cron "0 10 30 * fri"', [4, 7]),
    ],
)
def test_every_kind_of_schedule_on_its_days(open_stage: OpenStage, start: str, days: list[int]) -> None:
    """Day 0 is Monday, 23 November 2026, noon."""
    stage = open_stage("2026-11-23 12:00")
    stage.member("王芳", sms=True)
    play(stage, journey(start, "reentry: always"))
    stage.run_until(day=7, at="12:00")
    assert came(stage, "王芳") == [f"day {day} 10:00" for day in days]


def test_a_workday_is_one_of_the_announced_calendar(open_stage: OpenStage) -> None:
    """Day 0 is 7 October 2026: the last day of the holiday; Saturday the 10th is worked for it, Sunday is not."""
    stage = open_stage("2026-10-07 12:00")
    stage.member("王芳", sms=True)
    play(stage, journey("start: { every: workday, at: 10:00 }", "reentry: always"))
    stage.run_until(day=5, at="12:00")
    assert came(stage, "王芳") == ["day 1 10:00", "day 2 10:00", "day 3 10:00", "day 5 10:00"]


def test_ops_may_announce_a_year_before_engage_knows_it(open_stage: OpenStage) -> None:
    off = {2090: {"holidays": ["2090-01-31..2090-02-03"], "make_up_days": ["2090-02-04"]}}
    stage = open_stage("2090-01-30 12:00", policy={"workdays": off})
    stage.member("王芳", sms=True)
    play(stage, journey("start: { every: workday, at: 10:00 }", "reentry: always"))
    stage.run_until(day=7, at="12:00")
    assert came(stage, "王芳") == ["day 5 10:00", "day 7 10:00"]  # Saturday is worked, Sunday is not


def test_two_times_a_day_are_two_occurrences(open_stage: OpenStage) -> None:
    stage = open_stage("2026-11-23 08:00")
    stage.member("王芳", sms=True)
    play(stage, journey('start:\n  every: cron "0 10,18 * * *"', "reentry: always"))
    stage.run_until(day=1, at="12:00")
    assert came(stage, "王芳") == ["day 0 10:00", "day 0 18:00", "day 1 10:00"]
    assert entered(stage, "王芳") == ["slot:2026-11-23 10:00", "slot:2026-11-23 18:00", "slot:2026-11-24 10:00"]


def test_who_may_enter_once_only_enters_once_however_often_the_schedule_comes(open_stage: OpenStage) -> None:
    stage = open_stage("2026-11-23 08:00")
    stage.member("王芳", sms=True)
    play(stage, journey("start: { every: day, at: 10:00 }"))
    stage.run_until(day=4)
    assert came(stage, "王芳") == ["day 0 10:00"]


# --- a daemon that was down -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("up_again", "started"), [("21:59", True), ("22:01", False)])
def test_a_schedule_missed_by_more_than_twelve_hours_is_not_made_up_for(
    open_stage: OpenStage, up_again: str, started: bool
) -> None:
    stage = open_stage("2026-11-23 08:00")
    stage.member("王芳", sms=True)
    play(stage, journey("start: { every: day, at: 10:00 }"))
    with stage.daemon_down():
        stage.run_until(at=up_again)
    assert entered(stage, "王芳") == (["slot:2026-11-23"] if started else [])


def test_a_start_before_the_daemon_is_first_started_is_made_up_for_as_well(open_stage: OpenStage) -> None:
    stage = open_stage("2026-11-23 08:00")
    stage.member("王芳", sms=True)
    with stage.daemon_down():
        play(stage, journey("start: { every: day, at: 10:00 }"))
        stage.run_until(at="12:00")
    assert entered(stage, "王芳") == ["slot:2026-11-23"]


def test_catch_up_is_the_journeys_own_and_counts_for_each_members_own_slot(open_stage: OpenStage) -> None:
    """Down from 08:00 to 20:00 in Shanghai: ten o'clock there is ten hours ago, in Paris (17:00) three."""
    stage = open_stage("2026-11-23 08:00")
    stage.member("王芳", email=True)
    stage.member("Anne", email=True, zone=PARIS)
    play(stage, journey("start: { every: day, at: 10:00, catch_up: 4h }"))
    with stage.daemon_down():
        stage.run_until(at="20:00")
    assert (entered(stage, "王芳"), entered(stage, "Anne")) == ([], ["slot:2026-11-23"])


@pytest.mark.parametrize(("up_again", "sent"), [("12:00", True), ("12:01", False)])
def test_late_is_counted_from_the_moment_the_start_was_planned(
    open_stage: OpenStage, up_again: str, sent: bool
) -> None:
    """Not from when a daemon that was down got to it."""
    stage = open_stage("2026-11-23 08:00")
    stage.member("王芳", sms=True)
    play(stage, journey("start: { every: day, at: 10:00 }", late="2h"))
    with stage.daemon_down():
        stage.run_until(at=up_again)
    assert bool(came(stage, "王芳")) is sent
    assert stage.delivery("王芳").reason == (None if sent else "late: its time has passed")


def test_three_days_down_are_not_three_messages(open_stage: OpenStage) -> None:
    stage = open_stage("2026-11-23 08:00")
    stage.member("王芳", sms=True)
    play(stage, DAILY)
    with stage.daemon_down():
        stage.run_until(day=3, at="12:00")
    assert entered(stage, "王芳") == ["slot:2026-11-26"]


def test_a_clock_that_jumps_back_starts_nothing_again(open_stage: OpenStage) -> None:
    stage = open_stage("2026-11-23 08:00")
    stage.member("王芳", sms=True, birthday="11-23")
    stage.apply({"daily": journey("start: { every: day, at: 10:00 }", "reentry: always"), "yearly": journey(BIRTHDAY)})
    stage.run_until(at="12:00")
    earlier = VirtualClock(stage.moment(0, "09:00"))
    engine = Engine(replace(stage.house.app.context, clock=earlier))
    for hour in ("09:00", "10:00", "11:30"):
        earlier.advance_to(stage.moment(0, hour))
        engine.run_until_idle()
    engine.close()
    assert sorted(entered(stage, "王芳")) == ["slot:2026-11-23", "solar:2026"]
    assert len(stage.phone("王芳")) == 2


# --- an edit ---------------------------------------------------------------------------------------------------------


def at_nine(text: str) -> str:
    return text.replace("10:00", "09:00")


@pytest.mark.parametrize("start", [BIRTHDAY, "start: { every: day, at: 10:00 }\nreentry: always"])
def test_a_start_put_to_a_time_that_has_passed_comes_at_once_for_whom_it_was_still_to_come(
    open_stage: OpenStage, start: str
) -> None:
    """At 09:30 in Shanghai; in Tokyo ten o'clock has passed, in Paris nine is still to come."""
    stage = open_stage("2026-11-23 08:00")
    for name, zone in (("王芳", SHANGHAI), ("花子", "Asia/Tokyo"), ("Anne", PARIS)):
        stage.member(name, email=True, zone=zone, birthday="11-23")
    play(stage, journey(start))
    stage.run_until(at="09:30")
    play(stage, at_nine(journey(start)))
    stage.run_until(at="23:00")
    assert [came(stage, name) for name in ("王芳", "花子", "Anne")] == [
        ["day 0 09:30"],
        ["day 0 09:00"],
        ["day 0 16:00"],
    ]


def test_it_is_made_up_for_like_any_other_once_by_whoever_looks_next(open_stage: OpenStage) -> None:
    stage = open_stage("2026-11-23 08:00")
    stage.member("王芳", sms=True, birthday="11-23")
    play(stage, journey(BIRTHDAY))
    stage.run_until(at="09:00")
    with stage.daemon_down():
        stage.run_until(at="11:00")
        play(stage, journey(BIRTHDAY.replace("10:00", "08:30")))
        stage.run_until(at="12:00")
    play(stage, journey(BIRTHDAY))
    stage.run_until(day=1, at="12:00")
    assert came(stage, "王芳") == ["day 0 12:00"]


def test_but_not_if_that_time_is_too_long_ago(open_stage: OpenStage) -> None:
    stage = open_stage("2026-11-23 08:00")
    stage.member("王芳", sms=True)
    play(stage, journey("start: { every: day, at: 21:00, catch_up: 4h }", "reentry: always"))
    stage.run_until(at="20:00")
    play(stage, journey("start: { every: day, at: 15:00, catch_up: 4h }", "reentry: always"))
    stage.run_until(day=1, at="18:00")
    assert came(stage, "王芳") == ["day 1 15:00"]


def test_what_is_owed_is_not_forgotten_in_the_midst_of_many(
    open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, names = by_batches(open_stage, monkeypatch, DAILY)
    stage.run_until(at="09:30")
    with stage.daemon_down():
        play(stage, at_nine(DAILY))
        loop = Enrol(stage.engine.context)
        assert loop.tick() == 4
        play(stage, journey("start: { every: day, at: 09:00 }", "reentry: always", late="1h"))
        while loop.tick():
            pass
        assert [len(stage.runs(name)) for name in names] == [1] * 10
        assert loop.tick() == 0


def test_a_new_journey_begins_with_the_next_day_and_so_does_one_that_is_back(open_stage: OpenStage) -> None:
    stage = open_stage("2026-11-23 09:30")
    stage.member("王芳", sms=True)
    daily = journey("start: { every: day, at: 09:00 }", "reentry: always")
    play(stage, daily)
    stage.run_until(day=1, at="08:00")
    assert came(stage, "王芳") == []
    stage.apply({})
    stage.run_until(day=1, at="12:00")
    play(stage, daily.replace("09:00", "10:00"))
    stage.run_until(day=2, at="12:00")
    assert came(stage, "王芳") == ["day 2 10:00"]


# --- a member who moves -----------------------------------------------------------------------------------------


def moves(stage: Stage, name: str, zone: str) -> None:
    stage.registers(name, zone=zone)


@pytest.mark.parametrize("start", [BIRTHDAY, "start: { every: day, at: 10:00 }\nreentry: always"])
def test_who_moves_west_after_the_start_has_no_second_one_that_day(open_stage: OpenStage, start: str) -> None:
    """At noon from Shanghai to Los Angeles, where it is the evening before: ten o'clock of that date comes again."""
    stage = open_stage("2026-11-23 08:00")
    stage.member("王芳", email=True, zone=SHANGHAI, birthday="11-23")
    play(stage, journey(start))
    stage.run_until(at="12:00")
    moves(stage, "王芳", LOS_ANGELES)
    stage.run_until(day=1, at="12:00")
    assert [key for key in entered(stage, "王芳") if key in ("slot:2026-11-23", "solar:2026")] == entered(stage, "王芳")
    assert len(entered(stage, "王芳")) == 1


@pytest.mark.parametrize("start", [BIRTHDAY, "start: { every: day, at: 10:00 }\nreentry: always"])
def test_who_moves_east_before_the_start_does_not_lose_it(open_stage: OpenStage, start: str) -> None:
    """At 15:00 from Paris, where it is eight in the morning, to Shanghai, where ten o'clock has passed."""
    stage = open_stage("2026-11-22 20:00")
    stage.member("Anne", email=True, zone=PARIS, birthday="11-23")
    play(stage, journey(start))
    stage.run_until(day=1, at="15:00")
    moves(stage, "Anne", SHANGHAI)
    stage.run_until(day=1, at="16:00")
    assert entered(stage, "Anne")[-1] in ("slot:2026-11-23", "solar:2026")
    assert came(stage, "Anne")[-1] == "day 1 16:00"  # at the next look, within the hour
    stage.run_until(day=2, at="09:00")
    assert came(stage, "Anne")[-1] == "day 1 16:00"


def test_who_comes_to_a_zone_long_after_its_start_is_not_greeted_at_night(open_stage: OpenStage) -> None:
    """Older than `catch_up` is too late for a mover as it is after a downtime."""
    stage = open_stage("2026-11-22 20:00")
    stage.member("Anne", email=True, zone=LOS_ANGELES, birthday="11-23")
    play(stage, journey(BIRTHDAY))
    stage.run_until(day=1, at="23:30")
    moves(stage, "Anne", SHANGHAI)
    stage.run_until(day=2, at="20:00")
    assert entered(stage, "Anne") == []


def test_telling_the_same_zone_again_is_no_move(open_stage: OpenStage) -> None:
    stage = open_stage("2026-11-22 20:00")
    stage.member("王芳", email=True, zone=SHANGHAI, birthday="11-24")
    play(stage, journey(BIRTHDAY))
    stage.run_until(day=1, at="15:00")
    stage.registers("王芳", zone=SHANGHAI, birthday="11-23")
    stage.run_until(day=1, at="20:00")
    assert entered(stage, "王芳") == []


def test_who_moves_while_a_message_waits_is_not_woken_by_it(open_stage: OpenStage) -> None:
    """`until 10:00` was ten o'clock in Shanghai; in Paris that is three in the night: quiet hours are those of today's
    zone, and it comes once."""
    stage = open_stage("2026-11-23 12:00")
    stage.member("王芳", email=True, zone=SHANGHAI)
    text = journey("start: { event: store_visited }").replace("  - send", "  - wait: until 10:00\n  - send")
    play(stage, text)
    stage.happens("王芳", "store_visited", store="湖滨店")
    stage.run_until(at="20:00")
    moves(stage, "王芳", PARIS)
    stage.run_until(day=2, at="20:00")
    assert came(stage, "王芳") == ["day 1 16:00"]  # nine in Paris


# --- zones ------------------------------------------------------------------------------------------------------


def test_a_time_that_daylight_saving_skips_comes_once_and_one_that_comes_twice_comes_once(
    open_stage: OpenStage,
) -> None:
    """New York skips 02:00-03:00 on 8 March 2026 and has 01:00-02:00 twice on 1 November."""
    for day, at in (("2026-03-07", "02:30"), ("2026-10-31", "01:30")):
        stage = open_stage(f"{day} 12:00")
        stage.member("Bob", email=True, zone=NEW_YORK)
        play(stage, journey(f"start: {{ every: sunday, at: {at} }}", "reentry: always"))
        stage.run_until(day=4)
        assert len(entered(stage, "Bob")) == 1
        assert len(came(stage, "Bob")) == 1


def test_a_zone_that_does_not_exist_is_the_business_own(open_stage: OpenStage) -> None:
    stage = open_stage("2026-11-23 08:00")
    stage.member("王芳", sms=True)
    play(stage, journey("start: { every: day, at: 10:00 }"))
    stage.sets_zone("王芳", "Mars/Olympus")
    stage.run_until(day=0, at="12:00")
    assert came(stage, "王芳") == ["day 0 10:00"]


def test_a_fault_over_all_who_come_is_nobodys_own_and_they_come_when_it_is_mended(
    open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = open_stage("2026-11-23 08:00")
    for name in ("王芳", "李雷"):
        stage.member(name, sms=True)
    play(stage, DAILY)
    stage.run_until(at="09:59")
    with stage.daemon_down():
        stage.run_until(at="10:01")
        with monkeypatch.context() as patch:
            fails_over_everybody(patch)
            with pytest.raises(OurFault):
                stage.engine.enrol.tick()
    stage.run_until(at="10:02")
    assert [came(stage, name) for name in ("王芳", "李雷")] == [["day 0 10:02"]] * 2


def test_a_fault_over_one_journeys_start_costs_no_other_ones_and_its_own_comes_when_it_is_mended(
    open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hours pass meanwhile, segments are looked at, and another start comes; then one is owed."""
    stage = open_stage("2026-11-23 08:00")
    names = ("王芳", "李雷")
    for name in names:
        stage.member(name, sms=True)
    later = journey("start: { every: day, at: 14:00 }", "reentry: always")
    stage.apply({"timely": DAILY, "another": DAILY, "later": later})
    stage.run_until(at="09:59")
    with stage.daemon_down(), monkeypatch.context() as patch:
        fails_over_journey(patch, "timely")
        rung_until(stage, "15:30")
    ran = [sorted(run.journey_id for run in stage.runs(name)) for name in names]
    assert ran == [["another", "later"]] * 2
    with stage.database.read() as connection:
        assert (state.moment(connection, state.SEGMENTS_SWEPT) or stage.began) >= stage.moment(0, "15:00")
    stage.run_until(at="15:32")
    assert [stage.run(name, "timely").occurrence for name in names] == ["slot:2026-11-23"] * 2


def fails_over_journey(monkeypatch: pytest.MonkeyPatch, journey_id: str) -> None:
    admitted = enrolling.admitted

    def failing(connection: Connection, catalog: Any, journey: Any, *more: Any) -> Any:
        if journey.id == journey_id:
            raise OurFault("a fault over this journey's audience")
        return admitted(connection, catalog, journey, *more)

    monkeypatch.setattr(enrolling, "admitted", failing)


def test_a_clock_that_was_a_month_ahead_for_a_moment_costs_no_start(open_stage: OpenStage) -> None:
    stage = open_stage("2026-11-23 08:00")
    stage.member("王芳", sms=True)
    play(stage, DAILY)
    stage.run_until(at="08:30")
    with stage.daemon_down():
        wrong = Engine(replace(stage.house.app.context, clock=VirtualClock(stage.moment(30, "08:00"))))
        while wrong.enrol.tick():
            pass
        wrong.close()
        with capture_logs() as logs:
            stage.engine.enrol.tick()
    stage.run_until(day=3, at="12:00")
    assert came(stage, "王芳")[-4:] == [f"day {day} 10:00" for day in range(4)]
    assert [log["seen"] for log in logs if log["event"] == "starts_seen_ahead"] == ["2026-12-23 00:00:00 UTC"]


def test_a_slot_is_owed_also_if_the_edit_comes_in_the_midst_of_a_look(
    open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = open_stage("2026-11-23 08:00")
    stage.member("王芳", sms=True)
    play(stage, DAILY)
    stage.run_until(at="09:50")
    zones = members.timezones
    with stage.daemon_down(), monkeypatch.context() as patch:

        def edited_meanwhile(connection: Connection) -> list[str | None]:
            found = zones(connection)
            patch.undo()
            play(stage, at_nine(DAILY))
            return found

        patch.setattr(members, "timezones", edited_meanwhile)
        Enrol(stage.engine.context)._start_by_time(stage.clock.now())
    stage.run_until(at="23:00")
    assert len(came(stage, "王芳")) == 1


def test_an_edit_of_more_than_the_time_is_another_start_and_owes_nothing(open_stage: OpenStage) -> None:
    stage = open_stage("2026-11-23 08:00")
    stage.member("王芳", sms=True, birthday="11-24")
    play(stage, journey(BIRTHDAY.replace("10:00", "18:00")))
    stage.run_until(at="15:00")
    play(stage, journey("start: { every: day, at: 09:00 }"))
    stage.run_until(at="23:00")
    assert came(stage, "王芳") == []


def test_those_over_whom_the_code_fails_hold_up_nobody_who_comes_after_them(
    open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though they are all who come that day."""
    stage = open_stage("2026-11-23 08:00")
    for name, birthday in (("王芳", "11-23"), ("李雷", "11-23"), ("林晚", "11-24")):
        stage.member(name, sms=True, birthday=birthday)
    play(stage, journey(BIRTHDAY))
    fails_over(stage, monkeypatch, "王芳", "李雷")
    with stage.daemon_down():
        stage.run_until(at="10:01")
        with pytest.raises(OurFault):
            stage.engine.enrol.tick()
        stage.run_until(day=1, at="10:01")
        while stage.engine.enrol.tick():
            pass
    assert [len(stage.runs(name)) for name in ("王芳", "李雷", "林晚")] == [0, 0, 1]
