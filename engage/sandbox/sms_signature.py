"""Aliyun's ACS3-HMAC-SHA256, from the gateway's side: is this request signed by the holder of the secret? Pure.

The canonical request is method, path, sorted and percent-encoded query, the signed headers one a line, their names,
and the hash of the body; what is signed is the algorithm's name and that text's hash.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from urllib.parse import quote

from engage.sandbox.loopback import Request

ALGORITHM = "ACS3-HMAC-SHA256"
_AUTHORIZATION = re.compile(rf"{ALGORITHM}\s+Credential=([^,]+),\s*SignedHeaders=([^,]+),\s*Signature=([0-9a-fA-F]+)")
_ALWAYS_SIGNED = {
    "host",
    "x-acs-action",
    "x-acs-version",
    "x-acs-date",
    "x-acs-signature-nonce",
    "x-acs-content-sha256",
}


def refusal(request: Request, access_key_id: str, secret: str) -> str | None:
    """The error code of a request that is not properly signed; None for a good one."""
    found = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if found is None:
        return "MissingAuthorization" if "authorization" not in request.headers else "IncompleteSignature"
    if found[1] != access_key_id:
        return "InvalidAccessKeyId.NotFound"
    names = found[2].split(";")
    if names != sorted(names) or not _must_be_signed(request.headers) <= set(names) <= set(request.headers):
        return "IncompleteSignature"
    if request.headers["x-acs-content-sha256"] != hashlib.sha256(request.body).hexdigest():
        return "SignatureDoesNotMatch"
    good = hmac.compare_digest(signature(request, names, secret), found[3].lower())
    return None if good else "SignatureDoesNotMatch"


def signature(request: Request, signed_headers: list[str], secret: str) -> str:
    text = f"{ALGORITHM}\n{hashlib.sha256(canonical(request, signed_headers).encode()).hexdigest()}"
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def canonical(request: Request, signed_headers: list[str]) -> str:
    query = "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in sorted(request.query.items()))
    headers = "".join(f"{name}:{request.headers[name].strip()}\n" for name in signed_headers)
    body_hash = hashlib.sha256(request.body).hexdigest()
    return "\n".join([request.method, request.path or "/", query, headers, ";".join(signed_headers), body_hash])


def _must_be_signed(headers: Mapping[str, str]) -> set[str]:
    return _ALWAYS_SIGNED | {name for name in headers if name.startswith("x-acs-")}


def _encoded(text: str) -> str:
    """RFC 3986: everything but letters, digits and -_.~"""
    return quote(text, safe="-_.~")
