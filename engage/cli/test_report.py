"""What `engage test --json` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engage.cli.test_pages import expected_words, happening_words
from engage.core.problem import Lang
from engage.simulation.coverage import Coverage
from engage.simulation.matching import Found
from engage.simulation.playing import Played
from engage.simulation.timeline import Happening


def report(played: Sequence[Played], walked: Sequence[Coverage], lang: Lang) -> dict[str, Any]:
    failed = sum(not done.passed for done in played)
    told: dict[str, Any] = {"passed": len(played) - failed, "failed": failed}
    told["tests"] = [_case(done, lang) for done in played]
    if walked:
        told["coverage"] = [_coverage(journey) for journey in walked]
    return told


def _case(played: Played, lang: Lang) -> dict[str, Any]:
    return {
        "file": played.file.path,
        "line": played.case.span.line,
        "journey": played.file.journey,
        "name": played.case.name,
        "passed": played.passed,
        "faults": [fault.in_(lang) for fault in played.faults],
        "expected": [_expected(found) for found in played.found],
        "timeline": [_happening(line, lang) for line in played.timeline],
    }


def _expected(found: Found) -> dict[str, Any]:
    """`by` and `nearest` are places in the timeline."""
    line = found.expected
    told = {"line": line.span.line, "expected": expected_words(line), "never": line.never, "met": found.met}
    return told | {"by": found.by, "nearest": found.nearest, "too_early": found.late}


def _happening(line: Happening, lang: Lang) -> dict[str, Any]:
    told: dict[str, Any] = {"at": line.at, "moment": str(line.moment), "verb": line.verb, "name": line.name}
    told |= {"journey": line.journey, "step": line.step_id, "via": line.via, "why": list(line.why)}
    told["withheld"] = line.withheld
    return told | {"words": happening_words(line, lang)}


def _coverage(journey: Coverage) -> dict[str, Any]:
    missing = [
        {"file": arm.span.file, "line": arm.span.line, "step": arm.step_id, "arm": arm.name} for arm in journey.missing
    ]
    return {"journey": journey.journey, "percent": journey.percent, "ways": len(journey.arms), "missing": missing}
