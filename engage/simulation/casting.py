"""Bringing the members of test cases into a world: who they are, what they have and did, before the test begins.

Splits and control groups go by a hash of the member's id. A test that says which way its member takes gets a member
whose id falls there: the engine does nothing for tests that it would not do in life.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from engage.core.catalog import Catalog
from engage.core.fact import Fact, Happened, MemberGiven, Unfollowed
from engage.core.holdout import is_held_out
from engage.core.journey.model import Split
from engage.core.split import way_of
from engage.core.testfile.model import Case, Person
from engage.runtime.applied import Active, Applied
from engage.runtime.receiving import membership
from engage.runtime.receiving.reading import Reading
from engage.simulation.implied import implied_events
from engage.simulation.world import World
from engage.store import inbound, members, segments
from engage.store.members import MemberRef
from engage.store.statements.ids import take_ids

_MOST_TRIED = 100_000  # ids; a way of 1 % takes a hundred on average
_ADDRESSES = {"wechat": "oTest{:023d}", "sms": "+86138{:08d}", "email": "test{}@example.invalid"}


@dataclass(frozen=True, slots=True)
class Role:
    """A case's member in a world."""

    case: Case
    external_id: str
    ref: MemberRef
    addresses: Mapping[str, str]  # by channel


def cast(world: World, journey_id: str, cases: Sequence[Case]) -> list[Role]:
    """One member for each case, known to the engine when this returns. Starts nothing: it is all history. A case is
    left out if no member could be in the control group, or take the ways, that it asks for."""
    with world.database.write() as connection:
        roles = _create_all(connection, world.applied, world.applied.journeys[journey_id], cases, world.clock.now())
    world.tell((fact for role in roles for fact in _history(world, role)), inbound.FILE)
    world.settle()
    world.tell((fact for role in roles for fact in _present(world, role)), inbound.FILE)
    world.settle()
    _act(world, roles)
    return roles


# --- who they are -----------------------------------------------------------------------------------------------


def _create_all(
    connection: Connection, applied: Applied, active: Active, cases: Sequence[Case], now: datetime
) -> list[Role]:
    (last,) = take_ids(connection, "member", 1)
    roles = []
    for number, case in enumerate(cases, start=1):
        wanted = next((i for i in range(last + 1, last + _MOST_TRIED) if _fits(i, applied, active, case)), None)
        if wanted is None:
            continue
        if wanted > last + 1:
            take_ids(connection, "member", wanted - last - 1)  # passed over
        last = wanted
        external_id = f"test-{number}"
        ref = members.create(connection, now, external_id, case.member.timezone)
        addresses = {c: reach.address or _ADDRESSES[c].format(number) for c, reach in case.member.reaches.items()}
        roles.append(Role(case, external_id, ref, addresses))
    return roles


def _fits(member_id: int, applied: Applied, active: Active, case: Case) -> bool:
    """Nobody is held out of the other journeys."""
    for other in applied.journeys.values():
        held_out = is_held_out(member_id, other.journey.id, other.journey.holdout)
        if held_out != (case.holdout and other is active):
            return False
    return all(_way(member_id, active, split) == way for split, way in case.arms.items())


def _way(member_id: int, active: Active, split: str) -> str | None:
    step = active.program.step(split) if split in active.program.ids else None
    return way_of(member_id, active.journey.id, step, None).way if isinstance(step, Split) else None


# --- what is known of them --------------------------------------------------------------------------------------


def _history(world: World, role: Role) -> Iterator[Fact]:
    for past in role.case.member.history:
        yield Happened(role.external_id, past.event, past.payload, past.at)
    for event, at, payload in implied_events(world.applied.catalog, role.case.member.values, world.clock.now()):
        yield Happened(role.external_id, event, payload, at)


def _present(world: World, role: Role) -> Iterator[Fact]:
    person, now = role.case.member, world.clock.now()
    topics = world.applied.catalog.topics
    yield MemberGiven(
        member=role.external_id,
        at=now,
        values={name: value for name, value in person.values.items() if _is_kept(world.applied.catalog, name)},
        addresses=role.addresses,
        consents={(topic, c): person.consent.get((topic, c), True) for topic in topics for c in role.addresses},
        evidence="test",
        tags=person.tags,
        announce=False,
    )
    for channel, reach in person.reaches.items():
        if not reach.follows:
            yield Unfollowed(channel, role.addresses[channel], now + timedelta(seconds=1))


def _is_kept(catalog: Catalog, name: str) -> bool:
    computed = catalog.fields[name].computed
    return computed is None or computed.within is None


def _act(world: World, roles: Sequence[Role]) -> None:
    """What they did last in a chat opens its reply window; it is no message to answer."""
    with world.database.write() as connection:
        reading = Reading(connection, world.applied, world.context.channels, world.clock.now())
        for role in roles:
            for channel, reach in role.case.member.reaches.items():
                if reach.last_act is not None and reach.last_act_at is not None:
                    membership.acted(reading, role.ref, channel, reach.last_act, reach.last_act_at)


# --- what the test takes for granted ----------------------------------------------------------------------------


def missing_segments(world: World, role: Role) -> list[str]:
    """Segments that the test puts the member in, and that their values do not."""
    with world.database.read() as connection:
        return [s for s in role.case.member.segments if role.ref not in segments.members_of(connection, s)]


def troupes(cases: Sequence[Case]) -> list[list[Case]]:
    """Cases that can be played in one world: nobody has an address that is another's there."""
    found: list[tuple[list[Case], set[str]]] = []
    for case in cases:
        taken = _given_addresses(case.member)
        for troupe, addresses in found:
            if not taken & addresses:
                troupe.append(case)
                addresses |= taken
                break
        else:
            found.append(([case], set(taken)))
    return [troupe for troupe, _ in found]


def _given_addresses(person: Person) -> set[str]:
    return {f"{channel}:{reach.address}" for channel, reach in person.reaches.items() if reach.address}
