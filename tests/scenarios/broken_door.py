"""A fault of our own at the door of journeys: over some members, or over whoever comes."""

from __future__ import annotations

from typing import Any

import pytest
from stage import Stage

from engage.store import enrolling


def fails_over(stage: Stage, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    broken = {stage.ref(name).id for name in names}
    admitted = enrolling.admitted

    def failing(connection: Any, catalog: Any, journey: Any, refs: Any, now: Any) -> Any:
        if any(ref.id in broken for ref in refs):
            raise ArithmeticError("what only these have")
        return admitted(connection, catalog, journey, refs, now)

    monkeypatch.setattr(enrolling, "admitted", failing)


def fails_over_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise TypeError("a bad release")

    monkeypatch.setattr(enrolling, "admitted", failing)
