"""When a batch fails: find the one that breaks it, set that one aside, and let the others go on.

A fault in one member's data must never hold up everybody else's. A database that does not answer is no such fault: that
ends the tick, and the next bell tries again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import structlog

from engage.errors import DatabaseUnavailable

log = structlog.get_logger("engage.quarantine")
Item = TypeVar("Item")


def together_or_singly(
    items: Sequence[Item], do: Callable[[Sequence[Item]], None], set_aside: Callable[[Item, Exception], None]
) -> None:
    """`do` all of them in one transaction; if that fails, each in its own. `set_aside` is told of what fails alone."""
    try:
        do(items)
    except DatabaseUnavailable:
        raise
    except Exception:
        log.exception("batch_failed", items=len(items))
        for item in items:
            _alone(item, do, set_aside)


def _alone(item: Item, do: Callable[[Sequence[Item]], None], set_aside: Callable[[Item, Exception], None]) -> None:
    try:
        do([item])
    except DatabaseUnavailable:
        raise
    except Exception as error:
        log.exception("set_aside", kind=type(item).__name__)
        set_aside(item, error)
