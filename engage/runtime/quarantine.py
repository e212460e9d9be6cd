"""When a batch fails: find the one that breaks it, set that one aside, and let the others go on.

A fault in one member's data must never hold up everybody else's. A database that does not answer is no such fault: that
ends the tick, and the next bell tries again; transactions that were in each other's way try again at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import structlog
from sqlalchemy import Connection

from engage.errors import DatabaseConflict, DatabaseUnavailable
from engage.runtime.context import Context
from engage.store import overview, tallies

_TRIES = 4  # of a transaction that others were in the way of
log = structlog.get_logger("engage.quarantine")


class Numbered(Protocol):
    """`id`: by which the log tells of it."""

    @property
    def id(self) -> int: ...


Item = TypeVar("Item", bound=Numbered)


@dataclass(frozen=True, slots=True)
class Quarantine(Generic[Item]):
    """How a batch of items is worked on. What is taken is taken in the transaction that works on it, so that of several
    processes each takes something else.

    `take`: a batch, locked; `take_again`: the same item, if it is still to be done; `set_aside` is told of what fails
    alone."""

    context: Context
    loop: str
    take: Callable[[Connection], Sequence[Item]]
    take_again: Callable[[Connection, Item], Sequence[Item]]
    do: Callable[[Connection, Sequence[Item]], None]
    set_aside: Callable[[Connection, Item, Exception], None]

    def together_or_singly(self) -> int:
        """All of a batch in one transaction; if that fails, each in its own. Returns how many were dealt with."""
        items: Sequence[Item] = ()

        def take(connection: Connection) -> Sequence[Item]:
            nonlocal items
            items = self.take(connection)
            return items

        try:
            self._do(take)
        except DatabaseUnavailable:
            raise
        except Exception:
            if not items:
                raise
            log.exception("batch_failed", items=len(items))
            for item in items:
                self._alone(item)
        return len(items)

    def _alone(self, item: Item) -> None:
        try:
            self._do(lambda connection: self.take_again(connection, item))
        except DatabaseUnavailable:
            raise
        except Exception as error:
            log.exception("set_aside", loop=self.loop, kind=type(item).__name__, id=item.id)
            with self.context.database.write() as connection:
                self.set_aside(connection, item, error)
                tallies.add(connection, {f"{overview.SET_ASIDE}{self.loop}": 1}, 0, self.context.clock.now())

    def _do(self, take: Callable[[Connection], Sequence[Item]]) -> None:
        for tries_left in reversed(range(_TRIES)):
            try:
                with self.context.database.write() as connection:
                    items = take(connection)
                    if items:
                        self.do(connection, items)
            except DatabaseConflict:
                if tries_left == 0:
                    raise
            else:
                return
