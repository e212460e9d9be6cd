"""When a batch fails: find the one that breaks it, leave that one out, and let the others go on.

A fault in one member's data must never hold up everybody else's. One over all of several of a kind (of one journey,
from one source) is none of theirs: they stay as they are and are left alone for a minute, so that other kinds go on.

Who is set aside is told for good, or for an hour; so where that would lose somebody, the one who fails alone is left
alone for a while first. Most batches are small, and the fault may be ours: somebody may be mending it.

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
from engage.store import tallies
from engage.store.insight import overview

REST = timedelta(minutes=1)  # of a kind, all of which have failed
REST_ALONE = timedelta(minutes=10)  # of one that has failed for its own sake
_MOST_ALONE = 1000  # beyond it their kind rests: a query is told of each
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
            if failure is not None:
                log.error("part_failed", exc_info=failure)  # whoever catches the last one tells of that alone
            failure = error
    if failure is not None:
        raise failure
    return done


class Resting:
    """Kinds, and single ones, that this process leaves alone for a while; nothing of them is written, so that all stays
    due since it was."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kinds: dict[Any, float] = {}
        self._alone: dict[int, float] = {}
        self._failed_since: dict[int, float] = {}  # of those alone

    def add(self, kinds: Iterable[Any], rest: timedelta = REST) -> None:
        self._kinds = self._still(self._kinds) | dict.fromkeys(kinds, self._clock.uptime() + rest.total_seconds())

    def add_alone(self, item_id: int, patience: timedelta) -> bool:
        """No, if it has failed for as long as that."""
        uptime = self._clock.uptime()
        ended = uptime - (patience + 2 * REST_ALONE).total_seconds()
        self._failed_since = {each: since for each, since in self._failed_since.items() if since > ended}
        since = self._failed_since.setdefault(item_id, uptime)
        if uptime - since >= patience.total_seconds():
            del self._failed_since[item_id]
            return False
        self._alone = self._still(self._alone) | {item_id: uptime + REST_ALONE.total_seconds()}
        return True

    def has_failed_alone(self, item_id: int) -> bool:
        return item_id in self._failed_since

    @property
    def now(self) -> frozenset[Any]:
        """The kinds."""
        return frozenset(self._still(self._kinds))

    @property
    def alone(self) -> frozenset[int]:
        """The ids of the single ones."""
        return frozenset(self._still(self._alone))

    def _still(self, until: dict[Any, float]) -> dict[Any, float]:
        uptime = self._clock.uptime()
        return {key: ends for key, ends in until.items() if ends > uptime}


@dataclass(frozen=True, slots=True)
class Failed(Generic[Item]):
    item: Item
    error: Exception

    def tell(self, loop: str, what: str) -> None:
        log.error(what, loop=loop, kind=type(self.item).__name__, id=self.item.id, exc_info=self.error)


@dataclass
class Sieve(Generic[Item]):
    """Of a batch that is gone through singly: who fails for their own sake. It is known as soon as another of the same
    kind has not; and of those who did before (`fails_alone`)."""

    kind_of: Callable[[Item], Hashable]
    fails_alone: Callable[[Item], bool] = lambda _: False
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
        if kind in self._sound or self.fails_alone(item):
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
    is told of what fails for its own sake and has done so for as long as `patience`; somebody else may have done it
    meanwhile. Until then it is `resting`, and so is a kind all of which fails; that is raised, too, when the others are
    done. `fails_alone`: of whom it is known from elsewhere that they fail for their own sake."""

    context: Context
    loop: str
    kind_of: Callable[[Item], Hashable]
    take: Callable[[Connection], Sequence[Item]]
    take_again: Callable[[Connection, Item], Sequence[Item]]
    do: Callable[[Connection, Sequence[Item]], None]
    set_aside: Callable[[Connection, Item, Exception], None]
    resting: Resting
    patience: timedelta = timedelta(0)
    fails_alone: Callable[[Item], bool] = lambda _: False

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
        sieve = Sieve(self.kind_of, lambda item: self.resting.has_failed_alone(item.id) or self.fails_alone(item))
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
            stays = self._is_left_alone(each.item)
            with self.context.database.write() as connection:
                if not stays:
                    self.set_aside(connection, each.item, each.error)
                count_set_aside(connection, self.loop, self.context.clock.now())
            each.tell(self.loop, "left_alone" if stays else "set_aside")

    def _is_left_alone(self, item: Item) -> bool:
        if len(self.resting.alone) >= _MOST_ALONE:
            self.resting.add([self.kind_of(item)])
            return True
        return self.resting.add_alone(item.id, self.patience)

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
