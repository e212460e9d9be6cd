"""Handing over to a mail server, over connections that are kept.

SMTP says exactly when responsibility changes hands: until the final dot has been written nothing is delivered (RFC 5321
§4.1.1.4), so whatever breaks before it was surely not sent; what breaks after it is `Unknown`. A mail server does not
deduplicate: nothing is ever repeated here, except the greeting of a kept connection that turned out to be dead. Where
the server takes several commands at once (PIPELINING, RFC 2920), envelope and DATA are one round trip.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from decimal import Decimal

from engage.channels.email.errors import Stage, rejected
from engage.channels.email.session import Session, open_session
from engage.channels.email.wire import Broken, Reply
from engage.channels.http_answer import Deadline, not_sent
from engage.config import Email
from engage.core.outcome import Accepted, Rejected, SendOutcome, Unknown

_QUEUED_AS = re.compile(r"queued as (\S{1,100})", re.IGNORECASE)
_BREAKS = (Broken, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Envelope:
    mail_from: str
    rcpt_to: str
    mime: str  # ASCII, CRLF line ends
    cost: Decimal = Decimal(0)


class _DeadConnection(Exception):
    """A kept connection was closed by the other side before it took anything."""


class Mailer:
    """Belongs to the event loop that makes its first call."""

    def __init__(self, config: Email) -> None:
        self._config = config
        self._idle: list[Session] = []

    async def send(self, envelope: Envelope, timeout: float) -> SendOutcome:
        deadline = Deadline(timeout)
        while kept := self._take():
            try:
                return await self._deliver(kept, envelope, deadline, kept=True)
            except _DeadConnection:
                continue
        opened = await open_session(self._config, deadline.left())
        return opened if isinstance(opened, Rejected) else await self._deliver(opened, envelope, deadline, kept=False)

    async def send_alone(self, envelope: Envelope, timeout: float) -> SendOutcome:
        """Over a connection that is not kept."""
        try:
            return await self.send(envelope, timeout)
        finally:
            await self.close()

    async def close(self) -> None:
        idle, self._idle = self._idle, []
        for session in idle:
            session.wire.close()

    def _take(self) -> Session | None:
        """One that is not known to be gone."""
        while self._idle:
            session = self._idle.pop()
            if not session.wire.lost:
                return session
        return None

    async def _deliver(self, session: Session, envelope: Envelope, deadline: Deadline, *, kept: bool) -> SendOutcome:
        conversation = _Conversation(session, envelope)
        try:
            async with asyncio.timeout(deadline.left()):
                outcome = await conversation.run()
        except _BREAKS as error:
            session.wire.close()
            if conversation.complete:
                return Unknown(f"no answer after the message was complete ({type(error).__name__})")
            if kept and not conversation.heard and not isinstance(error, TimeoutError):
                raise _DeadConnection from None
            return not_sent(f"the connection broke before the message was complete ({type(error).__name__})")
        if kept and conversation.dismissed:
            session.wire.close()
            raise _DeadConnection
        if conversation.complete or await _reset(session, conversation, deadline):
            self._idle.append(session)
        else:
            session.wire.close()
        return outcome


async def _reset(session: Session, conversation: _Conversation, deadline: Deadline) -> bool:
    """Whether the connection is as new after a refusal. One that awaits the text (the server said yes to DATA, and no
    to who is to get it) can only be dropped."""
    if conversation.awaits_text:
        return False
    try:
        async with asyncio.timeout(deadline.left()):
            return (await session.wire.ask("RSET")).code == 250
    except _BREAKS:
        return False


class _Conversation:
    """One mail transaction."""

    def __init__(self, session: Session, envelope: Envelope) -> None:
        self._session = session
        self._envelope = envelope
        self._commands = (
            (Stage.SENDER, f"MAIL FROM:<{envelope.mail_from}>", (250,)),
            (Stage.RECIPIENT, f"RCPT TO:<{envelope.rcpt_to}>", (250, 251)),
            (Stage.CONTENT, "DATA", (354,)),
        )
        self.heard = False  # the server has said anything
        self.dismissed = False  # it takes its leave (421) before it took anything
        self.awaits_text = False
        self.complete = False  # the final dot is out

    async def run(self) -> SendOutcome:
        refused = await self._introduce()
        if refused is not None:
            return refused
        wire = self._session.wire
        wire.write(_stuffed(self._envelope.mime))
        self.complete = True
        wire.write(b".\r\n")
        return self._verdict(await wire.reply())

    async def _introduce(self) -> Rejected | None:
        """Sender, recipient and DATA: all in one breath, or one by one."""
        wire, refused = self._session.wire, None
        if self._session.pipelining:
            wire.write("".join(f"{line}\r\n" for _, line, _ in self._commands).encode())
        for stage, line, welcome in self._commands:
            if not self._session.pipelining:
                wire.write(f"{line}\r\n".encode())
            reply = await wire.reply()
            self.dismissed = self.dismissed or (reply.code == 421 and not self.heard)
            self.heard = True
            self.awaits_text = reply.code == 354
            if reply.code not in welcome and refused is None:
                refused = self._refusal(stage, reply)
            if refused is not None and (not self._session.pipelining or self.dismissed):
                break
        return refused

    def _verdict(self, reply: Reply) -> SendOutcome:
        if 200 <= reply.code < 300:
            queued = _QUEUED_AS.search(reply.text)
            return Accepted(queued[1] if queued else None, cost=self._envelope.cost)
        if 400 <= reply.code < 600:
            return self._refusal(Stage.CONTENT, reply)
        return Unknown("an answer without a code")

    def _refusal(self, stage: Stage, reply: Reply) -> Rejected:
        """The server's words, without the member's address: they end up in logs and traces."""
        return rejected(stage, reply.code, reply.text.replace(self._envelope.rcpt_to, "…"))


def _stuffed(mime: str) -> bytes:
    """A line that begins with a dot gets another one (RFC 5321 §4.5.2)."""
    whole = mime if mime.endswith("\r\n") else f"{mime}\r\n"
    return f"\r\n{whole}".replace("\r\n.", "\r\n..")[2:].encode("ascii")
