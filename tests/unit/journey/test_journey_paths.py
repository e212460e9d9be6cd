"""Where steps lead: jumps back need a bound, loops need a wait, and what nobody reaches is said."""

from __future__ import annotations

import pytest
from journey_desk import found_in_steps, good, text_of, underlined

from engage.core.journey.paths import path_problems
from engage.core.journey.program import Program

NPS = "  - ask: nps\n    question: 几分？"
BACK = "  - goto: welcome\n    at_most: 1"


def two_ways(first: str, second: str) -> str:
    ways = f"A: {{ share: 50%, steps: [ {first} ] }}, B: {{ share: 50%, steps: [ {second} ] }}"
    return f"  - split: ab\n    ways: {{ {ways} }}"


def paths(steps: str) -> list[tuple[str, str]]:
    source = text_of(steps=steps)
    return [(problem.code, underlined(source, problem)) for problem in path_problems(Program(good(source)))]


@pytest.mark.parametrize(
    "between",
    [
        "  - wait: 1d",
        "  - wait_for: order_paid\n    up_to: 3d",
        NPS,
        "  - if: { tag: a }\n    then: [ { wait: 1d } ]\n    else: [ { wait: 2d } ]",
        "  - branch: [ { if: { tag: a }, then: [ { exit: 走了 } ] }, { else: [ { wait: 1d } ] } ]",
        two_ways("{ wait: 1d }", "{ wait: 2d }"),
    ],
)
def test_a_loop_with_a_bound_and_a_wait_on_every_way_round_is_fine(between: str) -> None:
    assert paths(f"  - send: welcome\n{between}\n{BACK}") == []


@pytest.mark.parametrize(
    "between",
    [
        "  - update: { add: { tag: a } }",
        "  - webhook: crm_sync",
        "  - wait: 1d\n    only_if: { tag: a }",
        "  - if: { tag: a }\n    then: [ { wait: 1d } ]",
        "  - branch: [ { if: { tag: a }, then: [ { wait: 1d } ] }, { else: [] } ]",
        two_ways("{ wait: 1d }", ""),
        "  - goto: end\n  - wait: 1d\n  - send: bye\n    id: end",
    ],
)
def test_a_way_round_without_a_wait_is_a_mistake(between: str) -> None:
    assert ("E325", "welcome") in paths(f"  - send: welcome\n{between}\n{BACK}")


@pytest.mark.parametrize(
    ("cases", "expected"),
    [
        ("0..6: [ { wait: 1d } ], 7..10: [ { exit: x } ], no_answer: [ { wait: 1d } ]", []),
        ("0..6: [ { wait: 1d } ], 7..10: [], no_answer: [ { wait: 1d } ]", [("E325", "switch-nps")]),
        ("0..6: [ { wait: 1d } ], else: [], no_answer: [ { wait: 1d } ]", [("E325", "switch-nps")]),
    ],
)
def test_every_case_of_a_switch_is_a_way_round(cases: str, expected: list[tuple[str, str]]) -> None:
    steps = f"{NPS}\n  - switch: nps\n    cases: {{ {cases} }}\n  - goto: switch-nps\n    at_most: 1"
    assert paths(steps) == expected


def test_options_that_are_all_named_leave_no_other_way() -> None:
    ask = "  - ask: choice\n    id: 口味\n    question: 哪种？\n    options: [红茶, 绿茶]"
    switch = (
        "  - switch: 口味\n    cases: { 红茶: [ { wait: 1d } ], 绿茶: [ { wait: 1d } ], no_answer: [ { wait: 1d } ] }"
    )
    assert paths(f"{ask}\n{switch}\n  - goto: switch-口味\n    at_most: 1") == []


def test_going_back_needs_a_bound_going_ahead_does_not() -> None:
    assert paths("  - send: welcome\n  - wait: 1d\n  - goto: welcome") == [("E324", "welcome")]
    assert paths("  - if: { tag: a }\n    then: [ { goto: bye } ]\n  - send: welcome\n  - send: bye") == []


def test_a_step_cannot_go_to_itself() -> None:
    assert paths("  - goto: here\n    id: here\n    at_most: 1") == [("E325", "here")]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("  - goto: bye\n  - send: welcome\n  - send: bye", [("E330", "welcome")]),
        ("  - goto: bye\n  - send: bye", []),
        ("  - goto: bye\n    only_if: { tag: a }\n  - send: welcome\n  - send: bye", []),
        ("  - send: welcome\n  - wait: 1d\n  - goto: welcome\n    at_most: 1\n  - send: bye", []),
        ("  - if: { tag: a }\n    then: [ { goto: bye } ]\n  - exit: x\n  - send: bye", []),
        (
            "  - if: { tag: a }\n    then: [ { goto: bye } ]\n  - exit: x\n  - send: lost\n  - send: bye",
            [("E330", "lost")],
        ),
        (
            "  - if: { tag: a }\n    then: [ { goto: bye } ]\n    else: [ { exit: x }, { send: bye } ]\n"
            "  - send: welcome",
            [],
        ),
        (
            two_ways("{ exit: x }", "{ exit: y }") + "\n  - send: welcome",
            [("E330", "welcome")],
        ),
    ],
)
def test_what_nobody_reaches(steps: str, expected: list[tuple[str, str]]) -> None:
    assert paths(steps) == expected


def test_a_target_that_does_not_exist_is_one_mistake() -> None:
    steps = "  - send: welcome\n  - goto: welcom\n  - send: bye"
    assert found_in_steps(steps) == [("E317", "welcom")]
