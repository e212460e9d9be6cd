"""What an examination finds on a real database, and that each finding can be told in both languages."""

from __future__ import annotations

import ast
import inspect
import os
import re
import shutil
import socket
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from engage.channels.probe import Probe, Probed
from engage.cli import doctor_words
from engage.cli.doctor_words import in_words
from engage.clock import VirtualClock
from engage.config import Config, Retention
from engage.content.library import Library
from engage.core.catalog import Brand, Catalog
from engage.core.condition import Did
from engage.core.outcome import Failure, Rejected
from engage.core.turn import Purpose
from engage.ops import examination
from engage.ops.examination import Case, Finding, Weight, examine, needs_a_hand
from engage.runtime.applied import Applied
from engage.runtime.context import AppliedHolder
from engage.runtime.daemon import only_daemon
from engage.store import daemons, dispatching, holding, inbound, state, tallies
from engage.store.daemons import DaemonSign
from engage.store.databases import migrating, months
from engage.store.databases.database import Database
from engage.store.dispatching import NewMessage
from engage.store.holding import Hold, HoldStatus
from engage.store.inbound import Arrived
from engage.store.members import MemberRef
from engage.store.tables import decision
from tests.postgresql import one_more_database

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
HERE = f"{socket.gethostname()}:{os.getpid()}"
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
CONFIG = Config.model_validate({"web": {"signing_key": "k" * 40}})


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ops") / "engage.db"
    database = Database(f"sqlite:///{path}")
    migrating.upgrade(database)
    database.close()
    return path


@pytest.fixture
def database(migrated: Path, tmp_path: Path) -> Iterator[Database]:
    shutil.copyfile(migrated, tmp_path / "engage.db")
    database = Database(f"sqlite:///{tmp_path / 'engage.db'}")
    yield database
    database.close()


def findings(database: Database, probes: dict[str, Probe] | None = None) -> dict[str, Finding]:
    """By kind, each told in both languages."""
    case = Case(CONFIG, database, VirtualClock(NOW), AppliedHolder(database).current, ["wechat"], probes or {})
    found = examine(case)
    for finding in found:
        said = in_words(finding)
        assert said.en
        assert re.search(r"[\u4e00-\u9fff]", said.zh), finding.kind
    return {finding.kind: finding for finding in found}


def weights(found: dict[str, Finding]) -> dict[str, Weight]:
    return {kind: finding.weight for kind, finding in found.items()}


def put_sign(database: Database, name: str, at: datetime, **said: Any) -> None:
    with database.write() as connection:
        daemons.put_sign(connection, DaemonSign(name, at, said))


def queue(database: Database, due_at: datetime) -> None:
    message = NewMessage(MemberRef(1, 1), f"m{due_at}", Purpose.SEND, "service", 50, "hello", due_at)
    with database.write() as connection:
        dispatching.queue(connection, [message], due_at)


def test_a_database_that_is_not_there_or_not_at_the_schema_is_all_there_is_to_say(tmp_path: Path) -> None:
    missing = findings(Database(f"sqlite:///{tmp_path / 'none.db'}"))
    assert weights(missing) == {"database_missing": Weight.HAND}
    assert not (tmp_path / "none.db").exists()
    (tmp_path / "empty.db").touch()
    assert findings(Database(f"sqlite:///{tmp_path / 'empty.db'}"))["database_unfit"].weight is Weight.HAND
    (tmp_path / "other.db").write_text("something else altogether")
    unfit = findings(Database(f"sqlite:///{tmp_path / 'other.db'}"))["database_unfit"]
    assert unfit.weight is Weight.HAND
    assert "is no database at all" in unfit.facts["why"]


def test_a_server_that_does_not_answer_is_said_in_words() -> None:
    away = findings(Database("postgresql://engage:canary-password@127.0.0.1:1/engage"))
    assert weights(away) == {"database_away": Weight.HAND}


def test_nothing_applied_and_no_daemon_need_a_hand(database: Database) -> None:
    found = findings(database)
    assert found["nothing_applied"].weight is Weight.HAND
    assert found["daemon_none"].weight is Weight.HAND
    assert found["nothing_stalled"].weight is Weight.WELL
    assert found["callbacks_never"].facts == {"source": "wechat"}


