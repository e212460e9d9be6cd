"""The database goes while two real daemons work, and comes back: it is stopped in good order, or in none, or it hangs.
Nothing is done to the daemons, and nobody who asks them is led to do anything."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.acceptance.kills import Daemon, Ordeal, Visits, go_through
from tests.acceptance.test_kills import assert_kept
from tests.postgresql import Server, server_to_stop

_AWAY_SECONDS = 20.0
_WITHIN_SECONDS = 90.0
_PROMETHEUS_WAITS = 10.0  # seconds, if it is not told otherwise
_OF_OUTAGES = {"database_unavailable", "database_is_back", "record_tried_again"}
_ORDINARY = {"serving", "daemon_started", "housekeeping_done", *_OF_OUTAGES}
_ORDEAL = Ordeal(kills=1, daemons=2, members=2000)

Away = Callable[[Server], AbstractContextManager[None]]


@contextmanager
def stopped(server: Server, how: str) -> Iterator[None]:
    server.stop(how)
    yield
    server.start()


@contextmanager
def frozen(server: Server) -> Iterator[None]:
    server.freeze()
    yield
    server.thaw()


# At least a line of the process with the loops, and one of that which answers; another one of each where it takes more
# than a minute. What hangs is waited for, and told of only by who needs one more connection just then.
@pytest.mark.parametrize(
    ("away", "lines"),
    [(partial(stopped, how="fast"), 2), (partial(stopped, how="immediate"), 2), (frozen, 0)],
    ids=["in good order", "in none", "it hangs"],
)
def test_two_daemons_outlive_the_database_and_go_on_by_themselves(tmp_path: Path, away: Away, lines: int) -> None:
    with server_to_stop() as server:

        def lose(daemons: Sequence[Daemon], visits: Visits) -> None:
            _until(lambda: all("daemon_started" in daemon.logged() for daemon in daemons))  # else they do not come up
            visits.wait_for_more(10)
            with away(server):
                over_at = time.monotonic() + _AWAY_SECONDS
                _until(lambda: {daemon.says("/readyz") for daemon in daemons} == {503})
                assert {daemon.says("/healthz") for daemon in daemons} == {200}
                assert {daemon.says("/metrics", _PROMETHEUS_WAITS) for daemon in daemons} == {200}
                time.sleep(max(0.0, over_at - time.monotonic()))
            _until(lambda: {daemon.says("/readyz") for daemon in daemons} == {200})
            visits.wait_for_more(10)
            for daemon in daemons:
                _until(lambda daemon=daemon: Counter(daemon.logged())["database_is_back"] >= lines)
                told = Counter(daemon.logged())
                assert lines <= told["database_unavailable"] <= 4, told
                assert not told.keys() - _ORDINARY, told

        assert_kept(go_through(tmp_path, server.url, _ORDEAL, lose))


def _until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + _WITHIN_SECONDS
    while not holds():
        assert time.monotonic() < until, "it never came to that"
        time.sleep(0.2)
