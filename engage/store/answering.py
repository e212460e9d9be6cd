"""Which answer of a run counts where a question was put more than once: that to the latest time it was put.

A question that came round again and found no answer has none: what was said the time before does not stand in for it.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, exists, not_

from engage.core.turn import Purpose
from engage.store.tables import answer, delivery

_LATER = delivery.alias("asked_later")
COUNTS: ColumnElement[bool] = not_(
    exists().where(
        and_(
            _LATER.c.bucket == answer.c.bucket,
            _LATER.c.enrolment_id == answer.c.enrolment_id,
            _LATER.c.step_id == answer.c.step_id,
            _LATER.c.visit > answer.c.visit,
            _LATER.c.purpose == Purpose.ASK,
        )
    )
)
