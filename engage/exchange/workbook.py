"""An Excel workbook → records of cells, each as the text its writer meant: `13800138000.0` is a phone number."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path

from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum, SheetVisibleEnum

from engage.core.problem import Said
from engage.exchange.record import Record

Cell = int | float | str | bool | time | date | datetime | timedelta

# Excel keeps fifteen digits: what is longer has lost its last ones, and is shown as Excel would show it.
_EXACT = 10**15


def records(path: Path) -> Iterator[Record] | Said:
    """The first visible sheet that has anything in it, row by row; None of a workbook's formulas are computed."""
    try:
        workbook = CalamineWorkbook.from_path(path)
        for index, sheet in enumerate(workbook.sheets_metadata):
            if sheet.typ is SheetTypeEnum.WorkSheet and sheet.visible is SheetVisibleEnum.Visible:
                cells = workbook.get_sheet_by_index(index)
                if cells.height:
                    return _records(cells.iter_rows())
    except PasswordError:
        return Said(
            "the workbook is protected by a password; save it without one, then import it",
            "这个工作簿有密码保护；请另存为没有密码的文件再导入",
        )
    except CalamineError:
        return Said(
            "this is not a workbook that can be read; open it in Excel and save it as .xlsx or as CSV UTF-8",
            "这个工作簿无法读取；请用 Excel 打开，另存为 .xlsx 或「CSV UTF-8」",
        )
    return Said("the workbook has no visible sheet with anything in it", "这个工作簿里没有可见的、有内容的工作表")


def _records(rows: Iterator[list[Cell]]) -> Iterator[Record]:
    for number, row in enumerate(rows, start=1):
        yield Record(number, tuple(cell_text(cell) for cell in row))


def cell_text(cell: Cell) -> str:
    match cell:
        case bool():
            return "yes" if cell else "no"
        case int() | float():
            return _number_text(cell)
        case datetime() if cell.time() == time():
            return cell.date().isoformat()
        case datetime():
            return cell.isoformat(sep=" ", timespec="seconds")
        case date() | time():
            return cell.isoformat()
        case _:
            return str(cell)


def _number_text(number: float) -> str:
    if abs(number) >= _EXACT:
        return f"{number:.14E}"
    return str(int(number)) if number == int(number) else f"{number:.15g}"
