"""The plain-text part of our mails, made from their HTML: for watches, screen readers and spam filters.

Made for mails that Engage renders itself, not for any HTML there is.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

_BLOCKS = frozenset(
    {"p", "div", "table", "tr", "h1", "h2", "h3", "h4", "ul", "ol", "blockquote", "section", "header", "footer"}
)
_APART = frozenset({"p", "table", "h1", "h2", "h3", "h4", "ul", "ol", "blockquote"})  # an empty line around them
_SILENT = frozenset({"style", "script", "head", "title", "template"})
_VOID = frozenset({"br", "img", "hr", "meta", "link", "input", "col", "wbr"})
_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)


def plain_text(html: str) -> str:
    """The words, a paragraph to a line; each link's address follows its words."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.text()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._hidden = 0  # depth inside something not shown
        self._link: tuple[str, int] | None = None  # the address, and where its words begin

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if self._hidden or tag in _SILENT or _HIDDEN.search(given.get("style") or ""):
            self._hidden += tag not in _VOID
            return
        match tag:
            case "br":
                self._parts.append("\n")
            case "hr":
                self._parts.append("\n\n")
            case "img":
                self._parts.append(given.get("alt") or "")
            case "a" if given.get("href"):
                self._link = (str(given["href"]), len(self._parts))
            case "li":
                self._parts.append("\n· ")
            case _:
                self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            self._hidden -= tag not in _VOID
        elif tag == "a" and self._link:
            self._end_link(*self._link)
            self._link = None
        else:
            self._break(tag)
            self._parts.append("  " if tag in ("td", "th") else "")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._parts.append(re.sub(r"\s+", " ", data))

    def _break(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._parts.append("\n\n" if tag in _APART else "\n")

    def _end_link(self, address: str, begin: int) -> None:
        words = "".join(self._parts[begin:]).strip()
        if words and words != address:
            self._parts[begin:] = [f"{words}：{address}\n"]
        else:
            self._parts[begin:] = [f"{address}\n"]

    def text(self) -> str:
        text = "".join(self._parts).replace("\xa0", " ")
        lines = [re.sub(r"[ \t]+", " ", line).strip() for line in text.split("\n")]
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"
