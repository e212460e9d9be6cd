"""How far journeys, segments and computed fields look back on what happened, beside how long that is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import timedelta

from engage.core.catalog import Catalog
from engage.core.condition import Did, InSegment
from engage.core.duration import format_duration
from engage.core.journey.model import Journey
from engage.core.problem import Said


@dataclass(frozen=True, slots=True)
class LooksBack:
    """`period` None: to the very beginning. `who`: a journey, a segment or a field, by name."""

    who: Said
    event: str
    period: timedelta | None

    def beyond(self, kept: timedelta) -> bool:
        return self.period is None or self.period > kept

    def beside(self, kept: timedelta) -> Said:
        """What is lost if it is kept no longer."""
        until = format_duration(kept)
        far = format_duration(self.period) if self.period is not None else None
        back = Said(
            f"looks {far} back on" if far else "asks whether there ever was", f"回看 {far} 的" if far else "问是否有过"
        )
        return Said(
            f"{self.who.en} {back.en} {self.event}, and retention.events keeps {until}: what is older never was",
            f"{self.who.zh}{back.zh} {self.event}，而 retention.events 只留 {until}：更早的就像没发生过",
        )


def looks_beyond(kept: timedelta | None, catalog: Catalog, journeys: Iterable[Journey]) -> list[LooksBack]:
    """Those that look back further than events are kept; each once. A segment is told for itself, not for every journey
    that names it."""
    if kept is None:
        return []
    found = [*_of_fields(catalog), *_of_segments(catalog)]
    for journey in journeys:
        found += _asks(journey, Said(f"The journey {journey.id}", f"旅程 {journey.id} "))
    return [look for look in dict.fromkeys(found) if look.beyond(kept)]


def _of_fields(catalog: Catalog) -> Iterator[LooksBack]:
    """A field without a window is counted as it happens, and kept."""
    for name, each in catalog.fields.items():
        if each.computed is not None and each.computed.within is not None:
            who = Said(f"The field {name}", f"字段 {name} ")
            yield from (LooksBack(who, event, each.computed.within) for event in each.computed.events)


def _of_segments(catalog: Catalog) -> Iterator[LooksBack]:
    for name, condition in catalog.segments.items():
        yield from _asks(condition, Said(f"The segment {name}", f"人群 {name} "))


def _asks(thing: object, who: Said) -> Iterator[LooksBack]:
    match thing:
        case Did(event=event, within=within, since_start=since_start):
            if not since_start:
                yield LooksBack(who, event, within)
        case InSegment():
            return
        case Mapping():
            for value in thing.values():
                yield from _asks(value, who)
        case tuple() | list():
            for value in thing:
                yield from _asks(value, who)
        case _ if is_dataclass(thing):
            for each in fields(thing):
                yield from _asks(getattr(thing, each.name), who)
