"""What came due while nobody was at work queues up: oldest first, so many an hour, each hour in a line of its own."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from engage.core.arrears import Arrears

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def taken(
    arrears: Arrears, count: int, earliest: datetime = NOW, now: datetime = NOW
) -> tuple[list[datetime], Arrears]:
    moments = []
    for _ in range(count):
        at, arrears = arrears.queue_up(earliest, now, 60)
        moments.append(at)
    return moments, arrears


def test_the_first_goes_at_once_and_each_other_one_after_the_one_before() -> None:
    moments, _ = taken(Arrears(NOW), 3)
    assert moments == [NOW, NOW + timedelta(minutes=1), NOW + timedelta(minutes=2)]


def test_whoever_waits_for_the_morning_queues_up_there_and_holds_up_nobody_now() -> None:
    morning = NOW + timedelta(hours=9)
    moments, arrears = taken(Arrears(NOW), 2, morning)
    assert moments == [morning, morning + timedelta(minutes=1)]
    assert taken(arrears, 1)[0] == [NOW]


def test_a_line_that_has_gone_by_is_forgotten() -> None:
    _, arrears = taken(Arrears(NOW), 5)
    later = NOW + timedelta(hours=1)
    assert taken(arrears, 1, later, later)[1].next_at == {"": later + timedelta(minutes=1)}


def test_what_was_due_by_then_is_in_it_and_nothing_else() -> None:
    arrears = Arrears(NOW)
    assert (arrears.has(NOW), arrears.has(NOW + timedelta(seconds=1))) == (True, False)


def test_a_later_outage_does_not_bring_back_what_was_dropped() -> None:
    later = Arrears(NOW, NOW).up_to(NOW + timedelta(days=1))
    assert (later.has_dropped(NOW), later.has_dropped(NOW + timedelta(hours=1))) == (True, False)


@given(
    st.lists(st.integers(0, 60 * 24), max_size=50),
    st.integers(1, 10_000),
    st.one_of(st.none(), st.just(NOW)),
)
def test_never_more_than_so_many_an_hour_in_a_line_and_it_is_kept_as_it_is(
    waits: list[int], an_hour: int, dropped: datetime | None
) -> None:
    arrears, lines = Arrears(NOW, dropped), dict[datetime, list[datetime]]()
    for minutes in waits:
        earliest = NOW + timedelta(minutes=minutes)
        at, arrears = arrears.queue_up(earliest, NOW, an_hour)
        assert at >= earliest
        lines.setdefault(earliest, []).append(at)
    apart = timedelta(hours=1) / an_hour
    for moments in lines.values():
        assert all(later - earlier >= apart for earlier, later in itertools.pairwise(moments))
    assert Arrears.from_data(json.loads(json.dumps(arrears.as_data()))) == arrears
