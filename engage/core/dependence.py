"""What can change whether a condition holds, so that only that is looked at again when something happens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

from engage.core.catalog import Catalog
from engage.core.condition import Compare, Condition, Did, FieldValue, InShare, RankValue, atoms

# What a member's fields and tags change with; each change is told as one of them.
_PROFILE_EVENTS = frozenset({"member_created", "member_updated", "member_imported"})
# Somebody new is in every segment whose condition holds for those of whom nothing is known (`not: { tag: VIP }`).
_ARRIVALS = frozenset({"member_created", "member_imported"})


def stirring_events(condition: Condition, catalog: Catalog) -> frozenset[str]:
    """The events after which a condition about a member may hold where it did not, or the other way round."""
    stirring = set(_ARRIVALS)
    for atom in atoms(condition):
        match atom:
            case Did(event=name):
                stirring.add(name)
            case Compare(subject=FieldValue(name=name) | RankValue(name=name)):
                computed = catalog.fields[name].computed
                stirring.update(computed.events if computed is not None else _PROFILE_EVENTS)
            case _:
                stirring.update(_PROFILE_EVENTS)
    return frozenset(stirring)


def meaning(condition: Condition, catalog: Catalog) -> str:
    """A text that changes when what a condition means does, by its own words or by those of the fields it looks at."""
    subjects = [atom.subject for atom in atoms(condition) if isinstance(atom, Compare)]
    names = {each.name for each in subjects if isinstance(each, FieldValue | RankValue)}
    return repr((condition, [(name, catalog.fields[name].computed) for name in sorted(names)], catalog.timezone))


def shares_in(thing: object) -> Iterator[tuple[str, int]]:
    """(field, percent) of every rank that is tested anywhere in a condition, a journey, or a mapping of them."""
    match thing:
        case Compare(subject=RankValue(name=name), test=InShare(above=above, to=to)):
            yield from ((name, percent) for percent in (above, to) if percent is not None)
        case Mapping():
            yield from (share for value in thing.values() for share in shares_in(value))
        case tuple() | list():
            yield from (share for value in thing for share in shares_in(value))
        case _ if is_dataclass(thing):
            yield from (share for each in fields(thing) for share in shares_in(getattr(thing, each.name)))
