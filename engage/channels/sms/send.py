"""Handing over to Aliyun: one signed POST, no retries (SendSms is not idempotent), no redirects."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from engage.channels.contract import Payload
from engage.channels.http_answer import Deadline, json_object, without_verdict
from engage.channels.http_calls import HttpAnswer, HttpCaller
from engage.channels.sms import errors
from engage.channels.sms.signing import Call, Credentials, canonical_query, signed_headers
from engage.clock import Clock
from engage.config import Sms
from engage.core.outcome import Accepted, SendOutcome

_ACTION, _VERSION = "SendSms", "2017-05-25"


class Sender:
    def __init__(self, config: Sms, clock: Clock) -> None:
        self._clock = clock
        self._base_url = config.base_url
        self._host = urlsplit(config.base_url).netloc
        self._credentials = Credentials(config.access_key_id, config.access_key_secret.get_secret_value())
        self._http = HttpCaller(config.concurrency)

    async def send(self, payload: Payload, timeout: float) -> SendOutcome:
        query = canonical_query(payload.data)
        nonce = secrets.token_hex(16)  # only has to differ from every other; nothing is decided by it
        call = Call(self._host, _ACTION, _VERSION, query, self._clock.now(), nonce)
        headers = signed_headers(call, self._credentials)
        answer = await self._http.post(f"{self._base_url}/?{query}", headers, b"", Deadline(timeout))
        return _outcome(answer, payload) if isinstance(answer, HttpAnswer) else answer

    async def close(self) -> None:
        await self._http.close()


def _outcome(answer: HttpAnswer, payload: Payload) -> SendOutcome:
    """`Code` is the verdict whatever the status; but behind a gateway's own 5xx the message may have been accepted."""
    said = json_object(answer.body) or {}
    match said:
        case {"Code": "OK"}:
            return Accepted(str(said["BizId"]) if said.get("BizId") else None, payload.segments, payload.cost)
        case {"Code": str(code)} if code and (answer.status < 500 or code.startswith(("isv.", "isp."))):
            return errors.rejected(code, said.get("Message", ""))
        case _:
            return without_verdict(answer.status)
