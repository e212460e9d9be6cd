"""Calling a system of the business, for the webhook step of a journey: one signed JSON post.

Not a channel to members: no consent, no windows. The URL and the secret are never part of an outcome.
"""

from __future__ import annotations

import hashlib
import hmac

import httpx

from engage.channels.destination import Destination, Forbidden, Resolve, destination, system_resolver
from engage.channels.http_answer import Deadline
from engage.config import Webhook
from engage.core.webhook_call import CallOutcome, Done, Refused, Unsettled

KEY_HEADER = "Idempotency-Key"
SIGNATURE_HEADER = "X-Engage-Signature"
_AGAIN = frozenset({408, 425, 429})  # of the 4xx, those that say “not now”


class WebhookCaller:
    def __init__(self, webhook: Webhook, resolve: Resolve = system_resolver) -> None:
        self._webhook = webhook
        self._resolve = resolve
        self._http = httpx.Client(follow_redirects=False, trust_env=False)

    def call(self, body: str, key: str, timeout: float) -> CallOutcome:
        """Post once. Never raises for what the network or the receiver does, or for how the url is spelt.

        Looking the name up is part of the time, but nothing can cut it short: the system's resolver may take longer
        than all of it. Then nobody is called.
        """
        deadline = Deadline(timeout)
        try:
            url = self._webhook.url.get_secret_value()
            to = destination(url, allow_private=self._webhook.allow_private, resolve=self._resolve)
            if isinstance(to, Forbidden):
                return Unsettled(to.why)
            if not deadline.left():
                return Unsettled("no answer (looking up its name took too long)")
            return _meaning(self._post(to, body, key, deadline))
        except (httpx.InvalidURL, ValueError):
            return Unsettled("the url is not a web address")
        except (httpx.HTTPError, OSError) as error:
            return Unsettled(f"no answer ({type(error).__name__})")

    def _post(self, to: Destination, body: str, key: str, deadline: Deadline) -> int:
        """To the first address that takes the connection; before that, nothing was posted. Returns the status."""
        *before, last = to.urls
        for url in before:
            try:
                return self._post_to(url, to, body, key, deadline)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return self._post_to(last, to, body, key, deadline)

    def _post_to(self, url: httpx.URL, to: Destination, body: str, key: str, deadline: Deadline) -> int:
        connect, read = deadline.phases()
        request = self._http.build_request(
            "POST",
            url,
            content=body.encode(),
            headers={**self._headers(body, key), "Host": to.host_header},
            timeout=httpx.Timeout(read, connect=connect, pool=connect),
            extensions=dict(to.extensions),
        )
        response = self._http.send(request, stream=True)
        response.close()  # the status is all that counts; the body may be of any size
        return response.status_code

    def close(self) -> None:
        self._http.close()

    def _headers(self, body: str, key: str) -> dict[str, str]:
        headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "engage", KEY_HEADER: key}
        if self._webhook.secret is not None:
            headers[SIGNATURE_HEADER] = f"sha256={signature(self._webhook.secret.get_secret_value(), body)}"
        return headers


def signature(secret: str, body: str) -> str:
    """HMAC-SHA256 of the body's bytes, in hex: what a receiver compares."""
    return hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()


def _meaning(status: int) -> CallOutcome:
    if 200 <= status < 300:
        return Done()
    if 300 <= status < 400:
        return Refused(f"http {status}: it redirects elsewhere")
    if 400 <= status < 500 and status not in _AGAIN:
        return Refused(f"http {status}")
    return Unsettled(f"http {status}")
