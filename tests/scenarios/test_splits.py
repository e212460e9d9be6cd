"""`split`: a stable way for each member, and a winner that is decided once, at a fixed date, only if it is sure."""

from __future__ import annotations

from typing import Any

import pytest
from small_journeys import journey
from stage import OpenStage, Stage

from engage.cli.report_pages import show_report
from engage.cli.screen import Screen
from engage.core.journey.model import Split
from engage.core.problem import Lang
from engage.core.split import way_of
from engage.runtime.insight.report import make_report
from engage.store import splits
from engage.store.insight.reporting import Period
from engage.store.splits import SplitState
from engage.store.tables import arm

WAYS = """split: 文案
ways:
  甲: { share: %d%%, steps: [ { send: birthday_coupon } ] }
  乙: { share: %d%%, steps: [ { send: first_order_coupon } ] }
"""
RULE = "winner: { by: clicked, after: 3d, at_least: %d, confidence: 95%% }"
NO_CAPS = {"policy": {"caps": {}}}


def ab(at_least: int = 8, shares: tuple[int, int] = (50, 50), exploring: str = "", more: str = "") -> dict[str, str]:
    rule = RULE % at_least
    if exploring:
        rule = rule.replace(" }", f", keep_exploring: {exploring} }}")
    return {"ab": journey("store_visited", WAYS % shares + rule, more=more)}


def crowd(open_stage: OpenStage, count: int, **files: Any) -> tuple[Stage, list[str]]:
    """So many members, all of whom come by at ten and get a mail; no caps. It is five past."""
    stage = open_stage(**NO_CAPS)
    names = [f"会员{number}" for number in range(1, count + 1)]
    for name in names:
        stage.member(name, email=True)
    stage.apply(ab(**files))
    for name in names:
        stage.happens(name, "store_visited", store="湖滨店")
    stage.passes("5m")
    return stage, names


def by_hash(stage: Stage, name: str) -> str:
    split = stage.applied.journeys["ab"].program.step("文案")
    assert isinstance(split, Split)
    return way_of(stage.ref(name).id, "ab", split, None).way


def way(stage: Stage, name: str) -> str:
    """That of their newest run."""
    return str(stage.notes(name, "ab", "split")[-1]["way"])


def decision(stage: Stage) -> SplitState:
    with stage.database.read() as connection:
        (found,) = splits.known(connection)
    return found


def reported(stage: Stage, capsys: pytest.CaptureFixture[str]) -> str:
    """What `engage report` prints."""
    now = stage.clock.now()
    told = make_report(stage.database, stage.applied, Period(stage.began, now), now)
    capsys.readouterr()
    show_report(Screen(Lang.ZH), told)
    return capsys.readouterr().out


def test_every_member_takes_the_way_of_their_hash_and_gets_its_message(open_stage: OpenStage) -> None:
    stage, names = crowd(open_stage, 12)
    taken = {name: way(stage, name) for name in names}
    assert taken == {name: by_hash(stage, name) for name in names}
    assert set(taken.values()) == {"甲", "乙"}
    sent = {name: stage.delivery(name).step_id for name in names}
    assert all((sent[name] == "birthday_coupon") == (taken[name] == "甲") for name in names)


def test_new_shares_are_for_those_who_come_later_and_a_second_run_is_no_exception(open_stage: OpenStage) -> None:
    stage, names = crowd(open_stage, 8)
    before = {name: way(stage, name) for name in names}
    for name in names:
        stage.happens(name, "store_visited", store="湖滨店")
    assert {name: way(stage, name) for name in names} == before  # the same hash, the same way
    stage.apply(ab(shares=(0, 100)))
    stage.happens(names[0], "store_visited", store="湖滨店")
    assert way(stage, names[0]) == "乙"
    assert {row.way for row in stage.rows(arm)} == {"甲", "乙"}  # nobody was moved


