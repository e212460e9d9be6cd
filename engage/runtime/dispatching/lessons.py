"""What the outcome of a call tells: about the message, the address, the reply window, the consent, the provider."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, assert_never

import structlog
from sqlalchemy import Connection

from engage.core.delivery import BACK_OFF, quota_resets_at
from engage.core.outcome import Accepted, Failure, Rejected, SendOutcome, Unknown
from engage.runtime.applied import Applied
from engage.runtime.dispatching.addresses import mark_address
from engage.runtime.dispatching.drafting import Ready
from engage.store import events, rates, reaching, state
from engage.store.events import NewEvent
from engage.store.insight import overview

_RESTS_FOR = timedelta(minutes=10)  # after a configuration failure: nothing will be accepted until somebody acts
_WINDOW_FULL = 999
log = structlog.get_logger("engage.dispatch")


def outcome_values(outcome: SendOutcome) -> dict[str, Any]:
    match outcome:
        case Accepted(provider_id, segments, cost):
            return {"provider_id": provider_id, "segments": segments, "cost": float(cost), "code": None}
        case Rejected(_, code, _):
            return {"code": code[:100]}
        case Unknown():
            return {}
        case _:
            assert_never(outcome)


def learn(connection: Connection, applied: Applied, ready: Ready, refused: Rejected, now: datetime) -> None:
    """What a refusal says about the address, the reply window, the member's consent, or the provider."""
    ref, channel = ready.claimed.member, ready.clear.channel
    if ready.clear.way.uses_window:
        taken = _WINDOW_FULL if refused.failure is Failure.WINDOW_CLOSED else -1
        reaching.use_windows(connection, [ready.window], taken)
    match refused.failure:
        case Failure.INVALID_ADDRESS | Failure.UNREACHABLE as failure:
            address = ready.clear.address
            mark_address(connection, ref, channel, address, failure, refused.code, at=now, now=now)
            _tell(connection, applied, ready, "bounced", {"code": refused.code}, now)
        case Failure.OPTED_OUT:
            evidence = f"the provider refuses: {refused.code}"
            topics = applied.refusable_topics
            reaching.put_consent(connection, ref, topics, channel, False, evidence, now, own_word=True)
            _tell(connection, applied, ready, "unsubscribed", {"channel": channel}, now)
        case Failure.CONFIGURATION:
            _rest(connection, channel, refused, now + _RESTS_FOR, now)
        case Failure.QUOTA:
            _rest(connection, channel, refused, quota_resets_at(now), now)
        case Failure.THROTTLED:
            if rates.back_off(connection, channel, now + BACK_OFF, now):
                log.warning("channel_backs_off", channel=channel, code=refused.code)
        case Failure.WINDOW_CLOSED | Failure.NOT_NOW | Failure.QUIET_HOURS | Failure.CONTENT | Failure.PROVIDER_ERROR:
            pass
        case _:
            assert_never(refused.failure)


def _rest(connection: Connection, channel: str, refused: Rejected, until: datetime, now: datetime) -> None:
    """Told once, however many calls were on the wire and came back with the same."""
    known = overview.resting(connection, now).get(channel)
    if known is None or known < until - _RESTS_FOR:
        log.error("channel_rests", channel=channel, code=refused.code, until=until.isoformat())
        state.put(connection, f"resting:{channel}", until.isoformat(), now)


def _tell(
    connection: Connection, applied: Applied, ready: Ready, name: str, payload: Mapping[str, Any], now: datetime
) -> None:
    """Record it as an event, tied to the delivery and its step."""
    claimed = ready.claimed
    told = NewEvent(
        claimed.member,
        name,
        now,
        f"{name}:{claimed.id}",
        payload,
        channel=ready.clear.channel,
        delivery_id=claimed.id,
        enrolment_id=claimed.enrolment_id,
        journey_id=claimed.journey_id,
        step_id=claimed.step_id,
    )
    events.record(connection, applied.catalog, [told], now)
