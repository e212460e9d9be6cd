"""`Fault`: something that words with `{{ … }}` may not contain, by the line of the piece it stands in."""

from __future__ import annotations

from dataclasses import dataclass

from engage.core.problem import Said


@dataclass(frozen=True, slots=True)
class Fault:
    """`word` is what to underline on the line, if it can be found there."""

    code: str
    line: int
    message: Said
    word: str | None = None
    help: Said | None = None
    candidates: tuple[str, ...] = ()
