"""The demo as a person runs it: the real command, its exit code, and the truth logs against what Engage says."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engage.demo import folder as folders
from tests.acceptance.ledger import Truth, jsonl, reconcile, sent_after_opt_out, unrecorded_scores

ASKED = ("--days", "30", "--members", "120", "--seed", "7")
MISSION = {"welcome", "birthday", "onboarding_90d", "nps", "winback"}
# Intents that can be under way at once: four times the concurrency of the three channels, by the config's defaults.
SLOTS = 4 * (8 + 8 + 4)


def engage(*args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "engage", *args], capture_output=True, text=True, timeout=170, check=False
    )
    if check and done.returncode != 0:
        raise AssertionError(f"engage {' '.join(args)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done


def exported(folder: Path, what: str) -> list[dict[str, Any]]:
    path = folder / f"{what}.jsonl"
    engage("--config", str(folder / "config.yaml"), "export", what, "--format", "jsonl", "--out", str(path))
    return list(jsonl(path))


def decisions(folder: Path) -> list[dict[str, Any]]:
    """Deliveries without what differs between two runs: the port in links, and what providers call a message."""
    left_out = {"text", "payload", "payload_hash", "provider_id"}
    return [{k: v for k, v in row.items() if k not in left_out} for row in exported(folder, "deliveries")]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "demo"
    done = engage("demo", *ASKED, "--exit", "--folder", str(folder))
    (folder / "said.txt").write_text(done.stdout, encoding="utf-8")
    return folder


def test_every_handover_belongs_to_one_delivery_and_every_sent_delivery_to_one_handover(demo: Path) -> None:
    truth, deliveries = Truth.read(demo / "truth"), exported(demo, "deliveries")
    assert len(truth.handovers) > 100
    assert reconcile(truth, deliveries) == []


def test_the_checker_notices_a_message_that_was_handed_over_twice(demo: Path) -> None:
    truth, deliveries = Truth.read(demo / "truth"), exported(demo, "deliveries")
    twice = Truth([*truth.handovers, truth.handovers[0]], truth.acts)
    assert reconcile(twice, deliveries) != []
    assert reconcile(Truth(truth.handovers[1:], truth.acts), deliveries) != []


def test_every_score_typed_to_a_question_is_an_answer_of_the_right_journey(demo: Path) -> None:
    truth = Truth.read(demo / "truth")
    typed, breaches = unrecorded_scores(truth, exported(demo, "deliveries"), exported(demo, "answers"))
    assert typed > 0
    assert breaches == []


def test_nothing_that_an_opt_out_covers_is_sent_after_it(demo: Path) -> None:
    assert sent_after_opt_out(Truth.read(demo / "truth"), exported(demo, "deliveries")) == []


def test_the_mission_journeys_use_several_channels(demo: Path) -> None:
    sent: dict[str, set[str]] = {}
    for delivery in exported(demo, "deliveries"):
        if delivery["status"] == "sent":
            sent.setdefault(delivery["journey"], set()).add(delivery["channel"])
    assert {journey for journey, channels in sent.items() if len(channels) >= 2} >= MISSION


def test_the_report_says_the_nps_that_follows_from_the_answers(demo: Path) -> None:
    scores = [row["score"] for row in exported(demo, "answers") if row["survey"] == "nps"]
    promoters, detractors = sum(s >= 9 for s in scores), sum(s <= 6 for s in scores)
    expected = 100 * (promoters - detractors) / len(scores)
    report = json.loads(engage("--config", str(demo / "config.yaml"), "report", "--json").stdout)
    assert report["nps"]["n"] == len(scores)
    assert float(report["nps"]["value"]) == pytest.approx(expected, abs=0.05)


def test_the_terminal_shows_the_weeks_and_then_a_summary(demo: Path) -> None:
    said = (demo / "said.txt").read_text(encoding="utf-8")
    weeks = re.findall(r"^Mon 20.*", said, re.MULTILINE)
    assert len(weeks) >= 4
    assert re.search(r"not sent [1-9]\d* \(\d+ × \w.*\)$", weeks[-2])  # the last is of the summary
    assert all(journey in said for journey in MISSION)
    assert "no channel can be used" in said


def test_the_same_seed_makes_the_same_decisions(demo: Path, tmp_path: Path) -> None:
    engage("demo", *ASKED, "--exit", "--folder", str(tmp_path / "again"))
    assert decisions(tmp_path / "again") == decisions(demo)


def test_killed_in_the_middle_and_resumed_nothing_is_sent_twice_or_lost(demo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    command = [sys.executable, "-u", "-m", "engage", "demo", *ASKED, "--exit", "--folder", str(folder)]
    for weeks in (1, 2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            _read_weeks(process, weeks)
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
        command = [sys.executable, "-u", "-m", "engage", "demo", "--resume", "--exit", "--folder", str(folder)]
    engage(*command[4:])
    truth, deliveries = Truth.read(folder / "truth"), exported(folder, "deliveries")
    assert reconcile(truth, deliveries) == []
    stranded = [d for d in deliveries if "process ended" in (d["reason"] or "")]
    assert len(stranded) <= SLOTS
    done = {row["id"] for row in exported(folder, "events")}
    assert len(done) >= 0.9 * len(exported(demo, "events"))


def _read_weeks(process: subprocess.Popen[str], weeks: int) -> None:
    """Until the demo has told of that many weeks: it is then in the middle of the next one."""
    seen = 0
    for line in process.stdout or ():
        seen += bool(re.match(r"Mon 20", line))
        if seen >= weeks:
            return
    raise AssertionError("the demo ended before it could be killed")


def test_a_demo_that_never_was_cannot_be_resumed(tmp_path: Path) -> None:
    done = engage("demo", "--resume", "--folder", str(tmp_path / "nowhere"), check=False)
    assert done.returncode == 4
    assert "no demo" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("ten years of work", encoding="utf-8")
    done = engage("demo", "--exit", "--folder", str(tmp_path), check=False)
    assert done.returncode == 4
    assert os.listdir(tmp_path) == ["thesis.txt"]


def test_a_demo_that_still_runs_is_not_cleared_away(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    with folders.begun(folder, 1, 1, 7):
        before = sorted(folder.rglob("*"))
        for more in ((), ("--resume",)):
            done = engage("demo", "--exit", "--folder", str(folder), *more, check=False)
            assert done.returncode == 4
            assert f":{os.getpid()})" in done.stderr
        assert sorted(folder.rglob("*")) == before


def test_a_demo_that_has_ended_is_cleared_away_whole(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    with folders.begun(folder, 1, 1, 7):
        (folder / "truth").mkdir()
        (folder / "truth" / "sms.jsonl").write_text("{}", encoding="utf-8")
    with folders.begun(folder, 2, 1, 7) as settings:
        assert settings.days == 2
        assert not (folder / "truth").exists()
    with folders.resumed(folder) as again:
        assert again == settings
