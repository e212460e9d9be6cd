"""Mails of one shape, finished once: where a value is printed, a mark stands until all else is done.

Writing styles into the elements and reading the plain text out of them takes three times as long as all the rest of a
mail, and comes out the same for every member who takes the same branches. So values are printed as marks, what comes of
that is finished and remembered, and the values are filled in last. Only where that gives the same: a value that HTML or
white space would change, or a mark in a place that styles could depend on, and the mail is finished on its own.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape
from html.parser import HTMLParser

from engage.content.mail import finish_mail

_BEGIN, _END = "\ue000", "\ue001"  # for private use: no text of ours has them, and a member's is told apart
_MARK = re.compile(f"{_BEGIN}([0-9]+){_END}")
_FREE_ATTRIBUTES = frozenset({"href", "src", "alt", "title"})
_ASKED_FOR_BY_STYLES = re.compile(r"\[\s*(?:href|src|alt|title)", re.IGNORECASE)
_SHAPES = 256


class Stencil:
    """Of one mail. `mark` is how its values are printed."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._printed = 0
        self.longer_by = 0  # bytes that the values have and the marks have not

    def mark(self, text: str) -> str:
        if not _is_plain(text):
            return text
        mark = f"{_BEGIN}{self._numbers.setdefault(text, len(self._numbers))}{_END}"
        self._printed += 1
        self.longer_by += len(text.encode()) - len(mark.encode())
        return mark

    def finish(self, html: str) -> tuple[str, str] | None:
        """The HTML with its styles written in, and its plain text. None: this mail has to be finished on its own.
        Raises ValueError for CSS that cannot be read."""
        if html.count(_BEGIN) != self._printed or html.count(_END) != self._printed:
            return None
        shape = _finish(html)
        if shape is None:
            return None
        texts = list(self._numbers)
        in_html = [escape(text, quote=False).replace('"', "&quot;") for text in texts]
        finished, plain = shape
        return _fill(finished, in_html), _fill(plain, texts)


def _is_plain(text: str) -> bool:
    """Neither changed by HTML's or our treatment of white space, nor part of something the printed words are searched
    for (template marks that are left over)."""
    if not text or text.startswith(("%", "#")) or "{" in text:
        return False
    return text.isprintable() and text == " ".join(text.split())


def _fill(marked: str, texts: list[str]) -> str:
    return _MARK.sub(lambda mark: texts[int(mark[1])], marked)


@lru_cache(_SHAPES)
def _finish(marked: str) -> tuple[str, str] | None:
    if _ASKED_FOR_BY_STYLES.search(marked) or not _Places.are_free(marked):
        return None
    return finish_mail(marked)


class _Places(HTMLParser):
    """Where the marks stand."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._free = 0
        self._inside: str | None = None  # a style or a script

    @classmethod
    def are_free(cls, marked: str) -> bool:
        """Whether every mark is a text, or all or part of an address or a description: nothing that styles, or the
        reading of the plain text, could go by."""
        places = cls()
        places.feed(marked)
        places.close()
        return places._free == marked.count(_BEGIN)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag if tag in ("style", "script") else None
        self._free += sum((value or "").count(_BEGIN) for name, value in attrs if name in _FREE_ATTRIBUTES)

    def handle_endtag(self, tag: str) -> None:
        self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside is None:
            self._free += data.count(_BEGIN)
