"""What an edit means for each step of the old version: the table of edits, and what holds for every edit there is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journey_desk import good, text_of

from engage.core.condition import HasTag
from engage.core.journey.alignment import align, family
from engage.core.journey.diff import Gone, JourneyDiff, Kept, diff
from engage.core.journey.model import Arm, Branch, Exit, Journey, Manual, Send, Step, Update, Wait, WaitFor, blocks_of
from engage.core.journey.program import Program
from engage.core.problem import Span
from engage.core.timing import For

# --- files ------------------------------------------------------------------------------------------------------


def steps(*lines: str) -> str:
    """`- ` in front of each; what is nested is indented by hand."""
    return "\n".join(f"  - {line}" for line in lines)


def edit(before: str, after: str, top: str = "", old_top: str = "") -> JourneyDiff:
    return diff(good(text_of(old_top, before)), good(text_of(top, after)))


def names(before: str, after: str) -> dict[str, str]:
    """Only of steps that are called otherwise now."""
    return {old: new for old, new in edit(before, after).names.items() if old != new}


CHOICE = "if: {{ orders: 1 }}\n    then:\n      - {}\n      - {}\n    else:\n      - {}"
A, B, C = "send: a", "send: b", "send: c"


def test_nothing_is_news_where_nothing_has_changed() -> None:
    same = steps(A, "wait: 3d", CHOICE.format(B, "wait: 1d", C))
    assert not edit(same, same)


def test_spelling_a_time_otherwise_changes_nothing() -> None:
    assert not edit(steps("wait: 72h"), steps("wait: 3d"))


@pytest.mark.parametrize(
    ("before", "after", "renamed"),
    [
        (steps("wait: 3d", A), steps("wait: 3d", B, A), {"wait>a": "wait>b"}),
        (steps("wait: 3d", A), steps("wait: 3d", B, "wait: 1d", A), {"wait>a": "wait>b"}),
        (steps("wait: 3d", A), steps("wait: 1d", B, "wait: 3d", A), {}),
        (steps("wait: 3d", A), steps("wait: 3d", B, "wait: 3d", A), {}),
        (steps(A, "wait: 3d", A), steps(A, A, "wait: 3d", A), {"a~2": "a~3", "wait>a~2": "wait>a~3"}),
        (steps(A, "wait: 3d", A), steps(A, "wait: 3d", A, A), {}),
        (
            steps("wait_for: order_paid\n    up_to: 3d"),
            steps("wait_for: order_paid\n    up_to: 1d", "wait_for: order_paid\n    up_to: 3d"),
            {"wait_for-order_paid": "wait_for-order_paid~2"},
        ),
        (steps(CHOICE.format("exit: x", B, C)), steps(CHOICE.format("exit: y", B, C), "exit: x"), {}),
    ],
)
def test_steps_without_a_name_of_their_own_are_found_again(before: str, after: str, renamed: dict[str, str]) -> None:
    assert names(before, after) == renamed


def test_a_wait_is_found_again_under_a_name_it_was_given() -> None:
    assert names(steps("wait: 3d", A), steps("wait: 3d\n    id: pause", A)) == {"wait>a": "pause"}


def test_an_arm_is_known_by_its_condition_not_by_its_number() -> None:
    arms = "branch:\n      - if: {{ orders: 1 }}\n        then:\n          - wait: 3d\n{}"
    second = "      - if: { orders: 2 }\n        then:\n          - wait: 4d"
    before = steps(arms.format(second))
    after = steps("branch:\n" + second)
    fates = edit(before, after).fates
    assert fates["wait>end-of-branch/2"] == Kept("wait>end-of-branch/2", "wait>end-of-branch/1")
    gone = fates["wait>end-of-branch/1"]
    assert isinstance(gone, Gone)
    assert gone.homeless


# --- the table of edits -----------------------------------------------------------------------------------------


def test_was_keeps_a_renamed_step() -> None:
    fate = edit(steps(A, B), steps("send: z\n    was: a", B)).fates["a"]
    assert fate == Kept("a", "z", renamed=True, changed=("send",))


def test_was_may_name_several_steps_that_are_one_now() -> None:
    two = steps("wait: 1d\n    id: x", A, "wait: 2d\n    id: y", B)
    one = steps(A, "wait: 2d\n    id: z\n    was: [x, y]", B)
    assert edit(two, one).names == {"x": "z", "y": "z", "a": "a", "b": "b"}


def test_was_is_spent_once_it_was_applied() -> None:
    again = steps("send: z\n    was: a", B)
    assert not edit(again, again)


def test_a_renamed_step_without_was_is_gone_and_pointed_out() -> None:
    fate = edit(steps(A, B), steps("send: z", B)).fates["a"]
    assert fate == Gone("a", "b", perhaps="z")


def test_a_wait_has_its_times_before_and_after() -> None:
    (fate,) = [f for f in edit(steps("wait: 5d", A), steps("wait: 3d", A)).fates.values() if f.is_news]
    assert isinstance(fate, Kept)
    assert fate.times == (For(timedelta(days=5)), For(timedelta(days=3)))
    assert fate.timed_by == "wait"


@pytest.mark.parametrize(
    ("verb", "option"), [("wait_for: order_paid", "up_to"), ("ask: nps\n    question: 好吗？", "answer_within")]
)
def test_every_step_that_holds_its_members_is_timed(verb: str, option: str) -> None:
    before, after = (steps(f"{verb}\n    {option}: {time}") for time in ("5d", "3d"))
    (fate,) = edit(before, after).fates.values()
    assert isinstance(fate, Kept)
    assert (fate.times, fate.timed_by) == ((timedelta(days=5), timedelta(days=3)), option)


def test_another_kind_of_step_under_the_same_name_begins_afresh() -> None:
    fate = edit(steps("wait: 5d\n    id: x"), steps("ask: csat\n    id: x\n    question: 好吗？")).fates["x"]
    assert isinstance(fate, Kept)
    assert fate.afresh
    assert fate.times is None


def test_members_of_a_removed_step_go_on_at_the_next_sibling() -> None:
    assert edit(steps(A, B, C), steps(A, C)).fates["b"] == Gone("b", "c")


def test_or_at_what_follows_the_parent_and_never_at_the_next_line() -> None:
    fates = edit(steps(CHOICE.format(A, B, C), "send: d"), steps(CHOICE.format(A, "exit: x", C), "send: d")).fates
    gone = fates["b"]
    assert isinstance(gone, Gone)
    assert (gone.to, gone.homeless) == ("d", False)


def test_or_past_the_end() -> None:
    assert edit(steps(A, B), steps(A)).fates["b"] == Gone("b", None)


def test_a_removed_step_passes_on_to_where_the_next_removed_one_was_sent() -> None:
    fates = edit(steps(A, B, C), steps(C, "send: z"), top="moved_to: { b: z }").fates
    assert fates["b"] == Gone("b", "z", named=True)
    assert fates["a"] == Gone("a", "z")


def test_members_on_a_way_that_is_gone_have_nowhere_to_go() -> None:
    with_else = steps(CHOICE.format(A, B, C), "send: d")
    without = steps("if: { orders: 1 }\n    then:\n      - send: a\n      - send: b", "send: d")
    gone = edit(with_else, without).fates["c"]
    assert isinstance(gone, Gone)
    assert gone.homeless
    named = edit(with_else, without, top="moved_to: { c: d }").fates["c"]
    assert named == Gone("c", "d", named=True)


def test_where_the_whole_choice_is_gone_they_go_on_after_it() -> None:
    gone = edit(steps(CHOICE.format(A, B, C), "send: d"), steps("send: d")).fates["c"]
    assert gone == Gone("c", "d")


def test_options_are_told_as_they_are_spelt() -> None:
    before = steps("send: a\n    with: { why: x }\n    topic: service", CHOICE.format(B, B, C))
    after = steps("send: a\n    with: { why: y }\n    late: 6h", CHOICE.format(B, B, C).replace("1", "2"))
    fates = edit(before, after).fates
    assert [fates[step].changed for step in ("a", "if")] == [("with", "topic", "late"), ("if",)]


def test_keys_of_the_journey_are_told() -> None:
    top = "start: { event: order_paid }\naudience: { orders: 1 }\nholdout: 10%\non_edit: pin"
    assert edit(steps(A), steps(A), top=top).changed == ("start", "audience", "holdout", "on_edit")


# --- what holds for every edit ----------------------------------------------------------------------------------

_HERE = Span("j.yaml", 1, 1, 1, 2)


@st.composite
def trees(draw: st.DrawFn, depth: int = 2) -> list[Step]:
    """Steps with names of their own, but for waits: those are named later, by what follows."""
    made: list[Step] = []
    for _ in range(draw(st.integers(1, 4))):
        number = draw(st.integers(0, 10**9))
        kinds = ["send", "wait", "wait_for", "branch"] if depth else ["send", "wait"]
        made.append(_step(draw, draw(st.sampled_from(kinds)), number, depth))
    return made


def _step(draw: st.DrawFn, kind: str, number: int, depth: int) -> Step:
    common = {"id": f"{kind}{number}", "span": _HERE}
    match kind:
        case "send":
            return Send(**common, template=f"t{number}", values={})
        case "wait":
            return Wait(**common, until=For(timedelta(minutes=1 + number)))
        case "wait_for":
            then, otherwise = (tuple(draw(trees(depth - 1))) for _ in range(2))
            return WaitFor(**common, events=("paid",), up_to=timedelta(days=1), then=then, otherwise=otherwise)
        case _:
            arms = [Arm(str(n), HasTag((f"t{n}{number}",)), tuple(draw(trees(depth - 1)))) for n in (1, 2)]
            return Branch(**common, arms=tuple(arms))


def named(tree: list[Step]) -> Journey:
    """As `ids` names them: a wait after what follows it."""
    return Journey(id="j", title="j", start=Manual(), steps=tuple(_named(tree, "end", set())))


def _named(block: list[Step], end: str, taken: set[str]) -> list[Step]:
    done: list[Step] = []
    following = end
    for step in reversed(block):
        if isinstance(step, Wait):
            base, number = f"wait>{following}", 1
            while (name := base if number == 1 else f"{base}~{number}") in taken:
                number += 1
            taken.add(name)
            step = replace(step, id=name)
        step = _with_blocks(step, lambda name, inner, at=step.id: _named(inner, f"end-of-{at}/{name}", taken))
        following = step.id
        done.insert(0, step)
    return done


def _with_blocks(step: Step, change) -> Step:  # type: ignore[no-untyped-def]
    match step:
        case WaitFor(then=then, otherwise=otherwise):
            return replace(step, then=tuple(change("then", [*then])), otherwise=tuple(change("else", [*otherwise])))
        case Branch(arms=arms):
            return replace(step, arms=tuple(replace(a, steps=tuple(change(a.name, [*a.steps]))) for a in arms))
        case _:
            return step


def meanings(journey: Journey) -> dict[object, str]:
    """Every step's id, by what no renaming touches: each step of these trees is made once."""
    found: dict[object, str] = {}

    def walk(block: tuple[Step, ...]) -> None:
        for step in block:
            found[step.until if isinstance(step, Wait) else step.id] = step.id
            for _, inner in blocks_of(step):
                walk(inner)

    walk(journey.steps)
    return found


