"""Calls of a provider's HTTP API: one POST each, over connections that are kept, within the time allowed.

No retries, no redirects, no cookies, no proxy of the shell's. A kept connection that the other side has closed in the
meantime is known to be gone and not used; if it goes while the request is on its way, nobody can tell. An answer is
read up to a limit: what is longer carries no verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from yarl import URL

from engage.channels.http_answer import Deadline, not_sent
from engage.core.outcome import Rejected, Unknown

_LONGEST_ANSWER = 64 * 1024  # the longest verdict any provider gives is below 1 kB
_OF_THE_LIBRARY = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    status: int
    body: bytes


class HttpCaller:
    """Belongs to the event loop that makes its first call, until it is closed."""

    def __init__(self, connections: int) -> None:
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, deadline: Deadline
    ) -> HttpAnswer | Rejected | Unknown:
        """`url` goes on the wire as it is. Nothing of it is part of an outcome: secrets travel in urls."""
        if not deadline.left():
            return not_sent("the time allowed was over before the call")
        connect, read = deadline.phases()
        timeout = aiohttp.ClientTimeout(total=connect + read, connect=connect)
        try:
            async with self._open_session().post(
                URL(url, encoded=True), headers=headers, data=body or None, timeout=timeout, allow_redirects=False
            ) as response:
                return HttpAnswer(response.status, await _read(response))
        except aiohttp.ClientConnectorCertificateError:
            return not_sent("the server's certificate is not trusted")
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return not_sent(f"no connection ({type(error).__name__})")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Unknown(f"no answer ({type(error).__name__})")

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections),
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=_OF_THE_LIBRARY,
                trust_env=False,
            )
        return self._session


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _LONGEST_ANSWER:
            response.close()  # the rest would have to be read before the connection could be used again
            return b""
    return body
