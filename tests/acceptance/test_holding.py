"""A start that would bring many, with real commands: held back, seen, explained, approved, let go; or refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest

from engage.cli.app import main
from engage.cli.ending import Ending
from engage.store import holding
from engage.store.databases.database import Database
from engage.store.holding import Came, Hold, HoldStatus
from tests.acceptance.ledger import Truth
from tests.acceptance.site import PATIENCE, Daemon, Site, new_site
from tests.ports import free_ports

MANY = 100
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def campaign(title: str) -> str:
    head = f"journey: {title}\nstart: {{ segment: 沪上 }}\nreentry: never\ntopic: service\nsteps:\n"
    return f"{head}  - send: welcome\n    channels: [sms]\n  - wait: 30d\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = new_site(tmp_path_factory.mktemp("holding"))
    site.change(
        ("audience_guard: { count: 200000, share: 0.5, share_from: 1000 }", "audience_guard: { count: 50 }"),
        ("    start_from: 20000\n    stages", "    start_from: 20\n    stages"),
    )
    catalog = site.folder / "journeys" / "catalog.yaml"
    text = catalog.read_text(encoding="utf-8").replace("segments:\n", "segments:\n  沪上: { city: 上海 }\n")
    catalog.write_text(text, encoding="utf-8")
    rows = [f"M{number},{13800000000 + number},上海" for number in range(MANY)]
    (site.folder / "members.csv").write_text("\n".join(["会员号,手机,城市", *rows]) + "\n", encoding="utf-8")
    site.engage("apply", "--yes")
    site.engage("import", "members", "members.csv")
    return site


@pytest.fixture(scope="module")
def daemon(site: Site) -> Iterator[Daemon]:
    sandbox = site.start("sandbox", "--phone-port", str(*free_ports(1)), log="sandbox")
    process = site.start("run", log="daemon")
    daemon = Daemon(site, process)
    try:
        daemon.until("daemon_started")
        yield daemon
    finally:
        for each in (sandbox, process):
            each.kill()
            each.wait()


def begin(site: Site, journey: str) -> None:
    """Everybody who is in the segment already."""
    (site.folder / "journeys" / f"{journey}.yaml").write_text(campaign(journey), encoding="utf-8")
    site.engage("apply", "--existing", "--yes")


def until(site: Site, fits: Callable[[Hold, Came], bool], hold_id: int = 1) -> int:
    """How many were written to when the hold and what came of it are so."""
    deadline = datetime.now(UTC).timestamp() + PATIENCE
    with closing(database_of(site)) as database:
        while True:
            with database.read() as connection:
                held, came = holding.get(connection, hold_id), holding.came_of(connection, hold_id)
            if held is not None and fits(held, came):
                return came.sent
            assert datetime.now(UTC).timestamp() < deadline, (held, came, site.log("daemon"))


def all_of(stage: int) -> Callable[[Hold, Came], bool]:
    """They are let go, and have been written to."""
    return lambda held, came: held.stage == stage and bool(held.let_go_at or held.settled_at) and came.sent == came.runs


def database_of(site: Site) -> Database:
    return Database(f"sqlite:///{site.folder / 'engage.db'}")


def half_an_hour_passes(site: Site) -> None:
    """Nobody waits for it here: the hold is told that its time has come."""
    with closing(database_of(site)) as database, database.write() as connection:
        holding.change(connection, 1, let_go_at=_LONG_AGO, next_at=_LONG_AGO)


def written_to(site: Site) -> list[str]:
    return [handover["address"] for handover in Truth.read(site.folder / "sandbox" / "truth").handovers]


def kinds(told: str) -> dict[str, dict[str, object]]:
    return {finding["kind"]: finding["facts"] for finding in json.loads(told)["findings"]}


def test_it_is_held_seen_explained_approved_and_let_go_by_stages(daemon: Daemon) -> None:
    site = daemon.site
    begin(site, "campaign")
    until(site, lambda held, _: held.status is HoldStatus.WAITING and held.members == MANY)
    assert "hold-1: campaign, 100 members" in site.engage("status")
    assert kinds(site.engage("doctor", "--offline", "--json", code=None))["held"]["hold"] == "hold-1"
    daemon.until_measured('engage_starts_held{journey="campaign",state="waiting"}', 1)
    assert "held back at the start (hold-1; `engage approve` shows why)" in site.engage("explain", "M7")
    shown = site.engage("approve", "hold-1")
    assert "100 members at once, 50 allowed" in shown
    assert "1 % → 10 % → 100 %" in shown
    assert written_to(site) == []

    assert "Approved by 王芳: it goes on now" in site.engage("approve", "hold-1", "--by", "王芳")
    sent = [until(site, all_of(0))]
    half_an_hour_passes(site)
    sent.append(until(site, all_of(1)))
    assert kinds(site.engage("doctor", "--offline", "--json", code=None))["staged"]["percent"] == 10
    half_an_hour_passes(site)
    sent.append(until(site, all_of(2)))
    assert sent == [0, 10, MANY]  # by hash: the same members at every time
    assert len(set(written_to(site))) == len(written_to(site)) == MANY
    assert "Nothing is held back" in site.engage("approve")


def test_what_changes_while_it_is_shown_is_to_be_looked_at_again(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site = daemon.site
    begin(site, "third")
    until(site, lambda held, _: held.status is HoldStatus.WAITING and held.members == MANY, 2)
    digests = iter(["as it was shown", "as it is now"])
    monkeypatch.setattr("engage.runtime.enrolling.holding.digest_of", lambda *_: next(digests))
    monkeypatch.chdir(site.folder)
    with pytest.raises(SystemExit) as ended:
        main(["--lang", "en", "approve", "hold-2", "--by", "王芳"])
    assert ended.value.code == Ending.NO
    assert "hold-2 has changed while it was shown" in capsys.readouterr().err
    assert "hold-2: third, 100 members" in site.engage("approve")


def test_one_that_is_refused_ends_for_all_and_nobody_is_written_to(daemon: Daemon) -> None:
    site = daemon.site
    before = written_to(site)
    begin(site, "other")
    until(site, lambda held, _: held.status is HoldStatus.WAITING, 3)
    assert "Refused" in site.engage("approve", "hold-3", "--refuse", "--by", "李雷")
    until(site, lambda held, _: held.settled_at is not None, 3)
    assert written_to(site) == before
    assert "the start was not approved" in site.engage("explain", "M7")
    assert "there is no hold-3 that waits" in site.engage("approve", "hold-3", "--by", "李雷", code=1)
