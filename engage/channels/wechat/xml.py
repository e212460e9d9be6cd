"""WeChat's XML, read with suspicion: one flat `<xml>` element and nothing before it. Raises ValueError only."""

from __future__ import annotations

import re
from xml.parsers.expat import ExpatError

import xmltodict

# A DOCTYPE (and with it any entity) can only stand before the root element, so nothing but a declaration may. Words a
# follower typed, `<!DOCTYPE html>` say, stand inside and do no harm.
_STARTS_PLAINLY = re.compile(r"\s*(?:<\?xml[^<>]*\?>)?\s*<xml[\s>]")


def read_fields(xml: str) -> dict[str, str]:
    """The texts of the root's children. What is nested, repeated or empty is left out."""
    if not _STARTS_PLAINLY.match(xml) or "\0" in xml:
        raise ValueError("not one plain <xml> element")
    try:
        root = xmltodict.parse(xml)["xml"]
    except (ExpatError, KeyError) as error:
        raise ValueError("not well-formed XML") from error
    if not isinstance(root, dict):
        raise ValueError("an <xml> element without fields")
    return {name: value for name, value in root.items() if isinstance(value, str)}
