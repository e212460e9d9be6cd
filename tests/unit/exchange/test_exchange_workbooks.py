"""Excel workbooks: cells come out as what their writer meant."""

from __future__ import annotations

from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from exchange_builders import a_file, good_rows

from engage.core.problem import Said
from engage.exchange.refusal import RowRefused
from engage.exchange.tabular import Row, open_table
from engage.exchange.workbook import cell_text

_AT_MIDNIGHT = datetime.fromisoformat("1990-05-12")  # how Excel keeps a plain date: no zone, no time


def a_workbook(path: Path, *rows: list[Any]) -> Path:
    workbook = openpyxl.Workbook()
    for row in rows:
        workbook.active.append(row)
    workbook.save(path)
    return path


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (13800138000, "13800138000"),
        (13800138000.0, "13800138000"),
        (1280.5, "1280.5"),
        (0.1 + 0.2, "0.3"),
        (-3.0, "-3"),
        (True, "yes"),
        (False, "no"),
        (date(1990, 5, 12), "1990-05-12"),
        (_AT_MIDNIGHT, "1990-05-12"),
        (datetime.fromisoformat("2026-11-23T10:30"), "2026-11-23 10:30:00"),
        (time(10, 30), "10:30:00"),
        (123456789012345678.0, "1.23456789012346E+17"),  # digits 16 to 18 are lost in the file already
        ("", ""),
    ],
)
def test_a_cell_is_what_its_writer_meant(cell: Any, expected: str) -> None:
    assert cell_text(cell) == expected


def test_a_workbook_reads_like_a_csv_file(tmp_path: Path) -> None:
    path = a_workbook(
        tmp_path / "m.xlsx",
        ["会员号", "手机", "生日", "员工"],
        ["M1", 13800138000, _AT_MIDNIGHT, True],
        [None, None, None, None],
        ["M2", "'13900139000", None, False],
    )
    assert good_rows(path) == [
        {"会员号": "M1", "手机": "13800138000", "生日": "1990-05-12", "员工": "yes"},
        {"会员号": "M2", "手机": "13900139000", "生日": "", "员工": "no"},
    ]


def test_rows_are_numbered_as_excel_shows_them(tmp_path: Path) -> None:
    """Also where the table does not start in the first cell."""
    workbook = openpyxl.Workbook()
    for place, value in {"B3": "会员号", "C3": "手机", "B4": "M1", "C4": 1, "B6": "M2", "C6": 2}.items():
        workbook.active[place] = value
    workbook.save(tmp_path / "m.xlsx")
    table = open_table(tmp_path / "m.xlsx")
    assert not isinstance(table, Said)
    assert [row.number for row in table.rows if isinstance(row, Row)] == [4, 6]


def test_the_first_visible_sheet_with_something_in_it_is_read(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    workbook.active.title = "空"
    workbook.create_sheet("隐藏").append(["不要", "读"])
    workbook["隐藏"].sheet_state = "hidden"
    workbook.create_sheet("会员").append(["会员号"])
    workbook["会员"].append(["M1"])
    workbook.save(tmp_path / "m.xlsx")
    assert good_rows(tmp_path / "m.xlsx") == [{"会员号": "M1"}]


def test_a_value_beyond_the_last_heading_refuses_its_row(tmp_path: Path) -> None:
    path = a_workbook(tmp_path / "m.xlsx", ["会员号", "手机"], ["M1", 1], ["M2", 2, "多出来的"])
    table = open_table(path)
    assert not isinstance(table, Said)
    assert [row.row for row in table.rows if isinstance(row, RowRefused)] == [3]


def test_a_workbook_is_known_by_what_it_is_not_by_its_name(tmp_path: Path) -> None:
    path = a_workbook(tmp_path / "m.xlsx", ["会员号"], ["M1"]).rename(tmp_path / "m.csv")
    assert good_rows(path) == [{"会员号": "M1"}]
    assert good_rows(a_file(tmp_path, "会员号\nM1\n", name="text.xlsx", encoding="gbk")) == [{"会员号": "M1"}]


def test_an_empty_workbook_says_so(tmp_path: Path) -> None:
    found = open_table(a_workbook(tmp_path / "m.xlsx"))
    assert isinstance(found, Said)
    assert "没有" in found.zh
