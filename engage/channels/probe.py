"""Trying a channel without sending anything: is the provider there, does it know us, does its clock agree with ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from engage.channels.http_answer import not_sent
from engage.core.outcome import Rejected


@dataclass(frozen=True, slots=True)
class Probed:
    """`refused`: what stands in the way; None if nothing does. `at`: the provider's idea of the present, if it told."""

    refused: Rejected | None
    at: datetime | None = None


Probe = Callable[[float], Probed]  # within so many seconds; never raises for what a provider or network does


def ask(url: str, timeout: float, refused: Callable[[httpx.Response], Rejected | None], **posted: Any) -> Probed:
    """One POST of an HTTP API. `refused`: what its answer says."""
    try:
        with httpx.Client(follow_redirects=False, trust_env=False, timeout=timeout) as http:
            answer = http.post(url, **posted)
    except httpx.HTTPError as error:
        return Probed(not_sent(f"no answer ({type(error).__name__})"))
    return Probed(refused(answer), _date_of(answer.headers))


def _date_of(headers: Mapping[str, str]) -> datetime | None:
    try:
        return parsedate_to_datetime(headers.get("date", "")).astimezone(UTC)
    except ValueError:
        return None
