"""The promise: at most one handover, whatever breaks. Counted on the phones, by the sandbox's own truth."""

from __future__ import annotations

from typing import Any

import pytest
from small_journeys import SERVICE, journey
from stage import OpenStage, Stage
from stage_wiring import Setup, unlucky

from engage.sandbox.faults import Fault
from engage.sandbox.model import ChannelName

NOTE = {"note": journey("store_visited", SERVICE, topic="service")}
HANGS_UP = pytest.mark.parametrize(("fault", "arrived"), [(Fault.HUNG_UP_BEFORE, 0), (Fault.HUNG_UP_AFTER, 1)])


def visits(stage: Stage) -> None:
    stage.happens("王芳", "store_visited", store="湖滨店")


def unlucky_stage(open_stage: OpenStage, channel: ChannelName, *faults: Fault) -> Stage:
    """王芳 has one address, and the calls to it meet these faults."""
    stage = open_stage(faults=True)
    address: dict[str, Any] = {channel: unlucky(channel, *faults)}
    stage.member("王芳", **address)
    stage.apply(NOTE)
    return stage



def status(stage): return 0
def test_a_restart_in_the_middle_of_a_wait_changes_nothing(stage: Stage) -> None:
    stage.member("王芳", sms=True)
    stage.apply({"note": journey("store_visited", SERVICE, "wait: 3d at 10:00", SERVICE, topic="service")})
    visits(stage)
    for day in (1, 2):
        stage.run_until(day=day, at="12:00")
        stage.engine_dies()
    stage.run_until(day=5)
    print([(r.status, r.reason, r.due_at, r.decision, r.held_back) for r in stage.deliveries("王芳")])
    assert stage.got("王芳") == [("day 0 10:00", "sms"), ("day 3 10:00", "sms")]
