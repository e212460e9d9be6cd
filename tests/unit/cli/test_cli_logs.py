"""What is written for everybody to read: lines of the log, and errors of commands. Whatever a library or a database
puts into its words, nobody's address and no secret comes through."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
import structlog

from engage.bootstrap import secrets_in
from engage.cli.app import main
from engage.cli.ending import Ending
from engage.cli.logs import log_fully
from engage.config import load_config
from engage.core.redaction import HIDDEN, anonymous

SECRET = "canary-secret-5f2c"
PERSONAL = [
    "+8613912345678",
    "13912345678",
    "139 1234 5678",
    "canary.bird@example.org",
    "oCANARY_1234567890abcdefghij",
    "postgresql://engage:hunter2-canary@db/engage",
    "https://api.weixin.qq.com/cgi-bin/message?access_token=CANARYTOKEN",
    f"the answer quoted {SECRET} of ours",
    'violates unique constraint "uq"\nDETAIL:  Key (source, key)=(wechat, 金丝雀小姐) already exists.',
    'invalid\nDETAIL:  Failing row contains (1, 王\n金丝雀小姐\n\n苏州).\nCONTEXT:  COPY member: "王\n金丝雀小姐"',
]
CANARIES = ("13912345678", "139 1234 5678", "canary.bird", "oCANARY", "hunter2", "CANARYTOKEN", SECRET, "金丝雀小姐")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    level = logging.getLogger("apscheduler").level
    yield
    logging.getLogger("apscheduler").setLevel(level)


@pytest.mark.parametrize("text", PERSONAL)
def test_no_line_of_the_log_tells_it_however_it_came_there(text: str, capfd: pytest.CaptureFixture[str]) -> None:
    log_fully("debug", [SECRET])
    log = structlog.get_logger("engage.test")
    log.warning("told", why=text, many=[text], deep={"a": {"b": text}})
    log.error(text)
    try:
        raise ValueError(text)
    except ValueError:
        log.exception("failed")
        logging.getLogger("uvicorn.error").exception("failed: %s", text)
    lines = capfd.readouterr().err
    assert [canary for canary in CANARIES if canary in lines] == []
    assert lines.count("ValueError") >= 2  # what went wrong is told
    assert all(json.loads(line) for line in lines.splitlines())


def test_after_the_values_a_database_told_it_goes_on() -> None:
    told = "x violates y\nDETAIL:  Key (name)=(金丝雀\n小姐) exists.\nHINT:  Try another.\n[SQL: INSERT]"
    assert anonymous(told) == f"x violates y\nDETAIL: {HIDDEN}\nHINT:  Try another.\n[SQL: INSERT]"
    chained = "error\nDETAIL:  (金丝雀\n小姐)\n\nThe above exception was the direct cause\n\nTraceback"
    assert anonymous(chained).endswith(f"DETAIL: {HIDDEN}\n\nThe above exception was the direct cause\n\nTraceback")


@pytest.mark.parametrize(
    "text",
    [
        "delivery 13912345678901 of 2026-11-23T04:00:00+00:00",  # an id is no phone number
        "loop_failed dispatch batch 500",
        "journeys/welcome.yaml:12",
        "postgresql://db/engage",
        "http://127.0.0.1:8081",
    ],
)
def test_what_is_nobodys_stays_readable(text: str) -> None:
    assert anonymous(text) == text


def test_ids_and_moments_in_a_line_stay_what_they_are(capfd: pytest.CaptureFixture[str]) -> None:
    log_fully()
    structlog.get_logger().warning("sends_not_recorded", delivery_id=[13912345678, 2], seconds=1.5)
    line = json.loads(capfd.readouterr().err)
    assert (line["delivery_id"], line["seconds"]) == ([13912345678, 2], 1.5)
    assert line["timestamp"].endswith("Z")


def test_lines_that_nobody_takes_are_lost_and_nothing_else() -> None:
    """A pipe whose reader is gone, as after `| tee` that was killed. In a process of its own."""
    tells = """
import logging, structlog
from engage.cli.logs import log_fully
log_fully()
for _ in range(3):
    structlog.get_logger().warning("sends_not_recorded")
    logging.getLogger("uvicorn").warning("a library's")
