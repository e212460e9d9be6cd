"""Playing test files: every case of a file in one world, side by side, each with a member of its own.

Members do not touch each other in the engine (caps, windows, segments, runs are each one's own), so cases played
together come out as if each were alone. Only the journey under test lets members in by itself; other journeys run when
it enrolls into them. A case is over when nothing is left to happen, or at the end of its `until` day.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta

from engage.core import schedule
from engage.core.journey.check import every_step
from engage.core.journey.model import Enroll, OnDate, OnSchedule
from engage.core.problem import Said
from engage.core.schedule import Slot
from engage.core.testfile.model import Case, DayTime, TestFile
from engage.runtime.applied import Active, Applied
from engage.simulation.casting import Role, cast, missing_segments, troupes
from engage.simulation.ground import Ground
from engage.simulation.matching import Found, hold_against
from engage.simulation.script import Script, moment_of, zone_in
from engage.simulation.timeline import Happening, Told, read_told, timeline_of
from engage.simulation.world import World

LONGEST = timedelta(days=400)
# The curtain rises a moment before the clock: members are there when the journey's start comes.
_BEFORE = timedelta(minutes=1)
_HOURLY, _NEVER = timedelta(hours=1), timedelta(days=36_500)
_TICK = timedelta(seconds=1)
_SEGMENT_EVENTS = ("segment_entered", "segment_left")
_NOBODY_FITS = Said(
    "no member could be in the control group, or take the ways, that this test asks for",
    "没有会员能落在这个测试要求的对照组或分流里",
)


@dataclass(frozen=True, slots=True)
class Played:
    """One case, and what came of it. `faults`: what the test takes for granted, and what is not so."""

    file: TestFile
    case: Case
    timeline: Sequence[Happening]
    found: Sequence[Found]
    faults: Sequence[Said] = ()

    @property
    def passed(self) -> bool:
        return not self.faults and all(found.met for found in self.found)


def play(
    ground: Ground, file: TestFile, cases: Sequence[Case] | None = None, applied: Applied | None = None
) -> list[Played]:
    """The cases of a file (or these of it), in their order. `applied`: a variation of what is on the ground."""
    chosen = file.cases if cases is None else cases
    in_force = _only(applied or ground.applied, file.journey)
    played = {
        done.case.name: done for troupe in troupes(chosen) for done in _play_together(ground, file, troupe, in_force)
    }
    return [played[case.name] for case in chosen]


def _play_together(ground: Ground, file: TestFile, cases: Sequence[Case], applied: Applied) -> Iterator[Played]:
    sweep_every = _HOURLY if _minds_segments(applied) else _NEVER
    with ground.world(file.clock - _BEFORE, applied=_letting_in(applied, None), sweep_every=sweep_every) as world:
        roles = cast(world, file.journey, cases)
        faults = {role.case.name: _segments_missing(world, role) for role in roles}
        world.in_force.change(_letting_in(applied, file.journey))
        script = Script(world, file.journey, file.clock, roles)
        starts = {role.case.name: _starts(world, file, role) for role in roles}
        _live(world, file, roles, script, {slot for slots in starts.values() for slot in slots})
        for role in roles:
            stumbles = [Said(f"{s.deed.at}: {s.why.en}", f"{s.deed.at}：{s.why.zh}") for s in script.stumbles_of(role)]
            yield _told(world, file, role, starts[role.case.name], [*faults[role.case.name], *stumbles])
    cast_names = {role.case.name for role in roles}
    for case in cases:
        if case.name not in cast_names:
            yield Played(file, case, (), hold_against((), case.expected), [_NOBODY_FITS])


def _only(applied: Applied, journey_id: str) -> Applied:
    """The journey, and those that it enrolls into: nothing else can happen."""
    reached: dict[str, Active] = {}
    ahead = [journey_id]
    while ahead:
        active = applied.journeys.get(ahead.pop())
        if active is not None and active.journey.id not in reached:
            reached[active.journey.id] = active
            ahead += [step.journey for step in every_step(active.journey.steps) if isinstance(step, Enroll)]
    return replace(applied, journeys=dict(sorted(reached.items())))


def _letting_in(applied: Applied, journey_id: str | None) -> Applied:
    """Only this journey lets members in by itself; None: no journey does."""
    journeys = {i: replace(active, silent=i != journey_id) for i, active in applied.journeys.items()}
    return replace(applied, journeys=journeys, mark=f"{applied.mark}, {journey_id} lets in")


def _minds_segments(applied: Applied) -> bool:
    """Whether a run waits for its member to enter or leave a segment. If not, time alone moves nobody between them."""
    return any(event in active.interests for active in applied.journeys.values() for event in _SEGMENT_EVENTS)


def _segments_missing(world: World, role: Role) -> list[Said]:
    return [
        Said(
            f"by what the test says of {role.case.member.name}, they are not in {name}",
            f"按测试里写的资料，{role.case.member.name} 不在人群“{name}”里",
        )
        for name in missing_segments(world, role)
    ]


# --- time -------------------------------------------------------------------------------------------------------


def _live(world: World, file: TestFile, roles: Sequence[Role], script: Script, slots: Collection[datetime]) -> None:
    """Until nothing is left to happen to anybody. `slots`: when the calendar may let somebody in."""
    starts = sorted(slots, reverse=True)
    end = max((_end_of(world, file, role) for role in roles), default=file.clock)
    world.settle(script)
    while (moment := _next_moment(world, script, starts)) is not None and moment <= end:
        world.clock.advance_to(moment)
        world.settle(script)
        while starts and starts[-1] <= moment:
            starts.pop()
            if not starts:
                world.in_force.change(_letting_in(world.applied, None))


def _next_moment(world: World, script: Script, starts: Sequence[datetime]) -> datetime | None:
    """Starts of the calendar that bring nobody of ours are passed over; so is the engine's look at the hour, unless
    something waits for it."""
    ahead = [world.engine.next_going_on(), script.next_due(), starts[-1] if starts else None]
    moments = [moment for moment in ahead if moment is not None]
    if moments and _minds_segments(world.applied):
        moments.append(world.engine.next_due())
    return max(min(moments), world.clock.now() + _TICK) if moments else None


def _end_of(world: World, file: TestFile, role: Role) -> datetime:
    if role.case.until is None:
        return file.clock + LONGEST
    return moment_of(world, role, DayTime(role.case.until, time(23, 59)), file.clock)


def _starts(world: World, file: TestFile, role: Role) -> list[datetime]:
    """When the calendar may bring this member into the journey: the first time, unless the test goes on until a day of
    its own."""
    start = world.applied.journeys[file.journey].journey.start
    if not isinstance(start, OnDate | OnSchedule):
        return []
    zone, begins, end = zone_in(world, role), file.clock - _BEFORE, _end_of(world, file, role)
    if isinstance(start, OnSchedule) and role.case.until is None:
        return [schedule.next_slot(start, begins, zone).at]
    slots = schedule.slots_between(start, begins, end, zone)
    if isinstance(start, OnDate):
        slots = [slot for slot in slots if _is_celebrated(start, role, slot)]
    return [slot.at for slot in (slots if role.case.until is not None else slots[:1])]


def _is_celebrated(start: OnDate, role: Role, slot: Slot) -> bool:
    stored = role.case.member.values.get(start.field)
    if stored is None:
        return False
    born = (stored["calendar"], stored["month"], stored["day"], stored["leap"])
    matches = schedule.celebrations(start, slot.local_date)
    return any((m.calendar.value, m.month, m.day, m.leap) == born for m in matches)


# --- what came of it --------------------------------------------------------------------------------------------


def _told(world: World, file: TestFile, role: Role, starts: Sequence[datetime], faults: Sequence[Said]) -> Played:
    with world.database.read() as connection:
        told = read_told(connection, role)
    if isinstance(world.applied.journeys[file.journey].journey.start, OnDate | OnSchedule):
        told = _entered_by(told, file.journey, max(starts, default=file.clock))
    end = _end_of(world, file, role)
    timeline = timeline_of(told, world.applied, file.clock, zone_in(world, role))
    kept = [line for line in timeline if line.at <= end]
    return Played(file, role.case, kept, hold_against(kept, role.case.expected), faults)


def _entered_by(told: Told, journey_id: str, last_start: datetime) -> Told:
    """Without the runs that the calendar began later, while other cases were still going on."""
    later = {run.id for run in told.runs if run.journey_id == journey_id and run.entered_at > last_start}
    return replace(
        told,
        runs=[run for run in told.runs if run.id not in later],
        messages=[message for message in told.messages if message.enrolment_id not in later],
    )
