"""Step ids, and walking a journey by them."""

from __future__ import annotations

import pytest
from journey_desk import found_in_steps, good, read, text_of

from engage.core.journey.model import Branch, Journey, Switch
from engage.core.journey.program import Program

EVERYTHING = """
  - send: welcome
  - wait: 2d
  - wait: until workday 10:00
  - send: welcome
  - ask: nps
    question: 几分？
  - switch: nps
    cases:
      0..6:
        - enroll: service_recovery
        - wait: 1d
      7..10: []
      no_answer:
        - exit: 没有 回答
  - wait_for: [clicked, order_paid]
    up_to: 3d
    then:
      - wait: 1d
    else:
      - branch:
          - if: { tag: a }
            then:
              - notify: 客服一组
                task: 打电话
          - else:
              - update: { add: { tag: b } }
  - if: { tag: c }
    then:
      - wait: 1d
  - wait: 1d
"""


def journey_of(steps: str) -> Journey:
    return good(text_of(steps=steps))


def test_every_step_is_named_after_what_it_does() -> None:
    assert Program(journey_of(EVERYTHING)).ids == (
        "welcome",
        "wait>wait>welcome~2",
        "wait>welcome~2",
        "welcome~2",
        "nps",
        "switch-nps",
        "enroll-service_recovery",
        "wait>end-of-switch-nps/0..6",
        "exit-没有-回答",
        "wait_for-clicked",
        "wait>end-of-wait_for-clicked/then",
        "branch",
        "notify-客服一组",
        "update",
        "if",
        "wait>end-of-if/then",
        "wait>end",
    )


def test_splits_webhooks_and_jumps_are_named_after_what_they_do() -> None:
    ways = "{ A: { share: 50%, steps: [ { wait: 1d } ] }, B: { share: 50%, steps: [] } }"
    steps = f"  - split: 首触文案\n    ways: {ways}\n  - webhook: crm_sync\n  - wait: 1d\n  - goto: 首触文案"
    ids = ("首触文案", "wait>end-of-首触文案/A", "webhook-crm_sync", "wait>goto-首触文案", "goto-首触文案")
    assert Program(journey_of(f"{steps}\n    at_most: 1")).ids == ids


def test_a_changed_duration_changes_no_id() -> None:
    assert Program(journey_of(EVERYTHING)).ids == Program(journey_of(EVERYTHING.replace("2d", "5d"))).ids


def test_a_written_id_wins_over_a_derived_one() -> None:
    journey = journey_of("  - send: a\n  - send: b\n    id: a")
    assert [step.id for step in journey.steps] == ["a~2", "a"]


def test_written_ids_are_used_once() -> None:
    steps = "  - send: a\n    id: x\n  - if: { tag: t }\n    then:\n      - send: b\n        id: x"
    assert found_in_steps(steps) == [("E221", "x")]
    _, problems = read(text_of(steps=steps))
    assert problems[0].marks[0].span.line < problems[0].span.line


def test_ids_fit_the_database_and_stay_apart() -> None:
    steps = "".join(f"  - exit: {'很' * 99}{n}\n    only_if: {{ tag: a }}\n" for n in "12")
    deep = "  - if: { tag: a }\n    id: " + "长" * 60 + "\n    then:\n      - wait: 1d"
    ids = Program(journey_of(steps + deep)).ids
    assert len(set(ids)) == len(ids) == 4
    assert max(map(len, ids)) <= 120


# --- the program ------------------------------------------------------------------------------------------------


def test_successors_are_structural() -> None:
    program = Program(journey_of(EVERYTHING))
    assert program.first == "welcome"
    walk = ["welcome"]
    while (following := program.after(walk[-1])) is not None:
        walk.append(following)
    assert walk == [
        "welcome",
        "wait>wait>welcome~2",
        "wait>welcome~2",
        "welcome~2",
        "nps",
        "switch-nps",
        "wait_for-clicked",
        "if",
        "wait>end",
    ]
    assert program.after("enroll-service_recovery") == "wait>end-of-switch-nps/0..6"
    assert program.after("wait>end-of-switch-nps/0..6") == "wait_for-clicked"  # not the next case
    assert program.after("notify-客服一组") == "if"  # out of two nested lists
    assert program.after("wait>end") is None


def test_entering_a_block() -> None:
    program = Program(journey_of(EVERYTHING))
    switch = program.step("switch-nps")
    assert isinstance(switch, Switch)
    assert program.enter(switch.cases[0].steps, switch.id) == "enroll-service_recovery"
    assert program.enter(switch.cases[1].steps, switch.id) == "wait_for-clicked"
    branch = program.step("if")
    assert isinstance(branch, Branch)
    assert program.enter((), "wait>end") is None


def test_the_questions_of_a_program() -> None:
    assert list(Program(journey_of(EVERYTHING)).asks) == ["nps"]


def test_unknown_ids_are_faults() -> None:
    program = Program(journey_of("  - send: a"))
    with pytest.raises(KeyError):
        program.step("b")
    with pytest.raises(KeyError):
        program.after("b")
