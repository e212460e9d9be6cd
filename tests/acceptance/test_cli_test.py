"""`engage test` and `engage check` on a project with tests, by the real command in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len

ROOT = Path(__file__).parents[2]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Journeys and templates alone: no config, no database, no secrets."""
    for folder in ("journeys", "templates"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def engage(folder: Path, *args: str, code: int = 0, on_one_core: bool = False) -> str:
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    alone = ["taskset", "--cpu-list", str(min(os.sched_getaffinity(0)))] if on_one_core else []
    command = [*alone, sys.executable, "-m", "engage", *args]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def edit(folder: Path, file: str, old: str, new: str) -> None:
    path = folder / "journeys" / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_tests_pass_without_config_database_or_secrets(shop: Path) -> None:
    said = engage(shop, "test", "welcome", "birthday")
    assert "13 passed" in said
    assert "✓ 首单后不再发首单券" in said
    assert sorted(path.name for path in shop.iterdir()) == ["journeys", "templates"]


@pytest.mark.skipif(shutil.which("taskset") is None, reason="only Linux shares the tests out among the cores")
def test_every_core_plays_a_part_and_what_comes_out_is_the_same(shop: Path) -> None:
    edit(shop, "winback.yaml", "wait: 1d at 20:00", "wait: 2d at 20:00")
    everywhere = engage(shop, "test", "--json", code=1)
    assert everywhere == engage(shop, "test", "--json", code=1, on_one_core=True)
    told = json.loads(everywhere)
    assert {case["passed"] for case in told["tests"]} == {True, False}


def test_the_projects_own_policy_holds_and_its_secrets_are_not_looked_up(shop: Path) -> None:
    shutil.copyfile(ROOT / "config.example.yaml", shop / "config.yaml")
    config = (shop / "config.yaml").read_text(encoding="utf-8").replace("example-wechat-secret", "env:NOT_SET_ANYWHERE")
    (shop / "config.yaml").write_text(config, encoding="utf-8")
    assert "1 passed" in engage(shop, "test", "birthday", "-k", "等级 2")
    stricter = config.replace("marketing: [{ count: 1, within: 1d }", "marketing: [{ count: 0, within: 1d }")
    (shop / "config.yaml").write_text(stricter, encoding="utf-8")
    assert "frequency cap" in engage(shop, "--lang", "en", "test", "birthday", "-k", "等级 2", code=1)


def test_a_failure_shows_the_timeline_beside_what_was_expected(shop: Path) -> None:
    edit(shop, "welcome.yaml", "wait: 2d at 10:00", "wait: 3d at 10:00")
    said = engage(shop, "--lang", "en", "test", "welcome", "-k", "深夜", code=1)
    rows = [line for line in said.splitlines() if " │ " in line]
    assert len({cell_len(row[: row.index(" │ ")]) for row in rows}) == 1, "the columns are not aligned"
    (row,) = [row for row in rows if "✗ day 2 10:00 send welcome_guide" in row]
    assert "day 3 10:00 send welcome_guide via wechat" in row
    line = (
        (shop / "journeys/welcome.test.yaml")
        .read_text(encoding="utf-8")
        .splitlines()
        .index("      - { at: day 2 10:00, send: welcome_guide, via: wechat }")
    )
    assert f"journeys/welcome.test.yaml:{line + 1}" in said
    assert "another at" in said
    assert "没通过" in engage(shop, "--lang", "zh", "test", "welcome", code=1)


HELD = """
journey: held
start: { event: store_visited }
holdout: 50%
topic: service
steps:
  - update: { add: { tag: 来过 } }
  - notify: 客服一组
    task: 请致电
  - webhook: crm_sync
    on_fail: continue
  - enroll: nps
  - if: { tag: 来过 }
    then: [ { exit: 标签加了 } ]
    else: [ { exit: 标签没加 } ]
"""
HELD_TESTS = """
journey: held
clock: 2026-11-23 10:00
members: { 王芳: { sms: yes, lifecycle: 活跃 } }
tests:
  - name: 对照组什么也不做
    member: 王芳
    start_event: { store: 湖滨店 }
    holdout: yes
    expect:
      - { enter: held }
      - never: { update: { add: { tag: 来过 } } }
      - never: { notify: 客服一组 }
      - never: { webhook: crm_sync }
      - never: { enroll: nps }
      - { exit: 标签没加 }
  - name: 误以为照常做
    member: 王芳
    start_event: { store: 湖滨店 }
    holdout: yes
    expect: [ { notify: 客服一组 } ]
"""


def test_what_is_withheld_from_the_control_group_has_not_happened(shop: Path) -> None:
    (shop / "journeys/held.yaml").write_text(HELD, encoding="utf-8")
    (shop / "journeys/held.test.yaml").write_text(HELD_TESTS, encoding="utf-8")
    said = engage(shop, "--lang", "en", "test", "held", code=1)
    assert "1 failed, 1 passed" in said
    assert "✓ 对照组什么也不做" in said
    assert "notify 客服一组: instead, day 0 10:00 notify 客服一组 (withheld: holdout)" in said
    assert "day 0 10:00 notify 客服一组（对照组：不执行）" in engage(shop, "--lang", "zh", "test", "held", code=1)
    told = json.loads(engage(shop, "test", "held", "--json", code=1))["tests"][1]["timeline"]
    assert {line["verb"] for line in told if line["withheld"]} == {"update", "notify", "webhook"}


def test_as_data_every_expectation_and_the_timeline(shop: Path) -> None:
    edit(shop, "welcome.test.yaml", "send: welcome, via: wechat", "send: welcome, via: sms")
    told = json.loads(engage(shop, "test", "welcome", "--json", "--coverage", code=1))
    assert (told["passed"], told["failed"]) == (4, 1)
    case = told["tests"][0]
    first = case["expected"][0]
    assert (first["met"], case["timeline"][first["nearest"]]["via"]) == (False, "wechat")
    assert told["coverage"] == [{"journey": "welcome", "percent": 100, "ways": 2, "missing": []}]


def test_too_little_coverage_is_a_no(shop: Path) -> None:
    engage(shop, "test", "birthday", "--coverage-min", "100")
    said = engage(shop, "--lang", "en", "test", "birthday", "-k", "等级 2", "--coverage-min", "100", code=1)
    line = (shop / "journeys/birthday.yaml").read_text(encoding="utf-8").splitlines().index("  - send: birthday_coupon")
    assert f"journeys/birthday.yaml:{line + 1}  birthday_coupon  only_if: no" in said


def test_a_test_that_says_what_cannot_happen_fails_and_says_so(shop: Path) -> None:
    edit(
        shop,
        "welcome.test.yaml",
        "{ at: day 4 12:00, event: order_paid, amount: 168 }",
        "{ at: day 4 12:00, answer: 9 }",
    )
    said = engage(shop, "--lang", "en", "test", "welcome", "-k", "首单", code=1)
    assert "day 4 12:00: nothing had been asked by then" in said


def test_mistakes_in_test_files_are_found_by_check_and_stop_a_test(shop: Path) -> None:
    edit(shop, "winback.test.yaml", "send: winback_story, via: wechat", "send: winback_stroy, via: wechat")
    for command in (["check"], ["check", "journeys/winback.test.yaml"], ["test", "welcome"]):
        said = engage(shop, "--lang", "en", *command, code=1)
        assert "error[E510]" in said
        assert "journeys/winback.test.yaml" in said
        assert "winback_story" in said


def test_what_is_not_there_is_told(shop: Path) -> None:
    assert "welcome" in engage(shop, "--lang", "en", "test", "welcom", code=2)
    for path in (shop / "journeys").glob("*.test.yaml"):
        path.unlink()
    assert "journeys/*.test.yaml" in engage(shop, "test", code=4)


def test_a_new_project_comes_with_tests(tmp_path: Path) -> None:
    engage(tmp_path, "init", "shop")
    assert "passed" in engage(tmp_path / "shop", "--lang", "en", "test", "welcome")
