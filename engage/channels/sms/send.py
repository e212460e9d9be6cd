"""Handing over to Aliyun: one signed POST, no retries (SendSms is not idempotent), no redirects."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

import httpx

from engage.channels.contract import Payload
from engage.channels.http_answer import Deadline, json_object, not_sent, without_verdict
from engage.channels.sms import errors
from engage.channels.sms.signing import Call, Credentials, canonical_query, signed_headers
from engage.clock import Clock
from engage.config import Sms
from engage.core.outcome import Accepted, SendOutcome, Unknown

_ACTION, _VERSION = "SendSms", "2017-05-25"


class Sender:
    def __init__(self, config: Sms, clock: Clock) -> None:
        self._clock = clock
        self._base_url = config.base_url
        self._host = httpx.URL(config.base_url).netloc.decode()
        self._credentials = Credentials(config.access_key_id, config.access_key_secret.get_secret_value())
        # trust_env off: a proxy or .netrc of the shell must not change where messages go.
        limits = httpx.Limits(max_connections=config.concurrency, max_keepalive_connections=config.concurrency)
        self._http = httpx.Client(limits=limits, follow_redirects=False, trust_env=False)

    def send(self, payload: Payload, timeout: float) -> SendOutcome:
        if self._http.is_closed:
            return not_sent("the channel is closed")
        connect, read = Deadline(timeout).phases()
        try:
            response = self._http.request(
                "POST",
                f"{self._base_url}/?{canonical_query(payload.data)}",
                headers=self._headers(payload.data),
                timeout=httpx.Timeout(read, connect=connect, pool=connect),
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return not_sent(f"no connection ({type(error).__name__})")
        except httpx.HTTPError as error:
            return Unknown(f"no answer ({type(error).__name__})")
        return _outcome(response, payload)

    def close(self) -> None:
        self._http.close()

    def _headers(self, query: Mapping[str, str]) -> dict[str, str]:
        nonce = secrets.token_hex(16)  # only has to differ from every other; nothing is decided by it
        return signed_headers(Call(self._host, _ACTION, _VERSION, query, self._clock.now(), nonce), self._credentials)


def _outcome(response: httpx.Response, payload: Payload) -> SendOutcome:
    """`Code` is the verdict whatever the status; but behind a gateway's own 5xx the message may have been accepted."""
    answer = json_object(response.content) or {}
    match answer:
        case {"Code": "OK"}:
            return Accepted(str(answer["BizId"]) if answer.get("BizId") else None, payload.segments, payload.cost)
        case {"Code": str(code)} if code and (response.status_code < 500 or code.startswith(("isv.", "isp."))):
            return errors.rejected(code, answer.get("Message", ""))
        case _:
            return without_verdict(response.status_code)
