"""ACS3-HMAC-SHA256: Aliyun's request signature, version 3. Pure: date and nonce are given.

    CanonicalRequest = method \\n path \\n query \\n headers \\n signed-header-names \\n hash-of-body
    StringToSign     = "ACS3-HMAC-SHA256" \\n sha256(CanonicalRequest)
    Signature        = hex(hmac_sha256(secret, StringToSign))

Held by the example that Aliyun publishes with the description of its signature.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

ALGORITHM = "ACS3-HMAC-SHA256"
_EMPTY_BODY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class Credentials:
    key_id: str
    secret: str

    def __repr__(self) -> str:
        return f"Credentials({self.key_id!r}, ***)"


@dataclass(frozen=True, slots=True)
class Call:
    """One RPC call with an empty body: all parameters are in the query."""

    host: str
    action: str
    version: str
    query: str  # canonical: as it stands in the url
    at: datetime
    nonce: str


def canonical_query(query: Mapping[str, str]) -> str:
    """Sorted by name, RFC 3986: space is %20, `~` stays."""
    return "&".join(f"{_encode(name)}={_encode(query[name])}" for name in sorted(query))


def signed_headers(call: Call, credentials: Credentials) -> dict[str, str]:
    """The headers to send, `Authorization` among them."""
    headers = {
        "host": call.host,
        "x-acs-action": call.action,
        "x-acs-content-sha256": _EMPTY_BODY,
        "x-acs-date": call.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": call.nonce,
        "x-acs-version": call.version,
    }
    names = ";".join(headers)  # written above in the order the signature needs: alphabetical
    to_sign = f"{ALGORITHM}\n{hashlib.sha256(canonical_request(call.query, headers).encode()).hexdigest()}"
    signature = hmac.new(credentials.secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    authorization = f"{ALGORITHM} Credential={credentials.key_id},SignedHeaders={names},Signature={signature}"
    return headers | {"authorization": authorization}


def canonical_request(query: str, headers: Mapping[str, str]) -> str:
    lines = "".join(f"{name}:{value.strip()}\n" for name, value in sorted(headers.items()))
    return "\n".join(["POST", "/", query, lines, ";".join(sorted(headers)), _EMPTY_BODY])


def _encode(text: str) -> str:
    return quote(text, safe="-_.~")
