"""`engage fmt --ids`: the ids that steps have by themselves, written down, so that later edits keep them."""

from __future__ import annotations

from collections.abc import Iterator

from engage.core.journey.ids import WRITTEN, blocks_in, name_steps, verb_of
from engage.core.journey.nodes import Listing, Table, read_nodes
from engage.core.problem import Mend, Span
from engage.editor.mending import apply_mends


def with_ids(source: str) -> str:
    """A journey's text, every step with its `id`. Left out is an id that could not be written (an exit whose reason is
    a sentence); nobody stands at such a step for long. A file that is no journey stays as it is."""
    node, problems = read_nodes(source, "")
    steps = node.get("steps") if isinstance(node, Table) else None
    if problems or not isinstance(steps, Listing):
        return source
    ids = name_steps(steps, problems)
    unnamed = [step for step in _every(steps) if step.entry("id") is None]
    written = [(step, ids.of.get(step.span, "")) for step in unnamed]
    return apply_mends(source, [_id_line(step, name, source) for step, name in written if WRITTEN.fullmatch(name)])


def _every(steps: Listing) -> Iterator[Table]:
    for step in steps.items:
        if isinstance(step, Table):
            yield step
            for _, block in blocks_in(step):
                yield from _every(block)


def _id_line(step: Table, name: str, source: str) -> Mend:
    """Below the verb; above it where what it does takes several lines; beside it within braces."""
    verb = verb_of(step)
    if verb is None:
        raise AssertionError("only a step with a verb has an id")
    key, value = verb.key.span, verb.value.span
    lines = source.splitlines()
    if lines[step.span.line - 1][step.span.column - 1] == "{":
        return Mend(_point(value.file, value.end_line, value.end_column), f", id: {name}")
    below = " " * (key.column - 1)
    if value.end_line == key.line:
        return Mend(_point(key.file, key.line, len(lines[key.line - 1]) + 1), f"\n{below}id: {name}")
    return Mend(_point(key.file, key.line, key.column), f"id: {name}\n{below}")


def _point(file: str, line: int, column: int) -> Span:
    return Span(file, line, column, line, column)
