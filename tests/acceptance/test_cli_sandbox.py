"""`engage init`, `engage sandbox`, `engage run`: a new project works on one machine without any account, and a test
message goes only where it may."""

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.ports import free_ports

_PORTS = {"8080": "web", "8091": "wechat", "8092": "sms", "8093": "smtp"}


@contextmanager
def _engage(folder: Path, *args: str):
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    command = [sys.executable, "-m", "engage", *args]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, cwd=folder, env=environment, **pipes)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def _ended(folder: Path, *args: str) -> tuple[int, str]:
    with _engage(folder, *args) as process:
        out, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    return process.returncode, out + err


class Shop:
    """A project of its own ports, with the sandbox and the daemon running."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        assert _ended(folder.parent, "init", folder.name)[0] == 0
        self.ports = dict(zip([*_PORTS.values(), "phone"], free_ports(5), strict=True))
        self.change(*((usual, str(self.ports[name])) for usual, name in _PORTS.items()))
        self.change(("port: 8081", "port: 0"))
        self.change(("test_recipients: []", "test_recipients: [me@example.com, 138 0013 8000]"))
        assert _ended(folder, "apply")[0] == 0

    def change(self, *replaced: tuple[str, str]) -> None:
        config = self.folder / "config.yaml"
        text = config.read_text(encoding="utf-8")
        for before, after in replaced:
            text = text.replace(before, after)
        config.write_text(text, encoding="utf-8")

    def truth(self, channel: str) -> list[dict]:
        path = self.folder / "sandbox" / "truth" / f"{channel}.jsonl"
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return [line for line in lines if line["kind"] == "handover"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    shop = Shop(tmp_path_factory.mktemp("sandbox") / "shop")
    (shop.folder / "members.csv").write_text("member,name,phone\nM1,王芳,13800138000\n", encoding="utf-8")
    with _engage(shop.folder, "sandbox", "--phone-port", str(shop.ports["phone"])) as sandbox:
        assert f":{shop.ports['phone']}" in sandbox.stdout.readline()
        yield shop


def test_somebody_follows_on_the_phone_and_is_welcomed_there(shop):
    url = f"http://127.0.0.1:{shop.ports['phone']}"
    with _engage(shop.folder, "run") as daemon, httpx.Client(base_url=url, headers={"origin": url}) as page:
        assert "the webhook coupon_issue is not set up" in daemon.stdout.readline()
        assert "Engage runs 7 journeys" in daemon.stdout.readline()
        key = page.post("/api/phones", json={"name": "小明"}).json()["key"]
        assert page.post(f"/api/phones/{key}/acts", json={"act": "follow"}).json() == {"done": True}
        while not page.get(f"/api/phones/{key}").json()["received"]["wechat"]:
            assert daemon.poll() is None
    (welcome,) = shop.truth("wechat")
    assert welcome["text"].startswith("茶友，您好")
    assert daemon.returncode == 0


def test_a_test_message_goes_to_an_allowed_address_marked_and_unrecorded(shop):
    assert _ended(shop.folder, "import", "members", "members.csv")[0] == 0
    said = _ended(shop.folder, "send-test", "welcome", "M1", "--channel", "email", "--to", "me@example.com")
    assert said[0] == 0, said[1]
    (letter,) = shop.truth("email")
    assert letter["address"] == "me@example.com"
    assert letter["subject"].startswith("【测试】")
    said = _ended(shop.folder, "send-test", "welcome", "M1", "--channel", "sms", "--to", "+8613800138000")
    assert said[0] == 0, said[1]
    (sms,) = shop.truth("sms")
    assert "王芳您好" in sms["text"]
    assert "【测试】" not in sms["text"]  # an approved text cannot be marked
    _, exported = _ended(shop.folder, "export", "deliveries")
    assert not re.search(r'"member": "M1"', exported)


@pytest.mark.parametrize(
    ("to", "channel", "code", "words"),
    [
        ("you@example.com", "email", 4, "not in `test_recipients`"),
        ("13900139000", "sms", 4, "not in `test_recipients`"),
        ("me@example.com", "fax", 1, "no applied template"),
    ],
)
def test_no_test_message_goes_anywhere_else(shop, to, channel, code, words):
    before = [shop.truth(name) for name in ("wechat", "sms", "email")]
    ended, said = _ended(shop.folder, "send-test", "welcome", "M1", "--channel", channel, "--to", to)
    assert (ended, words in said) == (code, True), said
    assert [shop.truth(name) for name in ("wechat", "sms", "email")] == before


def test_the_sandbox_stands_in_for_this_machine_only(tmp_path):
    folder = tmp_path / "real"
    assert _ended(tmp_path, "init", "real")[0] == 0
    config = folder / "config.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("http://127.0.0.1:8092", "https://dysmsapi.aliyuncs.com"), encoding="utf-8")
    code, said = _ended(folder, "sandbox")
    assert code == 3
    assert "channels.sms.base_url is https://dysmsapi.aliyuncs.com" in said


def test_a_taken_port_is_named_with_the_key_to_change(shop):
    for number, key in (("sms", "channels.sms.base_url"), ("smtp", "channels.email.port"), ("phone", "--phone-port")):
        others = dict(zip(shop.ports, free_ports(len(shop.ports)), strict=True)) | {number: shop.ports[number]}
        folder = shop.folder.with_name(f"taken_{number}")
        assert _ended(folder.parent, "init", folder.name)[0] == 0
        config = folder / "config.yaml"
        text = config.read_text(encoding="utf-8")
        for usual, name in _PORTS.items():
            text = text.replace(usual, str(others[name]))
        config.write_text(text, encoding="utf-8")
        code, said = _ended(folder, "sandbox", "--phone-port", str(others["phone"]))
        assert code == 4
        assert f"127.0.0.1:{shop.ports[number]}" in said
        assert f"set {key} to a free port" in said


def test_an_sms_text_written_while_the_sandbox_runs_can_be_sent(shop):
    template = shop.folder / "templates" / "welcome.sms.j2"
    text = template.read_text(encoding="utf-8")
    code = re.search(r"sms_template: *(\S+)", text)[1]
    template.write_text(text.replace(code, "SMS_999999999").replace("您好", "早上好"), encoding="utf-8")
    try:
        assert _ended(shop.folder, "apply")[0] == 0
        said = _ended(shop.folder, "send-test", "welcome", "M1", "--channel", "sms", "--to", "+8613800138000")
    finally:
        template.write_text(text, encoding="utf-8")
        assert _ended(shop.folder, "apply")[0] == 0
    assert said[0] == 0, said[1]
    assert "王芳早上好" in shop.truth("sms")[-1]["text"]
