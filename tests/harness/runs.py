"""Who comes in, once each; and what becomes of their runs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from engage.core.delivery import Status
from engage.core.fact import Happened, MemberGiven
from engage.store.holding import HELD
from engage.store.members import MEMBER_KIND
from tests.harness.cast import BY_CANARY, PEOPLE, Person
from tests.harness.grounds import BEGINS
from tests.harness.outside import ref_of
from tests.harness.project import ENOUGH_POINTS
from tests.harness.promised import ON_THE_WAY
from tests.harness.world import Life

_STARTS = {"bought": ("care", "nag"), "shipped": ("promo",), "visited": ("club",), "asked_back": ("survey",)}
_SAYS: Mapping[str, list[tuple[str, ...]]] = {
    "care": [("receipt",), ("booking",), ("thanks",)],
    "nag": [("nag",), ("nag",)],
    "promo": [("offer",), ("soft", "hard")],
    "club": [("club_one",), ("club_two",), ("club_three",)],
    "survey": [("ask-nps",)],
    "treat": [("treat",)],
    "birthday": [("cheers",)],
}
"""Templates of which a run that came to its natural end has queued one each."""
_CELEBRATED_AT = time(15)


def every_run_ends(life: Life) -> Iterator[str]:
    if life.unsettled:
        yield life.unsettled
    for run in life.tables["enrolment"]:
        if run.status == HELD and any(hold.id == run.hold_id and hold.why for hold in life.tables["hold"]):
            continue  # too many of those before them were unlucky: it waits for somebody's word
        if run.status != "ended":
            yield f"run {run.id} of {run.journey_id} is still {run.status} at {run.step_id}, due {run.due_at}"


def nobody_is_lost(life: Life) -> Iterator[str]:
    """Whoever was brought, by an event, by their points, or by the calendar, has a run, one."""
    runs = Counter((run.journey_id, ref_of(run)) for run in life.tables["enrolment"])
    set_aside = life.reached.get("enrol: quarantine.Quarantine._leave_out#1: after commit", 0)
    for told, _ in life.log.read():
        if not isinstance(told.fact, Happened) or told.fact.event not in _STARTS:
            continue
        set_aside -= not all(runs[journey, told.fact.payload["ref"]] for journey in _STARTS[told.fact.event])
        for journey in _STARTS[told.fact.event]:
            times = runs[journey, told.fact.payload["ref"]]
            if times > 1 or (set_aside < 0 and times == 0 and not life.set_forward):
                yield f"{told.fact.event} {told.fact.payload['ref']} has {times} runs of {journey}"
    for person in PEOPLE:
        for journey, comes in (("treat", _has_points(life, person)), ("birthday", _has_had_birthday(life, person))):
            times = sum(run.journey_id == journey for run in _runs_of(life, person))
            set_aside -= comes and times == 0
            if times > 1 or (comes and times == 0 and set_aside < 0 and not life.jumps):
                yield f"{person.ref} has {times} runs of {journey}"


def _runs_of(life: Life, person: Person) -> list[Any]:
    (member_id,) = (i.member_id for i in life.tables["identity"] if (i.kind, i.value) == (MEMBER_KIND, person.ref))
    return [run for run in life.tables["enrolment"] if run.member_id == member_id]


def _has_points(life: Life, person: Person) -> bool:
    return any(isinstance(told.fact, MemberGiven) and told.fact.member == person.ref for told, _ in life.log.read())


def _has_had_birthday(life: Life, person: Person) -> bool:
    """While the world lasted."""
    on = datetime(BEGINS.year, person.birthday["month"], person.birthday["day"], tzinfo=ZoneInfo(person.timezone))
    return datetime.combine(on, _CELEBRATED_AT, on.tzinfo) < min(life.ended, BEGINS + life.options.lasts)


def nothing_is_left_out(life: Life) -> Iterator[str]:
    """A run that went to its end has said all it had to say, and told its colleagues once."""
    if life.log.edited:
        return
    said: dict[int, list[str]] = defaultdict(list)
    for row in life.tables["delivery"]:
        if row.hop == 0:
            said[row.enrolment_id].append(row.template)
    for run in life.tables["enrolment"]:
        if run.end_kind == "completed":
            yield from (
                f"run {run.id} of {run.journey_id} ended without {wanted}"
                for wanted in _SAYS[run.journey_id]
                if sum(said[run.id].count(one) for one in wanted) < _SAYS[run.journey_id].count(wanted)
                and not _was_passed_over(life, wanted)
            )
    for run_id, opened in Counter(task.enrolment_id for task in life.tables["task"] if task.enrolment_id).items():
        if opened > 1:
            yield f"run {run_id} has told its colleagues {opened} times"


def _was_passed_over(life: Life, wanted: Collection[str]) -> bool:
    """`thanks` is for those who have few points."""
    return "thanks" in wanted and any(
        isinstance(told.fact, MemberGiven) and told.fact.values["points"] > ENOUGH_POINTS for told, _ in life.log.read()
    )


# --- conditions and dates of a message --------------------------------------------------------------------------


def only_while_it_holds(life: Life) -> Iterator[str]:
    """`only_if` is read once more when the message goes out."""
    for call in life.truth.calls:
        if call.saying.message != "thanks":
            continue
        person = BY_CANARY[call.saying.canary]
        given = [
            (at, told.fact.values["points"])
            for told, at in life.log.read()
            if isinstance(told.fact, MemberGiven) and told.fact.member == person.ref
        ]
        lately = [points for at, points in given if call.began - ON_THE_WAY <= at]
        before = [points for at, points in given if at < call.began - ON_THE_WAY]
        if before and before[-1] > ENOUGH_POINTS and all(points > ENOUGH_POINTS for points in lately):
            yield f"{call.saying} at {call.began:%d %H:%M:%S}, with {before[-1]} points"


def not_too_late(life: Life) -> Iterator[str]:
    """`late` says until when a message is still wanted."""
    for call in life.truth.calls:
        late_at = call.committed["late_at"] if call.committed is not None else None
        if late_at is not None and call.clock > late_at + ON_THE_WAY:
            yield f"{call.saying} on {call.channel} was called {call.clock - late_at} too late"
    for row in life.tables["delivery"]:
        if row.template == "club_two" and row.late_at is None:
            yield f"delivery {row.id} has no moment after which it is late"


def answered_is_not_reminded(life: Life) -> Iterator[str]:
    """Nobody is asked again who has answered, as far as that was read."""
    if life.jumps:
        return
    for said in life.tables["event"]:
        if said.name != "answered":
            continue
        for row in life.tables["delivery"]:
            reminds = row.purpose == "remind" and row.enrolment_id == said.enrolment_id
            sent_at = row.sent_at if row.status in (Status.SENT, Status.AMBIGUOUS) else None
            if reminds and sent_at is not None and sent_at > said.recorded_at + ON_THE_WAY:
                yield f"delivery {row.id} reminds of what was answered at {said.recorded_at:%d %H:%M:%S}"
