"""What `deploy/` names exists: metrics, commands, files, packages. It is read by machines nobody here has."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.core import TyperGroup

from engage.cli.app import build as build_cli
from engage.clock import SystemClock
from engage.ops.gauges import Gauges
from engage.ops.measures import Measures
from engage.store.databases import migrating
from engage.store.databases.database import Database

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus" / "engage-rules.yml"
DASHBOARD = DEPLOY / "grafana" / "engage.json"
UNITS = sorted((DEPLOY / "systemd").iterdir())


# --- metrics ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Every series that `/metrics` can have."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('deploy') / 'engage.db'}")
    migrating.upgrade(database)
    measures = Measures()
    measures.watch_web(os.getpid())
    measures.registry.register(Gauges(database, SystemClock(), dict))
    families = list(measures.registry.collect())
    database.close()
    endings = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}
    return {family.name + ending for family in families for ending in endings[family.type]}


def expressions() -> Iterator[str]:
    for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"]:
        yield from (rule["expr"] for rule in group["rules"])
    for panel in json.loads(DASHBOARD.read_text("utf-8"))["panels"]:
        yield from (target["expr"] for target in panel["targets"])


def test_every_metric_that_rules_and_dashboard_name_exists(metrics: set[str]) -> None:
    named = {
        name for expression in expressions() for name in re.findall(r"\b(?:engage|(?:web_)?process)_\w+", expression)
    }
    assert len(named) > 15
    assert named - metrics == set()


def test_every_metric_of_ours_is_looked_at_and_told(metrics: set[str]) -> None:
    """One that no rule and no panel uses is one that nobody would miss; one that is not told nobody can use."""
    ours = {name for name in metrics if name.startswith("engage_")}
    looked_at = " ".join(expressions())
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in ours}
    assert {name for name in families if name not in looked_at} == set()
    page = (ROOT / "docs/operations.md").read_text("utf-8")
    assert {name for name in families if f"`{name}" not in page} == set()


def test_what_the_database_says_is_never_added_up(metrics: set[str]) -> None:
    """Every daemon tells the same: a sum would be so many times too much, and jump with each daemon that starts."""
    counted = {name for name in metrics if name.endswith(("_total", "_bucket", "_count", "_sum"))}
    told = "|".join(name for name in metrics - counted if name.startswith("engage_"))
    for expression in expressions():
        inside = re.findall(rf"(\w+)(?: by \([^()]*\))? ?\((?:{told})\b", expression)
        assert set(inside) <= {"max", "min", "max_over_time", "absent"}, expression


@pytest.mark.skipif(shutil.which("promtool") is None, reason="there is no Prometheus here")
def test_alarms_go_off_when_they_should_and_stay_silent_else(tmp_path: Path) -> None:
    cases = tmp_path / "cases.yml"
    cases.write_text((ROOT / "tests/fixtures/engage-rules-test.yml").read_text("utf-8").replace("RULES", str(RULES)))
    tried = subprocess.run(["promtool", "test", "rules", str(cases)], capture_output=True, text=True, check=False)
    assert tried.returncode == 0, tried.stdout + tried.stderr


def test_every_rule_says_what_is_wrong_and_the_page_what_to_do() -> None:
    page = (ROOT / "docs/operations.md").read_text("utf-8")
    for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"]:
        for rule in group["rules"]:
            assert rule["annotations"].keys() == {"summary", "description"}
            assert rule["labels"]["severity"] in ("page", "ticket")
            assert f"`{rule['alert']}`" in page, rule["alert"]


def test_panels_do_not_overlap() -> None:
    panels = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(panels) == len({panel["id"] for panel in panels})


# --- commands ---------------------------------------------------------------------------------------------------


def options_of(words: list[str]) -> set[str]:
    """What the command takes; KeyError if there is none."""
    command: Any = build_cli()
    while isinstance(command, TyperGroup) and words:
        command = command.commands[words.pop(0)]
        command = command.real() if hasattr(command, "real") else command
    return {option for parameter in command.params for option in parameter.opts}


def commands_of_units() -> Iterator[Any]:
    for unit in UNITS:
        for line in re.findall(r"^Exec\w+=.*bin/python -m engage (.*)$", unit.read_text("utf-8"), re.MULTILINE):
            yield pytest.param(line.split(), id=unit.name)


def commands_of_compose() -> Iterator[Any]:
    for name, service in compose()["services"].items():
        if "build" in service:
            yield pytest.param(service["command"], id=name)


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "docker/compose.yaml").read_text("utf-8"))
    return loaded


def commands_of_dockerfile() -> Iterator[Any]:
    text = (DEPLOY / "docker/Dockerfile").read_text("utf-8")
    assert re.findall(r"^ENTRYPOINT (.*)$", text, re.MULTILINE) == ['["python", "-m", "engage"]']
    (default,) = re.findall(r"^CMD (.*)$", text, re.MULTILINE)
    yield pytest.param(json.loads(default), id="Dockerfile")


@pytest.mark.parametrize("words", [*commands_of_units(), *commands_of_compose(), *commands_of_dockerfile()])
def test_every_command_is_one(words: list[str]) -> None:
    given = [word for word in words if word.startswith("--")]
    assert set(given) <= options_of([word for word in words if not word.startswith("-")])


# --- files ------------------------------------------------------------------------------------------------------


def test_the_image_has_what_it_copies_and_the_context_lets_it_through() -> None:
    text = (DEPLOY / "docker/Dockerfile").read_text("utf-8")
    copied = [path for line in re.findall(r"^COPY (?!--)(.*)$", text, re.MULTILINE) for path in line.split()[:-1]]
    assert [path for path in copied if not (ROOT / path).exists()] == []
    let_through = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert [path for path in copied if f"!{path}" not in let_through] == []
    assert re.search(r"^USER \d+:\d+$", text, re.MULTILINE)


def test_the_image_gets_what_runs_and_nothing_of_what_only_tests_need() -> None:
    """`python deploy/docker/runtime_lock.py` writes it anew."""
    written = runpy.run_path(str(DEPLOY / "docker/runtime_lock.py"))["runtime_lock"]()
    assert (DEPLOY / "docker/requirements.lock").read_text("utf-8") == written
    assert "prometheus-client==" in written
    assert "psycopg==" in written
    assert "pytest" not in written


def test_services_wait_for_one_another_and_get_secrets_that_are_defined() -> None:
    whole = compose()
    for service in whole["services"].values():
        assert set(service.get("depends_on", {})) <= set(whole["services"])
        assert set(service.get("secrets", [])) <= set(whole["secrets"])


def test_a_command_by_hand_is_run_as_the_service_is() -> None:
    """Another user, folder or environment would make files the daemon cannot read, or miss its secrets."""
    unit = dict(re.findall(r"^(\w+)=(.*)$", (DEPLOY / "systemd/engage.service").read_text("utf-8"), re.MULTILINE))
    by_hand = DEPLOY / "engage"
    given = dict(re.findall(r"--(?:property=)?([\w-]+)=(\S+)", by_hand.read_text("utf-8")))
    assert (given["uid"], given["gid"], given["working-directory"]) == (
        unit["User"],
        unit["Group"],
        unit["WorkingDirectory"],
    )
    assert (given["EnvironmentFile"], given["UMask"]) == (unit["EnvironmentFile"], unit["UMask"])
    assert "$" not in given["description"]  # nor the command line, which would be systemd's choice
    assert f'{unit["ExecStart"].removesuffix(" run")} "$@"' in by_hand.read_text("utf-8")
    assert by_hand.stat().st_mode & 0o111
    assert "install -m 755 deploy/engage /usr/local/bin/engage" in (ROOT / "docs/operations.md").read_text("utf-8")


def test_who_reads_the_secrets_of_compose_is_told_by_number() -> None:
    """They keep the host's permissions, and the host knows the image's user by its number only."""
    (user,) = re.findall(r"^USER (\d+):", (DEPLOY / "docker/Dockerfile").read_text("utf-8"), re.MULTILINE)
    for page in (DEPLOY / "docker/compose.yaml", ROOT / "docs/operations.md"):
        assert f"chown {user} secrets/database_url" in page.read_text("utf-8")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    for unit in UNITS:
        text = unit.read_text("utf-8").replace("/opt/engage/.venv/bin/python", sys.executable)
        (tmp_path / unit.name).write_text(text.replace("=engage\n", "=root\n"), encoding="utf-8")
    found = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
    )
    about_us = [line for line in found.stderr.splitlines() if "engage" in line]
    assert about_us == []
