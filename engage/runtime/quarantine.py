"""When a batch fails: find the one that breaks it, set that one aside, and let the others go on.

A fault in one member's data must never hold up everybody else's. One over all of several of a kind (of one journey,
from one source) is none of theirs: they stay as they are and are left alone for a minute, so that other kinds go on.

A database that does not answer is no such fault: that ends the tick, and the next bell tries again; transactions that
were in each other's way try again at once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar

import structlog
from sqlalchemy import Connection

from engage.clock import Clock
from engage.errors import DatabaseConflict, DatabaseUnavailable
from engage.runtime.context import Context
from engage.store import overview, tallies

REST = timedelta(minutes=1)  # of a kind, all of which have failed
_TRIES = 4  # of a transaction that others were in the way of
log = structlog.get_logger("engage.quarantine")


class Numbered(Protocol):
    """`id`: by which the log tells of it."""

    @property
    def id(self) -> int: ...


Item = TypeVar("Item", bound=Numbered)


def all_of(*parts: Callable[[], int]) -> int:
    """Each of them, also where one before it fails: what it raised is raised when all had their turn. Returns how much
    they did together."""
    done, failure = 0, None
    for part in parts:
        try:
            done += part()
        except DatabaseUnavailable:
            raise
        except Exception as error:
            failure = error
    if failure is not None:
        raise failure
    return done


class Resting:
    """Kinds that this process leaves alone for a while; nothing of them is written, so that all stays due since it
    was."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[Any, float] = {}

    def add(self, kinds: Iterable[Any]) -> None:
        uptime = self._clock.uptime()
        still = {kind: until for kind, until in self._until.items() if until > uptime}
        self._until = still | dict.fromkeys(kinds, uptime + REST.total_seconds())

    @property
    def now(self) -> frozenset[Any]:
        uptime = self._clock.uptime()
        return frozenset(kind for kind, until in self._until.items() if until > uptime)


@dataclass(frozen=True, slots=True)
class Failed(Generic[Item]):
    item: Item
    error: Exception

    def tell(self, loop: str) -> None:
        log.error("set_aside", loop=loop, kind=type(self.item).__name__, id=self.item.id, exc_info=self.error)


@dataclass
class Sieve(Generic[Item]):
    """Of a batch that is gone through singly: who fails for their own sake. It is known as soon as another of the same
    kind has not."""

    kind_of: Callable[[Item], Hashable]
    _sound: set[Hashable] = field(default_factory=set)
    _in_doubt: dict[Hashable, list[Failed[Item]]] = field(default_factory=dict)
    _some_are_gone: bool = False

    def passed(self, item: Item) -> list[Failed[Item]]:
        """Who has failed for their own sake, as is known by this one."""
        kind = self.kind_of(item)
        self._sound.add(kind)
        return self._in_doubt.pop(kind, [])

    def failed(self, item: Item, error: Exception) -> list[Failed[Item]]:
        """Itself, if that is known already."""
        kind, failure = self.kind_of(item), Failed(item, error)
        if kind in self._sound:
            return [failure]
        self._in_doubt.setdefault(kind, []).append(failure)
        return []

    def gone(self) -> None:
        """One is no more to be done, or not as it was taken: whether it would have failed nobody knows."""
        self._some_are_gone = True

    def alone(self) -> list[Failed[Item]]:
        """At the end: who was the only one of their kind, and others went on, or there were none."""
        return [of[0] for of in self._in_doubt.values() if not self._is_nobodys_own(of)]

    def together(self) -> list[list[Failed[Item]]]:
        """At the end, kind by kind: those of whom all of several have failed; all who have, if nothing went on."""
        return [of for of in self._in_doubt.values() if self._is_nobodys_own(of)]

    def _is_nobodys_own(self, of_kind: Sequence[Failed[Item]]) -> bool:
        return len(of_kind) > 1 or (not self._sound and (len(self._in_doubt) > 1 or self._some_are_gone))


@dataclass(frozen=True, slots=True)
class Quarantine(Generic[Item]):
    """How a batch of items is worked on. What is taken is taken in the transaction that works on it, so that of several
    processes each takes something else.

    `take`: a batch, locked, of nothing that rests; `take_again`: the same item, if it is still to be done. `set_aside`
    is told of what fails for its own sake, and which somebody else may have done meanwhile. A kind all of which
    fails is `resting` from then on; that is raised, too, when the others are done."""

    context: Context
    loop: str
    kind_of: Callable[[Item], Hashable]
    take: Callable[[Connection], Sequence[Item]]
    take_again: Callable[[Connection, Item], Sequence[Item]]
    do: Callable[[Connection, Sequence[Item]], None]
    set_aside: Callable[[Connection, Item, Exception], None]
    resting: Resting

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
            self._singly(items)
        return len(items)

    def _singly(self, items: Sequence[Item]) -> None:
        sieve = Sieve(self.kind_of)
        for item in items:
            self._leave_out(self._one(sieve, item))
        self._leave_out(sieve.alone())
        failed_together = sieve.together()
        if failed_together:
            self.resting.add(self.kind_of(of_kind[0].item) for of_kind in failed_together)
            raise failed_together[0][0].error

    def _one(self, sieve: Sieve[Item], item: Item) -> list[Failed[Item]]:
        try:
            done = self._do(lambda connection: self.take_again(connection, item))
        except DatabaseUnavailable:
            raise
        except Exception as error:
            return sieve.failed(item, error)
        if done:
            return sieve.passed(item)
        sieve.gone()
        return []

    def _leave_out(self, failed: Sequence[Failed[Item]]) -> None:
        for each in failed:
            with self.context.database.write() as connection:
                self.set_aside(connection, each.item, each.error)
                count_set_aside(connection, self.loop, self.context.clock.now())
            each.tell(self.loop)

    def _do(self, take: Callable[[Connection], Sequence[Item]]) -> bool:
        """Whether there was anything to do."""
        for tries_left in reversed(range(_TRIES)):
            try:
                with self.context.database.write() as connection:
                    items = take(connection)
                    if items:
                        self.do(connection, items)
                    return bool(items)
            except DatabaseConflict:
                if tries_left == 0:
                    raise
        raise AssertionError("the last try returns or raises")


def count_set_aside(connection: Connection, loop: str, now: datetime) -> None:
    tallies.add(connection, {f"{overview.SET_ASIDE}{loop}": 1}, 0, now)
