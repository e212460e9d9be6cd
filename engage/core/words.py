"""Rendered words: what content makes and channels put on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Rendered:
    """Words ready for a channel. `front` is the template's front matter, rendered, without subject and preheader.

    For email `body` is HTML and `plain` its plain-text part; elsewhere `plain` is None.
    """

    body: str
    subject: str | None = None
    preheader: str | None = None
    front: Mapping[str, Any] = field(default_factory=dict)
    plain: str | None = None
