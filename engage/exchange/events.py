"""Rows → business events: id, member, event, time, and a column for each payload key.

Times without a zone are the business's own. Without an id, what a row says is its identity: the same member, event,
second and payload are one event, however often and in whatever file they are told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from engage.core.catalog import Catalog
from engage.core.coerce import has_control, read_moment
from engage.core.fact import Happened
from engage.core.intake import ID_LIMIT, Wrong, happened
from engage.core.problem import Said
from engage.core.report_key import digest
from engage.exchange.headers import Columns
from engage.exchange.reading import RowRead, lost_digits, refused
from engage.exchange.refusal import RowRefused
from engage.exchange.tabular import Row

# Clocks of shops and zones of reports differ; what is further ahead is a slip, such as 2062 for 2026.
_AHEAD = timedelta(days=1)
_NO_TIME = Said("the time is missing", "缺少时间")
_NOT_A_TIME = Said("this is not a time, such as 2026-11-23 10:00", "这里应当是时间，例如 2026-11-23 10:00")
_NOT_YET = Said("this time has not come yet", "这个时间还没有到")
_BAD_ID = Said(
    f"an event's id has at most {ID_LIMIT} characters, on one line", f"事件编号最多 {ID_LIMIT} 个字符，不能换行"
)


def read_events(
    rows: Iterable[Row | RowRefused], columns: Columns, catalog: Catalog, now: datetime
) -> Iterator[RowRead | RowRefused]:
    zone = ZoneInfo(catalog.timezone)
    for row in rows:
        yield row if isinstance(row, RowRefused) else _read(row, columns, catalog, zone, now)


def _read(row: Row, columns: Columns, catalog: Catalog, zone: ZoneInfo, now: datetime) -> RowRead | RowRefused:
    rounded = lost_digits(row, columns)
    if rounded:
        return rounded
    at = _moment(row.values[columns.at["at"]], zone, now)
    event_id = row.values[columns.at["id"]] if "id" in columns.at else ""
    fact = happened(
        catalog,
        member=row.values[columns.at["member"]],
        event=row.values[columns.at["event"]],
        at=at if isinstance(at, datetime) else now,
        data=columns.under("data.", row.values),
    )
    wrong = [
        *(fact if isinstance(fact, list) else []),
        *([Wrong("at", at)] if isinstance(at, Said) else []),
        *([Wrong("id", _BAD_ID)] if len(event_id) > ID_LIMIT or has_control(event_id) else []),
    ]
    if wrong or isinstance(fact, list):
        return refused(row, columns, wrong)
    return RowRead(row.number, f"event:{event_id or _own_id(fact)}", fact)


def _moment(text: str, zone: ZoneInfo, now: datetime) -> datetime | Said:
    if not text:
        return _NO_TIME
    at = read_moment(text, zone)
    if at is None:
        return _NOT_A_TIME
    return _NOT_YET if at > now + _AHEAD else at


def _own_id(fact: Happened) -> str:
    at = fact.at.astimezone(UTC).isoformat()
    return f"#{digest([fact.member, fact.event, at, dict(fact.payload)])}"