def test_daemons_of_a_server_are_told_by_what_was_heard_of_them(postgresql_url: str) -> None:
    with one_more_database(postgresql_url, "examined") as url:
        database = Database(url)
        migrating.upgrade(database)
        put_sign(database, "a:1", NOW - MINUTE / 6, silent_loops=[])
        put_sign(database, "b:2", NOW, silent_loops=["dispatch"])
        put_sign(database, "c:3", NOW - HOUR, silent_loops=[])
        found = findings(database)
        database.close()
    assert set(found["daemons_alive"].facts["daemons"]) == {"a:1", "b:2"}
    assert found["loops_stuck"].facts == {"daemon": "b:2", "loops": ["dispatch"]}
    assert (found["daemon_lost"].facts["daemon"], found["daemon_lost"].weight) == ("c:3", Weight.NOTE)
    assert "daemon_none" not in found


def test_months_that_were_not_made_need_a_hand_and_rows_that_strayed_are_a_note(postgresql_url: str) -> None:
    with one_more_database(postgresql_url, "months_examined") as url:
        database = Database(url)
        migrating.upgrade(database)
        with database.write() as connection:
            months.make_months(connection, NOW)
            for table in ("decision", "delivery_ledger"):
                connection.execute(text(f"DROP TABLE {table}_2026_12"))
            run = {"bucket": 1, "id": 1, "enrolment_id": 1, "what": "enter", "detail": {}}
            connection.execute(decision.insert(), run | {"at": NOW + timedelta(days=31)})
        found = findings(database)
        database.close()
    assert found["months_missing"].weight is Weight.HAND
    assert found["months_missing"].facts == {"parts": ["delivery_ledger_2026_12"]}
    assert found["rows_strayed"].weight is Weight.NOTE
    assert found["rows_strayed"].facts == {"parts": ["decision_other"]}
    assert "`engage db housekeep` makes them" in in_words(found["months_missing"]).en


def test_a_file_has_the_daemon_that_holds_its_lock_however_lately_another_was_heard_of(database: Database) -> None:
    put_sign(database, "a:1", NOW, silent_loops=[])
    found = findings(database)
    assert found["daemon_lost"].facts["daemon"] == "a:1"
    assert found["daemon_none"].weight is Weight.HAND
    assert "daemons_alive" not in found
    with only_daemon(database.file):
        found = findings(database)
        assert found["daemon_silent"].facts == {"daemon": HERE}
        put_sign(database, HERE, NOW, silent_loops=[])
        found = findings(database)
    assert found["daemons_alive"].facts == {"daemons": [HERE]}
    assert found["daemon_lost"].facts["daemon"] == "a:1"
    assert not {"daemon_none", "daemon_silent"} & found.keys()


def test_what_is_due_for_long_is_a_stall_and_what_has_just_come_due_is_not(database: Database) -> None:
    queue(database, NOW - MINUTE)
    assert "stalled" not in findings(database)
    queue(database, NOW - HOUR)
    stalled = findings(database)["stalled"]
    assert (stalled.facts, stalled.weight) == ({"queue": "messages", "since": NOW - HOUR}, Weight.HAND)


def test_a_claim_nobody_ended_is_stuck(database: Database) -> None:
    queue(database, NOW - HOUR)
    with database.write() as connection:
        assert dispatching.claim(connection, NOW - HOUR, 10)
    found = findings(database)
    assert found["leases_stuck"].facts == {"messages": 1}


def test_what_is_stopped_is_told(database: Database) -> None:
    with database.write() as connection:
        state.pause_scopes(connection, ["journey:winback"], "盘点", NOW - HOUR)
        state.put(connection, "resting:sms", (NOW + HOUR).isoformat(), NOW)
    found = findings(database)
    assert found["paused"].weight is Weight.NOTE  # somebody meant it
    assert found["channel_rests"].facts == {"channel": "sms", "until": NOW + HOUR}
    assert found["channel_rests"].weight is Weight.HAND


def test_a_start_that_waits_and_one_that_goes_by_stages_are_told_with_what_to_do(database: Database) -> None:
    with database.write() as connection:
        waits = Hold(0, "winback", "11:00", NOW, 3000, HoldStatus.WAITING, "3000 members at once", [1, 10, 100])
        holding.add(connection, waits)
        holding.add(connection, replace(waits, journey_id="nps", status=HoldStatus.GOING, stage=1))
    found = findings(database)
    assert (found["held"].facts["journey"], found["staged"].facts["percent"]) == ("winback", 10)
    assert "`engage approve hold-1`" in in_words(found["held"]).en
    assert "10 % of 3,000" in in_words(found["staged"]).en


