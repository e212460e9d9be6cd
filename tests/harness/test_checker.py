"""What no mutant puts to the test in the checker: lives made by hand, in which one thing is wrong or just right."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from tests.harness.cast import PEOPLE
from tests.harness.grounds import BEGINS
from tests.harness.handovers import repeated_as_often_as_asked
from tests.harness.outside import Log
from tests.harness.promised import MOST_REPEATS
from tests.harness.truth import Call, Truth
from tests.harness.world import Life, Options

WHO = PEOPLE[0]


def a_life(calls: Sequence[Call] = (), log: Log | None = None, **row: Any) -> Life:
    """With one delivery, number 1."""
    table = [SimpleNamespace(id=1, **row)]
    return Life(0, Options(), Truth(list(calls)), log or Log(), {"delivery": table}, [], {}, {}, None, [], BEGINS)


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
