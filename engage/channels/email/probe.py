"""Trying the mail server: greeting, TLS, login, and goodbye."""

from __future__ import annotations

import asyncio

from engage.channels.email.session import Refused, log_in
from engage.channels.email.wire import Broken
from engage.channels.http_answer import not_sent
from engage.channels.probe import Probed
from engage.config import Email


def probe(config: Email, timeout: float) -> Probed:
    return asyncio.run(_probe(config, timeout))


async def _probe(config: Email, timeout: float) -> Probed:
    try:
        async with asyncio.timeout(timeout):
            session = await log_in(config)
    except Refused as refused:
        return Probed(refused.outcome)
    except (Broken, OSError, TimeoutError) as error:
        return Probed(not_sent(f"no connection ({type(error).__name__})"))
    session.wire.close()
    return Probed(None)
