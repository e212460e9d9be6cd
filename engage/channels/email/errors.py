"""What an SMTP server's refusals mean to us: by enhanced status (RFC 3463), else by code and where it was said."""

from __future__ import annotations

import re
from enum import Enum, auto

from engage.core.outcome import Failure, Rejected


class Stage(Enum):
    """What the server refused."""

    CONNECTION = auto()
    SENDER = auto()  # MAIL FROM
    RECIPIENT = auto()  # RCPT TO
    CONTENT = auto()  # DATA, or the text after it


_STATUS = re.compile(r"\b([45]\.\d{1,3}\.\d{1,3})\b")
_LOGIN = frozenset({530, 534, 535, 538})

_BY_STATUS: tuple[tuple[str, Failure], ...] = (  # the first prefix that fits
    ("5.1.7.", Failure.CONFIGURATION),  # our own sender address
    ("5.1.8.", Failure.CONFIGURATION),
    ("5.1.", Failure.INVALID_ADDRESS),
    ("5.2.3.", Failure.CONTENT),  # too long for this mailbox
    ("5.2.", Failure.UNREACHABLE),
    ("4.2.", Failure.UNREACHABLE),
    ("5.3.4.", Failure.CONTENT),  # too long for this server
    ("5.6.", Failure.CONTENT),
    ("5.7.8.", Failure.CONFIGURATION),  # credentials
    ("4.7.", Failure.NOT_NOW),  # greylisting
)

_BY_STAGE = {
    Stage.CONNECTION: Failure.PROVIDER_ERROR,
    Stage.SENDER: Failure.CONFIGURATION,
    Stage.RECIPIENT: Failure.UNREACHABLE,  # policy: relaying denied, blocked by the reader; says nothing of our words
    Stage.CONTENT: Failure.CONTENT,
}


def rejected(stage: Stage, code: int, text: str) -> Rejected:
    found = _STATUS.search(text)
    status = found[1] if found else ""
    return Rejected(_class_of(stage, code, status), f"{code} {status}".strip(), text[:200])


def report_failure(status: str) -> Failure:
    """Of a bounce: the `Status` field of a delivery report."""
    return _by_status(status) or (Failure.CONTENT if status.startswith("5.7.") else Failure.UNREACHABLE)


def _class_of(stage: Stage, code: int, status: str) -> Failure:
    if code in _LOGIN:
        return Failure.CONFIGURATION
    if code == 421:
        return Failure.THROTTLED
    if failure := _by_status(status):
        return failure
    if 400 <= code < 500:
        return Failure.NOT_NOW
    if not 500 <= code < 600:  # not an answer at all
        return Failure.PROVIDER_ERROR
    if stage is Stage.RECIPIENT and code in {550, 551, 553} and not status:
        return Failure.INVALID_ADDRESS
    return _BY_STAGE[stage]


def _by_status(status: str) -> Failure | None:
    return next((failure for prefix, failure in _BY_STATUS if f"{status}.".startswith(prefix)), None)
