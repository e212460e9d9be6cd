"""Values as shops and spreadsheets write them: what is read, and what is refused rather than guessed."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engage.core import coerce
from engage.core.condition import ValueType

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        ("128", "128"),
        (" 1,280.50 ", "1280.50"),
        ("1,234,567", "1234567"),
        ("１２８", "128"),
        ("¥128", "128"),
        ("￥ 1,280", "1280"),
        ("-5", "-5"),
        ("+5", "5"),
        (0.1, "0.1"),
        (1e15, "1000000000000000"),
        (12, "12"),
        (Decimal("3.20"), "3.20"),
    ],
)
def test_numbers(raw: object, number: str) -> None:
    assert coerce.read_number(raw) == Decimal(number)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "1,28",
        "12,34,567",
        "1.2.3",
        "1.38E+10",
        "1e3",
        "nan",
        "inf",
        float("nan"),
        float("inf"),
        True,
        None,
        [],
        "12元",
        "1" * 17,
        1e20,
        "0x10",
        "١٢٣x",
    ],
)
def test_what_is_not_a_number(raw: object) -> None:
    assert coerce.read_number(raw) is None


@pytest.mark.parametrize(
    ("raw", "flag"), [("是", True), ("否", False), ("YES", True), ("n", False), (1, True), (0, False)]
)
def test_flags(raw: object, flag: bool) -> None:
    assert coerce.read_flag(raw) is flag


@pytest.mark.parametrize("raw", ["maybe", "", 2, 1.0, None, "不是"])
def test_what_is_no_flag(raw: object) -> None:
    assert coerce.read_flag(raw) is None


@pytest.mark.parametrize(
    "raw",
    [
        "2026-11-23",
        "2026/11/23",
        "2026.11.23",
        "2026年11月23日",
        "20261123",
        20261123,
        "2026-11-23 00:00:00",
        "2026-11-23T10:00:00+08:00",
        "２０２６－１１－２３",
        date(2026, 11, 23),
        datetime(2026, 11, 23, 9, 30),  # noqa: DTZ001 - what a spreadsheet gives
    ],
)
def test_days(raw: object) -> None:
    assert coerce.read_day(raw) == date(2026, 11, 23)


@pytest.mark.parametrize(
    "raw",
    ["2026-02-30", "2026-13-01", "23/11/2026", "11/23/26", "1899-01-01", "2026-11/23", "2026-11-23x", "", None, 46349],
)
def test_what_is_no_day(raw: object) -> None:
    assert coerce.read_day(raw) is None


@pytest.mark.parametrize(
    ("raw", "moment"),
    [
        ("2026-11-23T10:00:00+08:00", datetime(2026, 11, 23, 2, 0, tzinfo=UTC)),
        ("2026-11-23T10:00:00Z", datetime(2026, 11, 23, 10, 0, tzinfo=UTC)),
        ("2026-11-23 10:00", datetime(2026, 11, 23, 2, 0, tzinfo=UTC)),
        ("2026/11/23 9:05:30", datetime(2026, 11, 23, 1, 5, 30, tzinfo=UTC)),
        ("2026-11-23T10:00:00.1234567-0530", datetime(2026, 11, 23, 15, 30, 0, 123456, tzinfo=UTC)),
        ("2026年11月23日 10:00", datetime(2026, 11, 23, 2, 0, tzinfo=UTC)),
        ("2026-11-23", datetime(2026, 11, 22, 16, 0, tzinfo=UTC)),
        (date(2026, 11, 23), datetime(2026, 11, 22, 16, 0, tzinfo=UTC)),
    ],
)
def test_moments(raw: object, moment: datetime) -> None:
    assert coerce.read_moment(raw, SHANGHAI) == moment


@pytest.mark.parametrize(
    "raw", ["2026-11-23T24:00", "2026-11-23 10", "2026-11-23T10:00+99:00", "10:00", 1_790_000_000, None]
)
def test_what_is_no_moment(raw: object) -> None:
    assert coerce.read_moment(raw, SHANGHAI) is None


def test_anniversaries_keep_their_calendar() -> None:
    lunar = {"calendar": "lunar", "month": 8, "day": 15, "leap": False, "year": None}
    assert coerce.read_anniversary("农历八月十五") == lunar
    assert coerce.read_anniversary(lunar) == lunar
    solar = {"calendar": "solar", "month": 5, "day": 12, "leap": False, "year": 1990}
    assert coerce.read_anniversary("1990-05-12") == solar
    assert coerce.read_anniversary("1990-05-12 00:00:00") == solar
    assert coerce.read_anniversary(date(1990, 5, 12)) == solar
    for bad in ("1990-02-30", "", None, 5, {"month": "x"}):
        assert coerce.read_anniversary(bad) is None


def test_text_is_one_line_of_bounded_length() -> None:
    assert coerce.field_value(ValueType.TEXT, " 上海 ", SHANGHAI) == "上海"
    assert coerce.field_value(ValueType.TEXT, 1024, SHANGHAI) == "1024"
    for bad in ("王\r\nBcc: x", "王\x00", "长" * 501, True, ["王"], "\ud83d"):
        assert coerce.field_value(ValueType.TEXT, bad, SHANGHAI) is None
    assert coerce.payload_value(ValueType.TEXT, "第一行\n第二行", SHANGHAI) == "第一行\n第二行"


def test_numbers_are_exact_in_fields_and_comparable_in_payloads() -> None:
    assert coerce.field_value(ValueType.NUMBER, "1,280.10", SHANGHAI) == "1280.10"
    assert coerce.payload_value(ValueType.NUMBER, "1,280.10", SHANGHAI) == 1280.1
    assert repr(coerce.payload_value(ValueType.NUMBER, "128.00", SHANGHAI)) == "128"


_anything = st.one_of(
    st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.dictionaries(st.text(), st.text(), max_size=3)
)


@given(kind=st.sampled_from(ValueType), raw=_anything)
def test_nothing_ever_raises_and_what_is_read_is_json(kind: ValueType, raw: Any) -> None:
    for read in (coerce.field_value, coerce.payload_value):
        json.dumps(read(kind, raw, SHANGHAI), allow_nan=False).encode()


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, 5),
        (2.5, 2.5),
        ("128.50", 128.5),
        ("-0.5", -0.5),
        ("0", 0),
        *((odd, None) for odd in (True, None, [1], "", "1e3", "007", "+1", ".5", "5.", "1,280", "１２", " 5", "n/a")),
        *((endless, None) for endless in (float("nan"), float("inf"), 10**400, "9" * 17, 1e16)),
    ],
)
def test_a_number_in_a_payload(value: object, number: float | None) -> None:
    assert coerce.number_in_json(value) == number


def test_sums_are_what_their_digits_say() -> None:
    assert coerce.added(coerce.added(0, 0.1), 0.2) == 0.3
    assert coerce.added(0.1 + 0.2, -0.3) == 0
