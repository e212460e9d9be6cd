"""A text file as lines, whatever wrote it: UTF-8 with or without BOM, GBK/GB18030 (Excel in Chinese), UTF-16.

The encoding is decided once for a file. What then cannot be read, or is plainly in the other encoding (two files pasted
together), comes out as U+FFFD, so that exactly those rows are refused and nobody is greeted as 鐜嬭姵.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path

from charset_normalizer import from_bytes

LOST = "\ufffd"
_LINE_LIMIT = 1 << 20  # a longer line is cut, and its row refused: memory stays bounded
_SAMPLE = 1 << 18
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose BOM it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHINESE = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")


def encoding_of(path: Path) -> str | None:
    """By BOM, then UTF-8, then GB18030, then what charset-normalizer is sure of. None: nobody can tell."""
    with path.open("rb") as file:
        sample = file.read(_SAMPLE)
    for bom, name in _BOMS:
        if sample.startswith(bom):
            return name
    return _utf16_without_bom(sample) or _by_lines(path) or _by_statistics(sample)


def text_lines(path: Path, encoding: str) -> Iterator[str]:
    """Every line with its end, one at a time."""
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        while line := file.readline(_LINE_LIMIT):
            stray = _as_utf8(line) if encoding == "gb18030" else None
            yield f"{LOST}{stray}" if stray else line


def _utf16_without_bom(sample: bytes) -> str | None:
    """Every other byte of ASCII text (commas, digits, line ends) is NUL there; half of it is enough to be sure."""
    half = len(sample) // 2
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > half / 2 and not even:
        return "utf-16-le"
    return "utf-16-be" if even > half / 2 and not odd else None


def _by_lines(path: Path) -> str | None:
    """What most of the lines with other than ASCII characters are in: a few damaged rows do not decide for the rest."""
    utf8 = gb18030 = neither = 0
    with path.open("rb") as file:
        while line := file.readline(_LINE_LIMIT):
            if line.isascii():
                continue
            if _decodes(line, "utf-8"):
                utf8 += 1
            elif _decodes(line, "gb18030"):
                gb18030 += 1
            else:
                neither += 1
    if utf8 >= gb18030 + neither:
        return "utf-8"
    return "gb18030" if gb18030 > neither else None


def _by_statistics(sample: bytes) -> str | None:
    best = from_bytes(sample).best()
    return best.encoding if best else None


def _decodes(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _as_utf8(line: str) -> str | None:
    """The line, if it was read as GB18030 but is UTF-8 with Chinese in it. Short GBK words can look like two-byte UTF-8
    by accident (「联通」), hardly ever like the three bytes of a Chinese character."""
    if line.isascii():
        return None
    try:
        text = line.encode("gb18030").decode("utf-8")
    except UnicodeError:
        return None
    return text if _CHINESE.search(text) else None
