"""Statements about moments counted from now: made once, and told what now is whenever they are executed.

Making a statement takes SQLAlchemy longer than SQLite needs to answer it. So what a condition asks is kept as it was
made, with its moments as parameters, for as long as its catalog is in use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import wraps
from threading import Lock
from typing import Any, TypeVar, TypeVarTuple
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

from sqlalchemy import BindParameter, Connection, bindparam
from sqlalchemy.types import TypeEngine

from engage.core.catalog import Catalog
from engage.store.tables import Instant

_DAY = timedelta(days=1)
# Of one kind, for the conditions of one catalog's journeys; about 30 KiB each. Beyond it the oldest is made anew.
_MOST_KEPT = 2_000

Args = TypeVarTuple("Args")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Moments:
    """The parameters of one statement. Days are the business's own, in the zone given. `now`: for a statement that is
    made for this one moment, and is executed with nothing."""

    timezone: str
    now: datetime | None = None
    _instants: dict[str, timedelta] = field(default_factory=dict)
    _days: dict[str, timedelta] = field(default_factory=dict)

    def instant(self, shift: timedelta = timedelta(0)) -> BindParameter[datetime]:
        """So far from now."""
        if self.now is not None:
            return bindparam(None, self.now + shift, type_=Instant())
        name = f"now{_seconds(shift)}"
        self._instants[name] = shift
        return bindparam(name, type_=Instant())

    def day(self, shift: timedelta, kept_as: TypeEngine[Any]) -> BindParameter[date]:
        """The business's own date so far from now, as the days are kept that it is compared with."""
        if self.now is not None:
            return bindparam(None, day_of(self.timezone, self.now, shift), type_=kept_as)
        name = f"today{_seconds(shift)}_{type(kept_as).__name__.lower()}"
        self._days[name] = shift
        return bindparam(name, type_=kept_as)

    def at(self, now: datetime) -> dict[str, Any]:
        """What the statement is executed with."""
        instants = {name: now + shift for name, shift in self._instants.items()}
        return instants | {name: day_of(self.timezone, now, shift) for name, shift in self._days.items()}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement and its moments."""

    statement: Any
    moments: Moments

    def execute(self, connection: Connection, now: datetime, **given: Any) -> Any:
        """Its rows."""
        return connection.execute(self.statement, self.moments.at(now) | given)


def once_for_catalog(make: Callable[[Catalog, *Args], Made]) -> Callable[[Catalog, *Args], Made]:
    """What is made from a catalog and hashable arguments is made once, and forgotten with the catalog: it must not hold
    the catalog itself."""
    kept: WeakKeyDictionary[Catalog, dict[tuple[Any, ...], Made]] = WeakKeyDictionary()
    making = Lock()

    @wraps(make)
    def ask(catalog: Catalog, *args: *Args) -> Made:
        found = kept.get(catalog, {}).get(args)
        if found is None:
            found = make(catalog, *args)
            with making:
                made = kept.setdefault(catalog, {})
                if len(made) >= _MOST_KEPT:
                    del made[next(iter(made))]
                made[args] = found
        return found

    return ask


def day_of(timezone: str, moment: datetime, shift: timedelta) -> date:
    """The business's own date so far from the moment. Days are counted on the calendar, where one may have 23 hours or
    25; only what is less than a day passes by the clock."""
    days = timedelta(days=int(shift / _DAY))
    return (moment + (shift - days)).astimezone(ZoneInfo(timezone)).date() + days


def _seconds(shift: timedelta) -> str:
    return f"{shift.total_seconds():+.0f}".replace("+", "_plus_").replace("-", "_minus_")
