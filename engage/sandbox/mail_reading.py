"""What a mail program shows of a message as it came over SMTP. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage

from engage.sandbox.links import links_in, links_in_html
from engage.sandbox.model import Link

_HTTP_IN_BRACKETS = re.compile(r"<(https?://[^>]+)>")


@dataclass(frozen=True, slots=True)
class Letter:
    subject: str
    text: str
    html: str | None
    links: tuple[Link, ...]
    unsubscribe_url: str | None  # offered for one click (RFC 8058)


def read_letter(mime: bytes) -> Letter:
    message = message_from_bytes(mime, _class=EmailMessage, policy=policy.default)
    html = _part(message, "html")
    text = _part(message, "plain") or ""
    return Letter(
        subject=str(message.get("Subject", "")),
        text=text,
        html=html,
        links=links_in_html(html) if html else links_in(text),
        unsubscribe_url=_one_click(message),
    )


def _part(message: EmailMessage, kind: str) -> str | None:
    part = message.get_body(preferencelist=(kind,))
    return None if part is None else str(part.get_content())


def _one_click(message: EmailMessage) -> str | None:
    offered = str(message.get("List-Unsubscribe-Post", "")).replace(" ", "") == "List-Unsubscribe=One-Click"
    found = _HTTP_IN_BRACKETS.search(str(message.get("List-Unsubscribe", "")))
    return found[1] if offered and found else None
