"""Trying Aliyun: a signed question that no message follows from. Whether the account may ask it does not matter: a
gateway that refuses the action has accepted the key, the signature and our clock."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

import httpx

from engage.channels.http_answer import json_object, not_sent
from engage.channels.probe import Probed, ask
from engage.channels.sms import errors
from engage.channels.sms.signing import Call, Credentials, canonical_query, signed_headers
from engage.clock import Clock
from engage.config import Sms
from engage.core.outcome import Rejected

_ACTION, _VERSION = "QuerySmsSignList", "2017-05-25"
_ABOUT_US = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidTimeStamp", "IncompleteSignature", "isv.DENY_IP")


def probe(config: Sms, clock: Clock, timeout: float) -> Probed:
    query = canonical_query({"PageIndex": "1", "PageSize": "1"})
    call = Call(urlsplit(config.base_url).netloc, _ACTION, _VERSION, query, clock.now(), secrets.token_hex(16))
    headers = signed_headers(call, Credentials(config.access_key_id, config.access_key_secret.get_secret_value()))
    return ask(f"{config.base_url}/?{query}", timeout, _refused, headers=headers)


def _refused(answer: httpx.Response) -> Rejected | None:
    match json_object(answer.content):
        case {"Code": str(code), **more}:
            return errors.rejected(code, more.get("Message", "")) if code.startswith(_ABOUT_US) else None
        case _:
            return not_sent(f"http {answer.status_code} without a verdict: not Aliyun's API")
