"""Calls as a daemon makes them, on one greenlet: a few at a time, recorded in groups, in an order of their own."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

from engage.runtime.context import Context
from engage.runtime.dispatching.handover import Called, Intended, Patience, Record, call
from tests.harness.crew import Crew
from tests.harness.dice import Dice

P = ParamSpec("P")
T = TypeVar("T")


class InGroups:
    """A `Calls`. Waiting for a provider means giving way to the other workers, so the calls need no event loop."""

    def __init__(self, context: Context, record: Record, dice: Dice, crew: Callable[[], Crew]) -> None:
        self._crew = crew
        self._context = context
        self._record = record
        self._dice = dice

    def room(self, channel: str) -> int:
        return self._dice.one_of([1, 3, 9, 9])

    def await_room(self, wanted: Mapping[str, int]) -> None:
        """What finds no room is put back."""

    def begin(self, intended: Sequence[Intended]) -> None:
        left = self._dice.shuffled(intended)
        while left:
            size = self._dice.some(1, 3)
            group, left = left[:size], left[size:]
            self._record([self._called(each) for each in group])

    def _called(self, intended: Intended) -> Called:
        worker = self._crew().current()
        if worker is not None:
            worker.means = intended.ready.claimed.id
        return _made(call(self._context, intended))

    def settle(self) -> None:
        """Nothing is under way."""

    def close(self, patient: Patience) -> None:
        """Nothing was opened."""


def _made(coroutine: Coroutine[Any, Any, Called]) -> Called:
    try:
        coroutine.send(None)
    except StopIteration as done:
        called: Called = done.value
        return called
    raise AssertionError("a provider of the harness waits for nothing")


class AtOnce(Executor):
    """Webhook calls, one after the other on the greenlet that asks."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        done: Future[T] = Future()
        done.set_result(fn(*args, **kwargs))
        return done
