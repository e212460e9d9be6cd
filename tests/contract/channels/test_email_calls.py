"""SMTP: when responsibility changes hands, kept connections, TLS, login, and a mail as another library reads it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as MessageHandler
from aiosmtpd.smtp import AuthResult, LoginPassword
from channel_rigs import EMAIL, NAMED, NOW, OneChannel, Rig, a_message, one_channel
from channel_servers import HangUp, MailServer, Stall, closed_port, self_signed

from engage.clock import VirtualClock
from engage.core.outcome import Accepted, Failure, Rejected, Unknown
from engage.core.words import Rendered


def email_channel(**changes: object) -> OneChannel:
    return one_channel("email", EMAIL | changes, VirtualClock(NOW))


@pytest.mark.parametrize("point", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("trouble", [HangUp(), Stall()])
def test_what_breaks_before_the_text_was_surely_not_sent(email_rig: Rig, point: str, trouble: HangUp | Stall) -> None:
    email_rig.behave((point, trouble))
    outcome = email_rig.channel.send(email_rig.payload(), 0.3)
    assert isinstance(outcome, Rejected)
    assert outcome.failure is Failure.PROVIDER_ERROR
    assert email_rig.server.mails == []


@pytest.mark.parametrize("trouble", [HangUp(), Stall()])
def test_what_breaks_after_the_final_dot_is_unknown(email_rig: Rig, trouble: HangUp | Stall) -> None:
    email_rig.behave(("TEXT", trouble))
    assert isinstance(email_rig.channel.send(email_rig.payload(), 0.3), Unknown)


def test_a_kept_connection_that_died_is_replaced_without_a_second_mail(email_rig: Rig) -> None:
    server = email_rig.server
    assert isinstance(server, MailServer)
    server.hang_up_when_idle = True
    for _ in range(3):
        assert isinstance(email_rig.channel.send(email_rig.payload(), 5.0), Accepted)
    assert len(server.mails) == 3
    assert server.connections == 3


def test_a_refused_recipient_does_not_cost_the_connection(email_rig: Rig) -> None:
    server = email_rig.server
    assert isinstance(server, MailServer)
    email_rig.behave(("RCPT", "550 5.1.1 unknown"))
    assert isinstance(email_rig.channel.send(email_rig.payload(), 5.0), Rejected)
    server.replies = {}
    assert isinstance(email_rig.channel.send(email_rig.payload(), 5.0), Accepted)
    assert server.connections == 1


def test_where_the_server_awaits_a_text_that_nobody_is_to_get_the_connection_is_dropped() -> None:
    """It said yes to DATA in one breath with its no to the recipient: even an empty text would be a mail."""
    with MailServer(pipelining=True) as server:
        channel = email_channel(port=server.port)
        server.replies = {"RCPT": "550 5.1.1 unknown", "DATA": "354 go on"}
        assert isinstance(channel.send(channel.compose(a_message("email", "email")), 5.0), Rejected)
        server.replies = {}
        assert isinstance(channel.send(channel.compose(a_message("email", "email")), 5.0), Accepted)
        channel.close()
    assert len(server.mails) == 1
    assert server.connections == 2


def test_in_one_breath_the_commands_are_the_same() -> None:
    said = []
    for pipelining in (False, True):
        with MailServer(pipelining=pipelining) as server:
            channel = email_channel(port=server.port)
            for _ in range(2):
                assert isinstance(channel.send(channel.compose(a_message("email", "email")), 5.0), Accepted)
            channel.close()
        said.append((server.verbs, server.mails))
    assert said[0] == said[1]


@pytest.mark.parametrize("words", ["hello", "25", "250-never\r\n250-ends" + "\r\n250-x" * 20_000])
def test_what_is_no_smtp_is_no_answer(email_rig: Rig, words: str) -> None:
    email_rig.behave(("TEXT", words))
    assert isinstance(email_rig.channel.send(email_rig.payload(), 0.5), Unknown)


def test_a_refusal_does_not_repeat_the_address(email_rig: Rig) -> None:
    email_rig.behave(("RCPT", "550 5.1.1 <zhang@example.net>: no such user"))
    outcome = email_rig.channel.send(email_rig.payload(), 5.0)
    assert isinstance(outcome, Rejected)
    assert "zhang" not in outcome.detail
    assert "no such user" in outcome.detail
    assert outcome.code == "550 5.1.1"


class Keeping(MessageHandler):
    def __init__(self) -> None:
        super().__init__()
        self.raw: list[bytes] = []

    def prepare_message(self, session: object, envelope: object) -> object:
        self.raw.append(envelope.original_content)  # type: ignore[attr-defined]
        self.envelope = (envelope.mail_from, envelope.rcpt_tos)  # type: ignore[attr-defined]
        return super().prepare_message(session, envelope)

    def handle_message(self, message: object) -> None:
        """Kept already."""


@contextmanager
def mail_sink(**settings: object) -> Iterator[tuple[Keeping, int]]:
    """aiosmtpd: another reading of the protocol than ours."""
    handler, port = Keeping(), closed_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port, **settings)
    controller.start()
    yield handler, port
    controller.stop()


def test_a_mail_as_its_reader_gets_it() -> None:
    rendered = Rendered(
        "<p>王芳，<b>您好</b></p>\n.\n<p>.点开头</p>", "第一次见面，请喝茶", plain="王芳，您好\n.\n..\n结束"
    )
    with mail_sink() as (handler, port):
        channel = email_channel(port=port)
        payload = channel.compose(a_message("email", "email", rendered=rendered))
        assert isinstance(channel.send(payload, 5.0), Accepted)
        channel.close()
    mail = message_from_bytes(handler.raw[0], policy=policy.default)
    assert handler.envelope == (NAMED.sender(123456789012345), ["zhang@example.net"])
    assert mail["Subject"] == "第一次见面，请喝茶"
    assert str(mail["From"]) == "山野茶事 <hello@example.com>"
    assert mail["To"] == "zhang@example.net"
    assert mail.get_body(("plain",)).get_content().splitlines() == ["王芳，您好", ".", "..", "结束"]
    assert "<b>您好</b>" in mail.get_body(("html",)).get_content()
    assert handler.raw[0].decode("ascii") == payload.data["mime"]


def knows_the_password(
    _server: object, _session: object, _envelope: object, _mechanism: str, data: object
) -> AuthResult:
    known = isinstance(data, LoginPassword) and data.password == b"mail-password-canary"
    return AuthResult(success=known, handled=known)


OVER_TLS = pytest.mark.parametrize(("security", "setting"), [("starttls", "tls_context"), ("tls", "ssl_context")])


@OVER_TLS
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_over_tls_a_server_that_is_vouched_for_gets_password_and_mail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, security: str, setting: str
) -> None:
    # aiosmtpd takes TLS that was there from the first byte for none.
    asks = {"auth_required": True, "auth_require_tls": security == "starttls", "authenticator": knows_the_password}
    with mail_sink(**{setting: self_signed(tmp_path)}, **asks) as (handler, port):
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        channel = email_channel(port=port, security=security, username="hello", password="mail-password-canary")
        for _ in range(2):  # the second one over the connection that was kept
            assert isinstance(channel.send(channel.compose(a_message("email", "email")), 5.0), Accepted)
        channel.close()
    assert len(handler.raw) == 2


@OVER_TLS
def test_a_certificate_of_somebody_else_stops_the_channel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, security: str, setting: str
) -> None:
    """It is vouched for, but is not that of the host in the config."""
    with mail_sink(**{setting: self_signed(tmp_path)}) as (handler, port):
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        channel = email_channel(host="localhost", port=port, security=security, username="hello", password="canary")
        outcome = channel.send(channel.compose(a_message("email", "email")), 5.0)
    assert isinstance(outcome, Rejected)
    assert outcome.failure is Failure.CONFIGURATION
    assert handler.raw == []


@OVER_TLS
def test_a_certificate_nobody_vouches_for_stops_the_channel(tmp_path: Path, security: str, setting: str) -> None:
    with mail_sink(**{setting: self_signed(tmp_path)}) as (_, port):
        channel = email_channel(port=port, security=security, username="hello", password="mail-password-canary")
        outcome = channel.send(channel.compose(a_message("email", "email")), 5.0)
    assert isinstance(outcome, Rejected)
    assert outcome.failure is Failure.CONFIGURATION
    assert "canary" not in repr(outcome)


def test_without_starttls_no_password_and_no_mail_leaves(email_rig: Rig) -> None:
    server = email_rig.server
    assert isinstance(server, MailServer)
    channel = email_channel(port=server.port, security="starttls", username="hello", password="mail-password-canary")
    outcome = channel.send(channel.compose(a_message("email", "email")), 5.0)
    assert isinstance(outcome, Rejected)
    assert outcome.failure is Failure.CONFIGURATION
    assert "AUTH" not in server.verbs
    assert server.mails == []


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize(("password", "accepted"), [("mail-password-canary", True), ("wrong-canary", False)])
def test_login(password: str, accepted: bool) -> None:
    with mail_sink(authenticator=knows_the_password, auth_require_tls=False, auth_required=True) as (_, port):
        channel = email_channel(port=port, username="hello", password=password)
        outcome = channel.send(channel.compose(a_message("email", "email")), 5.0)
        channel.close()
    if accepted:
        assert isinstance(outcome, Accepted)
    else:
        assert isinstance(outcome, Rejected)
        assert outcome.failure is Failure.CONFIGURATION
        assert "canary" not in repr(outcome)
