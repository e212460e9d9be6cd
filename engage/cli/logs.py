"""Logs go to stderr: JSON lines for machines, readable ones on a terminal. They carry ids, never personal data."""

from __future__ import annotations

import logging
import sys

import structlog


def log_quietly() -> None:
    """For commands that end: only what somebody should know."""
    _configure(logging.WARNING)


def log_faults() -> None:
    """For worlds that are not real: what is assumed or refused there is told in their results."""
    _configure(logging.ERROR)


def log_fully() -> None:
    """For the daemon."""
    _configure(logging.INFO)


def _configure(level: int) -> None:
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    on_terminal = sys.stderr.isatty()
    renderer: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if on_terminal
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    )
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    # Libraries (the web server, the scheduler) speak through the standard logger: same place, same form.
    handler = logging.StreamHandler(sys.stderr)
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer]
    )
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # A bell that rings while its loop is still busy is no news: the loop goes on until nothing is left.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
