"""What can be tapped in a message: finding the links in a text and in an HTML page. Pure."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from engage.sandbox.model import Link

_ANCHOR = re.compile(r"<a\s[^>]*href=[\"']([^\"']*)[\"'][^>]*>(.*?)</a>", re.IGNORECASE | re.DOTALL)
_URL = re.compile(r"https?://[^\s<>\"'，。；：！？、）】」”]+")


def links_in(text: str) -> tuple[Link, ...]:
    """What can be tapped in a text: `<a href>` with its words, and bare addresses."""
    anchors = [(found.start(), Link(found[1], found[2])) for found in _ANCHOR.finditer(text)]
    blanked = _ANCHOR.sub(lambda found: " " * len(found[0]), text)
    bare = [(found.start(), Link(found[0], found[0])) for found in _URL.finditer(blanked)]
    return tuple(link for _, link in sorted([*anchors, *bare], key=lambda entry: entry[0]))


def without_anchors(text: str) -> str:
    """The text as it is shown: of each `<a href>` only its words."""
    return _ANCHOR.sub(lambda found: found[2], text)


def links_in_html(html: str) -> tuple[Link, ...]:
    """Every `<a href>` to the web with its words, in reading order."""
    reader = _Anchors()
    reader.feed(html)
    reader.close()
    return tuple(reader.links)


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[Link] = []
        self._url: str | None = None
        self._words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        url = dict(attrs).get("href") if tag == "a" else None
        if url and url.startswith(("http://", "https://")):
            self._url, self._words = url, []

    def handle_data(self, data: str) -> None:
        if self._url is not None:
            self._words.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._url is not None:
            self.links.append(Link(self._url, " ".join("".join(self._words).split())))
            self._url = None
