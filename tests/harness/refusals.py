"""What providers said no to, and what has to come of it: for the message, the address, and the channel."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from engage.core.delivery import Status
from engage.core.fact import Arrival, Clicked, Followed, Receipt, Typed
from tests.harness.handovers import by_delivery, noted_in_time
from tests.harness.promised import BACK_OFF, MOST_ATTEMPTS, MOST_IN_A_WINDOW, ON_THE_WAY, QUOTAS_BEGIN_ANEW, WINDOW
from tests.harness.truth import Call
from tests.harness.weather import Fault
from tests.harness.world import Life

_FOR_GOOD = (Fault.NO_SUCH_ADDRESS, Fault.REFUSED)
_SOONEST = timedelta(minutes=1)


def refused_is_not_forgotten(life: Life) -> Iterator[str]:
    """A message that was surely not taken is not ambiguous."""
    for calls in by_delivery(life).values():
        row = life.delivery(calls[0].about)
        heard = row.attempts == len(calls) == 1 and "the process ended" not in (row.reason or "")
        if heard and row.status == Status.AMBIGUOUS and calls[0].answer == "refused":
            yield f"delivery {row.id} is ambiguous, and its only call was refused"


def given_up_after_six(life: Life) -> Iterator[str]:
    """A message has failed if it was refused for good, or six times; an account's troubles are none of its own. What
    follows a call of which nobody knows any more is a repeat: see `repeated_as_often_as_asked`."""
    for calls in by_delivery(life).values():
        row = life.delivery(calls[0].about)
        refusals = [call for call in calls if call.answer == "refused" and not call.is_of_the_account]
        unknown = next((number for number, call in enumerate(refusals) if call.noted is None), len(refusals))
        if len(refusals[: unknown + 1]) > MOST_ATTEMPTS:
            yield f"delivery {row.id} was tried {len(refusals)} times"
        for_good = any(call.refused_for in _FOR_GOOD for call in refusals)
        if row.status == Status.FAILED and len(refusals) < MOST_ATTEMPTS and not for_good:
            yield f"delivery {row.id} has failed after {len(refusals)} attempts: {row.reason}"


def _heeded(life: Life) -> Iterator[Call]:
    """Refusals that were written down as what they are. Of a repeat they say nothing about the call before, and no more
    is learnt from them."""
    for calls in by_delivery(life).values():
        call = calls[0]
        once = call.committed is not None and call.committed["attempts"] == 1
        if call.answer == "refused" and once and noted_in_time(call):
            yield call


def _noted(call: Call) -> datetime:
    assert call.noted is not None
    return call.noted


def tried_again_with_patience(life: Life) -> Iterator[str]:
    calls_of = by_delivery(life)
    for refused in _heeded(life):
        for call in calls_of[refused.about or 0][1:2]:
            after = call.began - refused.began
            if refused.refused_for is Fault.ERROR and after < _SOONEST and not life.jumps:
                yield f"{call.saying} on {call.channel} was tried again {after} after an error"


def channels_rest_when_told(life: Life) -> Iterator[str]:
    """Until quotas begin anew; for a few seconds, if we are too fast."""
    if life.jumps:
        return
    for refused in _heeded(life):
        if not refused.is_of_the_account:
            continue
        until = _next_quotas(refused.began) if refused.refused_for is Fault.QUOTA else refused.began + BACK_OFF
        for call in life.truth.calls:
            intended = call.committed["sent_at"] if call.committed is not None else None
            if call.channel == refused.channel and intended is not None and _noted(refused) < intended < until:
                what = f"{call.saying} on {call.channel} at {call.began:%d %H:%M:%S}"
                yield f"{what}, though {refused.refused_for} was told"


def _next_quotas(after: datetime) -> datetime:
    there = after.astimezone(QUOTAS_BEGIN_ANEW.tzinfo)
    return datetime.combine(there.date() + timedelta(days=1), QUOTAS_BEGIN_ANEW)


def nothing_to_a_dead_address(life: Life) -> Iterator[str]:
    for channel, address, at in _dead(life):
        for call in life.truth.calls:
            if call.channel == channel and address.endswith(call.address) and call.began > at + ON_THE_WAY:
                yield f"{call.saying} on {channel} at {call.began:%d %H:%M:%S}, where there is no such address"


def _dead(life: Life) -> Iterator[tuple[str, str, datetime]]:
    """Where nobody can be reached, and since when that is known."""
    for refused in _heeded(life):
        if refused.refused_for is Fault.NO_SUCH_ADDRESS:
            yield refused.channel, refused.address, _noted(refused)
    for told, at in life.log.read():
        match told.fact:
            case Receipt(arrival=Arrival.BOUNCED, channel=("sms" | "email") as channel) if not life.jumps:
                row = _row_of(life, told.fact)
                if row is not None:
                    yield channel, row.address, at
            case _:
                pass


def _row_of(life: Life, receipt: Receipt) -> Any:
    return life.delivery(receipt.delivery_id) if receipt.delivery_id is not None else None


# --- reply windows ----------------------------------------------------------------------------------------------


def only_in_an_open_window(life: Life) -> Iterator[str]:
    """What carries no key on WeChat is an answer to the member: within 48 hours, five times at most."""
    acts = [told.fact for told, _ in life.log.read() if isinstance(told.fact, Typed | Followed | Clicked)]
    keyless = [call for call in life.truth.calls if call.channel == "wechat" and call.key is None]
    for call in keyless:
        theirs = [act.at for act in acts if not isinstance(act, Clicked) and act.address == call.address]
        open_then = [at for at in theirs if at - ON_THE_WAY <= call.clock < at + WINDOW + ON_THE_WAY]
        if not open_then and not life.jumps:
            yield f"{call.saying} on wechat at {call.began:%d %H:%M:%S}, in no open window"
        elif open_then and _taken_since(keyless, call, max(open_then)) > MOST_IN_A_WINDOW and not life.jumps:
            yield f"{call.saying} on wechat at {call.began:%d %H:%M:%S}, in a window that is used up"


def _taken_since(calls: list[Call], last: Call, opened: datetime) -> int:
    to_them = [call for call in calls if call.address == last.address and call.reached]
    return sum(opened + ON_THE_WAY < call.clock <= last.clock for call in to_them)
