"""Trying the mail server: greeting, TLS, login, and goodbye."""

from __future__ import annotations

import asyncio

from engage.channels.email.session import open_session
from engage.channels.probe import Probed
from engage.config import Email
from engage.core.outcome import Rejected


def probe(config: Email, timeout: float) -> Probed:
    return asyncio.run(_probe(config, timeout))


async def _probe(config: Email, timeout: float) -> Probed:
    opened = await open_session(config, timeout)
    if isinstance(opened, Rejected):
        return Probed(opened)
    opened.wire.close()
    return Probed(None)
