"""Trying a channel without sending anything: what stands in the way, and what the provider's clock says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from channel_rigs import EMAIL, NOW, SMS, WECHAT, config_of, wechat_error
from channel_servers import Answer, HttpProvider, closed_port, said, self_signed

from engage.channels.probe import Probed
from engage.channels.registry import build_probes
from engage.clock import VirtualClock
from engage.core.outcome import Failure

PATIENCE = 5.0
TOKEN = said({"access_token": "T1", "expires_in": 7200})
NOT_ALLOWED = said({"Code": "isv.SMS_SIGNATURE_ILLEGAL", "Message": "of no account"})
WRONG_KEY = said({"Code": "InvalidAccessKeyId.NotFound", "Message": "no such key"})


def tried(name: str, section: Mapping[str, Any]) -> Probed:
    return build_probes(config_of(**{name: dict(section)}), VirtualClock(NOW))[name](PATIENCE)


def failure(probed: Probed) -> Failure | None:
    return probed.refused.failure if probed.refused is not None else None


@pytest.mark.parametrize(
    ("name", "section", "answer", "expected"),
    [
        ("wechat", WECHAT, TOKEN, None),
        ("wechat", WECHAT, wechat_error(40164), Failure.CONFIGURATION),
        ("wechat", WECHAT, Answer(200, b"<html>"), Failure.PROVIDER_ERROR),
        ("sms", SMS, NOT_ALLOWED, None),
        ("sms", SMS, WRONG_KEY, Failure.CONFIGURATION),
        ("sms", SMS, Answer(502), Failure.PROVIDER_ERROR),
    ],
)
def test_an_api_says_whether_it_knows_us_and_what_time_it_is(
    name: str, section: Mapping[str, Any], answer: Answer, expected: Failure | None
) -> None:
    with HttpProvider(lambda seen: answer) as server:
        probed = tried(name, {**section, "base_url": server.url})
        assert len(server.seen) == 1
    assert failure(probed) is expected
    assert probed.at is not None
    assert abs(datetime.now(UTC) - probed.at) < timedelta(minutes=1)


@pytest.mark.parametrize(("name", "section"), [("wechat", WECHAT), ("sms", SMS)])
def test_nobody_there_is_no_secret(name: str, section: Mapping[str, Any]) -> None:
    probed = tried(name, {**section, "base_url": f"http://127.0.0.1:{closed_port()}"})
    assert (failure(probed), probed.at) == (Failure.PROVIDER_ERROR, None)
    assert "canary" not in repr(probed)


@contextmanager
def mail_server(**settings: object) -> Iterator[int]:
    port = closed_port()
    controller = Controller(None, hostname="127.0.0.1", port=port, **settings)
    controller.start()
    yield port
    controller.stop()


def test_a_mail_server_is_greeted_and_left() -> None:
    with mail_server() as port:
        assert tried("email", EMAIL | {"port": port}) == Probed(None)
        assert failure(tried("email", EMAIL | {"port": port, "security": "starttls"})) is Failure.CONFIGURATION
    assert failure(tried("email", EMAIL | {"port": closed_port()})) is Failure.PROVIDER_ERROR


def test_a_mail_server_nobody_vouches_for_is_a_matter_of_the_configuration(tmp_path: Path) -> None:
    """The next try would come to the same, as it does for messages."""
    with mail_server(tls_context=self_signed(tmp_path)) as port:
        probed = tried("email", EMAIL | {"port": port, "security": "starttls"})
    assert failure(probed) is Failure.CONFIGURATION
    assert "certificate" in repr(probed)
