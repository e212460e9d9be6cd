"""What a refusal or a bounce says about an address, whoever told it: the call itself, or a receipt days later."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from engage.core.outcome import Failure
from engage.store import reaching
from engage.store.members import MemberRef

# As the contact point keeps it. Other failures are of the moment or the message, and say nothing about the address.
_STATUS_AFTER = {
    Failure.INVALID_ADDRESS: "invalid",
    Failure.UNREACHABLE: "unreachable",
}


def mark_address(
    connection: Connection,
    ref: MemberRef,
    channel: str,
    address: str,
    failure: Failure,
    code: str,
    *,
    at: datetime,
    now: datetime,
) -> None:
    """An address that is no address is suppressed; one that cannot be reached is left alone until it acts again."""
    status = _STATUS_AFTER.get(failure)
    if status is None:
        return
    reaching.change_status(connection, ref, channel, status, at)
    if failure is Failure.INVALID_ADDRESS:
        reaching.suppress(connection, channel, address, f"invalid address ({code})", now)
