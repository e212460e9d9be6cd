"""Who enters: re-entry, one live run, `per`, occurrences, the holdout; and which runs are woken."""

from __future__ import annotations

from datetime import time, timedelta

import pytest
from sqlalchemy.exc import IntegrityError
from store_bench import CATALOG, DAY, HOUR, MINUTE, NOW, Bench, a_journey, on_order

from engage.core.journey.model import Journey, OnDate, Reentry
from engage.core.turn import EndKind
from engage.store import advancing, enrolling, members
from engage.store.enrolling import Celebrant, Entrant, Zone
from engage.store.members import MemberRef

TWICE = "already in this journey"
NEVER = "has been in this journey, and it takes nobody twice"
HERE = Zone(None)
SOON = "was in this journey too recently"


def end(bench: Bench, run_id: int, kind: EndKind = EndKind.COMPLETED) -> None:
    run = bench.row("enrolment", id=run_id)
    ended = {"bucket": run["bucket"], "id": run_id, "status": "ended", "end_kind": kind, "due_at": None}
    advancing.save(bench.connection, [ended])


def barred(bench: Bench, journey: Journey, ref: MemberRef, per: str = "") -> str | None:
    return enrolling.barred_by_reentry(bench.connection, journey, [ref], bench.now).get((ref.id, per))


# --- re-entry ---------------------------------------------------------------------------------------------------


def test_somebody_new_is_not_barred(bench: Bench) -> None:
    assert barred(bench, a_journey(), bench.member()) is None


@pytest.mark.parametrize("reentry", [Reentry(never=True), Reentry.always(), Reentry(after=90 * DAY)])
def test_one_live_run_each_whatever_the_rule_says(bench: Bench, reentry: Reentry) -> None:
    ref = bench.member()
    bench.enters(ref)
    bench.now += 100 * DAY
    assert barred(bench, a_journey(reentry=reentry), ref) == TWICE


@pytest.mark.parametrize(
    ("reentry", "days", "why"),
    [
        (Reentry(never=True), 1000, NEVER),
        (Reentry.always(), 0, None),
        (Reentry.always(), -1, None),  # the clock was ahead then
        (Reentry(after=90 * DAY), 89, SOON),
        (Reentry(after=90 * DAY), 90, None),
    ],
)
def test_reentry_counts_from_entry(bench: Bench, reentry: Reentry, days: int, why: str | None) -> None:
    ref = bench.member()
    end(bench, bench.enters(ref))
    bench.now += days * DAY
    assert barred(bench, a_journey(reentry=reentry), ref) == why


def test_the_newest_run_counts(bench: Bench) -> None:
    ref, journey = bench.member(), a_journey(reentry=Reentry(after=90 * DAY))
    end(bench, bench.enters(ref))
    bench.now += 91 * DAY
    end(bench, bench.enters(ref))
    bench.now += 89 * DAY
    assert barred(bench, journey, ref) == SOON


def test_a_live_run_beside_an_old_one_is_what_bars(bench: Bench) -> None:
    ref = bench.member()
    end(bench, bench.enters(ref))
    bench.now += 91 * DAY
    bench.enters(ref)
    assert barred(bench, a_journey(reentry=Reentry.always()), ref) == TWICE


@pytest.mark.parametrize("reentry", [Reentry(never=True), Reentry(after=90 * DAY)])
def test_a_run_that_never_began_bars_nobody_but_from_its_own_occurrence(bench: Bench, reentry: Reentry) -> None:
    ref, journey = bench.member(), a_journey(reentry=reentry)
    end(bench, bench.enters(ref, journey, occurrence="slot:2026-11-23"), EndKind.NEVER_BEGAN)
    assert barred(bench, journey, ref) is None
    assert enrolling.everyone(bench.connection, CATALOG, journey, HERE, NOW) == [ref]
    again = Entrant(ref, "slot:2026-11-23", {})
    assert enrolling.already_offered(bench.connection, journey.id, [again]) == {(ref.id, "slot:2026-11-23")}


def test_other_members_and_other_journeys_bar_nobody(bench: Bench) -> None:
    one, other = bench.member(), bench.member()
    bench.enters(one)
    bench.enters(other, a_journey(id="welcome"))
    assert barred(bench, a_journey(), other) is None


def test_per_gives_one_run_for_each_value(bench: Bench) -> None:
    ref, journey = bench.member(), on_order(per="order_id")
    bench.enters(ref, journey, per="A1")
    end(bench, bench.enters(ref, journey, per="A2"))
    assert barred(bench, journey, ref, "A1") == TWICE
    assert barred(bench, journey, ref, "A2") == NEVER
    assert barred(bench, journey, ref, "A3") is None


