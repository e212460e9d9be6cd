"""Which message comes next, told before it is sent."""

from __future__ import annotations

import pytest
from journey_desk import good, text_of

from engage.core.journey.ahead import after_the_wait, next_messages
from engage.core.journey.program import Program


def ahead(steps: str, start: str | None = None) -> set[str | None]:
    program = Program(good(text_of(steps=steps)))
    return set(next_messages(program, start or program.first))


CHOICE = "  - if: { orders: 1 }\n    then:\n      - send: a\n"


@pytest.mark.parametrize(
    ("steps", "messages"),
    [
        ("  - send: a\n  - send: b", {"a"}),
        ("  - update: { add: { tag: x } }\n  - ask: nps\n    question: 好吗？", {"nps"}),
        ("  - wait: 1d\n  - send: a", {None}),
        ("  - exit: x", {None}),
        (CHOICE + "  - send: b", {"a", "b"}),
        (CHOICE + "    else:\n      - send: c\n  - send: b", {"a", "c"}),
        (CHOICE, {"a", None}),
        ("  - send: a\n    only_if: { orders: 1 }\n  - send: b", {"a", "b"}),
        ("  - send: x\n    id: hello", {"x"}),
        (
            "  - goto: later\n    at_most: 1\n  - send: a\n  - exit: x\n  - send: b\n    id: later",
            {"a", "b"},
        ),
    ],
)
def test_the_next_message_or_those_it_may_be(steps: str, messages: set[str | None]) -> None:
    assert ahead(steps) == messages


def test_past_the_end_there_is_none() -> None:
    assert next_messages(Program(good(text_of())), None) == {None}


def test_ways_that_meet_again_are_walked_once_each() -> None:
    many = "".join(
        f"  - if: {{ orders: {n} }}\n    then:\n      - update: {{ add: {{ tag: x }} }}\n" for n in range(60)
    )
    assert ahead(many + "  - send: a") == {"a"}


def test_who_has_waited_in_vain_goes_the_other_way() -> None:
    steps = (
        "  - wait_for: order_paid\n    up_to: 1d\n    then:\n      - send: a\n    else:\n      - send: b\n  - wait: 1d"
    )
    program = Program(good(text_of(steps=steps)))
    assert after_the_wait(program, "wait_for-order_paid") == "b"
    assert after_the_wait(program, "wait>end") is None
