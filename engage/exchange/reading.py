"""What reading members and reading events have in common: the fact and its key, or what is wrong, and where."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from engage.core.fact import Happened, MemberGiven
from engage.core.intake import Wrong
from engage.core.problem import Said
from engage.exchange.headers import Columns
from engage.exchange.refusal import Reason, RowRefused, mask
from engage.exchange.tabular import Row

# How spreadsheets write a long number that they took for a quantity. `1E5` may be an id; `1.38E+10` was one.
_SCIENTIFIC = re.compile(r"[+-]?\d(?:\.\d+)?[eE]\+\d+")
_LOST_DIGITS = Said(
    "the spreadsheet rounded this number and its last digits are lost; format the column as text and enter it again",
    "表格软件把它当成数值，末几位已经丢失；请把这一列设为「文本」格式后重新填写",
)


@dataclass(frozen=True, slots=True)
class RowRead:
    """`key` names what the row says, not where it stands: the same words have the same key in any file."""

    row: int
    key: str
    fact: MemberGiven | Happened


def lost_digits(row: Row, columns: Columns) -> RowRefused | None:
    """A row with a rounded number in it, whatever its column: nobody can say what stood there."""
    lost = [heading for heading in columns.at.values() if _SCIENTIFIC.fullmatch(row.values[heading])]
    reasons = tuple(Reason(_LOST_DIGITS, heading, mask(row.values[heading])) for heading in lost)
    return RowRefused(row.number, reasons, tuple(row.values.values())) if reasons else None


def refused(row: Row, columns: Columns, wrong: Iterable[Wrong]) -> RowRefused:
    return RowRefused(row.number, tuple(_reason(row, columns, one) for one in wrong), tuple(row.values.values()))


def _reason(row: Row, columns: Columns, wrong: Wrong) -> Reason:
    heading = columns.heading(wrong.where)
    value = row.values[heading] if heading else ""
    return Reason(wrong.why, heading, mask(value) if value else None)