def test_a_yearly_date_is_kept_apart_by_its_cycle_year_not_by_reentry(bench: Bench) -> None:
    ref = bench.member()
    journey = a_journey(start=OnDate("birthday", time(10)), reentry=Reentry(never=True))
    run_id = bench.enters(ref, journey, occurrence="lunar:2026")
    assert barred(bench, journey, ref) == TWICE
    end(bench, run_id)
    assert barred(bench, journey, ref) is None


# --- occurrences ------------------------------------------------------------------------------------------------


def test_the_same_start_offered_again_is_known(bench: Bench) -> None:
    one, other = bench.member(), bench.member()
    end(bench, bench.enters(one, occurrence="slot:2026-11-23"))
    wanted = [
        Entrant(ref, occurrence, {}, 0) for ref in (one, other) for occurrence in ("slot:2026-11-23", "slot:2026-11-24")
    ]
    assert enrolling.already_offered(bench.connection, "winback", wanted) == {(one.id, "slot:2026-11-23")}
    assert enrolling.already_offered(bench.connection, "welcome", wanted) == set()


def test_the_database_itself_refuses_the_same_occurrence_twice(bench: Bench) -> None:
    ref = bench.member()
    bench.enters(ref, occurrence="slot:2026-11-23")
    savepoint = bench.connection.begin_nested()
    with pytest.raises(IntegrityError):
        bench.enters(ref, occurrence="slot:2026-11-23")
    savepoint.rollback()


# --- entering ---------------------------------------------------------------------------------------------------


def test_a_new_run_stands_before_the_first_step_and_is_due_at_once(bench: Bench) -> None:
    ref = bench.member()
    bench.happens(ref, "order_paid")
    run_id = bench.enters(ref, occurrence="event:1", per="A1", context={"event": {"amount": 8}, "var": {}})
    run = bench.row("enrolment", id=run_id)
    assert (
        run
        | {
            "member_id": ref.id,
            "journey_id": "winback",
            "status": "live",
            "holdout": False,
            "per_value": "A1",
            "step_id": "hello",
            "phase": "arriving",
            "visit": 0,
            "entered_at": NOW,
            "due_at": NOW,
            "after_event": 1,
            "step_after_event": 1,
            "context": {"event": {"amount": 8}, "var": {}},
        }
        == run
    )
    assert [(line["what"], line["detail"]) for line in bench.rows("decision")] == [("enter", {})]
    (row,) = advancing.due(bench.connection, NOW, 10)
    assert (row.id, row.member, row.due_at) == (run_id, ref, NOW)
    assert advancing.contexts(bench.connection, [(ref.bucket, run_id)])[run_id]["event"] == {"amount": 8}


def test_who_is_held_out_is_a_run_like_any_other_and_the_trail_says_so(bench: Bench) -> None:
    bench.enters(bench.member(), held_out=True)
    assert bench.row("enrolment")["holdout"] is True
    assert bench.row("decision")["detail"] == {"holdout": True}


def test_nobody_is_a_batch_too(bench: Bench) -> None:
    assert enrolling.enter(bench.connection, a_journey(), 1, "hello", [], NOW) == []


# --- who a start brings -----------------------------------------------------------------------------------------


def test_everyone_is_asked_zone_by_zone(bench: Bench) -> None:
    ours, far = bench.member(), bench.member()
    members.set_timezone(bench.connection, [far], "America/New_York", NOW)
    assert enrolling.everyone(bench.connection, CATALOG, a_journey(), HERE, NOW) == [ours]
    assert enrolling.everyone(bench.connection, CATALOG, a_journey(), Zone("America/New_York"), NOW) == [far]


@pytest.mark.parametrize("reentry", [Reentry(never=True), Reentry(after=90 * DAY), Reentry.always()])
def test_everyone_is_without_those_whom_the_door_would_turn_away(bench: Bench, reentry: Reentry) -> None:
    journey = a_journey(reentry=reentry)
    new, live, recent, long_ago, elsewhere, by_a_wrong_clock = (bench.member() for _ in range(6))
    bench.enters(elsewhere, a_journey(id="another"))
    bench.now = NOW - 91 * DAY
    end(bench, bench.enters(long_ago, journey))
    bench.now = NOW - DAY
    end(bench, bench.enters(recent, journey))
    bench.enters(live, journey)
    bench.now = NOW + DAY
    end(bench, bench.enters(by_a_wrong_clock, journey))
    bench.now = NOW
    brought = enrolling.everyone(bench.connection, CATALOG, journey, HERE, NOW)
    everybody = (new, live, recent, long_ago, elsewhere, by_a_wrong_clock)
    assert brought == [ref for ref in everybody if barred(bench, journey, ref) is None]
    assert {new, elsewhere} <= set(brought)
    assert live not in brought


