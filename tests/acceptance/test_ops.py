"""Engage as those who run it see it: a real daemon beside real simulators, its pages, its log, its signals, `doctor`;
and nothing personal in any of them."""

from __future__ import annotations

import json
import re
import signal
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import psutil
import pytest
import yaml

from engage.exchange.exporting import Exported
from tests.acceptance.site import PATIENCE, Daemon, Site, new_site
from tests.ports import free_ports

PHONE, NAME, MAILBOX = "13912345678", "金丝雀小姐", "canary.bird@example.org"
OPENID = "oCANARY_1234567890abcdefghij"
_MEMBERS = f"会员号,姓名,手机,邮箱\nM1,{NAME},{PHONE},{MAILBOX}\n"
# Words that a person typed, in an event: they are nobody's business either.
WORDS = "我住在桃花岛七号"
_CARE = """\
journey: 新单关怀
start: { event: order_paid }
per: event.order_id
reentry: always
topic: service
steps:
  - send: welcome
    channels: [sms]
"""


def secrets_of(config: Any) -> set[str]:
    """Every value of a key that is named as a secret is."""
    if isinstance(config, dict):
        own = {str(v) for k, v in config.items() if re.search("secret|token|key$|password", k) and isinstance(v, str)}
        return own.union(*(secrets_of(value) for value in config.values())) | set(config.get("api_keys", {}).values())
    return set()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = new_site(tmp_path_factory.mktemp("ops"))
    (site.folder / "journeys" / "care.yaml").write_text(_CARE, encoding="utf-8")
    (site.folder / "members.csv").write_text(_MEMBERS, encoding="utf-8")
    site.engage("apply", "--yes")
    site.engage("import", "members", "members.csv")
    return site


def _order(site: Site, number: int) -> None:
    """Of this minute, with words of the member's own in it."""
    now = datetime.now(UTC).isoformat()
    rows = f"id,member,event,at,order_id,amount\nA{number},M1,order_paid,{now},{WORDS},168\n"
    (site.folder / "orders.csv").write_text(rows, encoding="utf-8")
    site.engage("import", "events", "orders.csv")


def _examine(site: Site) -> None:
    """While all simulators are there: with the right secrets, and with wrong ones."""
    config = site.config
    for channel, key in (("wechat", "app_secret"), ("sms", "access_key_secret")):
        config["channels"][channel][key] = "not-the-secret-at-all"
    (site.folder / "wrong.yaml").write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    for name in ("config", "wrong"):
        (site.folder / f"{name}.json").write_text(site.engage("--config", f"{name}.yaml", "doctor", "--json", code=1))


@pytest.fixture(scope="module")
def daemon(site: Site) -> Iterator[Daemon]:
    """It has sent a message, and failed to send another: the simulators were gone by then. Strangers have knocked."""
    sandbox = site.start("sandbox", "--phone-port", str(*free_ports(1)), log="sandbox")
    process = site.start("run", log="daemon")
    daemon = Daemon(site, process)
    try:
        daemon.until("daemon_started")
        _examine(site)
        _order(site, 1)
        daemon.until_measured('engage_sends_total{channel="sms",outcome="accepted"}', 1)
        sandbox.kill()
        sandbox.wait()
        _order(site, 2)
        daemon.until_measured('engage_sends_total{channel="sms",outcome="rejected"}', 1)
        for secret in ("wrong", "also-wrong"):
            httpx.post(f"{daemon.web}/callbacks/aliyun_sms/{secret}", json=[{"phone_number": PHONE}])
        httpx.get(f"{daemon.web}/callbacks/wechat", params={"signature": "x", "openid": OPENID})
        yield daemon
    finally:
        for each in (sandbox, process):
            each.kill()
            each.wait()


def test_it_is_alive_and_ready(daemon: Daemon) -> None:
    assert (daemon.get("/healthz").status_code, daemon.get("/healthz").text) == (200, "ok\n")
    assert (daemon.get("/readyz").status_code, daemon.get("/readyz").text) == (200, "ok\n")


def test_what_happened_is_in_the_metrics(daemon: Daemon) -> None:
    assert daemon.measure('engage_sends_total{channel="sms",outcome="accepted"}') == 1
    assert (daemon.measure('engage_provider_errors_total{channel="sms",failure="provider_error"}') or 0) >= 1
    assert daemon.measure('engage_callbacks_refused_total{source="aliyun_sms",status="404"}') == 2
    assert daemon.measure('engage_callback_seconds_count{source="wechat"}') == 1
    assert (daemon.measure('engage_batch_seconds_count{loop="dispatch"}') or 0) > 1
    assert daemon.measure("engage_database_up") == 1
    assert daemon.measure("engage_daemons") == 1
    assert min(daemon.measure(f"{which}process_resident_memory_bytes") or 0 for which in ("", "web_")) > 0
    assert (daemon.measure('engage_oldest_due_seconds{queue="runs"}') or 0) < PATIENCE


def test_the_loops_give_way_to_what_answers_providers(daemon: Daemon) -> None:
    loops = psutil.Process(daemon.process.pid)
    (web,) = loops.children()
    assert loops.nice() > web.nice() == psutil.Process().nice()


