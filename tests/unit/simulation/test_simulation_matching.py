"""Holding a timeline against what is expected: in order, by what is written; and the nearest candidate for the rest."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

from engage.core.problem import Span
from engage.core.testfile.model import DayTime, Expected, Verb
from engage.simulation.matching import differences, hold_against
from engage.simulation.timeline import Happening

BEGAN = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
PLACE = Span("journeys/x.test.yaml", 1, 1, 1, 2)


def at(day: int, hour: int = 10) -> DayTime:
    return DayTime(day, time(hour))


def came(day: int, verb: str, *names: str, **more: Any) -> Happening:
    hour = more.pop("hour", 10)
    return Happening(BEGAN + timedelta(days=day, hours=hour - 10), at(day, hour), verb, names, **more)


def wanted(verb: Verb, name: str | None = None, **more: Any) -> Expected:
    return Expected(verb, name, PLACE, **more)


TIMELINE = [
    came(0, Verb.ENTER, "winback"),
    came(0, Verb.SEND, "winback_story", via="wechat"),
    came(2, Verb.SKIPPED, "winback_story", why=("no channel left to fall back to",)),
    came(5, Verb.SEND, "winback_gift", via="email"),
    came(5, Verb.UPDATE, changes=frozenset({"add tag=VIP", "add points=200"})),
    came(9, Verb.EXIT, "goal", yes=frozenset({"counts"})),
]


def met(*expected: Expected) -> list[bool]:
    return [found.met for found in hold_against(TIMELINE, expected)]


def test_what_is_expected_is_a_part_of_what_happened() -> None:
    assert met(wanted(Verb.SEND, "winback_story"), wanted(Verb.EXIT, "goal")) == [True, True]


def test_only_what_is_written_is_compared() -> None:
    assert met(wanted(Verb.SEND, "winback_gift")) == [True]
    assert met(wanted(Verb.SEND, "winback_gift", at=at(5), via="email")) == [True]
    assert met(wanted(Verb.SEND, "winback_gift", via="sms")) == [False]
    assert met(wanted(Verb.SEND, "winback_gift", at=at(5, 11))) == [False]


def test_what_was_withheld_has_not_happened_and_comes_nearest() -> None:
    timeline = [came(0, Verb.NOTIFY, "客服一组", withheld=True)]
    found = hold_against(timeline, [wanted(Verb.NOTIFY, "客服一组"), wanted(Verb.NOTIFY, never=True)])
    assert [line.met for line in found] == [False, True]
    assert (found[0].nearest, found[0].late) == (0, False)


def test_the_order_counts() -> None:
    found = hold_against(TIMELINE, [wanted(Verb.SEND, "winback_gift"), wanted(Verb.SEND, "winback_story")])
    assert [line.met for line in found] == [True, False]
    assert found[1].late
    assert found[1].nearest == 1


def test_within_one_moment_there_is_no_order() -> None:
    assert met(wanted(Verb.UPDATE), wanted(Verb.SEND, "winback_gift")) == [True, True]


def test_one_happening_meets_one_line() -> None:
    assert met(wanted(Verb.SEND, "winback_gift"), wanted(Verb.SEND, "winback_gift")) == [True, False]


def test_what_must_never_be_is_looked_for_everywhere() -> None:
    found = hold_against(TIMELINE, [wanted(Verb.EXIT), wanted(Verb.SEND, "winback_story", never=True)])
    assert [(line.met, line.by) for line in found] == [(True, 5), (False, 1)]
    assert met(wanted(Verb.SEND, "winback_last", never=True)) == [True]
    assert met(wanted(Verb.SEND, "winback_story", via="sms", never=True)) == [True]


def test_a_reason_is_met_by_a_part_of_it() -> None:
    assert met(wanted(Verb.SKIPPED, "winback_story", why="No channel left")) == [True]
    assert met(wanted(Verb.SKIPPED, "winback_story", why="frequency cap")) == [False]


def test_changes_are_met_by_more_of_them() -> None:
    assert met(wanted(Verb.UPDATE, changes=frozenset({"add tag=VIP"}))) == [True]
    assert met(wanted(Verb.UPDATE, changes=frozenset({"add tag=VIP", "set level=3"}))) == [False]


def test_whether_a_goal_counts_is_asked_both_ways() -> None:
    assert met(wanted(Verb.EXIT, "goal", flags={"counts": True})) == [True]
    assert met(wanted(Verb.EXIT, "goal", flags={"counts": False})) == [False]


def test_the_nearest_candidate_has_the_verb_and_the_name() -> None:
    (found,) = hold_against(TIMELINE, [wanted(Verb.SEND, "winback_gift", at=at(4), via="sms")])
    assert found.nearest == 3
    assert differences(TIMELINE[3], found.expected) == ["at", "via"]


def test_a_message_that_was_skipped_is_near_to_one_that_was_sent() -> None:
    only_skipped = [TIMELINE[0], TIMELINE[2]]
    (found,) = hold_against(only_skipped, [wanted(Verb.SEND, "winback_story")])
    assert found.nearest == 1
    assert differences(only_skipped[1], found.expected) == []


def test_where_nothing_is_alike_there_is_no_candidate() -> None:
    (found,) = hold_against(TIMELINE, [wanted(Verb.WEBHOOK, "coupon_issue")])
    assert (found.met, found.nearest) == (False, None)