def test_runs_that_go_round_and_round_need_a_hand_and_yesterdays_do_not(database: Database) -> None:
    with database.write() as connection:
        tallies.add(connection, {"tired:winback": 2}, 0, NOW - HOUR)
        tallies.add(connection, {"tired:nps": 1}, 0, NOW - 25 * HOUR)
    found = findings(database)["tired"]
    assert (found.facts, found.weight) == ({"journey": "winback", "runs": 2}, Weight.HAND)


def test_what_a_loop_has_passed_over_needs_a_hand(database: Database) -> None:
    with database.write() as connection:
        tallies.add(connection, {"set_aside:enrol": 2}, 0, NOW - HOUR)
    found = findings(database)["set_aside"]
    assert (found.facts, found.weight) == ({"loop": "enrol", "count": 2}, Weight.HAND)
    assert "by the loop enrol" in in_words(found).en


def test_what_is_looked_for_and_not_kept_is_a_note(database: Database) -> None:
    brand = Brand("山野茶事", "山野茶事", {})
    catalog = Catalog(brand, "Asia/Shanghai", segments={"买过": Did("order_paid")})
    applied = Applied(catalog, {}, Library.read({}, catalog)[0], "1")
    config = CONFIG.model_copy(update={"retention": Retention(events=timedelta(days=90))})
    told = {
        finding.kind: (in_words(finding).en, finding.weight)
        for finding in examine(Case(config, database, VirtualClock(NOW), lambda: applied, [], {}))
    }
    words, weight = told["forgotten"]
    assert words.startswith("The segment 买过 asks whether there ever was order_paid")
    assert weight is Weight.NOTE


def test_a_database_that_was_brought_back_needs_somebody_to_say_go_on(database: Database) -> None:
    with database.write() as connection:
        state.pause_scopes(connection, [state.RESTORED], "it is a copy", NOW)
    found = findings(database)["restored"]
    assert found.weight is Weight.HAND
    assert "engage resume --restored" in in_words(found).en


def test_callbacks_that_came_and_those_nobody_could_read(database: Database) -> None:
    with database.write() as connection:
        inbound.put(connection, [Arrived("wechat", "k", "…")], NOW - HOUR)
        inbound.mark_unreadable(connection, 1, "not XML", NOW)
    found = findings(database)
    assert found["callbacks_seen"].facts == {"source": "wechat", "at": NOW - HOUR}
    assert found["unreadable"].facts == {"records": 1}


def test_a_provider_that_refuses_is_told_with_what_to_do(database: Database) -> None:
    blocked = Rejected(Failure.CONFIGURATION, "40164", "invalid ip 203.0.113.7, not in whitelist")
    probes: dict[str, Probe] = {
        "wechat": lambda timeout: Probed(blocked, NOW),
        "sms": lambda timeout: Probed(None, NOW - HOUR),
    }
    found = findings(database, probes)
    refused = in_words(found["channel_refuses"])
    assert "whitelist" in refused.en
    assert "203.0.113.7" in refused.en
    assert "白名单" in refused.zh
    assert found["channel_answers"].facts == {"channel": "sms"}
    assert found["clock_differs"].facts == {"whose": "sms", "seconds": 3600}
    assert "ahead of" in in_words(found["clock_differs"]).en


def test_a_disk_that_is_nearly_full_needs_a_hand(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    assert findings(database)["disk"].weight is Weight.WELL
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(1 << 40, 1 << 40, 1 << 20))
    assert findings(database)["disk_low"].weight is Weight.HAND


def test_notes_alone_are_well() -> None:
    assert not needs_a_hand([Finding("a", Weight.NOTE), Finding("b", Weight.WELL)])
    assert needs_a_hand([Finding("a", Weight.NOTE), Finding("c", Weight.HAND)])


def test_every_kind_of_finding_has_words_and_no_words_are_left_over() -> None:
    tree = ast.parse(inspect.getsource(examination))
    kinds = set()
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if ast.unparse(call.func) in ("Finding", "_well_unless"):
            kinds |= {part.value for part in ast.walk(call.args[call.func.id == "_well_unless"]) if _is_word(part)}
    assert kinds == doctor_words.known_kinds()


def _is_word(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
