"""A plan: what applying the files would do, in numbers, and what stands in the way. What `engage plan` shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from engage.config import Policy
from engage.core.journey.diff import Fate, Kept
from engage.core.moving import AT_ONCE, What
from engage.core.problem import Problem
from engage.core.release import Pace, Release
from engage.core.workdays import MAINLAND, WorkCalendar
from engage.store.edits.moving import Crowd
from engage.store.edits.plans import Files
from engage.store.insight.overview import Paused


@dataclass(frozen=True, slots=True)
class Terms:
    """What whoever applies decides. `existing`: members who are in a segment already enter the new journeys it starts.
    `stop`: journeys without a file whose members do not finish."""

    release: Release = Release.DAY
    existing: bool = False
    stop: tuple[str, ...] = ()

    def as_data(self) -> dict[str, Any]:
        return {"release": self.release, "existing": self.existing, "stop": sorted(self.stop)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Terms:
        return cls(Release(data["release"]), data["existing"], tuple(data["stop"]))


@dataclass(frozen=True, slots=True)
class Rules:
    """What the policy says about moving members; `policy`: and about letting many in, and about approvals, where
    somebody is there to give them."""

    pace: Pace = field(default_factory=Pace)
    calendar: WorkCalendar = MAINLAND
    policy: Policy | None = None

    @classmethod
    def of(cls, policy: Policy, *, guarded: bool = False) -> Rules:
        quiet = (policy.quiet_hours.start, policy.quiet_hours.end)
        pace = Pace(quiet, policy.release_per_hour)
        return cls(pace, policy.work_calendar(), policy if guarded else None)


# --- what stands in the way -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Homeless:
    """Members are on a way that is gone, or at a step nobody knows: the author must say where they belong."""

    journey_id: str
    step_id: str
    members: int
    perhaps: str | None = None  # a new step that looks like it


@dataclass(frozen=True, slots=True)
class SmallerHoldout:
    """Members of the control group would get messages, and be measured against themselves."""

    journey_id: str
    before: int
    after: int
    held_out: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Members are to finish in a version that the new catalog has no words for any more."""

    journey_id: str
    version: int
    members: int
    problem: Problem


@dataclass(frozen=True, slots=True)
class FileStays:
    """A journey is to be stopped, and its file is still there."""

    journey_id: str


@dataclass(frozen=True, slots=True)
class NotRunning:
    """A journey is to be stopped that was never applied."""

    journey_id: str


@dataclass(frozen=True, slots=True)
class NeedsDraft:
    """Without its drafts the project has mistakes: a journey that runs enrols into one that does not."""

    problem: Problem


Refusal = Homeless | SmallerHoldout | Unreadable | FileStays | NotRunning | NeedsDraft


# --- what changes -----------------------------------------------------------------------------------------------


class Change(StrEnum):
    NEW = "new"
    CHANGED = "changed"
    RETURNED = "returned"  # the file is back: members enter again
    DRAINED = "drained"  # the file is gone: whoever is in it finishes
    STOPPED = "stopped"  # and now they do not


@dataclass(frozen=True, slots=True)
class StepPlan:
    """A step of the old version with news. `standing`: live runs there. `unsent`: messages of it that will not be sent
    any more."""

    fate: Fate
    standing: int
    moved: Mapping[What, int]
    unsent: int = 0

    @property
    def is_told(self) -> bool:
        """Of whom a line of the plan speaks. A name that only the file makes is nobody's business."""
        if isinstance(self.fate, Kept) and not self.fate.renamed:
            return any(count for what, count in self.moved.items() if what is not What.RENAMED)
        return True


@dataclass(frozen=True, slots=True)
class NextMessages:
    """What those who go on at once get next. `sure`: how many get which; `perhaps`: how many get one of `names`, or
    none, as their way goes."""

    sure: Mapping[str, int] = field(default_factory=dict)
    perhaps: int = 0
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JourneyPlan:
    """`pins`: members on their way finish in the version they are in. `who`: stands for the very runs it touches."""

    id: str
    title: str
    change: Change
    before: int | None
    after: int
    crowd: Crowd
    steps: tuple[StepPlan, ...] = ()
    added: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    pins: int = 0
    stops: int = 0
    would_enter: int | None = None
    next_messages: NextMessages = NextMessages()
    who: str = ""

    @property
    def touched(self) -> int:
        return sum(sum(step.moved.values()) for step in self.steps if step.is_told)

    @property
    def affected(self) -> int:
        """Members at steps of which they notice something."""
        return sum(step.standing for step in self.steps if step.is_told)

    @property
    def at_once(self) -> int:
        return sum(count for step in self.steps for what, count in step.moved.items() if what in AT_ONCE)

    @property
    def notices(self) -> bool:
        """Whether anybody on the way notices; of another name nobody does."""
        noticed = (count for step in self.steps for what, count in step.moved.items() if what is not What.RENAMED)
        return any(noticed) or self.stops > 0


@dataclass(frozen=True, slots=True)
class Plan:
    """`mark`: of what was applied when it was made. `files`: what differs, path by path, `before` as it was."""

    id: str
    digest: str
    made_at: datetime
    mark: str
    before: Files
    files: Files
    terms: Terms
    rules: Rules
    journeys: tuple[JourneyPlan, ...]
    unchanged: tuple[str, ...]
    drafts: tuple[str, ...]
    refusals: tuple[Refusal, ...]
    pauses: tuple[Paused, ...]

    @property
    def is_empty(self) -> bool:
        return not self.files and not self.terms.stop

    @property
    def needs_a_look(self) -> bool:
        """Whether somebody on the way notices: nobody should do that unseen."""
        return any(journey.notices for journey in self.journeys)

    @property
    def other_files(self) -> tuple[str, ...]:
        """Templates, and the catalog."""
        mine = {f"journeys/{journey.id}.yaml" for journey in self.journeys}
        return tuple(path for path in sorted(self.files) if path not in mine)

    def those(self, *changes: Change) -> tuple[str, ...]:
        return tuple(journey.id for journey in self.journeys if journey.change in changes)

    def effect(self) -> dict[str, Any]:
        """The numbers that hold only as long as nobody moves."""
        effects = {journey.id: _effect(journey) for journey in self.journeys}
        return {journey_id: effect for journey_id, effect in effects.items() if effect["who"] or effect["steps"]}


def _effect(journey: JourneyPlan) -> dict[str, Any]:
    told = (step for step in journey.steps if step.moved and step.is_told)
    moved = {step.fate.old: {"standing": step.standing, **step.moved} for step in told}
    return {"steps": moved, "pinned": journey.pins, "stopped": journey.stops, "who": journey.who}
