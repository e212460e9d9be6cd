"""The mail as it goes on the wire. Pure: the same message gives the same bytes, with boundary, Message-ID and Date."""

from __future__ import annotations

import unicodedata
from decimal import Decimal
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime

from engage.channels.composing import Uncomposable
from engage.channels.contract import Message, Payload
from engage.channels.email.address import Envelopes, Mailbox, to_wire
from engage.core.catalog import TopicClass

# 互联网电子邮件服务管理办法, article 13: the front of the subject of advertising mail says so.
ADVERTISEMENT = "「广告」"

# Controls (CR, LF, NUL, NEL) and Unicode's own line and paragraph separators.
_BREAKS = frozenset({"Cc", "Zl", "Zp"})


class _WirePolicy(EmailPolicy):
    """`policy.SMTP`, except that headers of one long ASCII word stay as they are.

    The library would fold them as encoded words, and no mail client finds its unsubscribe link in one.
    """

    WHOLE = frozenset({"list-unsubscribe", "message-id", "to"})

    def fold(self, name: str, value: str) -> str:
        return f"{name}: {value}{self.linesep}" if name.lower() in self.WHOLE else super().fold(name, value)


_NO_ADDRESS = "the address is not one that mail can be sent to"
WIRE = _WirePolicy(linesep="\r\n", cte_type="7bit")


def compose(message: Message, sender: Mailbox, envelopes: Envelopes, price: Decimal) -> Payload:
    """Envelope and MIME text. Raises `Uncomposable` for a missing subject and for what would forge a header."""
    recipient = to_wire(message.address)
    if recipient is None:
        raise Uncomposable(_NO_ADDRESS)
    subject, plain = _subject(message), message.rendered.plain or ""
    mail = EmailMessage(policy=WIRE)
    _set_headers(
        mail,
        {
            "To": recipient,
            "Subject": subject,
            "Date": format_datetime(message.at),
            "Message-ID": envelopes.message_id(message.delivery_id),
            "List-Unsubscribe": f"<{message.unsubscribe_url}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
    )
    mail["From"] = Address(sender.name, addr_spec=sender.address)
    mail.set_content(plain, cte="base64")
    mail.add_alternative(message.rendered.body, subtype="html", cte="base64")
    mail.set_boundary(f"=_engage_{message.delivery_id}")
    data = {
        "mail_from": envelopes.sender(message.delivery_id),
        "rcpt_to": recipient,
        "mime": mail.as_string(),
    }
    return Payload(data, _text(subject, plain), cost=price)


def quote(message: Message, price: Decimal) -> Payload:
    """Without the MIME text, which takes a millisecond."""
    if to_wire(message.address) is None:
        raise Uncomposable(_NO_ADDRESS)
    subject = _subject(message)
    _refuse_breaks("Subject", subject)
    return Payload({}, _text(subject, message.rendered.plain or ""), cost=price)


def _text(subject: str, plain: str) -> str:
    return f"{subject}\n\n{plain}"


def _subject(message: Message) -> str:
    subject = (message.rendered.subject or "").strip()
    if not subject:
        raise Uncomposable("an email needs a subject")
    return ADVERTISEMENT + subject if message.topic_class is TopicClass.MARKETING else subject


def _set_headers(mail: EmailMessage, headers: dict[str, str]) -> None:
    for name, value in headers.items():
        if name.lower() in _WirePolicy.WHOLE and not value.isascii():
            raise Uncomposable(f"the {name} header may contain ASCII only")
        _refuse_breaks(name, value)
        mail[name] = value


def _refuse_breaks(name: str, value: str) -> None:
    """They would forge a header."""
    if any(unicodedata.category(character) in _BREAKS for character in value):
        raise Uncomposable(f"the {name} header may not contain a line break or a control character")
