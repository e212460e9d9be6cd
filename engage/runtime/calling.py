"""The calls of webhook steps: made outside any lock, again and again under one key, until they succeed or are given up.

Of calls that are given up no task is opened for each member: a receiver that is down would bury the inbox. They are in
the log, and `engage status` counts them.
"""

from __future__ import annotations

from concurrent.futures import Executor, ThreadPoolExecutor

import structlog

from engage.core.delivery import CALL_TIMEOUT
from engage.core.webhook_call import CallOutcome, CallStatus, Settled, Unsettled, settle
from engage.runtime.context import Context
from engage.store import state, webhook_calls
from engage.store.webhook_calls import DueCall

BATCH = 50
# With BATCH: seven rounds of CALL_TIMEOUT, well inside the lease. Where names are looked up so slowly that it runs out,
# the call is made again, under its key.
_AT_ONCE = 8
log = structlog.get_logger("engage.calling")


class Calling:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._threads: Executor = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="webhook")

    def tick(self) -> int:
        """Make one batch of calls that are due, and record what they came to. Returns how many."""
        now = self._context.clock.now()
        with self._context.database.read() as connection:
            if not webhook_calls.anything_due(connection, now):
                return 0
        with self._context.database.write() as connection:
            scopes = state.paused(connection)
            paused = {scope.removeprefix("journey:") for scope in scopes if scope.startswith("journey:")}
            due = [] if state.ALL in scopes else webhook_calls.claim(connection, now, BATCH, paused)
        if not due:
            return 0
        outcomes = self._threads.map(self._call, due)
        results = [(call, self._settled(call, outcome)) for call, outcome in zip(due, outcomes, strict=True)]
        with self._context.database.write() as connection:
            webhook_calls.settle(connection, results, self._context.clock.now())
        return len(due)

    def _call(self, call: DueCall) -> CallOutcome:
        caller = self._context.webhooks.get(call.webhook)
        if caller is None:
            return Unsettled("config.yaml has no webhook of this name")
        try:
            return caller.call(call.body, call.key, CALL_TIMEOUT.total_seconds())
        except Exception as error:  # must not be; but what the others of the batch came to has to be recorded
            log.exception("webhook_raised", webhook=call.webhook)
            return Unsettled(f"{type(error).__name__} while calling")

    def _settled(self, call: DueCall, outcome: CallOutcome) -> Settled:
        now = self._context.clock.now()
        result = settle(outcome, attempts=call.attempts, give_up_at=call.give_up_at, now=now)
        if result.status is CallStatus.FAILED:
            log.error("webhook_given_up", webhook=call.webhook, attempts=call.attempts, reason=result.reason)
        elif result.status is CallStatus.OPEN:
            log.warning("webhook_failed", webhook=call.webhook, attempts=call.attempts, reason=result.reason)
        return result

    def close(self) -> None:
        self._threads.shutdown(wait=True)
