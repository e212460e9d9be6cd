"""`engage fmt`: a file as it should be written."""

from __future__ import annotations

from engage.core.journey.nodes import read_nodes
from engage.editor.layout import laid_out, plain_lines
from engage.editor.mending import Reader, mended
from engage.editor.naming import with_ids


def formatted(source: str, *, mend_by: Reader | None = None, ids: bool = False) -> str | None:
    """`mend_by` finds the mistakes to put right first; `ids` writes down the ids of a journey's steps. None if the text
    cannot be read as YAML even then: nobody knows how to lay it out."""
    source = plain_lines(source)
    if mend_by is not None and is_readable(better := mended(source, mend_by)):
        source = better
    if not is_readable(source):
        return None
    return laid_out(with_ids(source) if ids else source)


def is_readable(source: str) -> bool:
    node, problems = read_nodes(source, "")
    return node is not None and not problems