def test_who_has_moved_is_told_from_who_has_always_lived_there(bench: Bench) -> None:
    old, moved = (members.create(bench.connection, NOW, None, zone) for zone in ("America/New_York", "Asia/Shanghai"))
    for ref in (old, moved):
        members.set_timezone(bench.connection, [ref], "America/New_York", NOW)
    assert members.zones_moved_to(bench.connection, NOW) == ["America/New_York"]
    assert members.zones_moved_to(bench.connection, NOW + MINUTE) == []
    there = Zone("America/New_York", moved_since=NOW)
    assert enrolling.everyone(bench.connection, CATALOG, a_journey(), there, NOW) == [moved]
    later = Zone("America/New_York", moved_since=NOW + MINUTE)
    assert enrolling.everyone(bench.connection, CATALOG, a_journey(), later, NOW) == []


def test_a_run_is_due_when_its_start_was_planned(bench: Bench) -> None:
    entrant = Entrant(bench.member(), "slot:2026-11-23", {"event": {}, "var": {}}, 0, due_at=NOW - HOUR)
    enrolling.enter(bench.connection, a_journey(), 1, "hello", [(entrant, False)], NOW)
    (run,) = bench.rows("enrolment")
    assert (run["due_at"], run["entered_at"]) == (NOW - HOUR, NOW)


def test_celebrants_are_those_whose_date_it_is_in_their_own_calendar(bench: Bench) -> None:
    lunar = {"calendar": "lunar", "month": 8, "day": 15, "leap": False, "year": 1990}
    born = {
        "lunar": lunar,
        "leap": lunar | {"leap": True},
        "solar": lunar | {"calendar": "solar"},
        "other": lunar | {"day": 16},
    }
    refs = {name: bench.member(birthday=day) for name, day in born.items()}
    dates = [("lunar", 8, 15, False, 2026), ("solar", 8, 15, False, 2026)]
    found = enrolling.celebrants(bench.connection, OnDate("birthday", time(10)), dates, HERE)
    assert found == [
        Celebrant(refs["lunar"], "lunar", 8, 15, False, 1990, 2026),
        Celebrant(refs["solar"], "solar", 8, 15, False, 1990, 2026),
    ]
    assert enrolling.celebrants(bench.connection, OnDate("wedding", time(10)), dates, HERE) == []
    there = Zone("Asia/Urumqi")
    assert enrolling.celebrants(bench.connection, OnDate("birthday", time(10)), dates, there) == []


# --- waking -----------------------------------------------------------------------------------------------------


def test_only_live_runs_of_the_journeys_that_mind_are_woken(bench: Bench) -> None:
    ref, other = bench.member(), bench.member()
    runs = {
        "minds": bench.enters(ref),
        "does not mind": bench.enters(ref, a_journey(id="welcome")),
        "somebody else": bench.enters(other),
    }
    ended = bench.enters(ref, a_journey(id="nps"))
    _wait_until(bench, [*runs.values()], 3)
    end(bench, ended)
    enrolling.wake(bench.connection, [(ref, frozenset({"winback", "nps"}))], NOW + HOUR)
    due = {name: bench.row("enrolment", id=run_id)["due_at"] for name, run_id in runs.items()}
    later = NOW + timedelta(days=3)
    assert due == {"minds": NOW + HOUR, "does not mind": later, "somebody else": later}
    assert bench.row("enrolment", id=ended)["due_at"] is None


def test_a_run_that_is_due_already_is_not_put_off(bench: Bench) -> None:
    ref = bench.member()
    run_id = bench.enters(ref)
    enrolling.wake(bench.connection, [(ref, frozenset({"winback"}))], NOW + HOUR)
    assert bench.row("enrolment", id=run_id)["due_at"] == NOW


def test_a_parked_run_that_waits_for_nothing_is_woken_too(bench: Bench) -> None:
    ref = bench.member()
    run_id = bench.enters(ref)
    _wait_until(bench, [run_id], None)
    enrolling.wake(bench.connection, [(ref, frozenset({"winback"}))], NOW + HOUR)
    assert bench.row("enrolment", id=run_id)["due_at"] == NOW + HOUR


def _wait_until(bench: Bench, run_ids: list[int], days: int | None) -> None:
    due_at = NOW + days * DAY if days is not None else None
    rows = [bench.row("enrolment", id=run_id) for run_id in run_ids]
    advancing.save(bench.connection, [{"bucket": r["bucket"], "id": r["id"], "due_at": due_at} for r in rows])


# --- news -------------------------------------------------------------------------------------------------------


def test_what_was_recorded_before_entering_is_not_news_to_a_run(bench: Bench) -> None:
    ref = bench.member()
    bench.happens(ref, "order_paid")
    bench.enters(ref)
    assert bench.row("enrolment")["after_event"] == bench.row("event")["number"] == 1
