"""Simulations of the shipped project: the real engine, people by a behaviour file and a seed, nothing sent."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from stage_scene import files_with
from stage_wiring import read_files, shipped

from engage.cli.app import main
from engage.cli.ending import Ending
from engage.cli.screen import Screen
from engage.cli.shipped import BEHAVIOUR, ROOT
from engage.cli.simulate_data import Source, as_data
from engage.cli.simulate_html import page
from engage.cli.simulate_pages import show_foreseen
from engage.config import AudienceGuard
from engage.content.project import Project, project_files, read_project
from engage.core.behaviour.model import Behaviour, Rates
from engage.core.behaviour.reading import read_behaviour
from engage.core.problem import Lang
from engage.runtime.applied import load_applied
from engage.runtime.edits.applying import apply
from engage.simulation.forecast import Forecast, Scenario, bring_in, forecast, forecast_real, live
from engage.simulation.ground import Ground
from engage.simulation.measured import measured
from engage.simulation.population import Population
from engage.simulation.replaying import replay
from engage.simulation.settings import USUAL
from engage.simulation.world import World
from engage.store import events, members, segments, state
from engage.store.databases.database import Database
from engage.store.databases.migrating import upgrade
from engage.store.events import NewEvent
from engage.store.insight import reporting
from engage.store.insight.reporting import Period
from engage.store.members import MemberRef
from engage.store.statements import ranks

BEGINS = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)  # midnight in Shanghai
LATER = BEGINS + timedelta(days=12)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of a simulation may as much as make a socket."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a simulation has reached for the network")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="module")
def project() -> Project:
    found, _ = read_project(project_files(ROOT)[0])
    assert found is not None
    return found


@pytest.fixture(scope="module")
def behaviour(project: Project) -> Behaviour:
    found, problems = read_behaviour(BEHAVIOUR.read_text("utf-8"), "simulate.yaml", project.catalog, project.journeys)
    assert found is not None
    assert problems == []
    return found


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, project: Project, behaviour: Behaviour) -> Path:
    """A database with members, a past of twelve days, and runs under way."""
    file = tmp_path_factory.mktemp("shop") / "engage.db"
    database = Database(f"sqlite:///{file}")
    upgrade(database)
    apply(database, project, BEGINS - timedelta(days=1))
    with database.read() as connection:
        applied = load_applied(connection)
    scenario = Scenario(BEGINS, 12, 120, 3, behaviour)
    with World(database, applied, BEGINS) as world:
        population = Population(behaviour, applied.catalog, 3, 120)
        bring_in(world, population)
        live(world, scenario, population)
        with database.write() as connection:
            state.put(connection, state.VIRTUAL_NOW, LATER.isoformat(), LATER)
    return file


def simulated(project: Project, scenario: Scenario) -> Forecast:
    with Ground(project) as ground:
        return forecast(ground, scenario)


def told(result: Forecast) -> str:
    return json.dumps(as_data(result, Source(False, "simulate.yaml")), default=str, sort_keys=True)


# --- segments in worlds -----------------------------------------------------------------------------------------


def test_ranks_are_worked_out_at_three_in_every_night_of_a_world() -> None:
    """However seldom segments are looked at else, and with a start in between that looks at them, too."""
    catalog = shipped("catalog", ("segments:\n", "segments:\n  top_half: { spent_rank: ..50% }\n"))
    daily = "journey: daily\nstart: { every: day, at: 10:00 }\nreentry: always\naudience: everyone\n"
    daily += "topic: service\nsteps:\n  - send: birthday_coupon\n"
    with (
        Ground(read_files(files_with({"daily": daily}, {}, catalog))) as ground,
        ground.world(BEGINS) as world,
    ):
        shoppers = [_shopper(world, f"A{n}") for n in range(4)]
        for n, shopper in enumerate(shoppers):
            _pays(world, shopper, 10.0 * n + 10)
        assert _top_half_at(world, hours=2)[1] == set()
        assert _top_half_at(world, hours=4) == (BEGINS + timedelta(hours=3), set(shoppers[2:]))
        world.run_to(BEGINS + timedelta(hours=12))
        _pays(world, shoppers[0], 100)
        assert _top_half_at(world, hours=26) == (BEGINS + timedelta(hours=3), {shoppers[0], *shoppers[2:]})
        assert _top_half_at(world, hours=28) == (BEGINS + timedelta(hours=27), {shoppers[0], shoppers[3]})


def _shopper(world: World, customer_no: str) -> MemberRef:
    with world.database.write() as connection:
        return members.create(connection, world.clock.now(), customer_no, None)


def _pays(world: World, shopper: MemberRef, amount: float) -> None:
    now = world.clock.now()
    paid = {"order_id": f"{now} {shopper.id}", "amount": amount}
    with world.database.write() as connection:
        new = NewEvent(shopper, "order_paid", now, f"{now} {shopper.id}", paid)
        events.record(connection, world.context.applied.current().catalog, [new], now)


def _top_half_at(world: World, *, hours: int) -> tuple[datetime, set[MemberRef]]:
    """When its threshold was worked out, and who is in it."""
    world.run_to(BEGINS + timedelta(hours=hours))
    with world.database.read() as connection:
        (threshold,) = ranks.thresholds(connection)
        return threshold.computed_at, set(segments.members_of(connection, "top_half"))


# --- synthetic members ------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_result_and_another_one_another(project: Project, behaviour: Behaviour) -> None:
    scenario = Scenario(BEGINS, 6, 70, 7, behaviour)
    once, twice = simulated(project, scenario), simulated(project, scenario)
    assert once.happenings > 50
    assert told(once) == told(twice)
    assert told(once) != told(simulated(project, replace(scenario, seed=8)))


def test_messages_are_counted_alike_by_the_tally_and_by_the_database(project: Project, behaviour: Behaviour) -> None:
    result = simulated(project, Scenario(BEGINS, 6, 70, 7, behaviour))
    by_day = sum(sum(channels.values()) for channels in result.tally.volume.values())
    assert by_day == sum(result.tally.hours.values()) == sum(m.sent for m in result.report.messages) > 0


def test_only_the_journeys_asked_for_let_members_in(project: Project, behaviour: Behaviour) -> None:
    result = simulated(project, Scenario(BEGINS, 6, 70, 7, behaviour, frozenset({"nps"})))
    assert {runs.journey_id for runs in result.report.enrolments} <= {"nps", "service_recovery"}
    assert any(runs.journey_id == "nps" and runs.entered for runs in result.report.enrolments)


def test_nobody_is_written_to_at_night_but_in_reply_to_their_own_act(project: Project, behaviour: Behaviour) -> None:
    """Newcomers by WeChat are greeted when they come; everything else keeps the usual hours."""
    settled = replace(behaviour, people=replace(behaviour.people, new_per_day=0.0, writes_every=None))
    result = simulated(project, Scenario(BEGINS, 6, 70, 7, settled))
    assert min(result.tally.hours) >= 9
    assert max(result.tally.hours) < 21


def test_dead_addresses_bounce_and_messages_go_elsewhere_or_nowhere(project: Project, behaviour: Behaviour) -> None:
    dead = {channel: replace(rates, bounce=1.0) for channel, rates in behaviour.channels.items()}
    result = simulated(project, Scenario(BEGINS, 4, 60, 7, replace(behaviour, channels=dead)))
    assert sum(m.sent for m in result.report.messages) == 0
    assert sum(m.failed for m in result.report.messages) > 0


def test_everybody_answers_where_the_file_says_so(project: Project, behaviour: Behaviour) -> None:
    eager = {channel: Rates(answer=1.0, bounce=0.0) for channel in behaviour.channels}
    result = simulated(project, Scenario(BEGINS, 6, 60, 7, replace(behaviour, channels=eager)))
    asked = next(runs for runs in result.report.enrolments if runs.journey_id == "nps")
    assert result.report.nps[None].n >= asked.completed * 0.4 > 0


_DAILY = """\
journey: 群发
start: { every: day, at: 11:00 }
audience: everyone
reentry: never
topic: service
steps:
  - send: sorry_personal
