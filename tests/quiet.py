"""Quiet hours that keep nothing waiting, where a test or a benchmark goes by the machine's own clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo


def far_from_now() -> dict[str, str]:
    """For `policy.quiet_hours`: one minute, about half a day away, in the zone of the shipped catalog."""
    far = datetime.now(ZoneInfo("Asia/Shanghai")) + timedelta(hours=12)
    return {"start": f"{far:%H}:00", "end": f"{far:%H}:01"}