def inserted(draw: st.DrawFn, block: list[Step], numbers: list[int]) -> list[Step]:
    """New steps anywhere, in any list."""
    changed: list[Step] = []
    for step in block:
        if draw(st.booleans()) and numbers:
            number = numbers.pop()
            new = draw(st.sampled_from(["send", "wait"]))
            changed.append(_step(draw, new, number, 0))
        changed.append(_with_blocks(step, lambda _, inner: inserted(draw, inner, numbers)))
    return changed


def removed(draw: st.DrawFn, block: list[Step]) -> list[Step]:
    kept = [step for step in block if draw(st.integers(0, 3))]
    return [_with_blocks(step, lambda _, inner: removed(draw, inner)) for step in kept]


def shuffled(draw: st.DrawFn, block: list[Step]) -> list[Step]:
    order = draw(st.permutations(block))
    return [_with_blocks(step, lambda _, inner: shuffled(draw, inner)) for step in order]


def unique(tree: list[Step]) -> bool:
    keys = _keys(tree)
    return len(keys) == len(set(keys))


def _keys(block: list[Step]) -> list[object]:
    own = [step.until if isinstance(step, Wait) else step.id for step in block]
    return own + [key for step in block for _, inner in blocks_of(step) for key in _keys([*inner])]


different = trees().filter(unique)


