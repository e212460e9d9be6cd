"""Telling staff: what each robot is posted, how it is signed, and what its answers mean."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from channel_rigs import EMAIL, NOW
from channel_servers import Answer, Behaviour, HangUp, HttpProvider, MailServer, Stall, closed_port, said
from pydantic import SecretStr

from engage.channels.staff import StaffMail, StaffRobot
from engage.clock import VirtualClock
from engage.config import Email, Webhook
from engage.core.outcome import Accepted, Failure, Rejected, Unknown

TASK = "[紧急] 王芳 NPS 3 分：包装破了"


@contextmanager
def robot(format_: str, answer: Behaviour, secret: str | None = None) -> Iterator[tuple[StaffRobot, HttpProvider]]:
    with HttpProvider(lambda seen: answer) as server:
        url = f"{server.url}/robot/send?key=robot-key-canary"
        made = StaffRobot(Webhook.model_validate({"url": url, "format": format_, "secret": secret}), VirtualClock(NOW))
        yield made, server
        made.close()


@pytest.mark.parametrize(
    ("format_", "body", "ok"),
    [
        ("wecom", {"msgtype": "text", "text": {"content": TASK}}, {"errcode": 0, "errmsg": "ok"}),
        ("dingtalk", {"msgtype": "text", "text": {"content": TASK}}, {"errcode": 0, "errmsg": "ok"}),
        ("feishu", {"msg_type": "text", "content": {"text": TASK}}, {"code": 0, "msg": "success"}),
        ("feishu", {"msg_type": "text", "content": {"text": TASK}}, {"StatusCode": 0, "StatusMessage": "success"}),
        ("json", {"text": TASK}, {"anything": "at all"}),
    ],
)
def test_what_a_robot_is_posted(format_: str, body: dict[str, object], ok: dict[str, object]) -> None:
    with robot(format_, said(ok)) as (made, server):
        assert made.send(TASK, 5.0) == Accepted(None)
        (seen,) = server.seen
        assert seen.json == body
        assert seen.query == {"key": "robot-key-canary"}


def test_dingtalk_is_signed_in_the_query() -> None:
    with robot("dingtalk", said({"errcode": 0}), secret="SECcanary") as (made, server):
        made.send(TASK, 5.0)
        query = server.seen[0].query
    assert query["key"] == "robot-key-canary"
    assert query["timestamp"] == str(int(NOW.timestamp() * 1000))
    digest = hmac.new(b"SECcanary", f"{query['timestamp']}\nSECcanary".encode(), hashlib.sha256).digest()
    assert query["sign"] == base64.b64encode(digest).decode()


def test_feishu_is_signed_in_the_body() -> None:
    with robot("feishu", said({"code": 0}), secret="canary") as (made, server):
        made.send(TASK, 5.0)
        body = server.seen[0].json
    assert body["timestamp"] == str(int(NOW.timestamp()))
    digest = hmac.new(f"{body['timestamp']}\ncanary".encode(), b"", hashlib.sha256).digest()
    assert body["sign"] == base64.b64encode(digest).decode()


def test_a_long_text_is_cut_to_what_wecom_takes() -> None:
    with robot("wecom", said({"errcode": 0})) as (made, server):
        made.send("茶" * 3000, 5.0)
        content = server.seen[0].json["text"]["content"]
    assert len(content.encode()) <= 2048
    assert content == "茶" * (len(content) - 1) + "…"


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (said({"errcode": 93000, "errmsg": "invalid webhook url"}), Failure.CONFIGURATION),
        (said({"errcode": 310000, "errmsg": "sign not match"}), Failure.CONFIGURATION),
        (said({"errcode": 45009, "errmsg": "api freq out of limit"}), Failure.THROTTLED),
        (said({"errcode": 130101, "errmsg": "send too fast"}), Failure.THROTTLED),
        (said({"code": 11232, "msg": "frequency limited"}), Failure.THROTTLED),
        (Answer(404), Failure.PROVIDER_ERROR),
        (Answer(302, b"", {"Location": "http://169.254.169.254/"}), Failure.CONFIGURATION),
    ],
)
def test_a_robot_refuses(answer: Answer, failure: Failure) -> None:
    with robot("wecom", answer) as (made, server):
        outcome = made.send(TASK, 5.0)
        assert isinstance(outcome, Rejected)
        assert outcome.failure is failure
        assert len(server.seen) == 1


@pytest.mark.parametrize("behaviour", [HangUp(), Stall(), Answer(200, b"<html>"), Answer(500)])
def test_a_robot_without_an_answer_is_unknown(behaviour: Behaviour) -> None:
    with robot("wecom", behaviour) as (made, _):
        outcome = made.send(TASK, 0.3)
        assert isinstance(outcome, Unknown)
        assert "canary" not in repr(outcome)


@pytest.mark.parametrize(
    ("url", "failure"),
    [
        ("http://127.0.0.1:{port}/?key=canary", Failure.PROVIDER_ERROR),
        ("https://?key=canary", Failure.CONFIGURATION),
        ("https://qyapi..weixin.example/?key=canary", Failure.CONFIGURATION),
    ],
)
def test_a_robot_that_cannot_be_reached(url: str, failure: Failure) -> None:
    webhook = Webhook.model_construct(url=SecretStr(url.format(port=closed_port())), format="json", secret=None)
    outcome = StaffRobot(webhook, VirtualClock(NOW)).send(TASK, 5.0)
    assert isinstance(outcome, Rejected)
    assert outcome.failure is failure
    assert "canary" not in repr(outcome)


def test_mail_to_a_colleague() -> None:
    with MailServer() as server:
        mail = StaffMail(Email.model_validate(EMAIL | {"port": server.port}), VirtualClock(NOW))
        assert mail.send("duty@example.com", "任务：回电\r\nBcc: x@y.example", TASK, 5.0) == Accepted("4ABC")
        ((mail_from, rcpt_to, text),) = server.mails
    assert (mail_from, rcpt_to) == ("hello@example.com", "duty@example.com")
    assert b"\nBcc:" not in text
    assert base64.b64encode(TASK.encode())[:20] in text


def test_mail_to_nobody_is_refused() -> None:
    mail = StaffMail(Email.model_validate(EMAIL | {"port": closed_port()}), VirtualClock(NOW))
    outcome = mail.send("客服一组", "任务", TASK, 5.0)
    assert isinstance(outcome, Rejected)
    assert outcome.failure is Failure.INVALID_ADDRESS
