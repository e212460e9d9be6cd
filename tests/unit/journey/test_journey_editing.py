"""`was`, `moved_to`, `on_edit`: what an author says about an edit."""

from __future__ import annotations

from journey_desk import catalog, found, good, text_of

from engage.core.journey.check import check_journeys
from engage.core.journey.model import OnEdit

TWO = "  - send: a\n  - send: b"


class AnyTemplate:
    def names(self) -> tuple[str, ...]:
        return ("a", "b", "c")

    def channels_of(self, name: str) -> frozenset[str]:
        return frozenset({"sms"})

    def ask_channels(self, step_id: str, survey: object) -> frozenset[str]:
        return frozenset({"sms"})


def test_they_are_read() -> None:
    journey = good(text_of("on_edit: pin\nmoved_to: { gone: b }", "  - send: a\n    was: [x, wait>y]\n  - send: b"))
    assert journey.on_edit is OnEdit.PIN
    assert journey.moved_to == {"gone": "b"}
    assert [step.was for step in journey.steps] == [("x", "wait>y"), ()]


def test_members_move_with_an_edit_unless_it_is_said() -> None:
    assert good(text_of()).on_edit is OnEdit.MOVE


def test_a_step_of_this_file_is_no_earlier_one() -> None:
    assert found(text_of(steps="  - send: a\n    was: b\n  - send: b")) == [("E219", "b")]


def test_members_are_moved_off_steps_that_are_gone_to_steps_that_are_there() -> None:
    assert found(text_of("moved_to: { a: b, gone: c, other: }", TWO)) == [
        ("E219", "a"),
        ("E317", "c"),
        ("E206", "other"),
    ]


def test_it_is_a_mapping_and_a_word() -> None:
    assert [code for code, _ in found(text_of("moved_to: b\non_edit: freeze", TWO))] == ["E205", "E218"]


def test_members_of_one_step_cannot_go_on_at_two() -> None:
    journey = good(text_of(steps="  - send: a\n    was: gone\n  - send: b\n    was: gone"))
    problems = check_journeys([journey], catalog(), AnyTemplate())
    assert [problem.message.en for problem in problems if problem.code == "E219"] == ["two steps say `was: gone`"]
