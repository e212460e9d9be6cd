"""The numbers of `docs/promise.md`. Not the engine's own: a checker that read them there would believe anything."""

from __future__ import annotations

from datetime import time, timedelta
from zoneinfo import ZoneInfo

WIRE_DEADLINE = timedelta(seconds=20)
CALL_TIMEOUT = timedelta(seconds=10)
LEASE = timedelta(minutes=2)
DEDUPED_FOR = timedelta(minutes=10)  # WeChat's word; the engine believes half of it
REPEAT_PAUSE = timedelta(minutes=10)
MOST_REPEATS = 2
MOST_ATTEMPTS = 6
BACK_OFF = timedelta(seconds=15)
QUOTAS_BEGIN_ANEW = time(0, tzinfo=ZoneInfo("Asia/Shanghai"))
WINDOW = timedelta(hours=48)  # of WeChat, after a message of theirs
MOST_IN_A_WINDOW = 5
# From the decision to the provider's door: the deadline, and the seconds that pass at the door itself.
ON_THE_WAY = WIRE_DEADLINE + timedelta(seconds=15)
