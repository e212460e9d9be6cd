"""Text that a spreadsheet may open without running it."""

from __future__ import annotations

import re

# What spreadsheets take for the start of a formula; the full-width forms count in Chinese and Japanese Excel.
_STARTERS = tuple("=+-@\t\r＝＋－＠")
# A signed number runs nothing: `+8613800138000` and `-5` stay as they are, so that scripts and people read them whole.
_NUMBER = re.compile(r"[+-]\d[\d ]*(?:\.\d+)?")


def neutralised(text: str) -> str:
    """With an apostrophe in front if it could be run. An import takes the apostrophe away again."""
    return f"'{text}" if text.startswith(_STARTERS) and not _NUMBER.fullmatch(text) else text
