"""How the two processes of a daemon end: told while it still comes up, killed, or because one of them has died."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from tests.acceptance.site import PATIENCE, Daemon, Site, new_site
from tests.postgresql import server_to_stop

REFUSED = 4


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = new_site(tmp_path_factory.mktemp("ending"))
    site.engage("apply", "--yes")
    return site


@contextmanager
def started(site: Site, log: str) -> Iterator[Daemon]:
    process = site.start("run", log=log)
    try:
        yield Daemon(site, process, log)
    finally:
        process.kill()
        process.wait()


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.005)


def listens(site: Site) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", site.config["web"]["port"])) == 0


def web_process(daemon: Daemon) -> psutil.Process:
    (child,) = psutil.Process(daemon.process.pid).children()
    return child


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_while_it_comes_up_it_ends_in_good_order(site: Site, number: signal.Signals) -> None:
    """The port is taken first, long before the loops begin."""
    with started(site, f"told-{number.name}") as daemon:
        until(lambda: listens(site))
        daemon.process.send_signal(number)
        assert daemon.process.wait(PATIENCE) == 0
    assert not listens(site)
    assert "Traceback" not in site.log(daemon.name)


def test_told_of_a_changed_config_while_it_comes_up_it_comes_up(site: Site) -> None:
    with started(site, "renewed") as daemon:
        until(lambda: listens(site))
        daemon.process.send_signal(signal.SIGHUP)
        daemon.until("daemon_started")
        daemon.until("config_unchanged")
        assert daemon.stop() == 0


def test_its_log_may_go_away(site: Site) -> None:
    """As with `| tee` when that is killed."""
    command = [sys.executable, "-m", "engage", "run"]
    process = subprocess.Popen(command, cwd=site.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        ops = next(json.loads(line)["ops"] for line in process.stderr if '"serving"' in line)
        process.stderr.close()
        process.send_signal(signal.SIGHUP)
        until(lambda: httpx.get(f"{ops}/readyz", trust_env=False).status_code == 200)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()


def test_a_file_that_is_moved_away_under_it_takes_nothing_in_until_it_is_back(site: Site) -> None:
    file, aside = site.folder / "engage.db", site.folder / "aside.db"
    with started(site, "moved") as daemon:
        daemon.until("daemon_started")
        assert daemon.get("/readyz").status_code == 200
        file.rename(aside)
        until(lambda: daemon.get("/readyz").status_code == 503)
        assert "moved or replaced" in daemon.until("database_unavailable")["error"]
        assert not file.exists()
        aside.rename(file)
        until(lambda: daemon.get("/readyz").status_code == 200)
        assert daemon.stop() == 0


def test_killed_it_leaves_no_process_no_port_and_no_word_that_it_lives(site: Site) -> None:
    with started(site, "killed") as daemon:
        daemon.until("daemon_started")
        child = web_process(daemon)
        assert f"Daemons at work: {socket.gethostname()}:{daemon.process.pid}" in site.engage("status")
        daemon.process.kill()
        daemon.process.wait()
        child.wait(PATIENCE)
        assert not listens(site)
    assert "No daemon runs" in site.engage("status", code=1)
    told = json.loads(site.engage("doctor", "--offline", "--json", code=1))
    assert {"daemon_none", "daemon_lost"} <= {finding["kind"] for finding in told["findings"]}


def test_when_its_web_process_dies_the_daemon_ends_and_its_exit_code_says_that_it_was_not_told_to(site: Site) -> None:
    with started(site, "bereft") as daemon:
        daemon.until("daemon_started")
        os.kill(web_process(daemon).pid, signal.SIGKILL)
        assert daemon.process.wait(PATIENCE) == REFUSED
    assert site.lines("bereft", "web_process_died")[0]["exit_code"] == -signal.SIGKILL
    assert site.lines("bereft", "daemon_stopped")  # in good order all the same


def test_started_while_the_database_is_away_it_says_so_and_comes_up_once_it_is_back(tmp_path: Path) -> None:
    """Whoever supervises it starts it again, as `deploy/systemd` does."""
    with server_to_stop() as server:
        site = new_site(tmp_path)
        site.change(("sqlite:///engage.db", server.url))
        site.engage("db", "upgrade")
        site.engage("apply", "--yes")
        server.stop("fast")
        said = site.engage("run", code=REFUSED)
        assert "the database does not answer" in said
        assert "Traceback" not in said
        assert not listens(site)
        server.start()
        with started(site, "back") as daemon:
            daemon.until("daemon_started")
            assert f"Daemons at work: {socket.gethostname()}:{daemon.process.pid}" in site.engage("status")
            assert daemon.stop() == 0
        assert "No daemon runs" in site.engage("status", code=1)
