"""`split`: ways, shares and the winner's rule; what is said where they do not fit."""

from __future__ import annotations

from datetime import timedelta

import pytest
from journey_desk import found_in_steps, good, good_step, read, text_of

from engage.core.journey.model import Send, Split, WinBy, WinnerRule, blocks_of

TWO = "ways: { 关怀: { share: 70%, steps: [ { send: welcome } ] }, 优惠: { share: 30%, steps: [] } }"


def split(ways: str = TWO, winner: str = "") -> str:
    return f"  - split: 文案\n    {ways}" + (f"\n    winner: {winner}" if winner else "")


def test_ways_are_read_in_file_order_with_their_steps() -> None:
    step = good_step(split())
    assert isinstance(step, Split)
    assert (step.id, step.winner) == ("文案", None)
    assert [(way.name, way.share, len(way.steps)) for way in step.ways] == [("关怀", 70, 1), ("优惠", 30, 0)]
    assert [(name, [type(each) for each in block]) for name, block in blocks_of(step)] == [
        ("关怀", [Send]),
        ("优惠", []),
    ]


def test_a_winner_may_say_everything_or_the_least() -> None:
    whole = "{ by: goal, after: 14d, at_least: 400, confidence: 99%, keep_exploring: 10% }"
    step = good_step(split(winner=whole))
    assert isinstance(step, Split)
    assert step.winner == WinnerRule(
        by=WinBy.GOAL, after=timedelta(days=14), at_least=400, confidence=99, keep_exploring=10
    )
    least = good_step(split(winner="{ by: clicked, after: 3d }"))
    assert isinstance(least, Split)
    assert least.winner == WinnerRule(by=WinBy.CLICKED, after=timedelta(days=3))


def test_the_second_split_of_a_name_and_the_steps_of_ways_have_ids_of_their_own() -> None:
    journey = good(text_of(steps=f"{split()}\n{split()}\n  - wait: 1d"))
    first, second, wait = journey.steps
    assert (first.id, second.id, wait.id) == ("文案", "文案~2", "wait>end")
    assert [step.id for each in (first, second) for _, block in blocks_of(each) for step in block] == [
        "welcome",
        "welcome~2",
    ]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("  - split: 文案", [("E211", "split")]),
        ("  - split:\n    ways: {}", [("E206", "split"), ("E205", "ways")]),
        ("  - split: 两 份\n    " + TWO, [("E220", "两 份")]),
        (split("ways: [a, b]"), [("E205", "[a, b]")]),
        (split("ways: { A: { share: 100%, steps: [] } }"), [("E205", "ways")]),
        (split("ways: { A: { share: 50%, steps: [] }, B: { share: 40%, steps: [] } }"), [("E322", "ways")]),
        (split("ways: { A: { share: 50%, steps: [] }, B: { share: 60%, steps: [] } }"), [("E322", "ways")]),
        (split("ways: { A: { share: 50, steps: [] }, B: { share: 50%, steps: [] } }"), [("E215", "50")]),
        (
            split("ways: { A: { share: 50%, steps: [] }, A: { share: 50%, steps: [] } }"),
            [("E107", "A"), ("E205", "ways")],
        ),
        (split("ways: { A: { steps: [] }, B: { share: 50%, steps: [] } }"), [("E211", "A")]),
        (split("ways: { A: { share: 50% }, B: { share: 50%, steps: [] } }"), [("E211", "A")]),
        (split("ways: { A: 50%, B: { share: 50%, steps: [] } }"), [("E205", "50%")]),
        (split("ways: { A 组: { share: 50%, steps: [] }, B: { share: 50%, steps: [] } }"), [("E220", "A 组")]),
        (split("ways: { A: { share: 50%, step: [] }, B: { share: 50%, steps: [] } }"), [("E210", "step")]),
        (split(winner="goal"), [("E205", "goal")]),
        (split(winner="{ after: 3d }"), [("E211", "{ after: 3d }")]),
        (split(winner="{ by: goal }"), [("E211", "{ by: goal }")]),
        (split(winner="{ by: opened, after: 3d }"), [("E218", "opened")]),
        (split(winner="{ by: clicked, after: 三天 }"), [("E213", "三天")]),
        (split(winner="{ by: clicked, after: 3d, at_least: 0 }"), [("E222", "0")]),
        (split(winner="{ by: clicked, after: 3d, confidence: 100% }"), [("E222", "100%")]),
        (split(winner="{ by: clicked, after: 3d, keep_exploring: 10 }"), [("E215", "10")]),
    ],
)
def test_splits_that_cannot_be(steps: str, expected: list[tuple[str, str]]) -> None:
    assert sorted(found_in_steps(steps)) == sorted(expected)


def test_the_sum_of_the_shares_is_named_and_how_far_it_is_off() -> None:
    _, (problem,) = read(text_of(steps=split("ways: { A: { share: 50%, steps: [] }, B: { share: 40%, steps: [] } }")))
    assert problem.message.en == "these shares add to 90%"
    assert problem.label is not None
    assert "10%" in problem.label.en
    assert "10%" in problem.label.zh