print("goes on")
"""
    reader, writer = os.pipe()
    os.close(reader)
    told = subprocess.run([sys.executable, "-c", tells], stdout=subprocess.PIPE, stderr=writer, text=True)
    os.close(writer)
    assert told.stdout == "goes on\n"


def test_short_secrets_do_not_tear_words_apart() -> None:
    assert anonymous("a token of the sms", ["sms"]) == "a token of the sms"
    assert anonymous("x-secret1-x", ["secret1"]) == f"x-{HIDDEN}-x"


# --- errors of commands -----------------------------------------------------------------------------------------

_CONFIG = """\
database: {{ url: "{url}" }}
web: {{ signing_key: "{secret}{secret}" }}
channels:
  sms:
    access_key_id: LTAI
    access_key_secret: "{secret}"
    sign_name: 山野茶事
    callback_secret: "{secret}"
"""
_COMMANDS = (
    ["run"], ["status"], ["doctor", "--offline"], ["apply", "--yes"], ["plan"], ["db", "upgrade"], ["pause"],
    ["report"], ["explain", "M1"], ["trace", "1"], ["export", "members"], ["tasks"], ["resume"],
)  # fmt: skip
_BROKEN = {
    "nobody-listens": f"postgresql://engage:{SECRET}@127.0.0.1:1/engage",
    "no-such-host": f"postgresql://engage:{SECRET}@nowhere.invalid/engage",
    "no-such-driver": f"mysql://engage:{SECRET}@127.0.0.1/engage",
    "no-url-at-all": f"postgresql//engage:{SECRET}@127.0.0.1",
    "strange-port": f"postgresql://engage:{SECRET}@127.0.0.1:port/engage",
    "password-in-the-query": f"postgresql://engage@127.0.0.1:1/engage?password={SECRET}",
    "no-such-driver-password-in-the-query": f"mysql://engage@127.0.0.1/engage?sslpassword={SECRET}",
}


@pytest.mark.parametrize("url", _BROKEN.values(), ids=_BROKEN)
def test_a_broken_database_url_is_told_without_its_password(
    url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.yaml").write_text(_CONFIG.format(url=url, secret=SECRET), encoding="utf-8")
    (tmp_path / "journeys").mkdir()
    monkeypatch.chdir(tmp_path)
    for command in _COMMANDS:
        with pytest.raises(SystemExit) as ended:
            main(["--lang", "en", *command])
        said = "".join(capfd.readouterr())
        assert ended.value.code not in (0, None), command
        assert SECRET not in said, command
        assert "Traceback" not in said, (command, said)


@pytest.mark.parametrize("option", ["foo=bar", "connect_timeout=abc", "keepalives_idle=1&keepalives_idle=2"])
def test_an_option_nobody_could_connect_with_is_a_mistake_in_the_config(
    option: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"postgresql://engage:{SECRET}@127.0.0.1:1/engage?{option}"
    (tmp_path / "config.yaml").write_text(_CONFIG.format(url=url, secret=SECRET), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for lang, word in (("en", "database.url: "), ("zh", "database.url：")):
        with pytest.raises(SystemExit) as ended:
            main(["--lang", lang, "status"])
        said = capfd.readouterr().err
        assert ended.value.code == Ending.CONFIG
        assert word in said
        assert option.partition("=")[0] in said
        assert SECRET not in said


def test_passwords_in_the_query_of_a_database_url_are_secrets_too(tmp_path: Path) -> None:
    url = f"postgresql://engage:mine1234@db/engage?host=/run/a@b&password={SECRET}&sslpassword=its-key"
    (tmp_path / "config.yaml").write_text(_CONFIG.format(url=url, secret="k" * 40), encoding="utf-8")
    assert secrets_in(load_config(tmp_path / "config.yaml")) >= {"mine1234", SECRET, "its-key"}


@pytest.mark.parametrize("written", ["ca?nary-1", "ca/nary:1?x=y", "ca%3Fn%40ry-1"])
def test_a_password_is_read_as_the_connection_reads_it_and_is_secret_as_it_is_written_too(
    written: str, tmp_path: Path
) -> None:
    url = f"postgresql://engage:{written}@db/engage?scram_client_key=its%26key"
    (tmp_path / "config.yaml").write_text(_CONFIG.format(url=url, secret=SECRET), encoding="utf-8")
    found = secrets_in(load_config(tmp_path / "config.yaml"))
    assert found == {written, unquote(written), "its&key", SECRET, SECRET * 2}


def test_a_database_url_may_be_kept_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://engage:{SECRET}@db/engage")
    monkeypatch.setenv("ENGAGE_KEY", "k" * 40)
    text = "database: { url: env:DATABASE_URL }\nweb: { signing_key: env:ENGAGE_KEY }\n"
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    config = load_config(tmp_path / "config.yaml")
    assert config.database.url == f"postgresql://engage:{SECRET}@db/engage"
    assert secrets_in(config) == {SECRET, "k" * 40}
    assert SECRET not in repr(config)
    assert "k" * 40 not in repr(config)
