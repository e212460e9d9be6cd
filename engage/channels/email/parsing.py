"""Mails that anybody may have written, taken apart within bounds. Pure.

Python's parser compares each line with the boundaries of all the parts it stands in, and takes a header's parameters
apart in the square of their length. Measured: a minute for 1 MB of nested parts, 38 s for one header of 128 KB. So only
the beginning of a mail is read, where a report says what it has to say, and a few parts of it.
"""

from __future__ import annotations

from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from email.policy import Compat32
from itertools import count

# Generous to the longest reports there are: those of Exchange have some 15 parts, and 60 KB of words with pictures.
_BYTES = 128 * 1024
_LINES = 2_000
_PARTS = 30
_HEADER = 1_000  # characters


class _ShortHeaders(Compat32):
    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:_HEADER]


_POLICY = _ShortHeaders()


def parse_mail(mail: bytes) -> Message:
    """Raises ValueError for one of too many parts."""
    numbers = count(1)

    def part() -> Message:
        if next(numbers) > _PARTS:
            raise ValueError(f"a mail of more than {_PARTS} parts")
        return Message()

    lines = mail[:_BYTES].splitlines(keepends=True)[:_LINES]
    return BytesParser(part, policy=_POLICY).parsebytes(b"".join(lines))


def parse_headers(text: bytes) -> Message:
    return BytesHeaderParser(policy=_POLICY).parsebytes(text)