"""


def test_starts_that_would_be_held_back_are_told_of_and_here_everybody_enters(
    behaviour: Behaviour, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody is there to approve them."""
    project, _ = read_project(project_files(ROOT)[0] | {"journeys/daily.yaml": _DAILY})
    assert project is not None
    policy = USUAL.policy.model_copy(update={"audience_guard": AudienceGuard(count=20)})
    with Ground(project, USUAL.model_copy(update={"policy": policy})) as ground:
        result = forecast(ground, Scenario(BEGINS, 2, 40, 1, behaviour, ["daily"]))
    [start] = result.held
    assert (start.journey_id, start.why) == ("daily", f"{start.members} members at once, 20 allowed")
    [entered] = [each.entered for each in result.report.enrolments if each.journey_id == "daily"]
    assert entered >= start.members > 20
    assert json.loads(told(result))["would_be_held"][0]["journey_id"] == "daily"
    show_foreseen(Screen(Lang.EN), result.held)
    assert "held back in life, not here: daily" in capsys.readouterr().out


def test_the_page_holds_all_it_shows(project: Project, behaviour: Behaviour) -> None:
    result = simulated(project, Scenario(BEGINS, 4, 60, 7, behaviour))
    for lang in Lang:
        text = page(result, Source(False, "simulate.yaml"), lang)
        assert "<svg" in text
        assert "http" not in text
        assert "<script" not in text


