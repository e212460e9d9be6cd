"""A fault of our own at the door of journeys: over some members, or over whoever comes."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from stage import Stage

from engage.store import enrolling


class OurFault(Exception):
    pass


def rung(stage: Stage, minutes: int) -> None:
    """Three bells a minute."""
    for _ in range(3 * minutes):
        _bell(stage)


def rung_until(stage: Stage, at: str, day: int = 0) -> None:
    while stage.clock.now() < stage.moment(day, at):
        _bell(stage)


def _bell(stage: Stage) -> None:
    """Our fault ends the loop's tick, and it goes on at the next one. None of them goes on for ever."""
    stage.clock.advance_to(stage.clock.now() + timedelta(seconds=20))
    with suppress(OurFault):
        assert 0 in (stage.engine.enrol.tick() for _ in range(50))


def fails_over(stage: Stage, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    broken = {stage.ref(name).id for name in names}
    admitted = enrolling.admitted

    def failing(connection: Any, catalog: Any, journey: Any, refs: Any, now: Any) -> Any:
        if any(ref.id in broken for ref in refs):
            raise OurFault("what only these have")
        return admitted(connection, catalog, journey, refs, now)

    monkeypatch.setattr(enrolling, "admitted", failing)


def fails_over_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise OurFault("a bad release")

    monkeypatch.setattr(enrolling, "admitted", failing)
