"""What became of one role: everything the engine decided and sent, in the verbs of the journey, in order of time.

Read from what is written down (runs, their trail, messages, tasks), like `engage explain`; nothing is judged again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from engage.core.delivery import Status
from engage.core.journey.model import Ask
from engage.core.testfile.model import DayTime, Verb
from engage.core.turn import EndKind, Purpose
from engage.runtime.applied import Applied
from engage.simulation.casting import Role
from engage.store.insight import history
from engage.store.insight.history import Decided, PastMessage, PastRun, PastTask

_AT_ONCE = timedelta(minutes=1)  # what goes out within it was not held back


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of a timeline. `names`: whatever it may be called by; the first is shown. `verb`: a `Verb`, or the word
    of the trail for what no test can expect."""

    at: datetime
    moment: DayTime  # in the member's own time
    verb: str
    names: tuple[str, ...] = ()
    via: str | None = None
    why: tuple[str, ...] = ()
    until: DayTime | None = None
    words: str | None = None
    changes: frozenset[str] = frozenset()
    yes: frozenset[str] = frozenset()  # what is so of it: a task is `urgent`, a goal `counts`
    journey: str | None = None
    run_id: int = 0
    step_id: str | None = None
    detail: str | None = None  # of the trail: which arm, which case, which event
    withheld: bool = False  # from the control group: it came to this, and nothing was done

    @property
    def name(self) -> str | None:
        return self.names[0] if self.names else None


@dataclass(frozen=True, slots=True)
class Told:
    """All that is written down about one role. `runs` of other journeys too, if they were entered."""

    runs: Sequence[PastRun]
    trail: Mapping[int, Sequence[Decided]]
    messages: Sequence[PastMessage]
    tasks: Sequence[PastTask]


def read_told(connection: Connection, role: Role) -> Told:
    runs = history.runs(connection, role.ref)
    return Told(
        runs,
        history.trail(connection, role.ref, [run.id for run in runs]),
        history.messages(connection, role.ref),
        history.tasks(connection, role.ref),
    )


def timeline_of(told: Told, applied: Applied, clock: datetime, zone: ZoneInfo) -> list[Happening]:
    """In order of time; what happened in one moment by run, and by its place in the journey."""
    teller = _Teller(applied, clock.date(), zone)
    lines = [*teller.steps(told), *teller.messages(told.messages)]
    places = {
        (run.id, step): place
        for run in told.runs
        if run.journey_id in applied.journeys
        for place, step in enumerate(applied.journeys[run.journey_id].program.ids)
    }
    return sorted(lines, key=lambda line: _place(line, places))


def _place(line: Happening, places: Mapping[tuple[int, str], int]) -> tuple[datetime, int, int, int]:
    edge = {Verb.ENTER: -1, Verb.EXIT: 1}.get(Verb(line.verb), 0) if line.verb in set(Verb) else 0
    return line.at, line.run_id, edge, places.get((line.run_id, line.step_id or ""), 0)


