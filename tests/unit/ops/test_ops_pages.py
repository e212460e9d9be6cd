"""`/healthz`, `/readyz`, `/metrics`: what each says, when it says so, and that figures carry nobody's name."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from engage.channels.sms.channel import SmsChannel
from engage.clock import SystemClock, VirtualClock
from engage.config import Sms
from engage.core.outcome import Accepted, Failure, Rejected, Unknown
from engage.errors import DatabaseUnavailable, EngageError
from engage.ops.app import OpsDeps, make_ops_app
from engage.ops.gauges import Gauges
from engage.ops.measures import Measures
from engage.store import holding, rates, tallies
from engage.store.databases import migrating
from engage.store.databases.database import Database
from engage.store.holding import Hold, HoldStatus

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


@dataclass
class Daemon:
    stopping: bool = False
    silent: list[str] = field(default_factory=list)

    def silent_loops(self) -> list[str]:
        return self.silent


@dataclass
class Ops:
    daemon: Daemon
    database: Database
    measures: Measures
    missing: EngageError | None = None

    def applied(self) -> None:
        if self.missing is not None:
            raise self.missing

    def get(self, path: str) -> tuple[int, str]:
        app = make_ops_app(OpsDeps(self.daemon, self.database, self.applied, self.measures.registry))

        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ops") as client:
                return await client.get(path)

        answer = asyncio.run(ask())
        return answer.status_code, answer.text.strip()

    def figures(self) -> dict[str, float]:
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in self.lines()}

    def lines(self) -> list[str]:
        return [line for line in self.get("/metrics")[1].splitlines() if line.startswith("engage_")]


@pytest.fixture
def ops(tmp_path: Path) -> Iterator[Ops]:
    database = Database(f"sqlite:///{tmp_path / 'engage.db'}")
    migrating.upgrade(database)
    measures = Measures()
    measures.registry.register(Gauges(database, SystemClock(), dict))
    yield Ops(Daemon(), database, measures)
    database.close()


def test_a_stuck_loop_makes_it_unhealthy_by_name_and_nothing_else_does(ops: Ops) -> None:
    assert ops.get("/healthz") == (200, "ok")
    ops.daemon.stopping = True
    ops.missing = DatabaseUnavailable("gone")
    assert ops.get("/healthz") == (200, "ok")  # starting it anew would help nobody
    ops.daemon.silent = ["dispatch"]
    assert ops.get("/healthz")[0] == 200  # nor would that
    ops.missing = None
    assert ops.get("/healthz") == (503, "the loop dispatch is stuck")


def test_loops_that_wait_for_a_database_that_hangs_are_no_reason_to_start_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A supervisor would kill one daemon after the other, and with each what it had on the wire."""
    monkeypatch.setattr("engage.ops.asking._ANSWERS_WITHIN_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as hangs:
        database = Database(f"postgresql://engage@127.0.0.1:{hangs.getsockname()[1]}/engage?connect_timeout=2")
        ops = Ops(Daemon(silent=["dispatch", "receive"]), database, Measures())
        assert ops.get("/healthz") == (200, "ok: the database does not answer, and loops wait for it")
        assert ops.get("/readyz") == (503, "the database does not answer")
        database.close()


def test_it_is_ready_when_work_can_be_given_to_it(ops: Ops) -> None:
    assert ops.get("/readyz") == (200, "ok")
    ops.missing = EngageError("nothing has been applied yet; run `engage apply` first")
    assert ops.get("/readyz") == (503, "nothing has been applied yet; run `engage apply` first")
    ops.missing = DatabaseUnavailable("connection refused, password canary")
    assert ops.get("/readyz") == (503, "the database does not answer")
    ops.missing = None
    ops.daemon.stopping = True
    assert ops.get("/readyz") == (503, "it is being stopped")


def test_an_old_schema_is_not_ready(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    assert "engage db upgrade" in Ops(Daemon(), database, Measures()).get("/readyz")[1]


def test_calls_are_counted_by_what_came_back(ops: Ops) -> None:
    ops.measures.called("sms", Accepted("id"), 0.2)
    ops.measures.called("sms", Rejected(Failure.QUOTA, "isv.DAY_LIMIT_CONTROL", "+8613800138000"), 0.1)
    ops.measures.called("wechat", Unknown("no answer from 13800138000"), 10)
    figures = ops.figures()
    assert figures['engage_sends_total{channel="sms",outcome="accepted"}'] == 1
    assert figures['engage_sends_total{channel="wechat",outcome="unknown"}'] == 1
    assert figures['engage_provider_errors_total{channel="sms",failure="quota"}'] == 1
    assert figures['engage_provider_errors_total{channel="wechat",failure="no_answer"}'] == 1
    assert figures['engage_send_seconds_count{channel="sms"}'] == 2
    assert "13800138000" not in ops.get("/metrics")[1]


def test_failures_of_the_database_are_told_apart_from_others(ops: Ops) -> None:
    ops.measures.batch("advance", 500, 0.3)
    ops.measures.batch_failed("advance", ValueError("王芳"))
    ops.measures.batch_failed("dispatch", DatabaseUnavailable("gone"))
    ops.measures.callback("wechat", 200, 0.01)
    ops.measures.callback("wechat", 503, 0.01)
    figures = ops.figures()
    assert figures['engage_batch_items_total{loop="advance"}'] == 500
    assert figures['engage_batch_failures_total{loop="advance"}'] == 1
    assert figures['engage_database_errors_total{where="dispatch"}'] == 1
    assert 'engage_database_errors_total{where="advance"}' not in figures
    assert figures['engage_database_errors_total{where="callbacks"}'] == 1
    assert figures['engage_callbacks_refused_total{source="wechat",status="503"}'] == 1
    assert figures['engage_callback_seconds_count{source="wechat"}'] == 2


def test_a_database_that_is_away_is_a_figure_and_the_rest_is_still_told(tmp_path: Path) -> None:
    measures = Measures()
    measures.registry.register(Gauges(Database("postgresql://engage@127.0.0.1:1/engage"), SystemClock(), dict))
    measures.batch("advance", 1, 0.1)
    figures = Ops(Daemon(), Database("sqlite://"), measures).figures()
    assert figures["engage_database_up"] == 0
    assert figures['engage_batch_items_total{loop="advance"}'] == 1
    assert not any(name.startswith("engage_oldest_due_seconds") for name in figures)


def test_a_mistake_of_ours_is_no_database_that_is_away_and_is_logged_once(
    ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(*_: object) -> None:
        raise ValueError("no such thing")

    monkeypatch.setattr("engage.ops.gauges._KEEPS_FOR_SECONDS", 0.0)
    monkeypatch.setattr("engage.ops.gauges.backlog.backlog", mistaken)
    measures = Measures()
    measures.registry.register(Gauges(ops.database, SystemClock(), dict))
    with capture_logs() as logged:
        for _ in range(3):
            figures = Ops(Daemon(), ops.database, measures).figures()
            assert figures["engage_database_up"] == 1
            assert "engage_daemons" not in figures
    assert [(line["event"], line["log_level"]) for line in logged] == [("gauges_failed", "error")]


def test_a_database_that_hangs_is_a_figure_too_and_is_asked_once_however_many_want_to_know() -> None:
    """It takes connections and says nothing; Prometheus would give up, and know nothing of the process either."""
    measures = Measures()
    measures.batch("advance", 1, 0.1)
    with socket.create_server(("127.0.0.1", 0)) as hangs:
        hangs.settimeout(0.1)
        database = Database(f"postgresql://engage@127.0.0.1:{hangs.getsockname()[1]}/engage?connect_timeout=60")
        measures.registry.register(Gauges(database, SystemClock(), dict))
        with ThreadPoolExecutor(3) as several:
            asked = [several.submit(Ops(Daemon(), database, measures).figures) for _ in range(3)]
            told = [each.result(timeout=30) for each in asked]
        hangs.accept()
        with pytest.raises(TimeoutError):
            hangs.accept()
    assert [figures["engage_database_up"] for figures in told] == [0, 0, 0]
    assert [figures['engage_batch_items_total{loop="advance"}'] for figures in told] == [1, 1, 1]


def test_however_often_somebody_looks_the_database_is_asked_once_in_a_while(ops: Ops) -> None:
    asked = []
    read = ops.database.read
    ops.database.read = lambda: asked.append(1) or read()  # type: ignore[method-assign, func-returns-value]
    for _ in range(5):
        assert ops.figures()["engage_database_up"] == 1
    assert len(asked) == 1


def test_starts_that_are_held_runs_that_go_round_and_what_is_left_of_a_rate(tmp_path: Path) -> None:
    database, clock = Database(f"sqlite:///{tmp_path / 'engage.db'}"), VirtualClock(NOW)
    migrating.upgrade(database)
    words = {"access_key_id": "k", "access_key_secret": "s" * 16, "sign_name": "茶", "callback_secret": "c" * 16}
    channel = SmsChannel(Sms.model_validate(words | {"per_second": 20}), clock)
    with database.write() as connection:
        waits = Hold(0, "winback", "11:00", NOW, 3000, HoldStatus.WAITING, "too many", [1, 10, 100])
        holding.add(connection, waits)
        holding.add(connection, replace(waits, journey_id="nps", status=HoldStatus.GOING, stage=1))
        tallies.add(connection, {"tired:refill": 3, "set_aside:enrol": 2}, 0, NOW)
        rates.take_beats(connection, "sms", 20, 5, NOW)
    measures = Measures()
    measures.registry.register(Gauges(database, clock, lambda: {"sms": channel}))
    figures = Ops(Daemon(), database, measures).figures()
    assert figures['engage_starts_held{journey="winback",state="waiting"}'] == 1
    assert figures['engage_starts_held{journey="nps",state="going"}'] == 1
    assert figures['engage_start_let_go_percent{journey="nps"}'] == 10
    assert figures['engage_tired_runs{journey="refill"}'] == 3
    assert figures['engage_set_aside{loop="enrol"}'] == 2
    assert figures['engage_rate_left{channel="sms"}'] == 15
    assert figures['engage_rate_limit{channel="sms"}'] == 20
    with database.write() as connection:
        rates.back_off(connection, "sms", NOW + timedelta(seconds=15), NOW)
        assert rates.left(connection, "sms", 20, NOW) == 0


def test_labels_are_names_of_things(ops: Ops) -> None:
    """Not of people, nor ids of anything there are many of."""
    labels = {label for line in ops.lines() for label in re.findall(r'(\w+)="', line)}
    known = {"channel", "failure", "journey", "le", "limit", "loop", "outcome", "queue", "scope", "source", "state"}
    assert labels <= known | {"status", "step", "where"}
