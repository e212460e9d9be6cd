"""WeChat's XML, read with suspicion: one flat `<xml>` element and nothing before it. Raises ValueError only."""

from __future__ import annotations

import re
from xml.parsers.expat import ExpatError, ParserCreate

# A DOCTYPE (and with it any entity) can only stand before the root element, so nothing but a declaration may. Words a
# follower typed, `<!DOCTYPE html>` say, stand inside and do no harm.
_STARTS_PLAINLY = re.compile(r"\s*(?:<\?xml[^<>]*\?>)?\s*<xml[\s>]")


def read_fields(xml: str) -> dict[str, str]:
    """The texts of the root's children. What is nested, repeated, empty or has attributes is left out."""
    if not _STARTS_PLAINLY.match(xml) or "\0" in xml:
        raise ValueError("not one plain <xml> element")
    reader = _Reader()
    try:
        reader.read(xml)
    except ExpatError as error:
        raise ValueError("not well-formed XML") from error
    if not reader.seen:
        raise ValueError("an <xml> element without fields")
    return {name: text for name, text in reader.plain.items() if name not in reader.left_out}


class _Reader:
    """Listens to the parser. (A general one, which builds a tree, takes twice as long, twice for each callback.)"""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.left_out: set[str] = set()
        self.plain: dict[str, str] = {}
        self._open: list[str] = []
        self._text: list[str] = []

    def read(self, xml: str) -> None:
        parser = ParserCreate()
        parser.StartElementHandler = self._start
        parser.CharacterDataHandler = self._text.append
        parser.EndElementHandler = self._end
        parser.Parse(xml, True)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._open.append(name)
        self._text.clear()
        field = self._open[1] if len(self._open) > 1 else None
        if field is not None and (len(self._open) > 2 or attributes or name in self.seen):
            self.left_out.add(field)
        if len(self._open) == 2:
            self.seen.add(name)

    def _end(self, name: str) -> None:
        text = "".join(self._text).strip()
        if len(self._open) == 2 and text:
            self.plain[name] = text
        self._open.pop()
