"""What `engage simulate` has found, row by row and as JSON. The same seed gives the same, to the last byte."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from engage.simulation.forecast import Forecast

FREQUENCY_CAP = "frequency cap"


@dataclass(frozen=True, slots=True)
class Source:
    """Who was simulated, and how they behaved."""

    real: bool
    behaviour: str


@dataclass(frozen=True, slots=True)
class Row:
    """One journey."""

    journey: str
    entered: int
    messages: int
    by_channel: dict[str, int]
    skipped: int
    goal: float | None  # share of those who entered
    control: float | None  # of the control group; None: there is none
    cost: float


def rows(told: Forecast) -> Iterator[Row]:
    for runs in told.report.enrolments:
        own = [m for m in told.report.messages if m.journey_id == runs.journey_id]
        goals = next((g for g in told.report.goals if g.journey_id == runs.journey_id), None)
        yield Row(
            journey=runs.journey_id,
            entered=runs.entered + runs.held_out,
            messages=sum(m.sent for m in own),
            by_channel={m.channel or "": m.sent for m in own},
            skipped=sum(s.count for s in told.report.skipped if s.journey_id == runs.journey_id),
            goal=goals.reached / goals.entered if goals is not None and goals.entered else None,
            control=goals.control_reached / goals.control if goals is not None and goals.control else None,
            cost=round(sum(m.cost for m in own), 2),
        )


def channels(told: Forecast) -> list[str]:
    return sorted({m.channel for m in told.report.messages if m.channel is not None})


def reasons(told: Forecast) -> Counter[str]:
    """Why messages were not sent."""
    counted: Counter[str] = Counter()
    for skipped in told.report.skipped:
        counted[skipped.reason] += skipped.count
    return counted


def capped(told: Forecast) -> int:
    return sum(count for reason, count in reasons(told).items() if reason.startswith(FREQUENCY_CAP))


def as_data(told: Forecast, source: Source) -> dict[str, Any]:
    nps, busiest, period = told.report.nps[None], told.tally.busiest, told.scenario.period
    return {
        "from": period.since,
        "to": period.until,
        "zone": str(told.report.zone),
        "seed": told.scenario.seed,
        "population": "real" if source.real else "synthetic",
        "behaviour": source.behaviour,
        "members": told.members,
        "journey_events": told.happenings,
        "journeys": [asdict(row) for row in rows(told)],
        "messages": [asdict(m) for m in told.report.messages],
        "enrolments": [asdict(e) for e in told.report.enrolments],
        "goals": [asdict(g) for g in told.report.goals],
        "splits": [asdict(way) for way in told.report.ways],
        "decisions": [asdict(decided) for decided in told.report.decisions],
        "not_sent": dict(reasons(told).most_common()),
        "frequency_cap": capped(told),
        "put_off_to_lawful_hours": told.put_off,
        "unreachable": {
            "members": told.unreached.members,
            "why": [{"channel": c, "why": why, "messages": n} for (c, why), n in told.unreached.why.most_common()],
        },
        "would_be_held": [asdict(start) for start in told.held],
        "nps": asdict(nps),
        "csat": asdict(told.report.csat[None]),
        "opt_outs": told.report.opt_outs,
        "busiest_member_day": asdict(busiest) if busiest is not None else None,
        "hours": {str(hour): told.tally.hours[hour] for hour in sorted(told.tally.hours)},
        "tasks": [asdict(t) for t in told.report.tasks],
        "volume": {str(day): dict(sorted(by.items())) for day, by in sorted(told.tally.volume.items())},
    }
