"""A letter's HTML for the frame that shows it: every link leads through the phone, so that a tap is a tap. Pure.

Nothing is cleaned here. The frame's policy (`answers.py`) lets nothing run or load, whatever the letter holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape, unescape

_HREF = re.compile(r"(<a\b[^>]*?\shref\s*=\s*)([\"'])(.*?)\2", re.IGNORECASE | re.DOTALL)


def letter_page(html: str, open_url: Callable[[str], str | None]) -> str:
    """`open_url` gives the address on the phone that opens a link; None takes the link out."""

    def led(found: re.Match[str]) -> str:
        target = open_url(unescape(found[3]).strip()) or "#"
        return f'{found[1]}"{escape(target)}"'

    return _HREF.sub(led, html)
