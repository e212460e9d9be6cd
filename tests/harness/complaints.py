"""What the engine's log complains of: it goes on after any fault, also after one that the world did not make."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

import structlog
from structlog.typing import WrappedLogger

from engage.errors import DatabaseUnavailable
from tests.harness.crew import Broken
from tests.harness.providers import ChannelFault

_OF_THE_WORLD = (Broken, ChannelFault, DatabaseUnavailable)
_HEARD: list[str] = []


def heard() -> list[str]:
    """Since it was asked last: errors that are nobody's but the engine's."""
    found = list(_HEARD)
    _HEARD.clear()
    return found


@contextmanager
def listening() -> Iterator[None]:
    """Instead of printing what is logged: the engine tells of every fault it meets, at length."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR), processors=[_hears])
    yield
    structlog.configure(**before)


def _hears(_: WrappedLogger, __: str, said: Mapping[str, Any]) -> NoReturn:
    error = sys.exc_info()[1] if said.get("exc_info") else None
    if error is not None and not isinstance(error, _OF_THE_WORLD):
        _HEARD.append(f"{said['event']}: {type(error).__name__}: {error}")
    raise structlog.DropEvent
