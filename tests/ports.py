"""Ports for servers that are started again on the same one: not of those that the system gives to outgoing connections,
which would take them in between."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack, suppress

_OURS = range(20_000, 32_768)  # Linux gives out those from there on


def free_ports(count: int) -> list[int]:
    """Drawn, so that tests that run side by side hardly ever want the same."""
    with ExitStack() as stack:
        taken: list[int] = []
        while len(taken) < count:
            with suppress(OSError):
                server = stack.enter_context(socket.create_server(("127.0.0.1", random.SystemRandom().choice(_OURS))))
                taken.append(server.getsockname()[1])
        return taken
