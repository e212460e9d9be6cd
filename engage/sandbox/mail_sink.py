"""The mail server at the far end: takes mail for every mailbox, refuses some dead ones, bounces the mail of others."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from engage.sandbox.chronicle import Chronicle
from engage.sandbox.faults import Fault
from engage.sandbox.mail_reading import read_letter
from engage.sandbox.model import Handover

_HOST = "127.0.0.1"
_NAME = "mx.sandbox.invalid"


class MailSink:
    """Serves from its own thread between start() and stop()."""

    def __init__(self, chronicle: Chronicle, port: int = 0) -> None:
        self._controller = _LoopbackController(_Mailboxes(chronicle), port, server_hostname=_NAME)

    @property
    def host(self) -> str:
        return _HOST

    @property
    def port(self) -> int:
        return int(self._controller.port)

    def start(self) -> None:
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop()


class _LoopbackController(Controller):
    """Listens on a free port for port 0; the library's own cannot."""

    def __init__(self, handler: object, port: int, server_hostname: str) -> None:
        self._socket = socket.create_server((_HOST, port))
        super().__init__(handler, _HOST, self._socket.getsockname()[1], server_hostname=server_hostname)

    def _create_server(self) -> Any:
        return self.loop.create_server(self._factory_invoker, sock=self._socket)


class _Mailboxes:
    """aiosmtpd's handler."""

    def __init__(self, chronicle: Chronicle) -> None:
        self._chronicle = chronicle

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._is_dead(address) and self._known_at_the_door(address):
            return "550 5.1.1 User unknown"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        fault = self._chronicle.next_fault("email", envelope.rcpt_tos[0].lower())
        match fault:
            case Fault.THROTTLED:
                return "450 4.7.1 Too many messages, please try again later"
            case Fault.SYSTEM_ERROR:
                return "451 4.3.0 Temporary system problem"
            case Fault.HUNG_UP_BEFORE:
                return await _hang_up(server)
        ids = [self._take(envelope, address.lower()) for address in envelope.rcpt_tos]
        if fault is Fault.HUNG_UP_AFTER:
            return await _hang_up(server)
        return f"250 2.0.0 Ok: queued as {self._chronicle.chance.token(10, 'queue', *ids).upper()}"

    def _take(self, envelope: Envelope, address: str) -> str:
        mime = envelope.content if isinstance(envelope.content, bytes) else (envelope.content or "").encode()
        letter = read_letter(mime)
        payload = {"mail_from": envelope.mail_from or "", "rcpt_to": address, "mime": mime.decode("utf-8", "replace")}
        with self._chronicle.lock:
            handover = Handover(
                id=self._chronicle.next_id("email", address),
                channel="email",
                at=self._chronicle.clock.now(),
                address=address,
                payload=payload,
                text=letter.text,
                subject=letter.subject,
                links=letter.links,
                unsubscribe_url=letter.unsubscribe_url,
                html=letter.html,
                reached=not self._is_dead(address),
            )
            self._chronicle.take(handover)
        return handover.id

    def _is_dead(self, address: str) -> bool:
        owner = self._chronicle.phones.owner("email", address)
        return owner is not None and owner.mailbox_dead

    def _known_at_the_door(self, address: str) -> bool:
        """Of the dead mailboxes, half are refused at once; mail for the others is taken, and comes back later."""
        return self._chronicle.chance.fraction("dead mailbox", address.lower()) < 0.5


async def _hang_up(server: SMTP) -> str:
    """Close the connection under the client's waiting eyes. Losing it cancels this handler, so nothing is answered."""
    if server.transport is not None:
        server.transport.close()
    await asyncio.get_running_loop().create_future()
    return ""
