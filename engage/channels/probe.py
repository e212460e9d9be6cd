"""Trying a channel without sending anything: is the provider there, does it know us, does its clock agree with ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from engage.core.outcome import Rejected


@dataclass(frozen=True, slots=True)
class Probed:
    """`refused`: what stands in the way; None if nothing does. `at`: the provider's idea of the present, if it told."""

    refused: Rejected | None
    at: datetime | None = None


Probe = Callable[[float], Probed]  # within so many seconds; never raises for what a provider or network does


def date_of(headers: Mapping[str, str]) -> datetime | None:
    """The `Date` of an HTTP answer."""
    try:
        return parsedate_to_datetime(headers.get("date", "")).astimezone(UTC)
    except ValueError:
        return None
