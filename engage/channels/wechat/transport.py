"""The only road to WeChat: an adapter under wechatpy's session.

wechatpy names api.weixin.qq.com in many places, has no timeout by default, and lets `requests` exceptions through whose
text contains the AppSecret or the access token. So: every request to the official host goes to the configured base URL,
any other host is refused, a timeout is always set, and what goes wrong leaves here as one of two plain faults that
carry neither URL nor body. Must not decide what an answer means: that is `send`'s and `errors`' part.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.exceptions import MaxRetryError, NewConnectionError

OFFICIAL = "https://api.weixin.qq.com"
_DEFAULT_TIMEOUT = (3.0, 7.0)

Timeout = float | tuple[float, float] | tuple[float, None] | None


class NeverSentError(Exception):
    """The connection was never made: nothing was sent."""


class NoAnswerError(Exception):
    """The request may have left; no complete answer came back."""


class ForeignHostError(Exception):
    """Something tried to reach a host that is not WeChat's."""


class BaseUrlAdapter(HTTPAdapter):
    def __init__(self, base_url: str, connections: int) -> None:
        self._base_url = base_url
        super().__init__(pool_connections=1, pool_maxsize=connections, max_retries=0)

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Timeout = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        request.url = self._base_url + (request.url or "").removeprefix(OFFICIAL)
        try:
            response = super().send(request, stream, timeout or _DEFAULT_TIMEOUT, verify, cert, proxies)
            _ = response.content  # read here, so that a connection cut in the middle of the answer is caught here too
            return response
        except requests.RequestException as error:
            fault = _fault(error)
        raise fault  # outside the handler: the original, which knows the URL, must not travel along as its context


class RefusingAdapter(BaseAdapter):
    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Timeout = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        raise ForeignHostError(f"{urlsplit(request.url or '').hostname} is not WeChat's host")

    def close(self) -> None:
        """Holds no connections."""


def mount(session: requests.Session, base_url: str, connections: int) -> None:
    """Give a session this road and no other. Proxies and .netrc of the environment are not used."""
    session.trust_env = False
    session.adapters.clear()
    session.mount("http://", RefusingAdapter())
    session.mount("https://", RefusingAdapter())
    session.mount(f"{OFFICIAL}/", BaseUrlAdapter(base_url, connections))


def _fault(error: requests.RequestException) -> Exception:
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return NeverSentError("the server's certificate is not trusted")
    if isinstance(error, requests.ConnectTimeout):
        return NeverSentError("no connection within the time allowed")
    if any(isinstance(cause, NewConnectionError) for cause in causes):
        return NeverSentError("no connection: refused, unreachable or unknown host")
    return NoAnswerError(f"no answer ({type(error).__name__})")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and what it wraps; `requests` and urllib3 keep causes in `args` and `reason`."""
    pending: list[object] = [error]
    while pending:
        cause = pending.pop()
        if isinstance(cause, BaseException):
            yield cause
            pending += [*cause.args, *([cause.reason] if isinstance(cause, MaxRetryError) else [])]