def test_the_way_that_members_click_wins_and_everybody_after_that_gets_it(
    open_stage: OpenStage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage, names = crowd(open_stage, 30)
    ways = {name: way(stage, name) for name in names}
    for name in names:
        if ways[name] == "甲":
            stage.clicks(name)
    stage.run_until(day=2, at="23:00")
    assert decision(stage).decided_at is None
    stage.run_until(day=3)
    decided = decision(stage)
    assert (decided.ruling, decided.winner, stage.when(decided.decided_at or stage.began)) == (
        "won",
        "甲",
        "day 3 10:00",
    )
    assert decided.figures is not None
    first = sum(taken == "甲" for taken in ways.values())
    assert decided.figures["ways"]["甲"] == {"members": first, "successes": first, "by_chance": None}
    assert decided.figures["ways"]["乙"]["members"] == 30 - first
    assert decided.figures["ways"]["乙"]["by_chance"] < 0.01
    assert "ab / 文案: 甲 胜出（2026-11-26 10:00）" in reported(stage, capsys)
    loser = next(name for name in names if ways[name] == "乙")
    stage.happens(loser, "store_visited", store="湖滨店")
    assert stage.notes(loser, "ab", "split")[-1] == {"way": "甲", "because": "winner"}


def test_a_few_go_on_by_the_shares_so_that_the_others_stay_in_sight(open_stage: OpenStage) -> None:
    stage, names = crowd(open_stage, 30, exploring="40%")
    for name in names:
        if way(stage, name) == "甲":
            stage.clicks(name)
    stage.run_until(day=3)
    for name in names:
        stage.happens(name, "store_visited", store="湖滨店")
    because = [stage.notes(name, "ab", "split")[-1]["because"] for name in names]
    assert set(because) == {"winner", "exploring"}
    assert 5 <= because.count("exploring") <= 20
    assert {way(stage, name) for name in names} == {"甲", "乙"}


def test_without_a_sure_difference_nothing_is_decided_ever(open_stage: OpenStage) -> None:
    stage, names = crowd(open_stage, 24)
    for taken in ("甲", "乙"):
        for name in [name for name in names if way(stage, name) == taken][::2]:
            stage.clicks(name)
    stage.run_until(day=3)
    assert (decision(stage).ruling, decision(stage).winner) == ("no_difference", None)
    for name in names:
        if way(stage, name) == "甲" and not stage.events(name, "clicked"):
            stage.clicks(name)
    stage.run_until(day=10)
    assert decision(stage).winner is None
    stage.happens(names[0], "store_visited", store="湖滨店")
    assert way(stage, names[0]) == by_hash(stage, names[0])


def test_too_few_members_are_no_ground_for_a_winner(open_stage: OpenStage, capsys: pytest.CaptureFixture[str]) -> None:
    stage, names = crowd(open_stage, 12, at_least=400)
    for name in names:
        if way(stage, name) == "甲":
            stage.clicks(name)
    stage.run_until(day=4)
    assert (decision(stage).ruling, decision(stage).winner) == ("too_few", None)
    assert "没有胜出（2026-11-26 10:00）：有一路不足 400 人" in reported(stage, capsys)


def test_the_holdout_walks_its_way_and_is_not_counted(open_stage: OpenStage) -> None:
    stage, names = crowd(open_stage, 12, more="holdout: 50%\n")
    held = {name for name in names if stage.run(name, "ab").holdout}
    assert 0 < len(held) < 12
    assert {way(stage, name) for name in names} == {"甲", "乙"}
    stage.run_until(day=4)
    figures = decision(stage).figures or {}
    assert sum(each["members"] for each in figures["ways"].values()) == 12 - len(held)


def test_a_daemon_that_was_down_decides_late_but_once(open_stage: OpenStage) -> None:
    stage, names = crowd(open_stage, 24)
    for name in names:
        if way(stage, name) == "甲":
            stage.clicks(name)
    with stage.daemon_down():
        stage.run_until(day=9)
    assert decision(stage).winner == "甲"
    assert stage.when(decision(stage).decided_at or stage.began) == "day 9 10:00"
