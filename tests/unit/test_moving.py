"""Where an edit leaves one run: it keeps what it has begun, and begins anew only where its step is no more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from engage.core.journey.diff import Fate, Gone, Kept
from engage.core.moving import AT_ONCE, Place, Timetable, What, moved, released
from engage.core.timing import For, UntilEntryDay, UntilField, WaitSpec
from engage.core.turn import Phase
from engage.core.workdays import MAINLAND

DAY = timedelta(days=1)
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
STARTED = NOW - 4 * DAY
SHANGHAI = ZoneInfo("Asia/Shanghai")
TIMETABLE = Timetable(STARTED - DAY, SHANGHAI, MAINLAND)


def waiting(deadline: datetime = STARTED + 9 * DAY, due: datetime | None = None) -> Place:
    return Place("pause", Phase.WAITING, STARTED, deadline, due or deadline)


def timed(days: float, to: str = "pause") -> Kept:
    return Kept("pause", to, times=(For(9 * DAY), For(days * DAY)))


def goes(fate: Fate, here: Place) -> tuple[What, Place]:
    found = moved(fate, here, TIMETABLE, NOW)
    assert found is not None
    return found


def test_a_wait_is_timed_anew_from_when_it_began() -> None:
    what, there = goes(timed(6), waiting())
    assert what is What.RETIMED
    assert there == waiting(STARTED + 6 * DAY)


def test_and_may_be_over_already() -> None:
    what, there = goes(timed(4), waiting())
    assert what is What.PAST
    assert there.due_at == NOW


def test_a_wait_that_ends_when_it_would_have_ended_anyway_is_left_alone() -> None:
    assert moved(timed(9), waiting(), TIMETABLE, NOW) is None


def test_a_duration_of_a_question_counts_in_the_same_way() -> None:
    fate = Kept("pause", "pause", times=(9 * DAY, 5 * DAY))
    assert moved(fate, waiting(), TIMETABLE, NOW) == (What.RETIMED, waiting(STARTED + 5 * DAY))


@pytest.mark.parametrize(
    ("spec", "field_value", "what"),
    [
        (UntilEntryDay(8), None, What.RETIMED),
        (UntilEntryDay(3), None, What.PAST),
        (UntilField("contract_end", timedelta(0)), NOW + DAY, What.RETIMED),
        (UntilField("contract_end", timedelta(0)), None, What.PAST),  # not on file: it would have passed through
    ],
)
def test_waits_until_a_moment(spec: WaitSpec, field_value: datetime | None, what: What) -> None:
    timetable = Timetable(TIMETABLE.entered_at, SHANGHAI, MAINLAND, field_value)
    found = moved(Kept("pause", "pause", times=(For(9 * DAY), spec)), waiting(), timetable, NOW)
    assert found is not None
    assert found[0] is what


def test_a_new_name_changes_nothing_else() -> None:
    what, there = goes(Kept("pause", "rest"), waiting())
    assert (what, there.step_id, there.deadline_at, there.due_at) == (
        What.RENAMED,
        "rest",
        waiting().deadline_at,
        waiting().due_at,
    )


def test_what_is_about_to_be_looked_at_is_looked_at_all_the_same() -> None:
    """Something happened a moment ago: it must not wait for the new deadline to be heard."""
    _, there = goes(timed(6), waiting(due=NOW))
    assert (there.due_at, there.deadline_at) == (NOW, STARTED + 6 * DAY)


@pytest.mark.parametrize("phase", [Phase.ARRIVING, Phase.COMMENTING])
def test_who_has_not_begun_to_wait_is_not_timed(phase: Phase) -> None:
    here = Place("pause", phase, STARTED, None, NOW)
    assert moved(timed(3), here, TIMETABLE, NOW) is None


def test_who_stands_at_a_step_that_is_gone_begins_the_next_one() -> None:
    what, there = goes(Gone("pause", "gift"), waiting())
    assert (what, there) == (What.ONWARD, Place("gift", Phase.ARRIVING, NOW, None, NOW))


def test_or_comes_to_the_end() -> None:
    assert goes(Gone("pause", None), waiting())[0] is What.ENDED


def test_another_kind_of_step_is_begun_by_those_who_waited_only() -> None:
    fate = Kept("pause", "pause", afresh=True)
    assert goes(fate, waiting())[0] is What.AFRESH
    assert moved(fate, Place("pause", Phase.ARRIVING, NOW, None, NOW), TIMETABLE, NOW) is None


@pytest.mark.parametrize("fate", [timed(1), Gone("pause", "gift"), Kept("pause", "pause", afresh=True)])
def test_who_would_go_on_at_once_can_be_let_go_later(fate: Fate) -> None:
    what, there = goes(fate, waiting())
    assert what in AT_ONCE
    later = released(there, NOW + DAY, NOW)
    assert (later.due_at, later.deadline_at) == (NOW + DAY, NOW + DAY)
