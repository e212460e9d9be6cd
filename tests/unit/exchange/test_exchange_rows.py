"""One row → one fact, or the reasons why not, each with its column."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from exchange_builders import CATALOG, NOW

from engage.core.fact import Happened, MemberGiven
from engage.exchange.events import read_events
from engage.exchange.headers import Columns, event_columns, member_columns
from engage.exchange.members import read_members
from engage.exchange.reading import RowRead
from engage.exchange.refusal import RowRefused, mask
from engage.exchange.tabular import Row

OPENID = "oABCD_1234567890abcdefghijkl"


def a_member(values: Mapping[str, str], announce: bool = False) -> RowRead | RowRefused:
    columns = member_columns(values, CATALOG)
    assert isinstance(columns, Columns), columns
    (read,) = read_members([Row(7, values)], columns, CATALOG, "会员.csv", NOW, announce=announce)
    return read


def an_event(values: Mapping[str, str]) -> RowRead | RowRefused:
    columns = event_columns(values, CATALOG)
    assert isinstance(columns, Columns), columns
    (read,) = read_events([Row(7, values)], columns, CATALOG, NOW)
    return read


def test_a_full_row_is_a_member_with_evidence() -> None:
    read = a_member(
        {
            "会员号": "M1",
            "姓名": "王芳",
            "手机": "138 0013 8000",
            "邮箱": "WangFang@Example.com",
            "微信": OPENID,
            "生日": "农历八月十五",
            "等级": "3",
            "员工": "否",
            "生活阶段": "活跃",
            "标签": "VIP；推荐官",
            "时区": "Asia/Urumqi",
            "同意": "marketing:sms;survey:all",
        }
    )
    assert isinstance(read, RowRead)
    assert read.fact == MemberGiven(
        member="M1",
        at=NOW,
        values={
            "name": "王芳",
            "birthday": {"calendar": "lunar", "month": 8, "day": 15, "leap": False, "year": None},
            "level": "3",
            "employee": False,
            "lifecycle": "活跃",
        },
        addresses={"sms": "+8613800138000", "email": "wangfang@example.com", "wechat": OPENID},
        consents={
            ("marketing", "sms"): True,
            ("survey", "sms"): True,
            ("survey", "email"): True,
            ("survey", "wechat"): True,
        },
        evidence="会员.csv, row 7",
        tags=("VIP", "推荐官"),
        timezone="Asia/Urumqi",
        announce=False,
    )


@pytest.mark.parametrize(
    "text",
    [
        "13800138000",
        "138 0013 8000",
        "138-0013-8000",
        "+8613800138000",
        "+86 138 0013 8000",
        "008613800138000",
        "8613800138000",
        "１３８００１３８０００",
        "＋８６１３８００１３８０００",
        "13800138000.0",
        "(+86) 13800138000",
    ],
)
def test_phone_numbers_are_read_as_people_write_them(text: str) -> None:
    read = a_member({"会员号": "M1", "手机": text})
    assert isinstance(read, RowRead), read
    assert isinstance(read.fact, MemberGiven)
    assert read.fact.addresses == {"sms": "+8613800138000"}


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("手机", "1.38E+10"),
        ("手机", "1.38001E+10"),
        ("手机", "1380013800"),
        ("手机", "138001380001"),
        ("手机", "23800138000"),
        ("手机", "010-62345678"),
        ("手机", "无"),
        ("手机", "13800138000/13900139000"),
        ("手机", "13800138O00"),
        ("手机", "=cmd|'/C calc'!A0"),
        ("手机", "王芳"),
        ("邮箱", "wang@"),
        ("邮箱", "@example.com"),
        ("邮箱", "wang fang@example.com"),
        ("邮箱", "a@b.com;c@d.com"),
        ("邮箱", "13800138000"),
        ("微信", "王芳的微信"),
        ("微信", "o b"),
        ("生日", "1990-13-01"),
        ("生日", "1990-02-30"),
        ("生日", "33005"),
        ("生日", "八月十五"),
        ("等级", "三级"),
        ("等级", "1,28"),
        ("等级", "1E+3"),
        ("积分", "nan"),
        ("积分", "=1+1"),
        ("员工", "也许"),
        ("合同到期", "2026-02-29"),
        ("合同到期", "next year"),
        ("生活阶段", "睡着"),
        ("时区", "北京"),
        ("同意", "whatever"),
        ("同意", "marketing:fax"),
        ("标签", "x" * 65),
        ("姓名", "x" * 501),
        ("姓名", "a\nBcc: b@example.com"),
        ("会员号", ""),
        ("会员号", "1.23456789012346E+17"),
        ("会员号", "x" * 151),
    ],
)
def test_a_value_that_cannot_be_right_refuses_its_row(column: str, text: str) -> None:
    """The reason names the column by its own heading, and nothing of the row gets in."""
    read = a_member({"会员号": "M1", column: text})
    assert isinstance(read, RowRefused), read
    assert read.row == 7
    assert {reason.column for reason in read.reasons} == {column}
    assert all(reason.why.en and reason.why.zh for reason in read.reasons)


def test_everything_wrong_with_a_row_is_told_at_once() -> None:
    read = a_member({"会员号": "M1", "手机": "1", "邮箱": "x", "等级": "高", "同意": "?"})
    assert isinstance(read, RowRefused)
    assert {reason.column for reason in read.reasons} == {"手机", "邮箱", "等级", "同意"}


def test_empty_cells_say_nothing() -> None:
    read = a_member(
        dict.fromkeys(["姓名", "手机", "邮箱", "生日", "等级", "标签", "时区", "同意"], "") | {"会员号": "M1"}
    )
    assert isinstance(read, RowRead)
    assert read.fact == MemberGiven(
        "M1", NOW, values={}, addresses={}, consents={}, evidence="会员.csv, row 7", announce=False
    )


def test_a_formula_in_a_name_is_only_a_name() -> None:
    read = a_member({"会员号": "M1", "姓名": "=1+1"})
    assert isinstance(read, RowRead)
    assert isinstance(read.fact, MemberGiven)
    assert read.fact.values == {"name": "=1+1"}


def test_the_key_is_what_the_row_says_not_how_it_is_written() -> None:
    first = a_member({"会员号": "M1", "手机": "13800138000", "等级": "1,280"})
    same = a_member({"level": "1280", "phone": "+86 138-0013-8000", "member": "M1"}, announce=True)
    other = a_member({"会员号": "M1", "手机": "13800138000", "等级": "1281"})
    assert isinstance(first, RowRead)
    assert isinstance(same, RowRead)
    assert isinstance(other, RowRead)
    assert first.key == same.key != other.key


AN_ORDER = {"会员号": "M1", "事件": "order_paid", "时间": "2026-11-20 10:00", "订单号": "A1", "金额": "1,280.50"}


def test_times_without_a_zone_are_the_businesss_own() -> None:
    read = an_event(AN_ORDER)
    assert isinstance(read, RowRead)
    at = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
    assert read.fact == Happened("M1", "order_paid", {"order_id": "A1", "amount": 1280.5}, at)


@pytest.mark.parametrize(
    "text", ["2026-11-20 10:00:00", "2026/11/20 10:00", "2026-11-20T02:00:00Z", "2026-11-20T10:00:00+08:00"]
)
def test_the_same_moment_has_many_spellings_and_one_key(text: str) -> None:
    one, other = an_event(AN_ORDER), an_event(AN_ORDER | {"时间": text})
    assert isinstance(one, RowRead)
    assert isinstance(other, RowRead)
    assert one.key == other.key


def test_an_id_is_the_key_of_an_event() -> None:
    read = an_event(AN_ORDER | {"编号": "E-1"})
    assert isinstance(read, RowRead)
    assert read.key == "event:E-1"


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("会员号", ""),
        ("事件", ""),
        ("事件", "order_payed"),
        ("事件", "clicked"),
        ("时间", ""),
        ("时间", "昨天"),
        ("时间", "2026-11-31"),
        ("时间", "46000.5"),
        ("时间", "2062-11-20 10:00"),
        ("金额", "一千"),
        ("金额", "1.28E+10"),
        ("订单号", "1.23456789012346E+17"),
        ("编号", "x" * 151),
        ("编号", "4.2E+27"),
        ("门店", "外滩店"),
    ],
)
def test_an_event_that_cannot_be_right_is_refused(column: str, text: str) -> None:
    read = an_event(AN_ORDER | {column: text})
    assert isinstance(read, RowRefused), read
    assert {reason.column for reason in read.reasons} == {column}


def test_a_clock_a_little_ahead_is_no_slip() -> None:
    ahead = (NOW + timedelta(hours=3)).isoformat()
    assert isinstance(an_event(AN_ORDER | {"时间": ahead}), RowRead)


@pytest.mark.parametrize(
    ("value", "hidden"),
    [
        ("1380013800", "0013"),
        ("138 0013 8000 转 1", "0013"),
        ("+8613800138000", "8001"),
        ("010-62345678", "6234"),
        ("wangfang@@example.com", "wangfang"),
        (f"{OPENID}!", "1234567890"),
    ],
)
def test_personal_data_is_not_shown_whole(value: Any, hidden: str) -> None:
    assert hidden not in mask(value)


@pytest.mark.parametrize("value", ["1990-13-01", "first_order_delivered", "三级", "2026-02-29 10:00"])
def test_what_is_nobodys_secret_is_shown(value: str) -> None:
    assert mask(value) == value
