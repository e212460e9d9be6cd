"""What an author says about an edit: `was` (a step's earlier names), `moved_to` (where members of removed steps go),
and `on_edit` (whether members on their way follow the new version at all).

The three look back at a version this file does not show: which names it really had is known where it is compared, in
`diff`. Here they are read, and contradictions within the file are told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from engage.core.journey import misfits, mistakes, scalars
from engage.core.journey.model import OnEdit, Step
from engage.core.journey.nodes import Node, Scalar, Table
from engage.core.journey.options import Options, is_empty, read_table
from engage.core.problem import Problem, Said

_EARLIER_NAME = Said("the step's earlier id, or a list of them", "步骤以前的 id，可以是一列")


def read_was(options: Options, step_ids: Collection[str]) -> tuple[str, ...]:
    """A name that stands in this file is no earlier name of another step."""
    node = options.node("was")
    if node is None:
        return ()
    found = scalars.scalars(node, mistakes.word("was"), _EARLIER_NAME, options.problems) or ()
    for item in found:
        if item.text in step_ids:
            options.problems.append(_still_here(item))
    return tuple(item.text for item in found)


def was_twice(steps: Iterable[Step]) -> Iterator[Problem]:
    """Members who stood at a step cannot go on at two."""
    claimed: dict[str, Step] = {}
    for step in steps:
        for name in step.was:
            if name in claimed:
                said = Said(f"two steps say `was: {name}`", f"有两个步骤都写了 `was: {name}`")
                help = Said("members who stood there can go on at one only", "停在那一步的会员只能接着走其中一步")
                yield mistakes.contradiction(step.span, said, help)
            claimed[name] = step


def read_on_edit(node: Node, problems: list[Problem]) -> OnEdit | None:
    return scalars.choice(node, OnEdit, Said("a value of `on_edit`", "`on_edit` 的值"), problems)


def read_moved_to(node: Node, step_ids: Collection[str], problems: list[Problem]) -> Mapping[str, str]:
    """`{ removed step: step of this file }`."""
    table = read_table(node, mistakes.word("moved_to"), problems, "moved_to: { old_step: new_step }")
    return _targets(table, step_ids, problems) if table is not None else {}


def _targets(table: Table, step_ids: Collection[str], problems: list[Problem]) -> dict[str, str]:
    targets: dict[str, str] = {}
    for entry in table.entries:
        if is_empty(entry.value):
            problems.append(mistakes.no_value(entry.key.span, entry.key.text))
            continue
        found = scalars.scalar(entry.value, mistakes.word("moved_to"), problems, Said("a step's id", "步骤的 id"))
        if entry.key.text in step_ids:
            problems.append(_still_here(entry.key))
        elif found is not None and found.text not in step_ids:
            problems.append(misfits.unknown("step", found.span, found.text, step_ids))
        elif found is not None:
            targets[entry.key.text] = found.text
    return targets


def _still_here(found: Scalar) -> Problem:
    said = Said(f"`{found.text}` is a step of this file", f"`{found.text}` 仍是这个文件里的步骤")
    help = Said("name a step that this file no longer has", "这里要写的是文件里已经没有的步骤")
    return mistakes.contradiction(found.span, said, help)
