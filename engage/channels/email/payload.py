"""The mail as it goes on the wire. Pure: the same message gives the same bytes, with boundary, Message-ID and Date."""

from __future__ import annotations

from decimal import Decimal
from email.utils import format_datetime
from functools import lru_cache

from engage.channels.composing import Uncomposable
from engage.channels.contract import Message, Payload
from engage.channels.email import mime
from engage.channels.email.address import Envelopes, Mailbox, to_wire
from engage.core.catalog import TopicClass

# 互联网电子邮件服务管理办法, article 13: the front of the subject of advertising mail says so.
ADVERTISEMENT = "「广告」"

_NO_ADDRESS = "the address is not one that mail can be sent to"


def compose(message: Message, sender: Mailbox, envelopes: Envelopes, price: Decimal) -> Payload:
    """Envelope and MIME text. Raises `Uncomposable` for a missing subject and for what would forge a header."""
    recipient = to_wire(message.address)
    if recipient is None:
        raise Uncomposable(_NO_ADDRESS)
    subject, plain = _subject(message), message.rendered.plain or ""
    head = mime.headers(
        {
            "From": mime.mailbox(sender),
            "To": recipient,
            "Subject": mime.unstructured("Subject", subject),
            "Date": _date(message.at.replace(microsecond=0)),
            "Message-ID": envelopes.message_id(message.delivery_id),
            "List-Unsubscribe": f"<{message.unsubscribe_url}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "MIME-Version": "1.0",
        }
    )
    parts = [mime.part("plain", plain), mime.part("html", message.rendered.body)]
    data = {
        "mail_from": envelopes.sender(message.delivery_id),
        "rcpt_to": recipient,
        "mime": head + mime.alternatives(f"=_engage_{message.delivery_id}", parts),
    }
    return Payload(data, _text(subject, plain), cost=price)


_date = lru_cache(16)(format_datetime)  # mails leave by the hundred in a second


def quote(message: Message, price: Decimal) -> Payload:
    """Without the MIME text."""
    if to_wire(message.address) is None:
        raise Uncomposable(_NO_ADDRESS)
    subject = _subject(message)
    mime.refuse_breaks("Subject", subject)
    return Payload({}, _text(subject, message.rendered.plain or ""), cost=price)


def _text(subject: str, plain: str) -> str:
    return f"{subject}\n\n{plain}"


def _subject(message: Message) -> str:
    subject = (message.rendered.subject or "").strip()
    if not subject:
        raise Uncomposable("an email needs a subject")
    return ADVERTISEMENT + subject if message.topic_class is TopicClass.MARKETING else subject
