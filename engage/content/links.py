"""Signed links: what a member taps to click through, answer, or unsubscribe.

A token carries the delivery's id and an HMAC, and is good for one purpose only: a click token never unsubscribes. It
names a link target of the catalog, never an address, so no forged or copied link can send a reader elsewhere. Nothing
here is secret but the key; nothing is looked up.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Protocol

from engage.core.signing import MAC_BYTES, Signer

_MAX_TOKEN = 400  # characters; longer ones are refused before any work is done on them


class LinkMaker(Protocol):
    """What a template needs to make the links of one message."""

    @property
    def unsubscribe_url(self) -> str: ...

    def link(self, target: str) -> str:
        """A tracked link to a target of the catalog."""
        ...

    def survey_link(self, score: int | None = None) -> str:
        """The survey page of this message, with a score already chosen there if one is given."""
        ...


class _Purpose(StrEnum):
    CLICK = "click"
    SURVEY = "survey"
    UNSUBSCRIBE = "unsubscribe"


@dataclass(frozen=True)
class DeliveryLinks:
    """The links of one delivery; a `LinkMaker`."""

    links: Links
    delivery_id: int

    @cached_property
    def unsubscribe_url(self) -> str:
        return self.links.unsubscribe(self.delivery_id)

    def link(self, target: str) -> str:
        return self.links.click(self.delivery_id, target)

    def survey_link(self, score: int | None = None) -> str:
        return self.links.survey(self.delivery_id, score)


class Links:
    """Makes and reads links. `key` is the config's signing key, `public_url` how followers reach us."""

    def __init__(self, key: str, public_url: str) -> None:
        self._signers = {purpose: Signer(key, f"link {purpose}") for purpose in _Purpose}
        self._base = public_url.rstrip("/")
        self._own = re.compile(rf"{re.escape(self._base)}/[a-z]/[-\w.~%?=&]+")

    def blanked(self, text: str) -> str:
        """The text with its own links alike, which differ from one delivery to the next."""
        return self._own.sub(self._base, text)

    def for_delivery(self, delivery_id: int) -> DeliveryLinks:
        return DeliveryLinks(self, delivery_id)

    def click(self, delivery_id: int, target: str) -> str:
        return f"{self._base}/c/{self._token(_Purpose.CLICK, delivery_id, target)}"

    def survey(self, delivery_id: int, score: int | None = None) -> str:
        query = "" if score is None else f"?score={score}"
        return f"{self._base}/s/{self._token(_Purpose.SURVEY, delivery_id)}{query}"

    def unsubscribe(self, delivery_id: int) -> str:
        return f"{self._base}/u/{self._token(_Purpose.UNSUBSCRIBE, delivery_id)}"

    def read_click(self, token: str) -> tuple[int, str] | None:
        """The delivery and the link target; None for anything that was not made by `click` with this key."""
        return self._read(_Purpose.CLICK, token)

    def read_survey(self, token: str) -> int | None:
        read = self._read(_Purpose.SURVEY, token)
        return read[0] if read else None

    def read_unsubscribe(self, token: str) -> int | None:
        read = self._read(_Purpose.UNSUBSCRIBE, token)
        return read[0] if read else None

    def _token(self, purpose: _Purpose, delivery_id: int, target: str = "") -> str:
        number = delivery_id.to_bytes((delivery_id.bit_length() + 7) // 8)  # OverflowError for a negative id
        claim = bytes([len(number)]) + number + target.encode()
        return _to_text(self._signers[purpose].mac(claim) + claim)

    def _read(self, purpose: _Purpose, token: str) -> tuple[int, str] | None:
        raw = _to_bytes(token)
        if raw is None or len(raw) <= MAC_BYTES:
            return None
        mac, claim = raw[:MAC_BYTES], raw[MAC_BYTES:]
        if not hmac.compare_digest(mac, self._signers[purpose].mac(claim)):
            return None
        end = 1 + claim[0]
        return int.from_bytes(claim[1:end]), claim[end:].decode()


def _to_text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _to_bytes(token: str) -> bytes | None:
    if len(token) > _MAX_TOKEN:
        return None
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError):
        return None
    # base64 reads several spellings as the same bytes; only ours is a token.
    return raw if _to_text(raw) == token else None
