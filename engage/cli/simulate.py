"""`engage simulate`: what the coming weeks would bring, in seconds; nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path
from time import perf_counter
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from engage.cli.behaviour import behaviour_of
from engage.cli.ending import Ending, Refusal, end_in_order_if_told
from engage.cli.invocation import Invocation
from engage.cli.logs import log_faults
from engage.cli.moments import DAY, day_within_reach
from engage.cli.offline import must_know, real_ground, rules_of_world, sound_project
from engage.cli.screen import print_json
from engage.cli.simulate_data import Source, as_data
from engage.cli.simulate_html import page
from engage.cli.simulate_pages import show_forecast
from engage.clock import SystemClock
from engage.content.project import Project
from engage.core.timing import local_moment
from engage.simulation.forecast import Forecast, OnDay, Scenario, forecast, forecast_real
from engage.simulation.ground import Ground
from engage.simulation.measured import measured

_MEMBERS = 2_000


def simulate(
    ctx: typer.Context,
    days: Annotated[int, typer.Option("--days", min=1, max=1000, help="How far ahead.")] = 90,
    members: Annotated[
        int | None, typer.Option("--members", min=1, help="Synthetic members, so many. Default: 2,000.")
    ] = None,
    real: Annotated[bool, typer.Option("--real", help="The members of the configured database, copied.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same result.")] = 7,
    behaviour: Annotated[
        Path | None, typer.Option("--behaviour", help="How people behave. Default: simulate.yaml of the project.")
    ] = None,
    journey: Annotated[
        list[str] | None, typer.Option("--journey", metavar="ID", help="Only these journeys let members in.")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option("--from", formats=[DAY], callback=day_within_reach, help="The first day. Default: today."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
    html: Annotated[Path | None, typer.Option("--html", help="Also write a page with charts to this file.")] = None,
) -> None:
    """What the coming weeks would bring: messages, cost, goals.

    Nothing is sent. The real engine runs the files as they stand, with time that jumps, over synthetic members or
    (--real) a copy of your own, runs under way included. What people do comes from simulate.yaml; with --real, from
    what your members did so far. The database is only read. docs/simulate.md says how to read the figures, and what
    they cannot tell.

    Examples:
      engage simulate
      engage simulate --members 2000 --days 90 --seed 7
      engage simulate --real --journey winback --html forecast.html

    Exit codes: 0 shown · 1 the files have mistakes · 2 wrong usage · 4 no database to copy
    """
    inv = Invocation.of(ctx)
    log_faults()
    end_in_order_if_told()
    began = perf_counter()
    if real and members is not None:
        words = (
            "--members is of synthetic members; leave out --real",
            "--members 是虚拟会员的人数，不能和 --real 一起用",
        )
        raise Refusal(inv.screen.word(*words), Ending.USAGE)
    folder = inv.folder_of_journeys
    project = sound_project(inv, folder)
    must_know(inv, project, journey or [])
    asked = _Asked(days, members or _MEMBERS, seed, behaviour, since, frozenset(journey) if journey else None)
    told, source = (_of_real if real else _of_synthetic)(inv, folder, project, asked)
    if as_json:
        print_json(as_data(told, source))
    else:
        show_forecast(inv.screen, told, source, perf_counter() - began)
    if html is not None:
        html.write_text(page(told, source, inv.lang), encoding="utf-8")
        inv.screen.aside(f"Wrote {html}.", f"已写入 {html}。")


@dataclass(frozen=True, slots=True)
class _Asked:
    days: int
    members: int
    seed: int
    behaviour: Path | None
    since: datetime | None
    journeys: frozenset[str] | None


def _of_synthetic(inv: Invocation, folder: Path, project: Project, asked: _Asked) -> tuple[Forecast, Source]:
    behaviour, called = behaviour_of(inv, folder, project, asked.behaviour)
    begins = _midnight(asked.since or SystemClock().now(), project)
    scenario = Scenario(begins, asked.days, asked.members, asked.seed, behaviour, asked.journeys)
    with Ground(project, rules_of_world(inv, folder)) as ground, _counting_days(inv, asked.days) as on_day:
        return forecast(ground, scenario, on_day), Source(False, called)


def _of_real(inv: Invocation, folder: Path, project: Project, asked: _Asked) -> tuple[Forecast, Source]:
    usual, called = behaviour_of(inv, folder, project, asked.behaviour)
    with real_ground(inv, folder, project) as ground:
        begins = _midnight(asked.since, project) if asked.since is not None else ground.now
        if begins < ground.now:
            words = (
                "--from is in the past; `engage replay` looks at the past",
                "--from 早于现在；要看过去请用 `engage replay`",
            )
            raise Refusal(inv.screen.word(*words), Ending.USAGE)
        behaviour = usual
        if asked.behaviour is None:
            behaviour, called = (
                measured(ground, usual),
                inv.screen.word("what your members did so far", "你的会员以往的行为"),
            )
        scenario = Scenario(begins, asked.days, 0, asked.seed, behaviour, asked.journeys)
        with _counting_days(inv, asked.days) as on_day:
            return forecast_real(ground, scenario, on_day), Source(True, called)


@contextmanager
def _counting_days(inv: Invocation, days: int) -> Iterator[OnDay]:
    with inv.screen.waiting("The members come in …", "会员陆续到场……") as say:
        yield lambda day: say(f"Day {day} of {days} …", f"第 {day} 天，共 {days} 天……")


def _midnight(day: datetime, project: Project) -> datetime:
    zone = ZoneInfo(project.catalog.timezone)
    local = day if day.tzinfo is None else day.astimezone(zone)
    return local_moment(local.date(), time(), zone)