@dataclass(frozen=True, slots=True)
class _Teller:
    applied: Applied
    day_0: Any
    zone: ZoneInfo

    def moment(self, at: datetime) -> DayTime:
        local = at.astimezone(self.zone)
        return DayTime((local.date() - self.day_0).days, local.time().replace(second=0, microsecond=0))

    # --- steps --------------------------------------------------------------------------------------------------

    def steps(self, told: Told) -> Iterator[Happening]:
        tasks = {(task.enrolment_id, task.step_id, task.opened_at): task for task in told.tasks}
        for run in told.runs:
            for line in told.trail.get(run.id, ()):
                yield self._step(run, line, tasks.get((run.id, line.step_id, line.at)))

    def _step(self, run: PastRun, line: Decided, task: PastTask | None) -> Happening:
        verb, names, more = self._words(run, line.what, line.step_id or "", line.detail, task)
        more |= {"journey": run.journey_id, "run_id": run.id, "step_id": line.step_id}
        more["withheld"] = bool(line.detail.get("withheld"))
        return Happening(line.at, self.moment(line.at), verb, names, **more)

    def _words(
        self, run: PastRun, what: str, step: str, detail: Mapping[str, Any], task: PastTask | None
    ) -> tuple[str, tuple[str, ...], dict[str, Any]]:
        """The verb, the names, and what else is told of one line of the trail."""
        match what:
            case "enter":
                return Verb.ENTER, (run.journey_id,), {}
            case "exit":
                return Verb.EXIT, (_reason(detail),), {"yes": _those(counts=run.goal_counts)}
            case "answered" | "no_answer" as verb:
                given = detail.get("choice") if detail.get("score") is None else detail["score"]
                told = {} if given is None else {"detail": str(given)}
                return Verb(verb), self._ask_names(run.journey_id, step), told
            case "update":
                return Verb.UPDATE, (), {"changes": _changes(detail)}
            case "notify":
                return Verb.NOTIFY, (detail["team"],), self._task(task)
            case "enroll":
                return Verb.ENROLL, (detail["journey"],), {"why": _listed(detail.get("refused"))}
            case "ask":
                return "waits", (step,), self._rest(detail)
            case "webhook":
                return Verb.WEBHOOK, (detail["name"],), {}
            case "split":
                return Verb.SPLIT, (step,), {"words": detail["way"]}
            case "passed_over":
                return Verb.PASSED_OVER, (step,), {}
            case other:
                return other, (step,), self._rest(detail)

    def _rest(self, detail: Mapping[str, Any]) -> dict[str, Any]:
        """What no test expects by itself, and a reader wants to see."""
        told: dict[str, Any] = {"why": _listed(detail.get("why"))}
        if "until" in detail:
            told["until"] = self.moment(datetime.fromisoformat(detail["until"]))
        for key in ("arm", "case", "event", "to"):
            if detail.get(key) is not None:
                told["detail"] = str(detail[key])
        if "events" in detail:
            told["detail"] = ", ".join(detail["events"])
        return told

    def _task(self, task: PastTask | None) -> dict[str, Any]:
        if task is None:  # withheld from the control group
            return {}
        due = self.moment(task.due_at) if task.due_at is not None else None
        return {"words": task.words, "until": due, "yes": _those(urgent=task.urgent)}

    def _ask_names(self, journey_id: str | None, step_id: str) -> tuple[str, ...]:
        active = self.applied.journeys.get(journey_id or "")
        step = active.program.step(step_id) if active is not None and step_id in active.program.ids else None
        survey = (step.survey.value,) if isinstance(step, Ask) else ()
        return tuple(dict.fromkeys((step_id, *survey)))

    # --- messages -----------------------------------------------------------------------------------------------

    def messages(self, messages: Iterable[PastMessage]) -> Iterator[Happening]:
        for message in messages:
            yield from self._message(message)

    def _message(self, message: PastMessage) -> Iterator[Happening]:
        match Status(message.status):
            case Status.SENT | Status.AMBIGUOUS | Status.SENDING if message.first_sent_at is not None:
                if message.held_back is not None and message.first_sent_at - message.queued_at >= _AT_ONCE:
                    yield self._line(message, message.queued_at, Verb.DEFERRED, until=message.first_sent_at)
                verb = Verb.ASK if message.purpose in (Purpose.ASK, Purpose.REMIND) else Verb.SEND
                yield self._line(message, message.first_sent_at, verb, via=message.channel)
            case Status.PENDING | Status.CLAIMED:
                yield self._line(message, message.queued_at, Verb.DEFERRED, until=message.due_at)
            case Status.SKIPPED:
                yield self._line(message, message.claimed_at or message.queued_at, Verb.SKIPPED)
            case Status.CANCELLED:
                yield self._line(message, message.claimed_at or message.queued_at, Verb.CANCELLED)
            case _:
                yield self._line(message, message.claimed_at or message.queued_at, "failed", via=message.channel)

    def _line(
        self, message: PastMessage, at: datetime, verb: str, *, via: str | None = None, until: datetime | None = None
    ) -> Happening:
        reasons = [message.held_back if verb == Verb.DEFERRED else message.reason]
        reasons += [line.get("why") for line in message.decision or () if verb == Verb.SKIPPED]
        return Happening(
            at,
            self.moment(at),
            verb,
            self._message_names(message),
            via=via,
            why=tuple(dict.fromkeys(reason for reason in reasons if reason)),
            until=self.moment(until) if until is not None else None,
            journey=message.journey_id,
            run_id=message.enrolment_id or 0,
            step_id=message.step_id,
        )

    def _message_names(self, message: PastMessage) -> tuple[str, ...]:
        match Purpose(message.purpose):
            case Purpose.ASK | Purpose.REMIND:
                return self._ask_names(message.journey_id, message.step_id or "")
            case Purpose.SEND:
                return tuple(dict.fromkeys((message.template, message.step_id or message.template)))
            case Purpose.COMMENT | Purpose.CONFIRM:
                return (message.template,)


def _reason(detail: Mapping[str, Any]) -> str:
    match detail.get("kind"):
        case EndKind.GOAL:
            return "goal"
        case EndKind.COMPLETED:
            return "end"
        case _:
            return str(detail.get("reason", ""))


def _changes(detail: Mapping[str, Any]) -> frozenset[str]:
    """As tests write them: `set lifecycle=活跃`, `add tag=推荐官`, `add points=200`."""
    return frozenset(
        (
            *(f"set {name}={value}" for name, value in detail.get("set", {}).items()),
            *(f"add {name}={value:g}" for name, value in detail.get("add", {}).items()),
            *(f"add tag={tag}" for tag in detail.get("add_tags", ())),
            *(f"remove tag={tag}" for tag in detail.get("remove_tags", ())),
        )
    )


def _those(**truths: bool | None) -> frozenset[str]:
    return frozenset(name for name, truth in truths.items() if truth)


def _listed(why: str | None) -> tuple[str, ...]:
    return (why,) if why else ()
