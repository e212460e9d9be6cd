"""Bounces and complaints, as a mail server pipes them to us: one RFC 822 message a post. Pure.

Delivery reports (RFC 3464) become receipts, complaints (ARF, RFC 5965) a refusal. The delivery is found again by the
address the report was sent to, which is the envelope sender of the mail, or by the Message-ID it returns. Both are
signed, since anybody can write to us: only who has had the mail can report on it. What names no delivery so, and every
other mail, gives no facts.

A bounce tells of the address it is about, and counts only where that is the delivery's: the mail may have been
forwarded to one that is no more. A complaint counts whatever address it names. Who passes complaints on makes addresses
unreadable (RFC 6590); and who has the mail can opt out by its link as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime

from engage.channels.callback import digest, refusal
from engage.channels.contract import CallbackRequest, RawRecord, Received, Refused
from engage.channels.email.address import Envelopes
from engage.channels.email.errors import report_failure
from engage.channels.email.parsing import parse_headers, parse_mail
from engage.config import Email
from engage.core.fact import Arrival, Fact, OptedOut, Receipt, moment_told

BODY_LIMIT = 1024 * 1024  # a report may return the whole mail

_ADDRESSED_BY = (
    "To",
    "Delivered-To",
    "X-Original-To",
    "Envelope-To",
    "Original-Mail-From",
    "Return-Path",
    "Message-ID",
)
_ARRIVAL = {"failed": Arrival.BOUNCED, "delayed": Arrival.DEFERRED, "delivered": Arrival.DELIVERED}


class MailCallbacks:
    name = "email"

    def __init__(self, config: Email, envelopes: Envelopes) -> None:
        self._secret = config.callback_secret.get_secret_value()
        self._envelopes = envelopes

    def open(self, request: CallbackRequest, now: datetime) -> Received | Refused:
        if refused := refusal(request, self._secret, BODY_LIMIT):
            return refused
        if not request.body.strip():
            return Refused(400, "an empty body")
        # Latin-1 keeps every byte of a mail as one character. No mail may contain NUL, and no database text can.
        text = request.body.replace(b"\0", b"").decode("latin-1")
        return Received((RawRecord(f"mail:{digest(request.body)}", text),))

    def facts(self, body: str) -> tuple[Fact, ...]:
        mail = parse_mail(body.encode("latin-1"))
        if mail.get_content_type() != "multipart/report":
            return ()
        delivery_id = self._delivery_id(mail)
        if delivery_id is None:
            return ()
        match str(mail.get_param("report-type", "")).lower():
            case "delivery-status":
                return tuple(_receipts(mail, delivery_id))
            case "feedback-report":
                return tuple(_complaints(mail, delivery_id))
            case _:
                return ()

    def _delivery_id(self, mail: Message) -> int | None:
        texts = (str(part[name]) for part in _with_returned_headers(mail) for name in _ADDRESSED_BY if part[name])
        return next((found for text in texts if (found := self._envelopes.delivery_id(text)) is not None), None)


def _with_returned_headers(mail: Message) -> Iterator[Message]:
    """Every part, and the headers of our mail where the report returns only those, as text."""
    for part in mail.walk():
        yield part
        if part.get_content_type() == "text/rfc822-headers":
            yield parse_headers(bytes(part.get_payload(decode=True) or b""))


def _receipts(mail: Message, delivery_id: int) -> Iterator[Receipt]:
    for block in _blocks(mail, "message/delivery-status"):
        arrival = _ARRIVAL.get(_field(block, "Action").lower())
        if arrival is None:  # `relayed`, `expanded`, and the block about the whole message
            continue
        status = _field(block, "Status").split(" ")[0]
        yield Receipt(
            channel="email",
            arrival=arrival,
            at=_moment(mail, block),
            delivery_id=delivery_id,
            address=_recipient(block, "Original-Recipient") or _recipient(block, "Final-Recipient"),
            failure=report_failure(status) if arrival is Arrival.BOUNCED else None,
            code=status[:100],
        )


def _complaints(mail: Message, delivery_id: int) -> Iterator[OptedOut]:
    for block in _blocks(mail, "message/feedback-report"):
        kind = _field(block, "Feedback-Type").lower()
        if kind and kind != "not-spam":
            address = _recipient(block, "Original-Rcpt-To")
            yield OptedOut("email", _moment(mail, block), "complaint", delivery_id, address)


def _blocks(mail: Message, content_type: str) -> Iterator[Message]:
    """The groups of fields in a machine-readable part; the standard library parses them as messages."""
    for part in mail.walk():
        payload = part.get_payload()
        if part.get_content_type() == content_type and isinstance(payload, list):
            yield from (block for block in payload if isinstance(block, Message))


def _field(block: Message, name: str) -> str:
    return str(block.get(name, "")).strip()


def _recipient(block: Message, name: str) -> str | None:
    """`rfc822; zhang@example.com` → the address."""
    address = _field(block, name).rpartition(";")[2].strip().strip("<>").lower()
    return address if "@" in address else None


def _moment(mail: Message, block: Message) -> datetime:
    """When it was said; without a zone, it is UTC's."""
    text = _field(mail, "Date") or _field(block, "Arrival-Date") or _field(block, "Last-Attempt-Date")

    def read() -> datetime:
        moment = parsedate_to_datetime(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    return moment_told(read)
