"""A small shop for the tests of files: its catalog, files on disk, and what of them became facts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from engage.core.catalog import Aggregate, Brand, Catalog, Computed, Event, Field, Topic, TopicClass
from engage.core.condition import ValueType
from engage.core.fact import Fact, Happened, MemberGiven
from engage.core.fact_json import fact_from_json
from engage.exchange.tabular import Row, Table, open_table
from engage.store.databases.database import Database
from engage.store.tables import inbound

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)

_TYPES = {
    "name": ValueType.TEXT,
    "city": ValueType.TEXT,
    "level": ValueType.NUMBER,
    "points": ValueType.NUMBER,
    "birthday": ValueType.ANNIVERSARY,
    "employee": ValueType.BOOLEAN,
    "contract_end": ValueType.DATE,
}

CATALOG = Catalog(
    brand=Brand("山野茶事", "山野茶事", {}),
    timezone="Asia/Shanghai",
    fields={
        **{name: Field(name, kind) for name, kind in _TYPES.items()},
        "lifecycle": Field("lifecycle", ValueType.TEXT, values=("新客", "活跃", "沉睡", "流失")),
        "orders": Field("orders", ValueType.NUMBER, computed=Computed(Aggregate.COUNT, ("order_paid",))),
    },
    events={
        "order_paid": Event(
            "order_paid", {"order_id": ValueType.TEXT, "amount": ValueType.NUMBER, "category": ValueType.TEXT}
        ),
        "complaint_opened": Event("complaint_opened", {"reason": ValueType.TEXT}),
        "store_visited": Event("store_visited", {"store": ValueType.TEXT}),
        "clicked": Event("clicked", {"link": ValueType.TEXT}),
    },
    topics={
        "service": Topic("service", TopicClass.SERVICE, "服务通知"),
        "survey": Topic("survey", TopicClass.MARKETING, "满意度调查"),
        "lifecycle": Topic("lifecycle", TopicClass.MARKETING, "生日与纪念日"),
        "marketing": Topic("marketing", TopicClass.MARKETING, "活动与优惠"),
    },
)


def a_file(folder: Path, content: str | bytes, name: str = "members.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def a_table(path: Path) -> Table:
    table = open_table(path)
    assert isinstance(table, Table), table
    return table


def good_rows(path: Path) -> list[dict[str, str]]:
    """What every row says; fails if one is refused."""
    rows = list(a_table(path).rows)
    assert all(isinstance(row, Row) for row in rows), rows
    return [dict(row.values) for row in rows if isinstance(row, Row)]


def facts(database: Database) -> list[Fact]:
    """Everything in the inbox, in order of arrival."""
    with database.read() as connection:
        return [fact_from_json(body) for body in connection.scalars(select(inbound.c.body).order_by(inbound.c.id))]


def members(database: Database) -> list[MemberGiven]:
    return [fact for fact in facts(database) if isinstance(fact, MemberGiven)]


def events(database: Database) -> list[Happened]:
    return [fact for fact in facts(database) if isinstance(fact, Happened)]