@given(different)
def test_an_unchanged_journey_keeps_every_step_where_it_is(tree: list[Step]) -> None:
    journey = named(tree)
    assert all(old == new for old, new in align(journey, journey).pairs.items())
    assert set(align(journey, journey).pairs) == set(Program(journey).ids)


@given(different, st.data())
def test_an_insertion_moves_nobody(tree: list[Step], data: st.DataObject) -> None:
    numbers = list(range(2 * 10**9, 2 * 10**9 + 50))
    old, new = named(tree), named(inserted(data.draw, tree, numbers))
    there = meanings(new)
    found = align(old, new).pairs
    assert {step_id: there[what] for what, step_id in meanings(old).items()} == found


@given(different, st.data())
def test_after_any_edit_every_step_leads_to_one_that_exists_or_to_the_end(
    tree: list[Step], data: st.DataObject
) -> None:
    numbers = list(range(2 * 10**9, 2 * 10**9 + 50))
    changed = inserted(data.draw, removed(data.draw, shuffled(data.draw, tree)), numbers)
    old, new = named(tree), named(changed)
    here = set(Program(new).ids)
    edited = diff(old, new)
    assert set(edited.fates) == set(Program(old).ids)
    for fate in edited.fates.values():
        assert (fate.new in here) if isinstance(fate, Kept) else (fate.to is None or fate.to in here)
    living = [fate.new for fate in edited.fates.values() if isinstance(fate, Kept)]
    assert len(living) == len(set(living))  # nobody merges unless somebody said so
    assert set(living) | set(edited.added) == here


