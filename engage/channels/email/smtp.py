"""Handing over to a mail server, over connections that are kept.

SMTP says exactly when responsibility changes hands: until the final dot has been written nothing is delivered (RFC 5321
§4.1.1.4), so whatever breaks before it was surely not sent; what breaks after it is `Unknown`. A mail server does not
deduplicate: nothing is ever repeated here, except the greeting of a kept connection that turned out to be dead.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import threading
from dataclasses import dataclass
from decimal import Decimal

from engage.channels.email.errors import Stage, rejected
from engage.channels.http_answer import Deadline, not_sent
from engage.config import Email
from engage.core.outcome import Accepted, Failure, Rejected, SendOutcome, Unknown

_QUEUED_AS = re.compile(r"queued as (\S{1,100})", re.IGNORECASE)
_LINE_START_DOT = re.compile(rb"^\.", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Envelope:
    mail_from: str
    rcpt_to: str
    mime: str  # ASCII, CRLF line ends
    cost: Decimal = Decimal(0)


class _DeadConnection(Exception):
    """A kept connection was closed by the other side before it took anything."""


class Mailer:
    def __init__(self, config: Email) -> None:
        self._config = config
        self._idle: list[smtplib.SMTP] = []
        self._lock = threading.Lock()

    def send(self, envelope: Envelope, timeout: float) -> SendOutcome:
        deadline = Deadline(timeout)
        if kept := self._take():
            try:
                return self._deliver(kept, envelope, deadline, kept=True)
            except _DeadConnection:
                _drop(kept)
        opened = self._connect(deadline)
        return opened if isinstance(opened, Rejected) else self._deliver(opened, envelope, deadline, kept=False)

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            _drop(connection)

    def _take(self) -> smtplib.SMTP | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _keep(self, connection: smtplib.SMTP) -> None:
        with self._lock:
            self._idle.append(connection)

    def _connect(self, deadline: Deadline) -> smtplib.SMTP | Rejected:
        try:
            return self._log_in(_without_delay(self._open(max(deadline.left(), 0.001))))
        except smtplib.SMTPAuthenticationError as error:
            return Rejected(Failure.CONFIGURATION, str(error.smtp_code), "the mail server refuses the login")
        except smtplib.SMTPNotSupportedError as error:
            return Rejected(Failure.CONFIGURATION, "not offered", str(error)[:200])
        except ssl.SSLCertVerificationError:
            return Rejected(Failure.CONFIGURATION, "certificate", "the mail server's certificate is not trusted")
        except smtplib.SMTPResponseException as error:
            return rejected(Stage.CONNECTION, error.smtp_code, _text(error.smtp_error))
        except (smtplib.SMTPException, OSError) as error:
            return not_sent(f"no connection ({type(error).__name__})")

    def _open(self, timeout: float) -> smtplib.SMTP:
        config, own_name = self._config, self._config.bounce_domain  # given, for smtplib would look it up in the DNS
        if config.security == "tls":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(config.host, config.port, own_name, timeout=timeout, context=context)
        connection = smtplib.SMTP(config.host, config.port, own_name, timeout)
        if config.security == "starttls":
            connection.starttls(context=ssl.create_default_context())
        return connection

    def _log_in(self, connection: smtplib.SMTP) -> smtplib.SMTP:
        if self._config.username is not None:
            password = self._config.password
            connection.login(self._config.username, password.get_secret_value() if password else "")
        else:
            connection.ehlo_or_helo_if_needed()
        return connection

    def _deliver(self, connection: smtplib.SMTP, envelope: Envelope, deadline: Deadline, *, kept: bool) -> SendOutcome:
        conversation = _Conversation(connection, envelope, deadline)
        try:
            refused = conversation.introduce(kept) or conversation.write()
        except (smtplib.SMTPException, OSError) as error:
            _drop(connection)
            return not_sent(f"the connection broke before the message was complete ({type(error).__name__})")
        if refused:
            self._keep_if_reset(connection)
            return refused
        try:
            outcome = conversation.finish()
        except (smtplib.SMTPException, OSError) as error:
            _drop(connection)
            return Unknown(f"no answer after the message was complete ({type(error).__name__})")
        self._keep(connection)
        return outcome

    def _keep_if_reset(self, connection: smtplib.SMTP) -> None:
        try:
            connection.rset()
        except (smtplib.SMTPException, OSError):
            _drop(connection)
        else:
            self._keep(connection)


class _Conversation:
    """One mail transaction. Each step waits no longer than what is left of the time allowed."""

    def __init__(self, connection: smtplib.SMTP, envelope: Envelope, deadline: Deadline) -> None:
        self._smtp = connection
        self._envelope = envelope
        self._deadline = deadline

    def introduce(self, kept: bool) -> Rejected | None:
        """MAIL FROM and RCPT TO. Raises `_DeadConnection` if a kept connection is gone or taking its leave (421)."""
        try:
            code, text = self._command(f"MAIL FROM:<{self._envelope.mail_from}>")
        except (smtplib.SMTPException, OSError):
            if kept:
                raise _DeadConnection from None
            raise
        if code == 421 and kept:
            raise _DeadConnection
        if code != 250:
            return self._refusal(Stage.SENDER, code, text)
        code, text = self._command(f"RCPT TO:<{self._envelope.rcpt_to}>")
        return None if code in {250, 251} else self._refusal(Stage.RECIPIENT, code, text)

    def write(self) -> Rejected | None:
        """DATA and the text, all but the final dot."""
        code, text = self._command("DATA")
        if code != 354:
            return self._refusal(Stage.CONTENT, code, text)
        body = self._envelope.mime.encode("ascii")
        self._smtp.send(_LINE_START_DOT.sub(b"..", body if body.endswith(b"\r\n") else body + b"\r\n"))
        return None

    def finish(self) -> SendOutcome:
        code, text = self._command(".")
        if 200 <= code < 300:
            queued = _QUEUED_AS.search(text)
            return Accepted(queued[1] if queued else None, cost=self._envelope.cost)
        return self._refusal(Stage.CONTENT, code, text) if 400 <= code < 600 else Unknown("an answer without a code")

    def _command(self, line: str) -> tuple[int, str]:
        if self._smtp.sock is not None:
            self._smtp.sock.settimeout(max(self._deadline.left(), 0.001))
        code, text = self._smtp.docmd(line)
        return code, _text(text)

    def _refusal(self, stage: Stage, code: int, text: str) -> Rejected:
        """The server's words, without the member's address: they end up in logs and traces."""
        return rejected(stage, code, text.replace(self._envelope.rcpt_to, "…"))


def _without_delay(connection: smtplib.SMTP) -> smtplib.SMTP:
    """The final dot is a write of its own; with Nagle's algorithm it would wait 40 ms for the other side's ACK."""
    if connection.sock is not None:
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _text(reply: bytes | str) -> str:
    return " ".join((reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply).split())


def _drop(connection: smtplib.SMTP) -> None:
    """Close without QUIT: the other side may be gone, and nobody waits for it."""
    connection.close()