def test_doctor_tells_what_is_wrong_and_the_exit_code_says_that_something_is(daemon: Daemon) -> None:
    told = json.loads(daemon.site.engage("doctor", "--json", code=1))
    kinds = {finding["kind"]: finding["facts"] for finding in told["findings"]}
    assert told["well"] is False
    assert kinds["daemons_alive"]["daemons"] == [f"{socket.gethostname()}:{daemon.process.pid}"]
    refusing = [f["facts"]["channel"] for f in told["findings"] if f["kind"] == "channel_refuses"]
    assert refusing == ["wechat", "sms", "email"]  # the simulators are gone
    assert kinds["webhook_missing"]["webhook"] == "coupon_issue"
    assert "nothing_stalled" in kinds


def examined(daemon: Daemon, name: str, kind: str) -> dict[str, dict[str, Any]]:
    """What was found of each channel while the simulators were there."""
    told = json.loads((daemon.site.folder / f"{name}.json").read_text())
    return {found["facts"]["channel"]: found["facts"] for found in told["findings"] if found["kind"] == kind}


def test_doctor_tries_the_providers_without_sending_anything(daemon: Daemon) -> None:
    assert set(examined(daemon, "config", "channel_answers")) == {"wechat", "sms", "email"}
    refused = examined(daemon, "wrong", "channel_refuses")
    assert {channel: facts["code"] for channel, facts in refused.items()} == {
        "wechat": "40125",
        "sms": "SignatureDoesNotMatch",
    }
    truth = (daemon.site.folder / "sandbox" / "truth" / "sms.jsonl").read_text(encoding="utf-8")
    assert truth.count('"handover"') == 1  # the order's


def test_nothing_personal_and_no_secret_is_told(daemon: Daemon) -> None:
    site = daemon.site
    seen = {
        "log": site.log("daemon"),
        "metrics": daemon.get("/metrics").text,
        "readiness": daemon.get("/readyz").text,
        "doctor": site.engage("doctor", code=1) + site.engage("doctor", "--json", code=1),
        "status": site.engage("status") + site.engage("status", "--json"),
    }
    secret = secrets_of(site.config)
    assert len(secret) >= 7
    for canary in {PHONE, NAME, MAILBOX, OPENID, WORDS, *secret}:
        assert [where for where, text in seen.items() if canary in text] == [], canary


# What of a person an export may have in it; whatever is not named has nothing that says who they are.
_BELONGS = {
    PHONE: {"members", "deliveries"},
    NAME: {"members", "deliveries"},
    MAILBOX: {"members"},
    WORDS: {"events", "enrolments"},  # what happened, and what a run began with
}


def test_exports_hold_what_belongs_there_and_no_secret(daemon: Daemon) -> None:
    site = daemon.site
    told = {what.value: site.engage("export", what.value) for what in Exported}
    assert PHONE in told["members"]
    assert WORDS in told["events"]
    assert '"status": "sent"' in told["deliveries"]
    for canary, belongs in _BELONGS.items():
        assert {what for what, text in told.items() if canary in text} <= belongs, canary
    for secret in secrets_of(site.config):
        assert [what for what, text in told.items() if secret in text] == []


def test_a_changed_config_is_taken_up_and_one_that_cannot_be_used_changes_nothing(daemon: Daemon) -> None:
    site = daemon.site
    key = site.config["web"]["api_keys"]["shop"]

    def knock(with_key: str) -> int:
        answer = httpx.post(f"{daemon.web}/api/events", json=[], headers={"authorization": f"Bearer {with_key}"})
        return answer.status_code

    assert knock(key) != 401
    daemon.process.send_signal(signal.SIGHUP)
    daemon.until("config_unchanged")
    new = "a-new-key-that-nobody-has-seen-yet-0123456789"
    site.change((f"shop: {key}", f"shop: {new}"), ("price: 0.045", "price: 0.05"), ("host: 127.0.0.1", "host: 0.0.0.0"))
    daemon.process.send_signal(signal.SIGHUP)
    taken_up = daemon.until("config_taken_up")
    assert "channels.sms.price" in taken_up["keys"]
    assert "web.api_keys.shop" in taken_up["keys"]
    assert daemon.until("config_needs_a_restart")["keys"] == ["ops.host", "web.host"]
    assert (knock(key), knock(new) != 401) == (401, True)
    site.change(("price: 0.05", "price: cheap"))
    daemon.process.send_signal(signal.SIGHUP)
    refused = daemon.until("config_refused")
    assert "channels.sms.price" in refused["why"]
    assert (knock(key), knock(new) != 401) == (401, True)
    site.change(("price: cheap", "price: 0.05"), ("host: 0.0.0.0", "host: 127.0.0.1"))
    before = daemon.measure('engage_batch_seconds_count{loop="dispatch"}') or 0
    daemon.until_measured('engage_batch_seconds_count{loop="dispatch"}', before + 2)  # its bells ring on
    assert new not in site.log("daemon")
    assert site.engage("--config", "config.yaml", "status")


def test_it_ends_in_good_order_and_says_goodbye(daemon: Daemon) -> None:
    assert daemon.stop() == 0
    assert daemon.site.lines("daemon", "daemon_stopped")
    told = json.loads(daemon.site.engage("doctor", "--offline", "--json", code=1))
    kinds = {finding["kind"] for finding in told["findings"]}
    assert "daemon_none" in kinds
    assert "daemon_lost" not in kinds
