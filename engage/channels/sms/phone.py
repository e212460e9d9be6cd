"""Phone numbers as the provider writes them, and as we keep them (E.164). Pure."""

from __future__ import annotations

import re

_E164 = re.compile(r"\+[1-9]\d{6,14}")
_MAINLAND = re.compile(r"(?:\+?86|0086)?(1\d{10})")


def is_e164(address: str) -> bool:
    return _E164.fullmatch(address) is not None


def to_provider(address: str) -> str:
    """A mainland number without its country code; another country's with the code, without the plus."""
    return address.removeprefix("+86") if address.startswith("+861") else address.removeprefix("+")


def from_provider(number: str) -> str | None:
    """E.164; None for what is masked (`1381111****`) or not a number."""
    number = number.strip()
    if mainland := _MAINLAND.fullmatch(number):
        return f"+86{mainland[1]}"
    international = f"+{number.removeprefix('+').removeprefix('00')}"
    return international if is_e164(international) else None