# --- real members -----------------------------------------------------------------------------------------------


def test_real_members_go_on_from_where_they_stand_and_their_database_is_not_touched(
    shop: Path, project: Project, behaviour: Behaviour
) -> None:
    before = hashlib.sha256(shop.read_bytes()).hexdigest()
    with Ground(project, over=shop) as ground:
        assert ground.now == LATER
        own = measured(ground, behaviour)
        result = forecast_real(ground, Scenario(ground.now, 5, 0, 7, own))
    assert hashlib.sha256(shop.read_bytes()).hexdigest() == before
    assert result.members >= 120
    assert sum(m.sent for m in result.report.messages) > 0


def test_what_is_measured_leans_on_the_usual_and_follows_the_members_own(
    shop: Path, project: Project, behaviour: Behaviour
) -> None:
    with Ground(project, over=shop) as ground:
        own = measured(ground, behaviour)
    usual, found = behaviour.channels["sms"].answer, own.channels["sms"].answer
    assert usual is not None
    assert found is not None
    assert 0 < found < 1
    assert found != usual
    every = own.habits["order_paid"].every
    assert every is not None
    assert timedelta(days=20) < every / own.habits["order_paid"].members < timedelta(days=200)


def test_a_replay_tells_the_past_again_and_leaves_the_database_alone(shop: Path, project: Project) -> None:
    before = hashlib.sha256(shop.read_bytes()).hexdigest()
    with Ground(project, over=shop) as ground:
        period = Period(BEGINS, LATER)
        done = replay(ground, "welcome", period)
    assert hashlib.sha256(shop.read_bytes()).hexdigest() == before
    assert done.events > 0
    assert {m.journey_id for m in done.sent} <= {"welcome"}
    assert all(period.since <= m.at <= period.until for m in done.sent)


def test_a_replay_of_what_ran_enters_whom_it_entered(shop: Path, project: Project) -> None:
    database = Database(f"sqlite:///{shop}")
    with Ground(project, over=shop) as ground:
        done = replay(ground, "refill_hard", Period(BEGINS, LATER))
    with database.read() as connection:
        ran = {runs.journey_id: runs for runs in reporting.enrolments(connection, Period(BEGINS, LATER))}
    database.close()
    (again,) = [runs for runs in done.enrolments if runs.journey_id == "refill_hard"]
    assert again.entered + again.held_out == ran["refill_hard"].entered + ran["refill_hard"].held_out > 0


# --- the commands -----------------------------------------------------------------------------------------------


@pytest.fixture
def engage(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """A command in the repository's own project: how it ends, and what it says."""
    monkeypatch.chdir(ROOT)

    def run(*args: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(["--lang", "en", *args])
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out + said.err

    return run


def test_a_mistake_in_the_behaviour_file_is_told_at_its_place(
    tmp_path: Path, engage: Callable[..., tuple[int, str]]
) -> None:
    wrong = tmp_path / "mine.yaml"
    wrong.write_text("messages:\n  sms: { click: lots }\nevents:\n  order_payed: { every: 10d }\n", "utf-8")
    code, said = engage("simulate", "--members", "5", "--days", "1", "--behaviour", str(wrong))
    assert code == Ending.NO
    assert "mine.yaml:2:17" in said
    assert "did you mean `order_paid`" in said


def test_the_command_shows_a_table_and_writes_a_page(tmp_path: Path, engage: Callable[..., tuple[int, str]]) -> None:
    target = tmp_path / "forecast.html"
    code, said = engage("simulate", "--members", "30", "--days", "3", "--from", "2026-11-23", "--html", str(target))
    assert code == Ending.DONE
    assert "virtual 2026-11-23 → 2026-11-26" in said
    assert "busiest member-day" in said
    assert "2026-11-23" in target.read_text("utf-8")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("simulate", "--real", "--members", "5"), "leave out --real"),
        (("simulate", "--journey", "winbak"), "there is no journey winbak"),
        (("simulate", "--behaviour", "nowhere.yaml"), "nowhere.yaml does not exist"),
        (("replay", "winbak", "--from", "2026-01-01"), "there is no journey winbak"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(
    args: tuple[str, ...], words: str, engage: Callable[..., tuple[int, str]]
) -> None:
    code, said = engage(*args)
    assert code == Ending.USAGE
    assert words in said
    assert "Traceback" not in said
