"""A member's story for scripts: everything that is shown, under names that stay."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, assert_never

from engage.core.redaction import redacted
from engage.runtime.dispatching.judge import Clear, Later, Overtaken, Skip, Verdict
from engage.runtime.insight.door import Door
from engage.runtime.insight.explaining import Line, RunStory, Story
from engage.runtime.insight.foresight import Ahead


def story_data(story: Story) -> dict[str, Any]:
    return {
        "member_id": story.member_id,
        "member": story.external_id,
        "name": story.name,
        "zone": str(story.zone),
        "at": story.at,
        "paused": [asdict(pause) for pause in story.pauses],
        "runs": [_run(run) for run in story.runs],
        "earlier_runs": story.earlier,
        "others": [_line(line) for line in story.others],
        "not_entered": [_door(door) for door in story.doors],
        "ways": [asdict(way) for way in story.ways],
    }


def _run(told: RunStory) -> dict[str, Any]:
    lines = [_line(line) for line in told.lines]
    return asdict(told.run) | {"title": told.title, "lines": lines, "ahead": [_ahead(ahead) for ahead in told.ahead]}


def _line(line: Line) -> dict[str, Any]:
    data: dict[str, Any] = {"at": line.at, "what": line.what, "step": line.step_id}
    if line.message is None:
        task = {"task": asdict(line.task)} if line.task is not None else {}
        return data | {"detail": dict(line.detail)} | task
    # The words without their signed links: who has one of those can answer for the member.
    text = redacted(line.message.text) if line.message.text is not None else None
    return data | {
        "message": asdict(line.message) | {"text": text},
        "came": [asdict(happening) for happening in line.came],
        "cap_used_by": [message.id for message in line.spent_on],
    }


def _door(door: Door) -> dict[str, Any]:
    checks = [
        {"part": check.part, "holds": check.holds, "why": check.why, "facts": dict(check.facts)}
        | {"lines": [line.as_data() for line in check.lines]}
        for check in door.checks
    ]
    return {"journey": door.journey_id, "title": door.title, "shut": door.shut, "checks": checks}


def _ahead(ahead: Ahead) -> dict[str, Any]:
    data: dict[str, Any] = {"at": ahead.at, "what": ahead.what, "step": ahead.step_id}
    if ahead.message is None:
        return data | {"detail": dict(ahead.detail)}
    message = ahead.message
    told = {"template": message.template, "purpose": message.purpose, "hop": message.hop, "topic": message.topic}
    verdict = {"would": "withhold"} if ahead.verdict is None else verdict_data(ahead.verdict)
    return data | {"message": told | verdict}


def verdict_data(verdict: Verdict) -> dict[str, Any]:
    """What would become of a message."""
    match verdict:
        case Clear(channel=channel, trace=trace):
            return {"would": "send", "channel": channel, "channels": list(trace)}
        case Later(until, why, trace):
            return {"would": "wait", "until": until, "why": why, "channels": list(trace)}
        case Skip(why, trace):
            return {"would": "skip", "why": why, "channels": list(trace)}
        case Overtaken(why):
            return {"would": "cancel", "why": why, "channels": []}
        case _:
            assert_never(verdict)
