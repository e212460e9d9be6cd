"""What no mutant puts to the test in the checker: lives made by hand, in which one thing is wrong or just right."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from engage.core.delivery import Status
from engage.core.fact import Arrival, Clicked, Fact, Followed, Typed, Unfollowed
from tests.harness.cast import PEOPLE
from tests.harness.checker import nothing_after_a_no, receipts_commute
from tests.harness.grounds import BEGINS
from tests.harness.handovers import repeated_as_often_as_asked
from tests.harness.outside import Log, Told
from tests.harness.promised import MOST_REPEATS
from tests.harness.truth import Call, Truth
from tests.harness.world import Life, Options

WHO = PEOPLE[0]


def a_life(calls: Sequence[Call] = (), log: Log | None = None, **row: Any) -> Life:
    """With one delivery, number 1."""
    table = [SimpleNamespace(id=1, **row)]
    return Life(0, Options(), Truth(list(calls)), log or Log(), {"delivery": table}, [], {}, {}, None, [], [], BEGINS)


def accepted_on_wechat(message: str, minutes: int) -> Call:
    wire = {
        "body": {"touser": WHO.addresses["wechat"], "client_msg_id": "engage-1", "text": f"{WHO.canary}-r1-{message}"}
    }
    at = BEGINS + timedelta(minutes=minutes)
    return Call("Ada", "wechat", wire, at, at, None, taken=True, reached=True, answer="accepted", noted=at)


def read_in_order(*facts: Fact) -> Log:
    """A minute passes between one and the next."""
    return Log([Told(f"{n}", fact, read=BEGINS + timedelta(minutes=n)) for n, fact in enumerate(facts)])


def refused(message: str, minutes: int, *, noted: bool = True) -> Call:
    """A call for that delivery, by SMS."""
    params = json.dumps({"name": WHO.canary, "ref": "r1"})
    wire = {
        "OutId": "1",
        "PhoneNumbers": WHO.addresses["sms"],
        "TemplateCode": f"SMS_{message}",
        "TemplateParam": params,
    }
    at = BEGINS + timedelta(minutes=minutes)
    return Call("Ada", "sms", wire, at, at, None, answer="refused", noted=at if noted else None)


# --- repeats ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("message", "most"), [("booking", MOST_REPEATS), ("thanks", 0)])
def test_after_a_refusal_that_nobody_wrote_down_repeats_have_an_end(message: str, most: int) -> None:
    """Also where every one of them is refused."""
    first = [refused(message, 0), refused(message, 15), refused(message, 30, noted=False)]
    repeats = [refused(message, 60 + 15 * number) for number in range(most + 1)]
    assert not list(repeated_as_often_as_asked(a_life(first + repeats[:most])))
    assert len(list(repeated_as_often_as_asked(a_life(first + repeats)))) == 1


# --- unfollowing ------------------------------------------------------------------------------------------------


def test_of_what_happened_within_a_second_what_was_read_later_counts() -> None:
    """Callbacks tell no more than the second."""
    followed = Followed("wechat", WHO.addresses["wechat"], BEGINS + timedelta(seconds=0.9))
    left = Unfollowed("wechat", WHO.addresses["wechat"], BEGINS + timedelta(seconds=0.2))
    calls = [accepted_on_wechat("thanks", 5)]
    assert list(nothing_after_a_no(a_life(calls, read_in_order(followed, left))))
    assert not list(nothing_after_a_no(a_life(calls, read_in_order(left, followed))))


def test_of_what_was_read_at_once_nobody_can_tell() -> None:
    followed = Followed("wechat", WHO.addresses["wechat"], BEGINS)
    left = Unfollowed("wechat", WHO.addresses["wechat"], BEGINS)
    log = Log([Told("1", followed, read=BEGINS), Told("2", left, read=BEGINS)])
    assert not list(nothing_after_a_no(a_life([accepted_on_wechat("thanks", 5)], log)))


def test_whoever_followed_a_second_later_does_follow_in_whatever_order_it_was_told() -> None:
    left = Unfollowed("wechat", WHO.addresses["wechat"], BEGINS)
    followed = Followed("wechat", WHO.addresses["wechat"], BEGINS + timedelta(seconds=1))
    for log in (read_in_order(left, followed), read_in_order(followed, left)):
        assert not list(nothing_after_a_no(a_life([accepted_on_wechat("thanks", 5)], log)))


# --- arrivals ---------------------------------------------------------------------------------------------------

_MOBILE = WHO.addresses["sms"]


@pytest.mark.parametrize(
    ("fact", "proves"),
    [
        (Typed("sms", _MOBILE, "9", BEGINS), True),
        (Typed("sms", PEOPLE[1].addresses["sms"], "9", BEGINS), False),
        (Typed("wechat", WHO.addresses["wechat"], "9", BEGINS), False),
        (Clicked(1, "shop", BEGINS), True),
        (Clicked(2, "shop", BEGINS), False),
    ],
)
def test_only_who_has_got_a_message_proves_that_it_has_arrived(fact: Fact, proves: bool) -> None:
    row: dict[str, Any] = {"channel": "sms", "address": _MOBILE, "arrival": Arrival.DELIVERED, "status": Status.SENT}
    wrong = list(receipts_commute(a_life(log=read_in_order(fact), **row)))
    assert bool(wrong) is not proves
