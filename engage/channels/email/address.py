"""Mail addresses: what we can send to, and the envelope senders that name a delivery (VERP). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parseaddr

from engage.channels.callback import own_id, same
from engage.core.signing import Signer

# Without SMTPUTF8 a local part is ASCII; `policy.SMTP` would silently write another one as an encoded word.
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)


def to_wire(address: str) -> str | None:
    """The address with its domain in ASCII (IDNA); None if no mail can be sent to it."""
    local, at, domain = address.rpartition("@")
    if not at or len(local) > 64 or not _LOCAL.fullmatch(local):
        return None
    try:
        labels = domain.encode("idna").decode().split(".")
    except UnicodeError:
        return None
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        return None
    return f"{local}@{'.'.join(labels)}"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A display name and an address: `山野茶事 <hello@example.com>`."""

    name: str
    address: str


def parse_mailbox(text: str) -> Mailbox | None:
    name, address = parseaddr(text)
    wire = to_wire(address)
    return None if wire is None else Mailbox(name, wire)


class Envelopes:
    """Names a delivery in the envelope sender and the Message-ID, and reads it back out of bounces. Signed: anybody can
    write there, and ids are easily guessed.

    A local part has 54 of the 64 characters it may have (RFC 5321 §4.5.3.1.1), and survives whoever spells it in other
    cases.
    """

    def __init__(self, domain: str, signing_key: str) -> None:
        self._domain = domain
        self._signer = Signer(signing_key, "bounce")
        at_domain = re.escape(domain)
        self._named = re.compile(rf"(?<![\w.+-])(?:b\+|d)((\d{{1,19}})-[0-9a-f]+)@{at_domain}(?![\w.-])", re.IGNORECASE)

    def sender(self, delivery_id: int) -> str:
        return f"b+{self._name(delivery_id)}@{self._domain}"

    def message_id(self, delivery_id: int) -> str:
        return f"<d{self._name(delivery_id)}@{self._domain}>"

    def delivery_id(self, text: str) -> int | None:
        """The delivery named anywhere in a header's text; None where the name is not by us."""
        for name, number in self._named.findall(text):
            found = own_id(number)
            if found is not None and same(name.lower(), self._name(found)):
                return found
        return None

    def _name(self, delivery_id: int) -> str:
        return f"{delivery_id}-{self._signer.mac(str(delivery_id).encode()).hex()}"
