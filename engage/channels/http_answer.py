"""What an HTTP answer means when it does not carry the provider's own verdict, and how long each phase may take.

A 4xx or a redirect was certainly not carried out. A 5xx, or a 2xx whose body cannot be understood, may have been:
behind a gateway's 502 the message may be on its way. Those stay unknown and are never repeated blindly.
"""

from __future__ import annotations

import json
import time
from typing import Any

from engage.core.outcome import Failure, Rejected, Unknown

_CONNECT_SHARE = 0.4  # of what is left of the time: a host that does not answer a SYN by then will not


def json_object(body: bytes) -> dict[str, Any] | None:
    """The body as a JSON object; None if it is anything else."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def without_verdict(status: int) -> Rejected | Unknown:
    """The outcome of an answer that has a status and no verdict."""
    match status:
        case 429:
            return Rejected(Failure.THROTTLED, "http 429")
        case 401 | 403:
            return Rejected(Failure.CONFIGURATION, f"http {status}", "the provider refuses these credentials")
        case _ if 300 <= status < 400:
            return Rejected(Failure.CONFIGURATION, f"http {status}", "the base URL redirects elsewhere")
        case _ if 400 <= status < 500:
            return Rejected(Failure.PROVIDER_ERROR, f"http {status}")
        case _:
            return Unknown(f"http {status} without a verdict")


def not_sent(detail: str) -> Rejected:
    """Nothing left this machine, or not enough of it to be carried out."""
    return Rejected(Failure.PROVIDER_ERROR, "not sent", detail)


class Deadline:
    """What is left of one handover's time. Measured by the monotonic clock, since sockets wait in real time."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        return max(0.0, self._end - time.monotonic())

    def phases(self) -> tuple[float, float]:
        """(connect, read): together no longer than what is left, and never zero, which would mean “do not wait”."""
        left = max(self.left(), 0.001)
        return left * _CONNECT_SHARE, left * (1 - _CONNECT_SHARE)
