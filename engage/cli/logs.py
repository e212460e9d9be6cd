"""Logs go to stderr: JSON lines for machines, readable ones on a terminal. They carry ids, never personal data.

Nobody logs an address or a secret on purpose. What libraries and databases put into their errors is looked through
before it is written: addresses, tokens, and the values of the config's own secrets are hidden.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Collection
from contextlib import suppress
from typing import Any, TextIO, cast

import structlog

from engage.core.redaction import anonymous


def log_quietly() -> None:
    """For commands that end: only what somebody should know."""
    _configure(logging.WARNING)


def log_faults() -> None:
    """For worlds that are not real: what is assumed or refused there is told in their results."""
    _configure(logging.ERROR)


def log_fully(level: str = "info", secrets: Collection[str] = ()) -> None:
    """For the daemon."""
    _configure(logging.getLevelNamesMapping()[level.upper()], secrets)


def _configure(level: int, secrets: Collection[str] = ()) -> None:
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    stderr = cast("TextIO", _WhateverBecomesOfIt(sys.stderr))
    on_terminal = sys.stderr.isatty()
    renderer: list[structlog.typing.Processor] = [
        structlog.processors.format_exc_info,
        _Anonymous(secrets),
        structlog.dev.ConsoleRenderer() if on_terminal else structlog.processors.JSONRenderer(ensure_ascii=False),
    ]
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(stderr),
        cache_logger_on_first_use=False,
    )
    # Libraries (the web server, the scheduler) speak through the standard logger: same place, same form.
    handler = logging.StreamHandler(stderr)
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer]
    )
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # A bell that rings while its loop is still busy is no news: the loop goes on until nothing is left.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)


class _WhateverBecomesOfIt:
    """Lines that cannot be written are lost, and nothing else: a log on a full disk, a pipe or a terminal that is gone
    must not end the loop that had something to say."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # ValueError: it is closed
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


class _Anonymous:
    """Looks through every text of a line."""

    def __init__(self, secrets: Collection[str]) -> None:
        self._secrets = sorted(secrets, key=len, reverse=True)

    def __call__(self, _logger: Any, _name: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {key: value if key == "timestamp" else self._looked_through(value) for key, value in line.items()}

    def _looked_through(self, value: Any) -> Any:
        match value:
            case str():
                return anonymous(value, self._secrets)
            case dict():
                return {key: self._looked_through(part) for key, part in value.items()}
            case list() | tuple():
                return [self._looked_through(part) for part in value]
            case _:
                return value