@given(different, st.data())
def test_what_has_a_name_of_its_own_is_itself_wherever_it_stands_now(tree: list[Step], data: st.DataObject) -> None:
    old, new = named(tree), named(shuffled(data.draw, tree))
    pairs = align(old, new).pairs
    for step_id in Program(old).ids:
        if family(Program(old).step(step_id)) != "wait>":
            assert pairs[step_id] == step_id


@given(different)
def test_a_rename_with_was_keeps_the_step(tree: list[Step]) -> None:
    old = named(tree)
    sends = [step_id for step_id in Program(old).ids if isinstance(Program(old).step(step_id), Send)]
    if not sends:
        return
    new = named(_renaming(tree, sends[0]))
    assert diff(old, new).names[sends[0]] == "renamed"


def _renaming(block: list[Step], step_id: str) -> list[Step]:
    return [
        replace(step, id="renamed", was=(step_id,))
        if step.id == step_id
        else _with_blocks(step, lambda _, inner: _renaming(inner, step_id))
        for step in block
    ]


def test_steps_that_do_the_same_under_made_names_are_told_apart_by_place() -> None:
    """Two updates, two exits: `update`, `update~2`; nobody stands there, but what was done is known by name."""
    first = Update(id="update", span=_HERE, set={}, add={"points": 1.0})
    second = Update(id="update~2", span=_HERE, set={}, add={"points": 2.0})
    end = Exit(id="exit-x", span=_HERE, reason="x")
    old = Journey(id="j", title="j", start=Manual(), steps=(first, second, end))
    new = Journey(id="j", title="j", start=Manual(), steps=(replace(second, id="update"), end))
    assert align(old, new).pairs == {"update~2": "update", "exit-x": "exit-x"}
