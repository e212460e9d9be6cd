"""`engage test` on a machine that fails it: without shared memory, with a process that is killed, at Ctrl-C."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="only on Linux the tests are shared out among processes"),
    pytest.mark.skipif(len(getattr(os, "sched_getaffinity", lambda _: [0])(0)) < 2, reason="one core plays them alone"),
]

# Where the tests themselves run in the background, Ctrl-C is nobody's until somebody wants it.
_COMMAND = """
import signal
from engage.cli.app import main
signal.signal(signal.SIGINT, signal.default_int_handler)
main(['test'])
"""
_NO_SHARED_MEMORY = """
import multiprocessing.synchronize
def refused(*_): raise FileNotFoundError(2, "No such file or directory")
multiprocessing.synchronize._multiprocessing.SemLock = refused
"""
# The other process has nothing left to do, and waits.
_ONE_IS_BUSY = """
import time
import engage.simulation.playing_all as playing_all
def play(ground, file, cases): time.sleep(30 if file.journey == "welcome" else 0)
playing_all.play = play
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    for folder in ("journeys", "templates"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def begin(folder: Path, with_first: str = "") -> subprocess.Popen[str]:
    (folder / "tmp").mkdir()
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "TMPDIR": str(folder / "tmp")}
    return subprocess.Popen(
        [sys.executable, "-c", with_first + _COMMAND],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def children(parent: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split()]


def the_two_of(command: subprocess.Popen[str]) -> list[int]:
    until = time.monotonic() + 60
    while len(found := children(command.pid)) < 2:
        assert time.monotonic() < until
        assert command.poll() is None
        time.sleep(0.01)
    return found[:2]


def is_alive(pid: int) -> bool:
    """A zombie whom nobody has buried yet is dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_without_shared_memory_one_process_plays_them_all(shop: Path) -> None:
    command = begin(shop, _NO_SHARED_MEMORY)
    told, _ = command.communicate(timeout=120)
    assert command.returncode == 0, told
    assert " passed" in told


def test_a_process_that_is_killed_takes_no_test_with_it(shop: Path) -> None:
    command = begin(shop)
    os.kill(the_two_of(command)[0], signal.SIGKILL)
    told, _ = command.communicate(timeout=120)
    assert command.returncode == 0, told
    assert " passed" in told


def test_a_command_that_is_killed_leaves_no_process_behind(shop: Path) -> None:
    command = begin(shop, _ONE_IS_BUSY)
    theirs = the_two_of(command)
    command.kill()
    command.communicate(timeout=20)  # their end of the pipe is closed, too
    until = time.monotonic() + 20
    while any(is_alive(pid) for pid in theirs):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_told_to_end_it_clears_away_its_worlds(shop: Path) -> None:
    command = begin(shop)
    the_two_of(command)
    assert list((shop / "tmp").glob("engage-world-*"))
    command.terminate()
    assert command.communicate(timeout=60)[0] == ""
    assert command.returncode == 130
    assert list((shop / "tmp").iterdir()) == []


def test_ctrl_c_ends_it_without_a_word(shop: Path) -> None:
    command = begin(shop, _ONE_IS_BUSY)
    the_two_of(command)
    time.sleep(1)  # until one of them waits
    os.killpg(command.pid, signal.SIGINT)
    told, _ = command.communicate(timeout=20)
    assert (command.returncode, told) == (130, "")
